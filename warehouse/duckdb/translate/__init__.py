"""GoogleSQL as DuckDB's SQL: a query gives GoogleSQL's answer or is refused; what is not known to be equal is refused.

A query is read by sqlglot and written anew, expression by expression, with GoogleSQL's types and names resolved here:
nothing of the text reaches DuckDB that has not been understood.
"""

import duckdb
from sqlglot import exp

from warehouse.duckdb.translate import arithmetic, functions, pivots, queries, values
from warehouse.duckdb.translate.scope import Columns, Relation, Scope, Script
from warehouse.duckdb.translate.storing import stored
from warehouse.duckdb.translate.syntax import parse_by_name
from warehouse.duckdb.translate.text import quoted
from warehouse.duckdb.translate.typed import duckdb_type, googlesql_type
from warehouse.googlesql import Query, Statement
from warehouse.types import Column

__all__ = [
    "Columns",
    "answer",
    "arithmetic",
    "columns_of",
    "duckdb_type",
    "functions",
    "googlesql_type",
    "pivots",
    "prepare",
    "quoted",
    "translate",
    "translate_statement",
    "values",
]


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what translated SQL needs, once for each time that a file is opened; all cursors of `connection` see it."""
    connection.execute("SET GLOBAL TimeZone = 'UTC'")


def answer(query: Query, columns: Columns) -> Relation:
    """The query as DuckDB's text, with its columns, before what storing it changes. Raises SqlError, UnsupportedSql."""
    [tree] = [tree for tree in parse_by_name(query.text) if not isinstance(tree, exp.Semicolon)]
    return queries.query(tree, Scope(Script(query.text, columns)))


def columns_of(query: Query, columns: Columns) -> tuple[Column, ...]:
    """The columns of the query's result: "" as the name of one without. Raises SqlError, UnsupportedSql."""
    return tuple(Column(column.name, column.value.type) for column in answer(query, columns).columns)


def translate(query: Query, columns: Columns) -> str:
    """One DuckDB query whose answer is GoogleSQL's, as a table stores it. Raises SqlError, UnsupportedSql."""
    return stored(answer(query, columns))


def translate_statement(statement: Statement, columns: Columns) -> list[str]:
    """The DuckDB statements that do what one of a script's does. Raises SqlError, UnsupportedSql."""
    from warehouse.duckdb.translate.statements import translated

    [tree] = parse_by_name(statement.text)
    return translated(tree, statement.text, columns)
