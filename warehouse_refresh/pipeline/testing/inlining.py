"""Queries that have the given rows in their texts, so that they read no table and cost nothing on BigQuery.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#literals
"""

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from warehouse_refresh.pipeline.testing.clock import rewritten
from warehouse_refresh.warehouse import Answer, Given, Warehouse
from warehouse_refresh.warehouse.errors import UnsupportedSql
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.coercion import plain
from warehouse_refresh.warehouse.sql.parser import span_of, tables_in
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.types import Column, SqlType

_QUOTED = {"DATE", "TIME", "DATETIME", "TIMESTAMP", "NUMERIC", "BIGNUMERIC", "JSON"}
"""The types whose literals are the type's name and a text."""


class InlinedRows:
    """Answers queries on a warehouse, over rows in their texts. Implements `warehouse.Scratch`."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def answer(self, query: Query, given: Mapping[TableName, Given]) -> Answer:
        """See `warehouse.Scratch`."""
        return self._warehouse.fetch(inlined(query, given), None)

    def close(self) -> None:
        """Whoever has opened the warehouse closes it."""


def inlined(query: Query, given: Mapping[TableName, Given]) -> Query:
    """The query with the rows in place of the tables. Its lines stay the same. Raises SqlError, also for a query whose
    functions read tables, and for a wildcard table."""
    if query.wildcards or any(one.names for one in query.functions):
        what = "a wildcard table" if query.wildcards else "a function that reads tables"
        raise UnsupportedSql(f"rows cannot be written into a query with {what}", hint="run this test without it")
    start = query.start_offset if query.preamble else 0
    text = query.text
    for first, last, rows in reversed(list(_places(query, given))):
        text = text[:first] + rows + text[last:]
    functions = {one.name: one for one in query.functions}
    return rewritten(query, query.preamble[:start], text[start:], functions)


def _places(query: Query, given: Mapping[TableName, Given]) -> Iterator[tuple[int, int, str]]:
    """From which character up to which what is to be written, in the order of the text."""
    found = []
    for node in tables_in(query.tree):
        table = TableName(node.db, node.name)
        if table in given and query.is_own(node.catalog):
            first, last = span_of(query.text, node)
            alias = "" if node.alias else f" AS `{node.name}`"
            found.append((first, last + 1, f"({rows_sql(given[table])}){alias}"))
    yield from sorted(found)


def rows_sql(given: Given) -> str:
    """A query for the rows."""
    kind = ", ".join(f"`{column.name}` {plain(column.type)}" for column in given.columns)
    rows = ", ".join(f"({_values(row, given.columns)})" for row in given.rows)
    if len(given.columns) == 1:
        rows = ", ".join(f"STRUCT({_values(row, given.columns)})" for row in given.rows)
    return f"SELECT * FROM UNNEST(ARRAY<STRUCT<{kind}>>[{rows}])"


def _values(row: Mapping[str, Any], columns: tuple[Column, ...]) -> str:
    return ", ".join(literal(row.get(column.name), column.type) for column in columns)


def literal(value: Any, kind: SqlType) -> str:
    """The value as GoogleSQL writes it, in one line."""
    if kind.element is not None:
        return f"{plain(kind)}[{', '.join(literal(each, kind.element) for each in value or ())}]"
    if value is None:
        return f"CAST(NULL AS {plain(kind)})"
    if kind.name == "STRUCT":
        fields = [f"{literal(value.get(field.name), field.type)} AS `{field.name}`" for field in kind.fields]
        return f"STRUCT({', '.join(fields)})"
    return _scalar(value, kind)


def _scalar(value: Any, kind: SqlType) -> str:
    name = kind.name
    if name == "STRING":
        return _quoted(value)
    if name == "BYTES":
        return "b'" + "".join(f"\\x{byte:02x}" for byte in value) + "'"
    if name == "FLOAT64":
        return f"CAST('{float(value)!r}' AS FLOAT64)"
    if name == "GEOGRAPHY":
        return f"ST_GEOGFROMTEXT({_quoted(value)})"
    if name == "INTERVAL":
        return f"CAST({_quoted(str(value))} AS INTERVAL)"
    if name in _QUOTED:
        return f"{name} {_quoted(_text(value, name))}"
    return str(value).upper() if name == "BOOL" else str(value)


def _text(value: Any, name: str) -> str:
    if name == "TIMESTAMP":
        return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(' ')}+00"
    if name in ("NUMERIC", "BIGNUMERIC"):
        return format(value, "f")
    return str(value)


def _quoted(text: str) -> str:
    """A literal of the text: what could end it, or the line, is written as its number."""
    plain_ones = (c if c.isprintable() and c not in "'\\" else f"\\U{ord(c):08x}" for c in text)
    return f"'{''.join(plain_ones)}'"
