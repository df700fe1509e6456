"""A table of another warehouse, copied into this one for as long as it is compared."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.warehouse import Warehouse, connect
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName

_MANY = 1_000_000
"""More rows take minutes to copy, so they are refused."""


@contextmanager
def copied(warehouse: Warehouse, where: str, table: TableName) -> Iterator[tuple[TableName, list[str]]]:
    """The table of the warehouse `where`, a URL or a DuckDB file, under a name in this one; and its columns of types
    that cannot be copied exactly, which the copy lacks. On BigQuery reading and loading rows costs nothing. Raises
    SelectionError for a file that is not there and for too many rows, WarehouseError."""
    from warehouse_refresh.warehouse.values.parquet import holds_exactly, write_rows  # imports DuckDB

    with connect(_url(where)) as other:
        columns = other.columns(table)
        if (count := other.row_count(table)) > _MANY:
            raise SelectionError(f"{table} of {where} has {count:,} rows, and at most {_MANY:,} can be copied")
        found = other.first_rows(table, count)
    kept = [(at, column) for at, column in enumerate(columns) if holds_exactly(column.type)]
    rows = [{column.name: row[at] for at, column in kept} for row in found]
    copy = TableName(OWN_DATASET, f"diff_{secrets.token_hex(8)}")
    with TemporaryDirectory(prefix="refresh-") as folder:
        try:
            warehouse.offer(copy, write_rows([column for _, column in kept], rows, Path(folder) / "rows.parquet"))
            yield copy, [column.name for column in columns if not holds_exactly(column.type)]
        finally:
            warehouse.drop(copy)


def _url(where: str) -> str:
    if "://" in where:
        return where
    if not Path(where).is_file():
        raise SelectionError(f"--from {where}: there is no such file; write a DuckDB file's path, or a warehouse's URL")
    return f"duckdb:///{where}"
