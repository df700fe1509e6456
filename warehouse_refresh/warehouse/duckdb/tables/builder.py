"""Build a table or view from a query's result, in place of an earlier one."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress

from warehouse_refresh.warehouse import BuildContext, Built, TableBuild
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.failures import failures_in
from warehouse_refresh.warehouse.duckdb.tables import built, parts
from warehouse_refresh.warehouse.duckdb.tables.columns import is_view
from warehouse_refresh.warehouse.duckdb.tables.database import Database
from warehouse_refresh.warehouse.duckdb.tables.declared import Declared, definition_sql, keep_declared
from warehouse_refresh.warehouse.duckdb.tables.loaded.texts import definitions, varied_texts
from warehouse_refresh.warehouse.duckdb.tables.staging import Beside, over
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, string_sql, table_sql, unmarked
from warehouse_refresh.warehouse.duckdb.translations import Translations
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.storage import Storage
from warehouse_refresh.warehouse.types import Column, with_required


class Builder:
    """Builds tables of the database, over published and staged ones."""

    def __init__(self, database: Database, translations: Translations) -> None:
        self._database, self._translations = database, translations

    def build(self, build: TableBuild, context: BuildContext) -> Built:
        """Replace the published table. Raises SqlError."""

        def replaced(cursor: duckdb.DuckDBPyConnection) -> int | None:
            with suppress(duckdb.CatalogException):  # no table was built by date so far
                parts.forget(cursor, [build.table])
            return self.built_over(cursor, build, {})

        started = time.monotonic()
        self._database.in_transaction(
            lambda cursor: built.forget(cursor, [build.table])
        )  # a build is no transaction of its own
        rows = self._database.retried(replaced)
        done = build.after(time.monotonic() - started)
        self._database.in_transaction(lambda cursor: built.keep(cursor, context, [done]))
        return Built(rows=rows, seconds=time.monotonic() - started)

    def built_over(
        self, cursor: duckdb.DuckDBPyConnection, build: TableBuild, places: Mapping[TableName, Beside]
    ) -> int | None:
        """Replace the table or view. Its query reads the tables of `places` at those places. Returns the number of
        rows, None for a view. A table of rows that have just landed gets little memory, unless that is too little."""
        memory = self._database.memory
        if any(read.table.dataset == OWN_DATASET for read in build.query.reads):
            try:
                with memory.used_by(cursor, is_load=True):
                    return self._built(cursor, build, places)
            except duckdb.OutOfMemoryException:
                with suppress(duckdb.TransactionException):
                    cursor.rollback()
        with memory.used_by(cursor, is_load=False):
            return self._built(cursor, build, places)

    def _built(
        self, cursor: duckdb.DuckDBPyConnection, build: TableBuild, places: Mapping[TableName, Beside]
    ) -> int | None:
        translation = self._translations.of(build.query, lambda read: self.columns_as_staged(cursor, read, places))
        sql = over(translation.stored_sql(), places)
        if build.copy_of is not None:  # `SELECT *` of a table that may be in the other file
            where = self._database.catalogue_of(build.copy_of)
            sql = sql.replace(table_sql(build.copy_of), table_sql(build.copy_of, where))
        is_declared = bool(build.query.listed) and not build.is_view
        columns = translation.columns if is_declared else translation.stored_columns
        columns = with_required(columns, build.storage.required)
        with failures_in(build.query.text):
            if is_declared or build.table in self._database.declared:
                listed = columns if is_declared else ()
                rows, declared = _replaced_as_declared(cursor, build, sql, listed, self._database.declared)
                self._database.note_declared(declared, [build.table])
            else:
                rows = _replaced(cursor, build, sql, _landed_columns(cursor, build, sql))
        self._database.known[build.table] = columns
        return rows

    def added(
        self, cursor: duckdb.DuckDBPyConnection, query: Query, target: TableName, places: Mapping[TableName, Beside]
    ) -> int:
        """Insert the query's result. Returns the number of rows."""
        found = self._translations.of(query, lambda read: self.columns_as_staged(cursor, read, places))
        with failures_in(query.text), self._database.memory.used_by(cursor, is_load=False):
            insert = f"INSERT INTO {table_sql(target)} {over(found.stored_sql(), places)}"
            [(added,)] = cursor.execute(insert).fetchall()
        return int(added)

    def columns_as_staged(
        self, cursor: duckdb.DuckDBPyConnection, table: TableName, places: Mapping[TableName, Beside]
    ) -> tuple[Column, ...]:
        """The columns of the table that the query will read: the staged one, if there is one."""
        return self._database.known_columns(cursor, places[table].name if table in places else table)

    def view_sql(
        self, cursor: duckdb.DuckDBPyConnection, build: TableBuild, area: Mapping[TableName, Beside]
    ) -> list[str]:
        """The statements that create a view over the published tables. The translation uses the columns of the staged
        tables in `area`, which will be published with it."""
        found = self._translations.of(build.query, lambda read: self.columns_as_staged(cursor, read, area))
        create = f"CREATE VIEW {table_sql(build.table)} AS {unmarked(found.stored_sql())}"
        return [create, *comments_sql(build.table, build.storage, is_view=True)]


def _landed_columns(cursor: duckdb.DuckDBPyConnection, build: TableBuild, sql: str) -> str:
    """The columns of a table of rows that have just landed, and maybe of those that it had, if some of its texts are
    best compressed in another way than DuckDB chooses."""
    read = [it.table for it in build.query.reads]
    if all(table.dataset != OWN_DATASET for table in read):
        return ""
    varied = frozenset[str]().union(*(varied_texts(cursor, table) for table in read))
    return definitions(cursor, sql, varied) if varied else ""


def _replaced(cursor: duckdb.DuckDBPyConnection, build: TableBuild, sql: str, columns: str = "") -> int | None:
    """Replace the table or view in one step; a table has these `columns`, if there are some. Returns the number of
    rows, None for a view."""
    other = "TABLE" if build.is_view else "VIEW"
    try:
        with _together(cursor) if columns or any(_said_sql(build)) else nullcontext():
            return _created(cursor, build, sql, columns)
    except duckdb.CatalogException as error:
        if f"is of type {other.capitalize()}" not in str(error):
            raise
    with _together(cursor):
        cursor.execute(f"DROP {other} {table_sql(build.table)}")
        return _created(cursor, build, sql, columns)


@contextmanager
def _together(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run the block in a transaction: readers see all of its changes or none."""
    cursor.begin()
    try:
        yield
    except duckdb.CatalogException:
        cursor.rollback()
        raise
    cursor.commit()


def _created(cursor: duckdb.DuckDBPyConnection, build: TableBuild, sql: str, columns: str = "") -> int | None:
    """Create the table or view with its NOT NULL columns and comments. Returns the number of rows, None for a view."""
    word, name = "VIEW" if build.is_view else "TABLE", table_sql(build.table)
    if columns:
        cursor.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
        created = cursor.execute(f"INSERT INTO {name} {sql}").fetchall()
    else:
        create = f"CREATE OR REPLACE {word} {name} AS {unmarked(sql) if build.is_view else sql}"
        created = cursor.execute(create).fetchall()
    try:
        for statement in _said_sql(build):
            cursor.execute(statement)
    except duckdb.ConstraintException as error:
        column = next((name for name in build.storage.required if str(error).endswith(f".{name}")), "a column")
        raise SqlError(
            f"{column} is REQUIRED, and the query gives NULL for it",
            hint="leave these rows out, or take the mode out of the table's settings",
        ) from error
    return None if build.is_view else int(created[0][0])


def _replaced_as_declared(
    cursor: duckdb.DuckDBPyConnection, build: TableBuild, sql: str, columns: tuple[Column, ...], known: Declared
) -> tuple[int | None, Declared]:
    """Replace the table with one that has the `columns` that its script declares. Without `columns`, replace a table
    that had declared ones. Returns the number of rows (None for a view), and `known` with the table's new types."""
    declared = dict(known)
    cursor.begin()
    if is_view(cursor, build.table) != build.is_view:
        word = "TABLE" if build.is_view else "VIEW"
        cursor.execute(f"DROP {word} IF EXISTS {table_sql(build.table)}")
    if columns:
        cursor.execute(f"CREATE OR REPLACE TABLE {table_sql(build.table)} ({', '.join(map(definition_sql, columns))})")
        [(rows,)] = cursor.execute(f"INSERT INTO {table_sql(build.table)} {sql}").fetchall()
        for statement in comments_sql(build.table, build.storage, is_view=build.is_view):
            cursor.execute(statement)
    else:
        rows = _created(cursor, build, sql)
    keep_declared(cursor, build.table, columns, declared)
    cursor.commit()
    return rows, declared


def _said_sql(build: TableBuild) -> Iterator[str]:
    """The statements that give a new table or view its NOT NULL columns and comments."""
    for column in build.storage.required:
        yield f"ALTER TABLE {table_sql(build.table)} ALTER COLUMN {quoted(column)} SET NOT NULL"
    yield from comments_sql(build.table, build.storage, is_view=build.is_view)


def comments_sql(table: TableName, storage: Storage, *, is_view: bool = False) -> Iterator[str]:
    """The statements that describe a table or view and its columns."""
    name, word = table_sql(table), "VIEW" if is_view else "TABLE"
    if storage.description:
        yield f"COMMENT ON {word} {name} IS {string_sql(storage.description)}"
    for column, description in storage.column_descriptions:
        yield f"COMMENT ON COLUMN {name}.{quoted(column)} IS {string_sql(description)}"
