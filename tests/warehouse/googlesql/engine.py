"""DuckDB's side of the comparison."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

import duckdb

from tests.warehouse.googlesql.values import Answer, Interval, Json
from warehouse_refresh.pipeline.project.variables import Variables
from warehouse_refresh.warehouse.duckdb.python_functions import register
from warehouse_refresh.warehouse.duckdb.tables.database import prepare
from warehouse_refresh.warehouse.duckdb.translate.entry import answer
from warehouse_refresh.warehouse.duckdb.translate.nodes import render
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, schema_sql, table_sql
from warehouse_refresh.warehouse.duckdb.types import duckdb_type, units_of
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.query import Query, parse_query
from warehouse_refresh.warehouse.types import Column, SqlType

INTERVAL_PARTS = (
    "[date_part('year', {0}) * 12 + date_part('month', {0}), date_part('day', {0}),"
    " date_part('hour', {0}) * 3600000000 + date_part('minute', {0}) * 60000000 + date_part('microsecond', {0})]"
)


class Engine:
    """An in-memory DuckDB with a set of tables."""

    def __init__(self, tables: Mapping[TableName, Answer]) -> None:
        self._tables = {name: answer.columns for name, answer in tables.items()}
        self._connection = duckdb.connect()
        self._connection.execute(f"ATTACH ':memory:' AS {CATALOGUE}; USE {CATALOGUE}")
        prepare(self._connection)
        register(self._connection)
        for name, table in tables.items():
            load(self._connection, name, table)

    def columns(self, table: TableName) -> tuple[Column, ...]:
        """A table's columns. Raises TableNotFound."""
        if table not in self._tables:
            raise TableNotFound(table)
        return self._tables[table]

    def kinds(self, sql: str) -> list[SqlType]:
        """The types of the query's columns, which is not run. Raises SqlError."""
        return [column.type for column in answer(parse_query(sql), self.columns).columns]

    def answer(self, sql: str, variables: Variables | None = None) -> Answer:
        """The query's result, with these values of its parameters. Raises SqlError before it runs, duckdb.Error as it
        runs."""
        relation = answer(_query(sql).given(variables or {}), self.columns)
        sql = render(relation.query)
        if any(has_interval(column.type) for column in relation.columns):
            texts = [in_parts(column.type, quoted(column.column)) for column in relation.columns]
            sql = f"SELECT {', '.join(texts)} FROM ({sql})"
        cursor = self._connection.execute(sql)
        found = [str(item[1]) for item in cursor.description or ()]
        columns = tuple(Column(column.name, column.type) for column in relation.columns)
        for column, kind in zip(columns, found, strict=False):
            expected = duckdb_type(column.type).replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")
            if not has_interval(column.type):
                assert plain(kind) == plain(expected), f"{column.name} is a {kind} and should be a {expected}"
        rows = [
            tuple(value_of(column.type, value) for column, value in zip(columns, row, strict=False))
            for row in cursor.fetchall()
        ]
        return Answer(columns, rows)


def _query(text: str) -> Query:
    """The query of the text, which may create functions first."""
    if not text.startswith("CREATE TEMP FUNCTION"):
        return parse_query(text)
    found = parse_definition(text)
    return parse_query(found.query_text, preamble=found.preamble)


def has_interval(kind: SqlType) -> bool:
    """Whether it is an INTERVAL or holds one: the driver makes a duration of it, without its months."""
    parts = [kind.element] if kind.element is not None else [field.type for field in kind.fields]
    return kind.name == "INTERVAL" or any(map(has_interval, parts))


def in_parts(kind: SqlType, value: str, depth: int = 0) -> str:
    """The value's SQL with a list of three numbers for each INTERVAL."""
    if not has_interval(kind):
        return value
    if kind.name == "INTERVAL":
        return INTERVAL_PARTS.format(value)
    if kind.element is not None:
        return f"list_transform({value}, lambda x{depth}: {in_parts(kind.element, f'x{depth}', depth + 1)})"
    fields = [
        in_parts(field.type, f"struct_extract_at({value}, {number})", depth)
        for number, field in enumerate(kind.fields, start=1)
    ]
    return f"CASE WHEN {value} IS NOT NULL THEN row({', '.join(fields)}) END"


def load(connection: duckdb.DuckDBPyConnection, name: TableName, table: Answer) -> None:
    """Make the table in the warehouse that the connection uses."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema_sql(name.dataset)}")
    columns = ", ".join(f"{quoted(column.name)} {duckdb_type(column.type)}" for column in table.columns)
    connection.execute(f"CREATE TABLE {table_sql(name)} ({columns})")
    marks = ", ".join("?" for _ in table.columns)
    for row in table.rows:
        values = [parameter(column.type, value) for column, value in zip(table.columns, row, strict=True)]
        connection.execute(f"INSERT INTO {table_sql(name)} VALUES ({marks})", values)


def plain(kind: str) -> str:
    """A DuckDB type's text without what has no meaning in it."""
    return kind.replace(" ", "").replace('"', "").upper()


def parameter(kind: SqlType, value: Any) -> Any:
    """A value as the DuckDB driver takes it."""
    if value is None:
        return None
    if kind.element is not None:
        return [parameter(kind.element, item) for item in value]
    if kind.name == "STRUCT":
        return {field.name: parameter(field.type, item) for field, item in zip(kind.fields, value, strict=True)}
    if kind.name == "BIGNUMERIC":
        return units_of(value)
    return value.text if isinstance(value, Json) else value


def value_of(kind: SqlType, value: Any) -> Any:
    """A value of the DuckDB driver in the common form."""
    if value is None:
        return None
    if kind.element is not None:
        return [value_of(kind.element, item) for item in value]
    if kind.name == "STRUCT":
        items = value.values() if isinstance(value, dict) else value
        return tuple(value_of(field.type, item) for field, item in zip(kind.fields, items, strict=True))
    if kind.name == "INTERVAL":
        return Interval(*map(int, value)) if value[0] is not None else None
    if kind.name == "BIGNUMERIC":
        return value if isinstance(value, Decimal) else Decimal(value).scaleb(-38, Context(prec=100))
    if kind.name == "JSON":
        return Json(value)
    if kind.name == "TIMESTAMP" and isinstance(value, datetime):
        return value.astimezone(UTC)
    return value
