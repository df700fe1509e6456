"""Ask the warehouse how many rows each table has, and how many NULLs each column: one query for each table."""

from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from warehouse_refresh.catalogue.document import Catalogue, ColumnEntry, TableEntry
from warehouse_refresh.pipeline.checks.queries import path, quoted
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query

_AT_ONCE = 8


def profiled(catalogue: Catalogue, warehouse: Warehouse) -> Catalogue:
    """The catalogue with the rows of each table, and the share of NULLs in each column. A table that is not there, or
    has other columns than its script gives now, stays as it is. Raises WarehouseError."""
    datasets = {table.dataset for table in catalogue.tables}
    there = {str(table) for dataset in datasets for table in warehouse.tables(dataset)}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="profile") as pool:
        tables = pool.map(lambda one: _profiled(one, warehouse) if one.name in there else one, catalogue.tables)
        return replace(catalogue, tables=tuple(tables))


def _profiled(table: TableEntry, warehouse: Warehouse) -> TableEntry:
    counts = "".join(f", COUNT({quoted(column.name)})" for column in table.columns)
    try:
        answer = warehouse.fetch(parse_query(f"SELECT COUNT(*){counts} FROM {path(TableName.parse(table.name))}"), None)
    except SqlError:
        return table
    [(rows, *filled)] = answer.rows
    columns = (_with_share(column, rows, known) for column, known in zip(table.columns, filled, strict=True))
    return replace(table, rows=rows, columns=tuple(columns))


def _with_share(column: ColumnEntry, rows: int, filled: int) -> ColumnEntry:
    """An array is never NULL, and of no rows there is no share."""
    if not rows or column.mode == "REPEATED":
        return column
    return replace(column, null_share=round(1 - filled / rows, 6))
