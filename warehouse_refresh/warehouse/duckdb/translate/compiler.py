"""The compiler: which function compiles which node of GoogleSQL's syntax tree."""

from collections.abc import Callable, Mapping

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import InvalidLiteral
from warehouse_refresh.warehouse.duckdb.translate.expressions import (
    arithmetic,
    comparisons,
    conditions,
    constants,
    constructors,
    conversions,
    parameters,
    paths,
)
from warehouse_refresh.warehouse.duckdb.translate.functions import (
    calls,
    windows,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates import aggregates
from warehouse_refresh.warehouse.duckdb.translate.functions.arrays import elements
from warehouse_refresh.warehouse.duckdb.translate.functions.dates import date_arithmetic, date_parts, date_values
from warehouse_refresh.warehouse.duckdb.translate.functions.json import documents
from warehouse_refresh.warehouse.duckdb.translate.nodes import Node, Over
from warehouse_refresh.warehouse.duckdb.translate.queries import queries, subqueries
from warehouse_refresh.warehouse.duckdb.translate.scope import Relation, Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import place_of, unread
from warehouse_refresh.warehouse.duckdb.translate.text import COMPILING
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql

Handler = Callable[[exp.Expr, Scope], Typed]
"""Compiles an expression: the expression, the names that it sees. Raises SqlError, UnsupportedSql."""

HANDLERS: Mapping[type[exp.Expr], Handler] = {
    # literals
    exp.Null: constants.null,
    exp.Boolean: constants.boolean,
    exp.Literal: constants.literal,
    exp.HexString: constants.hexadecimal,
    exp.RawString: constants.raw_string,
    exp.Concat: constants.adjacent,
    exp.ByteString: constants.byte_string,
    exp.ParseJSON: documents.json_literal,
    exp.Interval: date_arithmetic.interval,
    exp.Array: constructors.array,
    exp.Struct: constructors.struct,
    exp.Tuple: constructors.tuple_,
    exp.Parameter: parameters.parameter,
    exp.Placeholder: parameters.placeholder,
    # paths
    exp.Column: paths.column,
    exp.Identifier: paths.identifier,
    exp.Dot: paths.dot,
    exp.Bracket: paths.element,
    exp.Paren: paths.paren,
    # conditions
    exp.Not: conditions.negation,
    exp.And: conditions.connector,
    exp.Or: conditions.connector,
    exp.Case: conditions.case,
    exp.If: conditions.if_,
    exp.EQ: comparisons.comparison,
    exp.NEQ: comparisons.comparison,
    exp.LT: comparisons.comparison,
    exp.LTE: comparisons.comparison,
    exp.GT: comparisons.comparison,
    exp.GTE: comparisons.comparison,
    exp.NullSafeEQ: comparisons.distinct_from,
    exp.NullSafeNEQ: comparisons.distinct_from,
    exp.Is: comparisons.is_,
    exp.Between: comparisons.between,
    exp.In: comparisons.in_,
    exp.Like: comparisons.like,
    # arithmetic
    exp.Neg: arithmetic.negative,
    exp.Sqrt: arithmetic.positive,  # see _mark_signs
    exp.Add: arithmetic.operator,
    exp.Sub: arithmetic.operator,
    exp.Mul: arithmetic.operator,
    exp.Div: arithmetic.operator,
    exp.DPipe: arithmetic.concatenation,
    exp.BitwiseAnd: arithmetic.bitwise,
    exp.BitwiseOr: arithmetic.bitwise,
    exp.BitwiseXor: arithmetic.bitwise,
    exp.BitwiseNot: arithmetic.bitwise_not,
    exp.BitwiseLeftShift: arithmetic.shift,
    exp.BitwiseRightShift: arithmetic.shift,
    # subqueries
    exp.Subquery: subqueries.scalar,
    exp.Select: subqueries.scalar,
    exp.Union: subqueries.scalar,
    exp.Exists: subqueries.exists,
    # functions
    exp.Cast: conversions.cast,
    exp.TryCast: conversions.cast,
    exp.Anonymous: calls.call,
    exp.Identifier: elements.parameter,
    exp.SafeFunc: calls.safe,
    exp.Window: windows.window,
    exp.Extract: date_parts.extract,
    exp.CurrentDate: date_values.current_bare,
    exp.CurrentDatetime: date_values.current_bare,
    exp.CurrentTimestamp: date_values.current_bare,
    exp.CurrentTime: date_values.current_bare,
}
"""The function that compiles each kind of expression. Kinds that are not listed are refused."""


def _placed(error: InvalidLiteral, node: exp.Expr, scope: Scope) -> SqlError:
    """The error with the place of the literal: the outermost one in the node that reads so."""
    literals = (found for found in node.find_all(exp.Literal) if str(found.this) == error.text)
    return SqlError(error.reason, hint=error.hint, place=place_of(scope.script.text, next(literals, node)))


class Compiler:
    """Compiles GoogleSQL's syntax tree to DuckDB's nodes. Each translation has it, so that a module need not import
    those that import it."""

    def expression(self, node: exp.Expr, scope: Scope) -> Typed:
        """An expression. Raises SqlError, UnsupportedSql."""
        handler = HANDLERS.get(type(node))
        if handler is None:
            unread(scope.script.text, node)
        around, COMPILING.where = COMPILING.where, lambda: place_of(scope.script.text, node)
        try:
            return handler(node, scope)
        except InvalidLiteral as error:
            raise _placed(error, node, scope) from error
        except UnsupportedSql as error:
            if error.place is not None:
                raise
            raise type(error)(error.reason, hint=error.hint, place=place_of(scope.script.text, node)) from error
        finally:
            COMPILING.where = around

    def query(self, node: exp.Expr, scope: Scope, *, unordered: bool = False) -> Relation:
        """A query that sees the names of `scope`. `unordered` leaves its order to the reader, in `Relation.order`.
        Raises SqlError, UnsupportedSql."""
        try:
            return queries.query(node, scope, unordered=unordered)
        except InvalidLiteral as error:
            raise _placed(error, node, scope) from error

    def aggregate(self, node: exp.Expr, scope: Scope, *, where: Node | None = None, over: Over | None = None) -> Typed:
        """A call of an aggregate function over the rows of `scope` for which `where` holds, or over the window `over`.
        Raises SqlError, UnsupportedSql."""
        return aggregates.aggregate(node, scope, where=where, over=over)
