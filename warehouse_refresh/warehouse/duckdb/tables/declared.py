"""Keep the column types that scripts declare: DuckDB does not store a STRING's length or NOT NULL inside a STRUCT."""

from collections.abc import Mapping

from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted
from warehouse_refresh.warehouse.duckdb.types import duckdb_type, googlesql_type
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.types import Column, SqlType, parse_type

_TYPES = f"{OWN_DATASET}.column_types"

Declared = dict[TableName, dict[str, SqlType]]
"""By table and column name, only for types that DuckDB does not store in full."""


def declared_types(connection: duckdb.DuckDBPyConnection, catalogue: str = CATALOGUE) -> Declared:
    """The declared types that the file holds, which is attached under this name."""
    query = f"SELECT dataset, table_name, column_name, type FROM {quoted(catalogue)}.{_TYPES}"
    try:
        rows = connection.execute(query).fetchall()
    except duckdb.CatalogException:  # no type was declared yet
        return {}
    found: Declared = {}
    for dataset, table, column, text in rows:
        found.setdefault(TableName(dataset, table), {})[column] = parse_type(text)
    return found


def keep_declared(
    cursor: duckdb.DuckDBPyConnection, table: TableName, columns: tuple[Column, ...], declared: Declared
) -> None:
    """Store the types of a new table's columns, in `declared` and in the file, within the cursor's transaction."""
    kept = {column.name: column.type for column in columns if _says_more(column.type)}
    if not kept and table not in declared:
        return
    declared.pop(table, None)
    if kept:
        declared[table] = kept
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {OWN_DATASET}")
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {_TYPES} (dataset VARCHAR, table_name VARCHAR, column_name VARCHAR, type VARCHAR)"
    )
    cursor.execute(f"DELETE FROM {_TYPES} WHERE dataset = ? AND table_name = ?", [table.dataset, table.name])
    for name, type_ in kept.items():
        cursor.execute(f"INSERT INTO {_TYPES} VALUES (?, ?, ?, ?)", [table.dataset, table.name, name, str(type_)])


def renamed(cursor: duckdb.DuckDBPyConnection, names: Mapping[TableName, TableName], declared: Declared) -> Declared:
    """Move the declared types of renamed tables in the cursor's transaction. `names` maps old names to new ones; a
    table that had a new name is replaced. Returns `declared` with these changes."""
    found = dict(declared)
    for old, new in names.items():
        if old in found or new in found:
            query = f"DELETE FROM {_TYPES} WHERE dataset = ? AND table_name = ?"
            cursor.execute(query, [new.dataset, new.name])
            query = f"UPDATE {_TYPES} SET dataset = ?, table_name = ? WHERE dataset = ? AND table_name = ?"
            cursor.execute(query, [new.dataset, new.name, old.dataset, old.name])
            found.pop(new, None)
            if old in found:
                found[new] = found.pop(old)
    return found


def definition_sql(column: Column, default: str = "") -> str:
    """The column in a CREATE TABLE of DuckDB's; `default` is its DEFAULT, as SQL."""
    return f"{quoted(column.name)} {duckdb_type(column.type)}{default}{' NOT NULL' if column.required else ''}"


def type_of_column(description: str, declared: SqlType | None) -> SqlType:
    """The column's type: the declared one, unless the table was replaced since."""
    found = googlesql_type(description)
    return declared if declared is not None and googlesql_type(duckdb_type(declared)) == found else found


def _says_more(type_: SqlType) -> bool:
    return googlesql_type(duckdb_type(type_)) != type_
