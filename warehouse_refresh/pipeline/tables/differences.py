"""What differs between two tables: columns, rows and values, found by one query in the warehouse."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query, parse_query
from warehouse_refresh.warehouse.types import Column

EXAMPLES = 5
"""How many examples are shown at most."""
LONGEST = 200
"""How many characters of an example are shown."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How a table differs from what it was: numbers of rows; rows `added` and `removed`; rows `changed`, by their
    `keys`, and in which columns; up to five examples, as text. Without keys, a changed row is removed and added.
    `repeated` says that a key is not unique, so that the numbers count pairs."""

    table: TableName
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    before: int
    after: int
    added: int
    removed: int
    changed: int = 0
    by_column: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    repeated: bool = False

    @property
    def is_none(self) -> bool:
        """Whether nothing differs."""
        return not (self.columns or self.added or self.removed or self.changed)


def difference(
    warehouse: Warehouse,
    table: TableName,
    old: TableName,
    new: TableName,
    keys: Sequence[str],
    own: str,
    say_bytes: Callable[[int | None], None],
    left_out: Collection[str] = (),
) -> Difference:
    """What differs in `new` from `old`; people know both as `table`. `keys` are the columns that tell rows apart. `own`
    is the project of the scripts. Columns of `left_out` are not compared. `say_bytes` gets the bytes that the query
    reads, before it runs. Raises WarehouseError, also for a key that is no column of both."""
    columns_old, columns_new = (
        [column for column in warehouse.columns(one) if column.name not in left_out] for one in (old, new)
    )
    names = {column.name for column in columns_old}
    both = [column.name for column in columns_new if column.name in names]
    values = [name for name in both if name not in keys]
    query = parse_query(_by_key(old, new, keys, values) if keys else _by_row(old, new, both)).within(own)
    say_bytes(warehouse.plan(query, {}).bytes_processed)
    before, after = warehouse.row_count(old), warehouse.row_count(new)
    changes = tuple(_columns(columns_old, columns_new))
    return _read(warehouse, query, Difference(table, tuple(keys), changes, before, after, 0, 0), values)


def _read(warehouse: Warehouse, query: Query, empty: Difference, values: Sequence[str]) -> Difference:
    [row] = warehouse.fetch(query, None).rows
    examples, paired_old, paired_new, added, removed, changed, *counts = row
    return Difference(
        empty.table,
        empty.keys,
        empty.columns,
        empty.before,
        empty.after,
        added or 0,
        removed or 0,
        changed or 0,
        {name: count for name, count in zip(values, counts, strict=False) if count},
        tuple(_cut(example) for example in examples or ()),
        bool(empty.keys) and (paired_old > empty.before or paired_new > empty.after),
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _columns(old: Sequence[Column], new: Sequence[Column]) -> list[str]:
    before, after = ({column.name: str(column.type) for column in columns} for columns in (old, new))
    return [
        *(f"new column {name} {after[name]}" for name in after if name not in before),
        *(f"no column {name} any more" for name in before if name not in after),
        *(
            f"{name} is {after[name]}, was {before[name]}"
            for name in after
            if before.get(name, after[name]) != after[name]
        ),
    ]


def _by_key(old: TableName, new: TableName, keys: Sequence[str], values: Sequence[str]) -> str:
    key = _joined(keys)
    listed = "".join(f", TO_JSON_STRING({_quoted(name)}) AS v{number}" for number, name in enumerate(values))
    differs = [f"o.v{number} != n.v{number}" for number in range(len(values))]
    any_differs = " OR ".join(differs) or "FALSE"
    words = [
        f"IF(o.v{number} != n.v{number}, CONCAT({_text(f'{name}: ')}, o.v{number}, ' -> ', n.v{number}), NULL)"
        for number, name in enumerate(values)
    ]
    what = f"CONCAT('~ ', o.k, ' ', ARRAY_TO_STRING([{', '.join(words)}], '; '))" if words else "o.k"
    example = (
        f"CASE WHEN o.k IS NULL THEN CONCAT('+ ', n.k) WHEN n.k IS NULL THEN CONCAT('- ', o.k)"
        f" WHEN {any_differs} THEN {what} END"
    )
    counts = "".join(f", COUNTIF({one})" for one in differs)
    return (
        f"WITH o AS (SELECT {key} AS k{listed} FROM {_path(old)}), n AS (SELECT {key} AS k{listed} FROM {_path(new)})\n"
        f"SELECT ARRAY_AGG({example} IGNORE NULLS ORDER BY COALESCE(n.k, o.k) LIMIT {EXAMPLES}),"
        f" COUNT(o.k), COUNT(n.k), COUNTIF(o.k IS NULL), COUNTIF(n.k IS NULL), COUNTIF({any_differs}){counts}\n"
        "FROM o FULL JOIN n ON o.k = n.k"
    )


def _by_row(old: TableName, new: TableName, columns: Sequence[str]) -> str:
    row = _joined(columns)
    example = "IF(a > b, CONCAT('+ ', k), IF(a < b, CONCAT('- ', k), NULL))"
    return (
        f"WITH o AS (SELECT {row} AS k, COUNT(*) AS c FROM {_path(old)} GROUP BY k),"
        f" n AS (SELECT {row} AS k, COUNT(*) AS c FROM {_path(new)} GROUP BY k),\n"
        "p AS (SELECT COALESCE(n.k, o.k) AS k, IFNULL(o.c, 0) AS b, IFNULL(n.c, 0) AS a"
        " FROM o FULL JOIN n ON o.k = n.k)\n"
        f"SELECT ARRAY_AGG({example} IGNORE NULLS ORDER BY k LIMIT {EXAMPLES}), SUM(b), SUM(a),"
        " SUM(GREATEST(a - b, 0)), SUM(GREATEST(b - a, 0)), 0 FROM p"
    )


def _joined(columns: Sequence[str]) -> str:
    """One text of the values of some columns."""
    parts = ", ', ', ".join(f"TO_JSON_STRING({_quoted(name)})" for name in columns)
    return f"CONCAT({parts})" if columns else "''"


def _quoted(name: str) -> str:
    return f"`{name}`"


def _path(table: TableName) -> str:
    return f"`{table.dataset}`.`{table.name}`"


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
