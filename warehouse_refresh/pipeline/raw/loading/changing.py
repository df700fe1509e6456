"""Of tables that are not replaced, read what has changed since the last load; now and then look which rows are gone.

What was loaded last is the table itself: the greatest value of its cursor. So it is true whatever died in between.
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
from warehouse_refresh.warehouse.errors import TableNotFound, WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import DATE, DATETIME, INT64, NUMERIC, TIMESTAMP, Column

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
    if full or not asked:
        return plan
    records, compared = warehouse.records(), _compared(warehouse)
    known = [table for table in asked if table in records and records[table].fingerprint == plan.fingerprint(table)]
    found: dict[TableName, Change] = {}
    for table in known:
        if plan.tables[table].source.file:
            found[table] = Change(files=_files_of(plan.tables[table].source.file_column, table, warehouse))
        elif (since := _since(plan, table, warehouse)) is not None:
            found[table] = Change(since, _is_due(plan.tables[table].source.deletes_every, compared.get(table)))
    return replace(plan, changed=found)


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


def _files_of(column: str, table: TableName, warehouse: Warehouse) -> frozenset[str]:
    """The files whose rows the table has."""
    query = parse_query(f"SELECT DISTINCT `{column}` AS file FROM {path_sql(table)}")
    return frozenset(str(file) for (file,) in warehouse.fetch(query, None).rows)


def _since(plan: "LoadPlan", table: TableName, warehouse: Warehouse) -> Since | None:
    """From where on rows are read. None for a table without any: then all are."""
    source = plan.tables[table].source
    query = parse_query(f"SELECT MAX(`{source.cursor}`) AS last FROM {path_sql(table)}")
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


def staged_query(
    table: TableName, landed: TableName, keys: TableName | None, columns: Iterable[Column], source: Any
) -> str:
    """The table's rows after the load, in GoogleSQL: those it had, and those that have landed. Of a merge, what has
    landed replaces what has the same key; `keys`, if given, are all that the source has."""
    listed = ", ".join(f"`{column.name}`" for column in columns)
    same = " AND ".join(f"had.`{name}` = came.`{name}`" for name in source.key or (source.file_column,))
    old, new = f"SELECT {listed} FROM {path_sql(table)} AS had", f"SELECT {listed} FROM {path_sql(landed)} AS came"
    if source.mode == "append":
        return f"{old} UNION ALL {new} WHERE NOT EXISTS (SELECT 1 FROM {path_sql(table)} AS had WHERE {same})"
    kept = f"NOT EXISTS (SELECT 1 FROM {path_sql(landed)} AS came WHERE {same})"
    if keys is not None:
        kept += f" AND EXISTS (SELECT 1 FROM {path_sql(keys)} AS came WHERE {same})"
    return f"{old} WHERE {kept} UNION ALL {new}"
