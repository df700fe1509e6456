"""Load seeds into the warehouse. The table `_warehouse.loads` remembers which file each table was loaded from."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from warehouse_refresh.pipeline.raw.seeds import Seed
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.errors import TableNotFound, WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.types import Column

LOADS = TableName(OWN_DATASET, "loads")
_POSTED = "rows were posted meanwhile"


@dataclass(frozen=True, slots=True)
class Load:
    """What a table was loaded from: the seed's digest, and its number of rows."""

    digest: str
    rows: int


def read_loads(warehouse: Warehouse) -> dict[TableName, Load]:
    """The last load of each table. Raises WarehouseError."""
    try:
        found = warehouse.first_rows(LOADS, warehouse.row_count(LOADS))
    except TableNotFound:
        return {}
    latest = sorted(found, key=lambda row: int(row[4]))
    return {TableName(dataset, name): Load(digest, int(rows)) for dataset, name, digest, rows, _ in latest}


def load(warehouse: Warehouse, seed: Seed, expected: int | None) -> bool:
    """Replace the table by the seed's rows: readers see the old rows or the new ones. With `expected`, the table must
    have so many rows just before; if somebody has posted others meanwhile, it stays, and the answer is False.

    The look, the replacement and the note of it are one transaction on DuckDB, and one job of three statements on
    BigQuery: a process that dies leaves no rows without their note. Raises WarehouseError, and Refused for a file that
    has changed since it was read.
    """
    staged = TableName(OWN_DATASET, f"seed_{seed.table.dataset}_{seed.table.name}")
    columns = definitions(seed.columns)
    noted = "dataset STRING, table_name STRING, digest STRING, row_count INT64, number INT64"
    run_script(
        warehouse,
        f"CREATE SCHEMA IF NOT EXISTS {OWN_DATASET}; CREATE TABLE IF NOT EXISTS {path_sql(LOADS)} ({noted})",
    )
    is_plain = not any(column.required or column.type.parameters for column in seed.columns)
    name = path_sql(seed.table) if is_plain else f"{path_sql(seed.table)} ({columns})"  # what a query's result has not
    try:
        _stage(warehouse, seed, staged)
        replaced = f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {path_sql(staged)}"
        run_script(warehouse, f"{_look(seed.table, expected)}{replaced}; {_note(seed)}", together=True)
    except WarehouseError as error:
        if _POSTED not in str(error):
            raise
        return False
    finally:
        warehouse.drop(staged)
    return True


def _stage(warehouse: Warehouse, seed: Seed, staged: TableName) -> None:
    """Create the table with the seed's rows. Its columns have no limits and are not REQUIRED: the values were checked
    before, and BigQuery loads no column that may be NULL into a REQUIRED one."""
    plain = [replace(column, required=False, type=replace(column.type, parameters=())) for column in seed.columns]
    run_script(warehouse, f"CREATE OR REPLACE TABLE {path_sql(staged)} ({definitions(plain)})")
    if seed.parquet is None:
        warehouse.load_rows(staged, seed.rows)
    else:
        warehouse.load(staged, replace(seed.parquet, columns=tuple(plain)))
        seed.check_unchanged()


def _look(table: TableName, expected: int | None) -> str:
    """A statement that fails unless the table has the expected rows."""
    if expected is None:
        return ""
    return f"SELECT IF((SELECT COUNT(*) FROM {path_sql(table)}) = {expected}, TRUE, ERROR('{_POSTED}')) AS is_same;\n"


def _note(seed: Seed) -> str:
    """A statement that notes the load."""
    values = f"'{seed.table.dataset}', '{seed.table.name}', '{seed.digest}', {seed.row_count}, COUNT(*)"
    names = "dataset, table_name, digest, row_count, number"
    return f"INSERT INTO {path_sql(LOADS)} ({names}) SELECT {values} FROM {path_sql(LOADS)}"


def definitions(columns: Iterable[Column]) -> str:
    """The columns in a CREATE TABLE."""
    return ", ".join(f"`{it.name}` {it.type}{' NOT NULL' if it.required else ''}" for it in columns)


def path_sql(table: TableName) -> str:
    """The table's name in SQL."""
    return f"`{table.dataset}`.`{table.name}`"


def run_script(warehouse: Warehouse, script: str, *, together: bool = False) -> None:
    """Run a script of statements: see `Warehouse.run_script`. Raises WarehouseError."""
    from warehouse_refresh.warehouse.sql.parser import (
        parse_script,  # importing it takes longer than a refresh of known scripts
    )

    warehouse.run_script(parse_script(script), together=together)
