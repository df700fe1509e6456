"""The first rows of tables, as texts for people, without the columns that hold personal values."""

from typing import Any

import msgspec
from msgspec.structs import replace

from warehouse_refresh.catalogue.document import Catalogue, FirstRows, TableEntry
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.errors import SqlError, TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import Column, SqlType
from warehouse_refresh.warehouse.values.plain import plain

_LONGEST = 200
"""A text is cut after so many characters."""
_ATTEMPTS = 3


def with_first_rows(catalogue: Catalogue, warehouse: Warehouse, count: int) -> Catalogue:
    """The catalogue with up to `count` rows of each table that is there and not private. Raises WarehouseError."""
    return replace(catalogue, tables=tuple(_with_rows(table, warehouse, count) for table in catalogue.tables))


def _with_rows(table: TableEntry, warehouse: Warehouse, count: int) -> TableEntry:
    try:
        return table if table.private else replace(table, first_rows=first_rows(table, warehouse, count))
    except (TableNotFound, SqlError):
        return table


def first_rows(table: TableEntry, warehouse: Warehouse, count: int) -> FirstRows:
    """Up to `count` rows of the table, which is not private. A column that is personal, or that the files do not know,
    is left out. Raises TableNotFound, other WarehouseErrors, and SqlError for a view that cannot be read."""
    columns, rows = _read(TableName.parse(table.name), warehouse, count)
    shown = {column.name for column in table.columns if not column.personal}
    kept = [number for number, column in enumerate(columns) if column.name in shown]
    return FirstRows(
        tuple(columns[number].name for number in kept),
        tuple(tuple(_text(row[number], columns[number].type) for number in kept) for row in rows) if kept else (),
        tuple(column.name for column in columns if column.name not in shown),
    )


def _read(table: TableName, warehouse: Warehouse, count: int) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    """The columns and some rows. A refresh may replace the table in between: both are of the same table, since a value
    must not appear under the name of another column."""
    columns = warehouse.columns(table)
    for _ in range(_ATTEMPTS):
        rows = warehouse.first_rows(table, count)
        before, columns = columns, warehouse.columns(table)
        if before == columns:
            return columns, rows
    return columns, []


def _text(value: Any, kind: SqlType) -> str | None:
    """The value as people read it; None for NULL."""
    if value is None:
        return None
    found = plain(value, kind)
    text = found if isinstance(found, str) else msgspec.json.encode(found).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
