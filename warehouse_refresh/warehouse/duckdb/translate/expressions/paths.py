"""Paths: columns, range variables, fields, elements of arrays.

https://cloud.google.com/bigquery/docs/reference/standard-sql/operators#field_access_operator
"""

import re
from collections.abc import Iterator

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, only
from warehouse_refresh.warehouse.duckdb.translate.functions.known import workaround_of
from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import (
    name_of,
    only_bigquery,
    unknown_function,
    unsupported,
    written,
    wrong,
)
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.types import INT64, STRING

_NAMED_WITH_DOT = re.compile(r"\bAS\s+`[^`.]*\.", re.IGNORECASE)


def column(node: exp.Expr, scope: Scope) -> Typed:
    """A path: a column, a range variable, fields."""
    parts = [node.args[key] for key in ("catalog", "db", "table", "this") if node.args.get(key)]
    if isinstance(parts[-1], exp.Star):
        wrong(scope.script.text, node, "* is not allowed here")
    # The parser reads `a.b` as two names. To GoogleSQL it is one, unless it is a table's.
    if node.meta.get("quoted_column") and (len(parts) == 2 or _NAMED_WITH_DOT.search(scope.script.text)):
        hint = "write back-ticks around each name: `table`.`column`"
        unsupported(scope.script.text, node, "a column whose name holds a dot", hint)
    return scope.resolve(node, [part.name for part in parts])


def identifier(node: exp.Expr, scope: Scope) -> Typed:
    """A name that stands alone."""
    return scope.resolve(node, [node.name])


def _owners(node: exp.Expr) -> Iterator[exp.Expr]:
    """What stands before the dots of a path, from the last one on."""
    while isinstance(node, exp.Dot):
        node = node.this
        yield node


def dot(node: exp.Expr, scope: Scope) -> Typed:
    """A field of an expression; or a path too long for a Column."""
    if isinstance(node.expression, exp.Func):
        family, name = node.this.sql().upper(), name_of(node.expression)
        if workaround := workaround_of(f"{family}.{name}"):
            only_bigquery(scope.script.text, node, f"{family}.{name}" if name else f"{family} functions", workaround)
        if not all(isinstance(part, exp.Column | exp.Dot | exp.Identifier) for part in _owners(node)):
            unsupported(scope.script.text, node, "a function after a dot here", f"write {name or 'F'}(…)")
        unknown_function(scope.script.text, node)
    names: list[str] = []
    inner: exp.Expr = node
    while isinstance(inner, exp.Dot) and isinstance(inner.expression, exp.Identifier):
        names.insert(0, inner.expression.name)
        inner = inner.this
    if not names:
        unsupported(scope.script.text, node, written(node))
    if isinstance(inner, exp.Column):
        path = [inner.args[key].name for key in ("catalog", "db", "table", "this") if inner.args.get(key)]
        return scope.resolve(node, [*path, *names])
    return scope.fields(node, scope.compile(inner), names)


def paren(node: exp.Expr, scope: Scope) -> Typed:
    """(x)"""
    return scope.compile(node.this)


def element(node: exp.Expr, scope: Scope) -> Typed:
    """a[OFFSET(i)], a[ORDINAL(i)], a[SAFE_OFFSET(i)], a[SAFE_ORDINAL(i)], a[i], and json[…]"""
    only(node, scope, "this", "expressions", "offset", "safe")
    if len(node.expressions) != 1:
        wrong(scope.script.text, node, "an array takes one position")
    value = scope.compile(node.this)
    index = scope.compile(node.expressions[0])
    if value.type.name == "JSON":
        if node.args.get("offset") is not None:
            wrong(scope.script.text, node, "OFFSET and ORDINAL are for arrays, not for JSON", "write json[0]")
        return _json_element(node, scope, value, index)
    if value.type.element is None:
        unsupported(scope.script.text, node, f"[…] on {value.type}")
    position = as_type(node, scope, "[…]", index, INT64)
    first = "1" if node.args.get("offset") == 1 else "0"
    if node.args.get("safe"):
        template = f"CASE WHEN {{i}} >= {first} AND {{i}} < len({{a}}) + {first} THEN ({{a}})[{{i}} + 1 - {first}] END"
    else:
        template = (
            f"CASE WHEN {{a}} IS NULL THEN NULL WHEN {{i}} < {first} OR {{i}} >= len({{a}}) + {first}"
            " THEN error('Array index ' || {i} || ' is out of bounds')"
            f" ELSE ({{a}})[{{i}} + 1 - {first}] END"
        )
    return Typed(sql(template, a=value.node, i=position.node), value.type.element)


def _json_element(node: exp.Expr, scope: Scope, value: Typed, index: Typed) -> Typed:
    """json['name'], json[0]"""
    if isinstance(index.literal, str):
        return scope.field(node, value, index.literal)
    if isinstance(index.literal, int) and index.literal >= 0:
        path = Literal(f"$[{index.literal}]")
        return Typed(sql("json_extract({x}, {path})", x=value.node, path=path), value.type)
    if index.type == INT64:
        template = "CASE WHEN {i} >= 0 THEN json_extract({x}, '$[' || {i} || ']') END"
    else:
        index = as_type(node, scope, "[…]", index, STRING)
        template = "json_extract({x}, '$.\"' || replace(replace({i}, '\\', '\\\\'), '\"', '\\\"') || '\"')"
    return Typed(sql(template, x=value.node, i=index.node), value.type)
