"""Whole queries and statements: where the translation starts."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlglot import exp

# The modules that are imported for what they add to the others, and are not named below, are told to the linter.
from warehouse.duckdb.translate import arithmetic as arithmetic
from warehouse.duckdb.translate import functions as functions
from warehouse.duckdb.translate import pivots as pivots
from warehouse.duckdb.translate import queries
from warehouse.duckdb.translate import values as values
from warehouse.duckdb.translate.scope import Columns, Relation, Scope, Script
from warehouse.duckdb.translate.syntax import parse_by_name
from warehouse.errors import UnsupportedSql
from warehouse.sql.query import Query, Statement
from warehouse.types import Column


@contextmanager
def within_reach() -> Iterator[None]:
    """Raises UnsupportedSql where Python has no room for a translation: each level of a tree takes some calls."""
    try:
        yield
    except RecursionError as error:
        raise UnsupportedSql(
            "the embedded engine has no room for an expression of so many levels",
            hint="write IN (…) for a chain of OR, give inner parts names in WITH queries, or run it on BigQuery",
        ) from error


def answer(query: Query, columns: Columns) -> Relation:
    """The query as DuckDB's text, with its columns, before what storing it changes. Raises SqlError, UnsupportedSql."""
    [tree] = [tree for tree in parse_by_name(query.text) if not isinstance(tree, exp.Semicolon)]
    return queries.query(tree, Scope(Script(query.text, columns, query.own)))


def translate_statement(statement: Statement, columns: Columns) -> list[str]:
    """The DuckDB statements that do what one of a script's does. Raises SqlError, UnsupportedSql."""
    from warehouse.duckdb.translate.statements import translated

    with within_reach():
        [tree] = parse_by_name(statement.text)
        return translated(tree, Script(statement.text, columns, statement.own))


def created_columns(statement: Statement) -> tuple[Column, ...] | None:
    """The columns that a CREATE TABLE lists, none if it takes those of its query; None for any other statement."""
    from warehouse.duckdb.translate.statements import listed_columns

    with within_reach():
        [tree] = parse_by_name(statement.text)
        return listed_columns(tree, Script(statement.text, lambda _: (), statement.own))
