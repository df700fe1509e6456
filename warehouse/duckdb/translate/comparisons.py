"""Comparisons and predicates: what is true, false and NULL in GoogleSQL.

https://cloud.google.com/bigquery/docs/reference/standard-sql/operators#comparison_operators
"""

from collections.abc import Sequence

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.expressions import as_type, boolean, common, handles, no_signature, only
from warehouse.duckdb.translate.scope import EXPRESSIONS, Scope, field_sql
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.text import bind, is_simple
from warehouse.duckdb.translate.typed import BOOL, STRING, Typed
from warehouse.types import SqlType

UNORDERED = {"ARRAY", "STRUCT", "JSON", "GEOGRAPHY"}
SIGNS: dict[type[exp.Expr], str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
# NaN is equal to nothing and neither above nor below anything; DuckDB has it equal to itself and above all else.
NAN_AWARE = {
    "=": "CASE WHEN isnan({a}) AND {b} IS NOT NULL THEN false ELSE {a} = {b} END",
    "<>": "CASE WHEN isnan({a}) AND {b} IS NOT NULL THEN true ELSE {a} <> {b} END",
}
NAN_BELOW = "CASE WHEN isnan({a}) AND {b} IS NOT NULL OR isnan({b}) AND {a} IS NOT NULL THEN false ELSE {a} %s {b} END"


@handles(*SIGNS)
def comparison(node: exp.Expr, scope: Scope) -> Typed:
    """x = y and the like."""
    one, other = scope.compile(node.this), scope.compile(node.expression)
    if isinstance(node.this.unnest(), exp.Null) or isinstance(node.expression.unnest(), exp.Null):
        wrong(scope.script.text, node, f"operands of {SIGNS[type(node)]} cannot be literal NULL", "write IS NULL")
    return compared(node, scope, SIGNS[type(node)], one, other)


def compared(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> Typed:
    """Two values compared."""
    if one.is_null and other.is_null:
        return Typed("NULL::BOOLEAN", BOOL)
    kind, (a, b) = common(node, scope, f"operator {sign}", [one, other])
    if kind.name == "STRUCT" and sign in ("=", "<>"):
        return struct_equality(node, scope, sign, a, b)
    if kind.name in UNORDERED or kind.element is not None:
        if sign in ("=", "<>") and (kind.element is not None or kind.name == "JSON"):
            unsupported(scope.script.text, node, f"{sign} for {kind}", "compare TO_JSON_STRING of both")
        return no_signature(node, scope, f"operator {sign}", [one, other])
    return Typed(f"({comparison_sql(sign, a.sql, b.sql, kind)})", BOOL)


def comparison_sql(sign: str, a: str, b: str, kind: SqlType) -> str:
    """Two values of one type compared."""
    if kind.name == "FLOAT64" and not (sign in ("=", "<>") and (_is_number(a) or _is_number(b))):
        return bind(NAN_AWARE.get(sign) or NAN_BELOW % sign, a=a, b=b)
    return f"{a} {sign} {b}"


def _is_number(sql: str) -> bool:
    return sql.endswith("::DOUBLE") and sql[0] in "-.0123456789"


def struct_equality(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> Typed:
    """Field by field; NULL if a field's comparison is NULL and none differs."""
    names = t.field_names(one.type)
    tests = []
    for index, (name, field) in enumerate(zip(names, one.type.fields, strict=True)):
        sides = [
            side.parts[index] if side.parts else Typed(field_sql(side.sql, name), field.type) for side in (one, other)
        ]
        tests.append(compared(node, scope, "=", *sides).sql)
    found = f"({' AND '.join(tests)})"
    return Typed(found if sign == "=" else f"(NOT {found})", BOOL)


@handles(exp.NullSafeEQ, exp.NullSafeNEQ)
def distinct_from(node: exp.Expr, scope: Scope) -> Typed:
    """x IS [NOT] DISTINCT FROM y: here NaN is not distinct from NaN, as in DuckDB."""
    kind, (a, b) = common(node, scope, "IS DISTINCT FROM", [scope.compile(node.this), scope.compile(node.expression)])
    if kind.name in ("JSON", "ARRAY", "GEOGRAPHY"):
        unsupported(scope.script.text, node, f"IS DISTINCT FROM for {kind}")
    word = "IS NOT DISTINCT FROM" if isinstance(node, exp.NullSafeEQ) else "IS DISTINCT FROM"
    return Typed(f"({a.sql} {word} {b.sql})", BOOL)


@handles(exp.Is)
def is_(node: exp.Expr, scope: Scope) -> Typed:
    """x IS NULL, x IS TRUE, x IS FALSE"""
    value = scope.compile(node.this)
    if isinstance(node.expression, exp.Null):
        return Typed(f"({value.sql} IS NULL)", BOOL)
    if not isinstance(node.expression, exp.Boolean):
        unsupported(scope.script.text, node, "this IS")
    value = as_type(node, scope, "IS TRUE", value, BOOL)
    return Typed(f"({value.sql} IS {'TRUE' if node.expression.this else 'FALSE'})", BOOL)


@handles(exp.Between)
def between(node: exp.Expr, scope: Scope) -> Typed:
    """x BETWEEN y AND z"""
    only(node, scope, "this", "low", "high")
    values = [scope.compile(node.args[part]) for part in ("this", "low", "high")]
    kind, (value, low, high) = common(node, scope, "BETWEEN", values)
    if kind.name in UNORDERED:
        return no_signature(node, scope, "BETWEEN", values)
    above = comparison_sql(">=", value.sql, low.sql, kind)
    below = comparison_sql("<=", value.sql, high.sql, kind)
    return Typed(f"(({above}) AND ({below}))", BOOL)


@handles(exp.In)
def in_(node: exp.Expr, scope: Scope) -> Typed:
    """x IN (…), x IN UNNEST(array), x IN (SELECT …)"""
    only(node, scope, "this", "expressions", "query", "unnest")
    value = scope.compile(node.this)
    if node.args.get("query"):
        return EXPRESSIONS["in_query"](node, scope, value)  # type: ignore[no-any-return] # a late binding
    if node.args.get("unnest"):
        return in_array(node, scope, value)
    values = [scope.compile(part) for part in node.expressions]
    kind, (first, *rest) = common(node, scope, "IN", [value, *values])
    if kind.name in ("FLOAT64", "STRUCT"):
        return Typed(f"({' OR '.join(compared(node, scope, '=', first, other).sql for other in rest)})", BOOL)
    if kind.name in UNORDERED:
        return no_signature(node, scope, "IN", [value, *values])
    return Typed(f"({first.sql} IN ({', '.join(other.sql for other in rest)}))", BOOL)


IN_ARRAY = (
    "CASE WHEN {a} IS NULL OR len({a}) = 0 THEN false WHEN {x} IS NULL THEN NULL::BOOLEAN WHEN %slist_contains({a},"
    " {x}) THEN true WHEN len(list_filter({a}, lambda e_: e_ IS NULL)) > 0 THEN NULL::BOOLEAN ELSE false END"
)


def in_array(node: exp.Expr, scope: Scope, value: Typed) -> Typed:
    """x IN UNNEST(array)"""
    source = scope.compile(node.args["unnest"].expressions[0])
    if source.type.element is None:
        wrong(scope.script.text, node, f"UNNEST takes an array, not {source.type}")
    kind, (found, _) = common(node, scope, "IN UNNEST", [value, Typed("", source.type.element)])
    if not t.same(kind, source.type.element) or kind.name in UNORDERED:
        unsupported(scope.script.text, node, f"{value.type} IN UNNEST({source.type})")
    nan = "NOT isnan({x}) AND " if kind.name == "FLOAT64" else ""
    return Typed(f"({in_sql(IN_ARRAY % nan, source.sql, found.sql)})", BOOL)


def in_sql(template: str, array: str, value: str) -> str:
    """IN_ARRAY with its arguments: it holds a lambda of its own, so both are bound around it."""
    if is_simple(array) and is_simple(value):
        return template.format(a=array, x=value)
    return f"list_transform([{{'a': {array}, 'x': {value}}}], lambda v_: {template.format(a='v_.a', x='v_.x')})[1]"


@handles(exp.Like)
def like(node: exp.Expr, scope: Scope) -> Typed:
    """x LIKE y, x LIKE ANY (…), x LIKE ALL (…)"""
    only(node, scope, "this", "expression", "negate")
    value = scope.compile(node.this)
    other = node.expression
    if isinstance(other, exp.Any | exp.All):
        patterns = other.this.expressions if isinstance(other.this, exp.Tuple) else [other.this.unnest()]
        if any(isinstance(pattern, exp.Query | exp.Unnest) for pattern in patterns):
            unsupported(scope.script.text, node, "LIKE ANY of a query or an array")
        word = " OR " if isinstance(other, exp.Any) else " AND "
        if node.args.get("negate"):
            unsupported(scope.script.text, node, "NOT LIKE ANY or NOT LIKE ALL", "write NOT (x LIKE ANY …)")
        return Typed(f"({word.join(_like(node, scope, value, scope.compile(p)) for p in patterns)})", BOOL)
    word = "NOT " if node.args.get("negate") else ""
    return Typed(f"({word}{_like(node, scope, value, scope.compile(other))})", BOOL)


def _like(node: exp.Expr, scope: Scope, value: Typed, pattern: Typed) -> str:
    if t.BYTES in (value.type, pattern.type) and value.type == pattern.type:
        unsupported(scope.script.text, node, "LIKE for BYTES")
    texts: Sequence[Typed] = [as_type(node, scope, "LIKE", side, STRING) for side in (value, pattern)]
    if isinstance(pattern.literal, str) and (len(pattern.literal) - len(pattern.literal.rstrip("\\"))) % 2:
        wrong(scope.script.text, node, "a LIKE pattern cannot end with a single backslash")
    return f"{texts[0].sql} LIKE {texts[1].sql} ESCAPE '\\'"


@handles(exp.Exists)
def exists(node: exp.Expr, scope: Scope) -> Typed:
    """EXISTS(SELECT …)"""
    return EXPRESSIONS["exists"](node, scope)  # type: ignore[no-any-return] # a late binding


def condition(node: exp.Expr, scope: Scope, clause: str) -> str:
    """A clause's condition, which must be BOOL."""
    return boolean(node, scope, clause).sql
