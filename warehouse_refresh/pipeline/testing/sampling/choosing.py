"""Choose rows of the tables that a script reads, so that its joins find partners."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from warehouse_refresh.pipeline.project.lineage.columns import ColumnName, Joins, Pair
from warehouse_refresh.pipeline.testing.inlining import literal
from warehouse_refresh.warehouse import Given, Warehouse
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import Column

PARTNERS = 5
"""Of a table that is joined, so many times as many rows are taken at most."""
_GROUPS = {"STRUCT", "JSON", "GEOGRAPHY", "FLOAT64"}
"""Types whose values are no keys."""


def choose(
    warehouse: Warehouse,
    tables: Collection[TableName],
    joins: Joins,
    rows: int,
    own: str,
    say_bytes: Callable[[TableName, int | None], None],
) -> dict[TableName, Given]:
    """Rows of each table: up to `rows` of the one that the query reads first, of those with the most partners, and of
    each other one the partners of rows that are chosen already. `say_bytes` gets what each query reads, before it runs.
    Raises WarehouseError."""
    columns = {table: warehouse.columns(table) for table in tables}
    pairs = _usable([*joins.pairs, *((two, one) for one, two in joins.pairs)], columns)
    chosen: dict[TableName, Given] = {}

    def add(table: TableName, text: str, limit: int) -> None:
        query = parse_query(text).within(own)
        say_bytes(table, warehouse.plan(query, {}).bytes_processed)
        answer = warehouse.fetch(query, limit)
        names = [column.name for column in columns[table]]
        chosen[table] = Given(columns[table], [dict(zip(names, row, strict=True)) for row in answer.rows])

    for table in _in_order(tables, joins, pairs):
        of = [pair for pair in pairs if pair[0].table == table and pair[1].table != table]
        known = [pair for pair in of if pair[1].table in chosen]
        if known:
            add(table, _partners_of(table, known, chosen), rows * PARTNERS)
        else:
            add(table, _with_most_partners(table, [pair for pair in of if pair[1].table in columns]), rows)
    return chosen


def _usable(pairs: Iterable[Pair], columns: Mapping[TableName, Sequence[Column]]) -> list[Pair]:
    """The pairs of columns of one type, whose values can be compared."""
    types = {ColumnName(table, one.name): one.type for table, known in columns.items() for one in known}
    return sorted(
        pair
        for pair in set(pairs)
        if pair[0] in types
        and types[pair[0]] == types.get(pair[1])
        and types[pair[0]].element is None
        and types[pair[0]].name not in _GROUPS
    )


def _in_order(tables: Collection[TableName], joins: Joins, pairs: Sequence[Pair]) -> list[TableName]:
    """The table that the query reads first, then those that are joined to others before them, as far as they are."""
    left, order = sorted(tables), list[TableName]()
    first = next((table for table in reversed(joins.first) if table in tables), None)
    while left:
        joined = (table for table in left if any(a.table == table and b.table in order for a, b in pairs))
        table = first if first in left and first is not None else next(joined, left[0])
        left.remove(table)
        order.append(table)
    return order


def _with_most_partners(table: TableName, pairs: Sequence[Pair]) -> str:
    joins = "".join(
        f" LEFT JOIN (SELECT DISTINCT `{other.column}` AS k FROM {_path(other.table)}) AS j{number}"
        f" ON t.`{mine.column}` = j{number}.k"
        for number, (mine, other) in enumerate(pairs)
    )
    found = " + ".join(f"IF(j{number}.k IS NULL, 0, 1)" for number in range(len(pairs)))
    return f"SELECT t.* FROM {_path(table)} AS t{joins}{f' ORDER BY {found} DESC' if found else ''}"


def _partners_of(table: TableName, pairs: Sequence[Pair], chosen: Mapping[TableName, Given]) -> str:
    """The rows that have a partner in each of the chosen tables that they are joined with."""
    conditions = [f"`{mine.column}` IN ({', '.join(_values(other, chosen)) or 'NULL'})" for mine, other in pairs]
    return f"SELECT * FROM {_path(table)} WHERE {' AND '.join(conditions)}"


def _values(column: ColumnName, chosen: Mapping[TableName, Given]) -> list[str]:
    given = chosen[column.table]
    kind = next(one.type for one in given.columns if one.name == column.column)
    values: Iterable[object] = (row.get(column.column) for row in given.rows)
    return sorted({literal(value, kind) for value in values if value is not None})


def _path(table: TableName) -> str:
    return f"`{table.dataset}`.`{table.name}`"
