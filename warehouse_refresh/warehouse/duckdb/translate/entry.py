"""Where the translation of a query or a statement starts."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.failures import no_room
from warehouse_refresh.warehouse.duckdb.translate.compiler import Compiler
from warehouse_refresh.warehouse.duckdb.translate.expressions.parameters import given
from warehouse_refresh.warehouse.duckdb.translate.nodes import render
from warehouse_refresh.warehouse.duckdb.translate.queries.preamble import add_function, declare
from warehouse_refresh.warehouse.duckdb.translate.queries.statements import listed_columns, translated
from warehouse_refresh.warehouse.duckdb.translate.queries.storing import as_listed_columns, check_answered
from warehouse_refresh.warehouse.duckdb.translate.reading.grammar import check_grammar
from warehouse_refresh.warehouse.duckdb.translate.reading.parsing import parse_by_name
from warehouse_refresh.warehouse.duckdb.translate.scope import Columns, Relation, Scope, Script
from warehouse_refresh.warehouse.errors import Place, SqlError
from warehouse_refresh.warehouse.sql.query import Query, Statement
from warehouse_refresh.warehouse.types import Column


@contextmanager
def within_reach(place: Place | None = None) -> Iterator[None]:
    """Give errors without a place this one, and raise UnsupportedSql where Python has no room for a translation: each
    level of a tree takes some calls."""
    try:
        yield
    except RecursionError as error:
        raise no_room(place) from error
    except SqlError as error:
        if error.place is not None or place is None:
            raise
        raise type(error)(error.reason, hint=error.hint, place=place) from error


def answer(query: Query, columns: Columns) -> Relation:
    """The query with its columns, before what storing it changes. Raises SqlError, UnsupportedSql."""
    names = {function.name for function in query.functions}
    [tree] = [tree for tree in parse_by_name(query.text, names, query.own) if not isinstance(tree, exp.Semicolon)]
    compiler = Compiler()
    script = Script(compiler, query.text, columns, query.own)
    script.wildcards, script.default = dict(query.wildcards), query.default
    script.parameters = {variable.name.casefold(): given(variable) for variable in query.variables}
    for function in query.functions:
        add_function(function, script)
    if query.preamble:
        declare(query.preamble, script, names)
    relation = compiler.query(tree, Scope(script))
    for column in relation.columns:
        check_answered(column.type)
    check_grammar(query.text)  # last, since other errors know more of what is meant
    return as_listed_columns(relation, query.listed) if query.listed else relation


def answer_sql(query: Query, columns: Columns) -> tuple[tuple[Column, ...], str]:
    """The columns of the query's answer, and the DuckDB query that gives it. Raises SqlError, UnsupportedSql."""
    with within_reach(query.start):
        relation = answer(query, columns)
        return tuple(Column(column.name, column.type) for column in relation.columns), render(relation.query)


def translate_statement(statement: Statement, columns: Columns) -> list[str]:
    """The DuckDB statements that do what one of a script's does. Raises SqlError, UnsupportedSql."""
    with within_reach():
        [tree] = parse_by_name(statement.text)
        return translated(tree, Script(Compiler(), statement.text, columns, statement.own))


def created_columns(statement: Statement) -> tuple[Column, ...] | None:
    """The columns that a CREATE TABLE lists, none if it takes those of its query; None for any other statement."""
    with within_reach():
        [tree] = parse_by_name(statement.text)
        return listed_columns(tree, Script(Compiler(), statement.text, lambda _: (), statement.own))
