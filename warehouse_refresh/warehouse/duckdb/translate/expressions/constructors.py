"""Arrays and structs that are written out.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#array_type
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#struct_type
"""

from dataclasses import replace

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import common, no_signature
from warehouse_refresh.warehouse.duckdb.translate.nodes import Array
from warehouse_refresh.warehouse.duckdb.translate.queries.subqueries import array_query
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of_item, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed, array_value, struct_value
from warehouse_refresh.warehouse.sql.coercion import keeps_arrays
from warehouse_refresh.warehouse.sql.literals import EMPTY, FloatLiteral, LiteralValue, Whole
from warehouse_refresh.warehouse.types import FLOAT64, INT64, Column, array_of, struct_of


def array(node: exp.Expr, scope: Scope) -> Typed:
    """[x, y] and ARRAY(SELECT …); [(SELECT …)] holds one value, and no row makes it NULL."""
    is_query = len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Query)
    if is_query and not node.args.get("value_constructor"):
        return array_query(node.expressions[0], scope)
    values = [scope.compile(part) for part in node.expressions]
    if not values:
        return Typed(Array((), "BIGINT[]"), array_of(INT64), EMPTY)
    if any(value.type.element is not None for value in values):
        wrong(scope.script.text, node, "an array cannot hold arrays", "put each in a STRUCT")
    kind, parts = common(node, scope, "[…]", values)
    if not all(keeps_arrays(value, kind) for value in values):
        return no_signature(node, scope, "[…]", values)
    pairs = zip(values, parts, strict=True)
    return array_value([_still_literal(part, value.literal) for value, part in pairs], array_of(kind))


def _still_literal(part: Typed, literal: LiteralValue) -> Typed:
    """An element of an array: a whole number among FLOAT64 stays a literal, which coerces further."""
    is_number = part.type == FLOAT64 and isinstance(literal, int) and not isinstance(literal, bool | Whole)
    return replace(part, literal=FloatLiteral(str(literal))) if is_number else part


def struct(node: exp.Expr, scope: Scope) -> Typed:
    """STRUCT(x AS a, b, t.c)"""
    if not node.expressions:
        unsupported(scope.script.text, node, "STRUCT()")
    fields = [_field(part) for part in node.expressions]
    parts = [scope.compile(inner) for _, inner in fields]
    kind = struct_of(*(Column(name, part.type) for (name, _), part in zip(fields, parts, strict=True)))
    return struct_value(parts, kind)


def _field(node: exp.Expr) -> tuple[str, exp.Expr]:
    """The name of a struct's field, "" if it has none, and what it holds."""
    if isinstance(node, exp.PropertyEQ):
        return node.this.name, node.expression
    return name_of_item(node), node.unalias()


def tuple_(node: exp.Expr, scope: Scope) -> Typed:
    """(x, y): a STRUCT without names."""
    if not node.expressions:
        wrong(scope.script.text, node, "syntax error: there is nothing in these parentheses")
    parts = [scope.compile(part) for part in node.expressions]
    return struct_value(parts, struct_of(*(Column("", part.type) for part in parts)))
