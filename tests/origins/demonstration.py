"""The demonstration from a PostgreSQL: `make run-postgres` starts one with the seven raw tables, and goes on from there
to final.products. It ends the server afterwards."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.origins.servers import Database, programs, start_postgres, stop_postgres
from warehouse_refresh.pipeline.project.scripts import read_datasets
from warehouse_refresh.pipeline.raw.db_init import initialise
from warehouse_refresh.warehouse import DEFAULT_URL, Warehouse, connect
from warehouse_refresh.warehouse.names import TableName

_TYPES = {
    "INT64": "bigint",
    "FLOAT64": "double precision",
    "STRING": "text",
    "TIMESTAMP": "timestamptz",
    "DATE": "date",
}
_FOLDER = ROOT / ".data/from-postgres"


def run() -> int:
    """Do it, and answer the exit code."""
    if programs() is None:
        print("PostgreSQL is not installed: apt-get install postgresql")
        return 2
    shutil.rmtree(_FOLDER, ignore_errors=True)
    server = start_postgres()
    try:
        shop = Database(server, "postgres")
        make_project(_FOLDER, shop)
        print(f"a project in {_FOLDER}, whose raw tables come from {shop.url}")
        commands = (["build", "--load"], ["show", "final.products", "--limit", "5"])
        return max(subprocess.call([sys.executable, "-m", "warehouse_refresh.commands.main", *one]) for one in commands)
    finally:
        stop_postgres(server)


def make_project(folder: Path, shop: Database) -> None:
    """Fill the database with the demonstration's raw tables; make a project in `folder` that loads them, and the
    folder the working folder."""
    for name in ("res", "db_init"):
        shutil.copytree(ROOT / name, folder / name)
    os.chdir(folder)
    with connect("duckdb:///shop.duckdb") as warehouse:
        initialise(warehouse, folder / "db_init", read_datasets(folder / "res"))
        for table in warehouse.tables("raw"):
            shop.run(_as_postgres(warehouse, table))
            _name_source(folder / "res/raw", table)
    shutil.rmtree("db_init")
    Path("refresh.toml").write_text('[connections.shop]\nurl_from = "SHOP_URL"\n', encoding="utf-8")
    os.environ.update(SHOP_URL=shop.url, WAREHOUSE_URL=DEFAULT_URL)


def _name_source(raw: Path, table: TableName) -> None:
    (raw / table.name).unlink()  # the empty file that says that there is such a table
    settings = raw / f"{table.name}.toml"
    said = settings.read_text(encoding="utf-8") if settings.exists() else ""
    settings.write_text(f'{said}\n[source]\nconnection = "shop"\ntable = "{table.name}"\n', encoding="utf-8")


def _as_postgres(warehouse: Warehouse, table: TableName) -> str:
    """Statements that make the same table in PostgreSQL."""
    columns = ", ".join(f"{column.name} {_TYPES[column.type.name]}" for column in warehouse.columns(table))
    rows = warehouse.first_rows(table, warehouse.row_count(table))
    values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
    return f"CREATE TABLE {table.name} ({columns}); INSERT INTO {table.name} VALUES {values}; ANALYZE {table.name}"


def _literal(value: object) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


if __name__ == "__main__":
    raise SystemExit(run())
