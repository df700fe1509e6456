"""Of tables that are not replaced, read what has changed since the last load; now and then look which rows are gone.

What was loaded last is the table itself: the greatest value of its cursor. So it is true whatever died in between. Rows
that were posted do not count: a column tells them.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from warehouse_refresh.origins import Since
from warehouse_refresh.pipeline.raw.loads import path_sql, run_script
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.builds.records import BuildRecord
from warehouse_refresh.warehouse.errors import TableNotFound, WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import DATE, DATETIME, INT64, NUMERIC, TIMESTAMP

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.raw.loading.planning import LoadPlan

COMPARED = TableName(OWN_DATASET, "compared")
CURSORS = (INT64, NUMERIC, DATE, DATETIME, TIMESTAMP)
_OVERLAP_OF_MOMENTS, _OVERLAP_OF_NUMBERS = 3600, 1000


@dataclass(frozen=True, slots=True)
class Change:
    """What a load reads of a table: the rows `since`, and with `compares` also all keys, to find the rows that are
    gone. Of files those that are none of `files`, which it has."""

    since: Since | None = None
    compares: bool = False
    files: frozenset[str] = frozenset()


def with_changes(plan: "LoadPlan", warehouse: Warehouse, *, full: bool) -> "LoadPlan":
    """The plan that reads only what has changed, where the settings say so and the table there was loaded from the same
    source with the same columns; with `full`, all of it. Raises WarehouseError."""
    asked = [table for table, one in plan.tables.items() if one.source.mode != "replace"]
    plan = replace(plan, had=_with_posted(plan, asked, warehouse))
    if full or not asked:
        return plan
    records, compared = warehouse.records(), _compared(warehouse)
    known = [table for table in asked if table in records and _is_known(plan, table, records[table])]
    found: dict[TableName, Change] = {}
    for table in known:
        if plan.tables[table].source.file:
            found[table] = Change(files=_files_of(plan, table, warehouse))
        elif (since := _since(plan, table, warehouse)) is not None:
            found[table] = Change(since, _is_due(plan.tables[table].source.deletes_every, compared.get(table)))
    return replace(plan, changed=found)


def _with_posted(
    plan: "LoadPlan", tables: Iterable[TableName], warehouse: Warehouse
) -> Mapping[TableName, frozenset[str]]:
    """The names of the columns that these tables have now, for those that may have posted rows."""
    found: dict[TableName, frozenset[str]] = {}
    for table in tables:
        if column := plan.tables[table].source.posted_column:
            with suppress(TableNotFound):
                names = frozenset(it.name for it in warehouse.columns(table))
                found |= {table: names} if column in names else {}
    return found


def _is_known(plan: "LoadPlan", table: TableName, record: BuildRecord) -> bool:
    """Whether the table was loaded as it would be now. Posted rows change it all the time."""
    was = record.published_as if table in plan.had else record.fingerprint
    return was == plan.fingerprint(table)


def note_compared(warehouse: Warehouse, tables: Iterable[TableName]) -> None:
    """Note that the keys of these tables were compared now. If this fails or is lost, they are compared once more."""
    now = datetime.now(UTC).isoformat()
    values = ", ".join(f"('{table.dataset}', '{table.name}', TIMESTAMP '{now}')" for table in tables)
    if values:
        created = (
            f"CREATE TABLE IF NOT EXISTS {path_sql(COMPARED)} (dataset STRING, name STRING, compared_at TIMESTAMP)"
        )
        with suppress(WarehouseError):
            run_script(
                warehouse, f"{created}; INSERT INTO {path_sql(COMPARED)} (dataset, name, compared_at) VALUES {values}"
            )


def _compared(warehouse: Warehouse) -> Mapping[TableName, datetime]:
    query = f"SELECT dataset, name, MAX(compared_at) AS last FROM {path_sql(COMPARED)} GROUP BY dataset, name"
    try:
        warehouse.row_count(COMPARED)
    except TableNotFound:
        return {}
    return {TableName(dataset, name): at for dataset, name, at in warehouse.fetch(parse_query(query), None).rows}


def _is_due(hours: int | None, last: datetime | None) -> bool:
    """Whether the keys are compared now. The first time is the first load that does not read all."""
    return hours is not None and (last is None or datetime.now(UTC) - last >= timedelta(hours=hours))


def _files_of(plan: "LoadPlan", table: TableName, warehouse: Warehouse) -> frozenset[str]:
    """The files whose rows the table has."""
    column = plan.tables[table].source.file_column
    query = parse_query(
        f"SELECT DISTINCT `{column}` AS file FROM {path_sql(table)} AS had WHERE {_loaded(plan, table)}"
    )
    return frozenset(str(file) for (file,) in warehouse.fetch(query, None).rows)


def _since(plan: "LoadPlan", table: TableName, warehouse: Warehouse) -> Since | None:
    """From where on rows are read. None for a table without any: then all are."""
    source = plan.tables[table].source
    query = parse_query(
        f"SELECT MAX(`{source.cursor}`) AS last FROM {path_sql(table)} AS had WHERE {_loaded(plan, table)}"
    )
    [(last,)] = warehouse.fetch(query, 1).rows
    if last is None:
        return None
    return Since(source.cursor, _less(last, source.overlap), is_number=isinstance(last, int | Decimal))


def _less(last: Any, overlap: int | None) -> str:
    """The value, less the overlap: rows that others were writing at the last load may have earlier values."""
    if isinstance(last, int | Decimal):
        return str(last - (_OVERLAP_OF_NUMBERS if overlap is None else overlap))
    less = timedelta(seconds=_OVERLAP_OF_MOMENTS if overlap is None else overlap)
    if not isinstance(last, datetime):
        return str(last - max(less, timedelta(days=1)) if less else last)
    moment = last.astimezone(UTC).replace(tzinfo=None) if last.tzinfo else last
    return str(max(moment, datetime.min + less) - less)  # noqa: DTZ901 (it has no zone)


def staged_query(plan: "LoadPlan", table: TableName, landed: TableName, keys: TableName) -> str:
    """The table's rows after the load, in GoogleSQL: those that are loaded, before and now, and those that are posted,
    unless one with the same key is loaded."""
    one, names = plan.tables[table], [it.name for it in plan.columns[table]]
    loaded = _loaded_sql(plan, table, landed, keys)
    if one.posted is None or table not in plan.had:
        return loaded
    had = ", ".join(f"had.`{name}`" if name in plan.had[table] else "NULL" for name in names)
    posted = one.posted.sql(had, path_sql(table), "loaded", lambda name: f"`{name}`")
    return f"WITH loaded AS ({loaded}) SELECT {', '.join(f'`{name}`' for name in names)} FROM loaded UNION ALL {posted}"


def _loaded_sql(plan: "LoadPlan", table: TableName, landed: TableName, keys: TableName) -> str:
    """The rows that were loaded before, and those that have landed. Of a merge, what has landed replaces what has the
    same key; `keys` are all that the source has, if they are compared."""
    source, change = plan.tables[table].source, plan.changed.get(table)
    listed = ", ".join(f"`{it.column.name}`" for it in plan.described[table].columns)
    none = f", CAST(NULL AS TIMESTAMP) AS `{source.posted_column}`" if source.posted_column else ""
    new = f"SELECT {listed}{none} FROM {path_sql(landed)} AS came"
    if change is None:
        return new
    same = " AND ".join(f"had.`{name}` = came.`{name}`" for name in source.key or (source.file_column,))
    own = _loaded(plan, table)
    old = f"SELECT {listed}{none} FROM {path_sql(table)} AS had WHERE {own}"
    if source.mode == "append":
        has = f"SELECT 1 FROM {path_sql(table)} AS had WHERE {own} AND {same}"
        return f"{old} UNION ALL {new} WHERE NOT EXISTS ({has})"
    kept = f"NOT EXISTS (SELECT 1 FROM {path_sql(landed)} AS came WHERE {same})"
    if change.compares:
        kept += f" AND EXISTS (SELECT 1 FROM {path_sql(keys)} AS came WHERE {same})"
    return f"{old} AND {kept} UNION ALL {new}"


def _loaded(plan: "LoadPlan", table: TableName) -> str:
    """The condition of the rows that are not posted."""
    return f"had.`{plan.tables[table].source.posted_column}` IS NULL" if table in plan.had else "TRUE"
