"""Another file that is attached beside the one that is written, to be read only: production's beside that of an
environment, or that of an environment whose tables are promoted.

In an environment's file a view stands for each of production's tables, so that everything finds them where they are in
production. The environment's own tables are in datasets of its own.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.python_functions import is_missing, register
from warehouse_refresh.warehouse.duckdb.tables.publications import HIDDEN
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, schema_sql, string_sql, table_sql
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName

ATTACHED = "_attached"
"""What DuckDB calls the other file."""
_COLUMNS = """
    SELECT schema_name, table_name, list((column_name, data_type) ORDER BY column_index) AS columns
    FROM duckdb_columns() WHERE database_name = $1 AND NOT internal GROUP BY ALL"""


@dataclass(frozen=True, slots=True)
class Attached:
    """The other file. `own` is how the datasets of the environment's own tables begin, which are in the one file, and
    all others in the other."""

    path: Path
    own: str
    is_production: bool

    def has(self, table: TableName) -> bool:
        """Whether the table is in this file."""
        return table.dataset.startswith(self.own) is not self.is_production


def attach(connection: duckdb.DuckDBPyConnection, other: Attached) -> None:
    """Attach the file. If it is production's, a view stands for each of its tables as it is now."""
    connection.execute(f"ATTACH {string_sql(str(other.path))} AS {quoted(ATTACHED)} (READ_ONLY)")
    if other.is_production:
        _stand_in(connection, other)


def is_used(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether anything was built in the environment's file, or recorded of it."""
    found = connection.execute("SELECT 1 FROM duckdb_tables() WHERE database_name = $1 LIMIT 1", [CATALOGUE])
    return found.fetchone() is not None


def _stand_in(connection: duckdb.DuckDBPyConnection, production: Attached) -> None:
    found, before = (_tables(connection, catalogue, production) for catalogue in (ATTACHED, CATALOGUE))
    for table in before.keys() - found.keys():
        connection.execute(f"DROP VIEW {table_sql(table)}")
    changed = sorted(table for table, columns in found.items() if before.get(table) != columns)
    for dataset in sorted({table.dataset for table in changed}):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema_sql(dataset)}")
    _create_views(connection, changed)


def _tables(connection: duckdb.DuckDBPyConnection, catalogue: str, production: Attached) -> dict[TableName, object]:
    """The columns of each table that is production's, and not this project's own."""
    rows = connection.execute(_COLUMNS, [catalogue]).fetchall()
    found = {TableName(dataset, name): columns for dataset, name, columns in rows}
    return {
        table: columns
        for table, columns in found.items()
        if production.has(table) and table.dataset != OWN_DATASET and not table.name.startswith(HIDDEN)
    }


def _create_views(connection: duckdb.DuckDBPyConnection, tables: Iterable[TableName]) -> None:
    """A view of production that reads what is gone, too, gets none: nobody can read it."""
    for table in tables:
        create = f"CREATE OR REPLACE VIEW {table_sql(table)} AS SELECT * FROM {table_sql(table, ATTACHED)}"
        with suppress(duckdb.BinderException):
            try:
                connection.execute(create)
            except duckdb.CatalogException as error:
                if is_missing(error):  # production's view calls it
                    register(connection)
                    connection.execute(create)
