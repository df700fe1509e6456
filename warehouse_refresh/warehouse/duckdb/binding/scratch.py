"""A DuckDB in memory that answers queries over given rows, for tests of scripts."""

from collections.abc import Mapping

from warehouse_refresh.warehouse import Answer, Append, Given
from warehouse_refresh.warehouse.duckdb.append import append_rows
from warehouse_refresh.warehouse.duckdb.binding.binder import listed
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.failures import failures_in
from warehouse_refresh.warehouse.duckdb.python_functions import PREFIX, register
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, schema_sql, table_sql
from warehouse_refresh.warehouse.duckdb.translations import Translations
from warehouse_refresh.warehouse.duckdb.types import rows_of
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.types import Column


class DuckDBScratch:
    """A DuckDB in memory. Implements `warehouse.Scratch`. For one thread at a time.

    The tables stay from one answer to the next, and are empty in between: each answer inserts its rows in a
    transaction that is rolled back.
    """

    def __init__(self, translations: Translations) -> None:
        self._translations = translations
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute(f"SET GLOBAL TimeZone = 'UTC'; ATTACH ':memory:' AS {quoted(CATALOGUE)}")
        self._made: dict[TableName, tuple[Column, ...]] = {}
        self._has_python = False

    def answer(self, query: Query, given: Mapping[TableName, Given]) -> Answer:
        """See `warehouse.Scratch`."""

        def columns_of(table: TableName) -> tuple[Column, ...]:
            if table not in given:
                raise TableNotFound(table)
            return given[table].columns

        columns, sql = self._translations.answer(query, columns_of)
        for table, found in given.items():
            self._make(table, found.columns)
        if PREFIX in sql and not self._has_python:
            register(self._connection)
            self._has_python = True
        self._connection.begin()
        try:
            for table, found in given.items():
                if found.rows:
                    append_rows(self._connection, table, found.columns, [Append(found.rows)])
            with failures_in(query.text):
                rows = self._connection.execute(sql).fetchall()
        finally:
            self._connection.rollback()
        return Answer(columns, rows_of(columns, rows))

    def close(self) -> None:
        """See `warehouse.Scratch`."""
        self._connection.close()

    def _make(self, table: TableName, columns: tuple[Column, ...]) -> None:
        """Make an empty table, unless it is there."""
        if self._made.get(table) != columns:
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema_sql(table.dataset)}")
            self._connection.execute(f"CREATE OR REPLACE TABLE {table_sql(table)} ({listed(columns)})")
            self._made[table] = columns
