"""Bind translated queries over empty tables, so that what DuckDB would reject is refused before anything runs."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import duckdb

from warehouse_refresh.warehouse.duckdb.failures import translation_fault
from warehouse_refresh.warehouse.duckdb.python_functions import PREFIX, register
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, schema_sql, table_sql
from warehouse_refresh.warehouse.duckdb.translations import Translation
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.errors import UnsupportedSql
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.coercion import plain
from warehouse_refresh.warehouse.types import Column

_OF_VALUES = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)
"""DuckDB computes constant parts as it binds. If one fails, the query fails as it runs, as in GoogleSQL."""
logger = logging.getLogger("warehouse_refresh.warehouse.duckdb")


class Binder:
    """A DuckDB in memory, with an empty table for each table that queries read. Safe to use from several threads.

    It works in a thread of its own: DuckDB binds one query while the next one is translated.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bind")
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute(f"SET GLOBAL TimeZone = 'UTC'; ATTACH ':memory:' AS {quoted(CATALOGUE)}")
        self._tables: dict[TableName, tuple[Column, ...]] = {}
        self._schemas: set[str] = set()
        self._types: dict[str, str] = {}
        self._has_python = False

    def check(self, made: Translation) -> "Future[None]":
        """Begin to bind the query. The result raises TranslationFault unless DuckDB takes it and makes the columns that
        it should. Nothing is executed. Raises SqlError for columns that a table cannot have."""
        return self._thread.submit(self._check, made, made.stored_sql())

    def _check(self, made: Translation, sql: str) -> None:
        try:
            bound, expected = self._bound(sql, made), [self._described(column) for column in made.columns]
        except _OF_VALUES:
            return
        except duckdb.Error as error:
            logger.debug("DuckDB rejects %s: %s", sql, error)  # its words are about SQL that no user has written
            raise translation_fault() from error
        if bound != expected:
            logger.debug("DuckDB makes %s of %s, not %s", bound, sql, expected)
            raise translation_fault()

    def close(self) -> None:
        """Close the DuckDB. The object is not used again."""
        self._thread.shutdown(cancel_futures=True)
        self._connection.close()

    def _bound(self, sql: str, made: Translation) -> Sequence[tuple[str, str]]:
        """The names and types of the result's columns."""
        for table, columns in made.read.items():
            if self._tables.get(table) != columns:
                self._create(table, columns)
        if PREFIX in sql and not self._has_python:
            register(self._connection)
            self._has_python = True
        result = self._connection.sql(sql)
        return list(zip(result.columns, map(str, result.types), strict=True))

    def _create(self, table: TableName, columns: tuple[Column, ...]) -> None:
        if table.dataset not in self._schemas:
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema_sql(table.dataset)}")
            self._schemas.add(table.dataset)
        listed = ", ".join(f"{quoted(column.name)} {_type(column)}" for column in columns)
        self._connection.execute(f"CREATE OR REPLACE TABLE {table_sql(table)} ({listed})")
        self._tables[table] = columns

    def _described(self, column: Column) -> tuple[str, str]:
        """A column's name and its type as DuckDB writes it. A declared precision is the table's, not the query's."""
        kind = duckdb_type(plain(column.type))
        if kind not in self._types:
            self._types[kind] = str(self._connection.sql(f"SELECT CAST(NULL AS {kind})").types[0])
        return column.name, self._types[kind]


def _type(column: Column) -> str:
    """The column's type. No translated query names a column of a type that is not supported."""
    try:
        return duckdb_type(column.type)
    except UnsupportedSql:
        return "VARCHAR"
