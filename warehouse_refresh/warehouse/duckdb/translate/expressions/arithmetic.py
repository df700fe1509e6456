"""Operators of numbers, texts and bits.

https://cloud.google.com/bigquery/docs/reference/standard-sql/operators#arithmetic_operators
"""

from collections.abc import Sequence
from functools import reduce

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerced
from warehouse_refresh.warehouse.duckdb.translate.expressions.casts import to_string
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, common, no_signature
from warehouse_refresh.warehouse.duckdb.translate.expressions.constants import integer_literal
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_arithmetic import date_arithmetic
from warehouse_refresh.warehouse.duckdb.translate.nodes import Case, Chain, FunctionCall, Literal, Node, let_all
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import bare, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.coercion import NUMBERS, coerces, supertype
from warehouse_refresh.warehouse.sql.literals import LEAST_BIGNUMERIC, MOST_BIGNUMERIC
from warehouse_refresh.warehouse.types import BIGNUMERIC, BYTES, FLOAT64, INT64, NUMERIC, STRING


def negative(node: exp.Expr, scope: Scope) -> Typed:
    """-x, which is a literal where x is a number without parentheses and a sign of its own."""
    inner = node.this
    if isinstance(inner, exp.Literal) and not inner.args.get("is_string") and str(inner.this).isdigit():
        return integer_literal(-int(inner.this), node, scope)
    if isinstance(inner, exp.HexString):
        return integer_literal(-int(str(inner.this), 16), node, scope)
    value = scope.compile(inner)
    if value.is_null:
        wrong(scope.script.text, node, "operands of - cannot be literal NULL")
    if value.type.name != "INTERVAL" and value.type.name not in NUMBERS:
        return no_signature(node, scope, "-", [value])
    if value.type == INT64:
        return Typed(sql("(0::BIGINT - {x})", x=value.node), INT64)
    if value.type == BIGNUMERIC:
        return Typed(sql(within_bignumeric("-{x}", "-"), x=value.node), BIGNUMERIC)
    flipped = -value.literal if isinstance(inner, exp.Literal) and isinstance(value.literal, float) else None
    return Typed(sql("(-{x})", x=value.node), value.type, flipped)


def within_bignumeric(template: str, what: str) -> str:
    """The template of a BIGNUMERIC, as an error where it is out of range."""
    return (
        f"list_transform([{template}], lambda s_: CASE WHEN s_ NOT BETWEEN '{LEAST_BIGNUMERIC}'::BIGNUM AND"
        f" '{MOST_BIGNUMERIC}'::BIGNUM THEN error('BIGNUMERIC overflow: {what}') ELSE s_ END)[1]"
    )


N_MUL = (
    "CASE WHEN abs(CAST({a} AS DOUBLE) * CAST({b} AS DOUBLE)) < 9e18 OR {a} IS NULL OR {b} IS NULL"
    " THEN CAST(CAST({a} AS DECIMAL(38,9)) * CAST({b} AS DECIMAL(38,9)) AS DECIMAL(38,9)) ELSE "
    "list_transform([{{'i': CAST(trunc({a}) AS HUGEINT), 'j': CAST(trunc({b}) AS HUGEINT),"
    " 'f': CAST(({a} - trunc({a})) * 1000000000 AS HUGEINT), 'g': CAST(({b} - trunc({b})) * 1000000000 AS HUGEINT)}}],"
    " lambda m_: CAST(m_.i * m_.j AS DECIMAL(38,9)) + list_transform([m_.i * m_.g + m_.f * m_.j"
    " + CAST(CAST(m_.f * m_.g AS DECIMAL(38,0)) * 0.000000001 AS HUGEINT)],"
    " lambda n_: CAST(n_ // 1000000000 AS DECIMAL(38,9))"
    " + CAST(CAST(n_ % 1000000000 AS DECIMAL(18,0)) * 0.000000001::DECIMAL(9,9) AS DECIMAL(38,9)))[1])[1] END"
)

UNSCALED = "(CAST(trunc({x}) AS HUGEINT) * 1000000000 + CAST(({x} - trunc({x})) * 1000000000 AS HUGEINT))"

N_DIV = (
    "CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN {b} = 0 THEN error('division by zero: ' ||"
    " regexp_replace({a}::VARCHAR, '\\.?0*$', '') || ' / 0') ELSE "
    "list_transform([{{'p': "
    + UNSCALED.replace("{x}", "{a}")
    + ", 'q': "
    + UNSCALED.replace("{x}", "{b}")
    + "}}], lambda d_: CAST(d_.p // d_.q AS DECIMAL(38,9)) + list_transform([{{'n': (d_.p % d_.q) * 1000000000, 'q':"
    " d_.q}}], lambda r_: CAST((r_.n // r_.q + CASE WHEN abs(r_.n % r_.q) * 2 >= abs(r_.q) THEN sign(r_.n) *"
    " sign(r_.q) ELSE 0 END) * 0.000000001::DECIMAL(10,9) AS DECIMAL(38,9)))[1])[1] END"
)

# Of sums of NUMERIC: s of small numbers and of what large ones have after the point, h of large ones' whole parts.
SUM_OF_LARGE = "CAST({s} AS DECIMAL(38,9)) + coalesce(CAST({h} AS DECIMAL(38,9)), '0'::DECIMAL(38,9))"
_WHOLE = "({h} + CAST(trunc({s}) AS HUGEINT))"
_UNITS = "CAST(({s} - trunc({s})) * 1000000000 AS HUGEINT)"
_MEAN = (
    f"list_transform([{{{{'i': {_WHOLE} // {{n}}, 'r': {_WHOLE} % {{n}} * 1000000000 + {_UNITS}}}}}], lambda q_:"
    " list_transform([CASE WHEN q_.i > 0 AND q_.r < 0 THEN -1 WHEN q_.i < 0 AND q_.r > 0 THEN 1 ELSE 0 END], lambda c_:"
    " CAST(q_.i + c_ AS DECIMAL(38,9)) + list_transform([q_.r - c_ * {n} * 1000000000], lambda r_: CAST((r_ // {n} +"
    " CASE WHEN abs(r_ % {n}) * 2 >= {n} THEN sign(r_) ELSE 0 END) * 0.000000001::DECIMAL(10,9) AS"
    " DECIMAL(38,9)))[1])[1])[1]"
)
MEAN_OF_LARGE = (
    "CASE WHEN {n} = 0 THEN NULL WHEN {h} IS NULL THEN "
    + N_DIV.replace("{a}", "CAST({s} AS DECIMAL(38,9))").replace("{b}", "CAST({n} AS DECIMAL(38,9))")
    + f" ELSE {_MEAN} END"
)

F_SAFE = (
    "CASE WHEN isfinite({a} %s {b}) OR NOT isfinite({a}) OR NOT isfinite({b}) OR {a} IS NULL OR {b} IS NULL THEN {a} %s"
    " {b} ELSE error('double overflow: ' || printf('%%.15g', {a}) || ' %s ' || printf('%%.15g', {b})) END"
)

F_DIV = (
    "CASE WHEN {a} IS NULL THEN NULL WHEN {b} = 0 THEN error('division by zero: ' || printf('%.15g', {a}) ||"
    " ' / 0') ELSE " + (F_SAFE % ("/", "/", "/")) + " END"
)

_NUMERIC = {
    "+": "CAST({a} + {b} AS DECIMAL(38,9))",
    "-": "CAST({a} - {b} AS DECIMAL(38,9))",
    "*": N_MUL,
    "/": N_DIV,
}

B_OPERATORS = {
    "+": within_bignumeric("{a} + {b}", "+"),
    "-": within_bignumeric("{a} - {b}", "-"),
    "*": "googlesql_bignumeric_multiply({a}, {b})",
    "/": "googlesql_bignumeric_divide({a}, {b})",
}

_FLOAT64 = {"/": f"({F_DIV})", **{sign: f"({F_SAFE % (sign, sign, sign)})" for sign in "+-*"}}


def arithmetic(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> Typed:
    """+, -, *, / of two numbers."""
    if one.is_null or other.is_null:
        wrong(scope.script.text, node, f"operands of {sign} cannot be literal NULL")
    if one.type.name not in NUMBERS or other.type.name not in NUMBERS:
        return no_signature(node, scope, f"operator {sign}", [one, other])
    kind = supertype([one, other]) or FLOAT64
    if sign == "/" and kind == INT64:
        kind = FLOAT64
    a, b = (as_type(node, scope, f"operator {sign}", value, kind).node for value in (one, other))
    if kind == INT64:
        return Typed(sql(f"({{a}} {sign} {{b}})", a=a, b=b), INT64)
    templates = {NUMERIC: _NUMERIC, BIGNUMERIC: B_OPERATORS, FLOAT64: _FLOAT64}
    return Typed(sql(templates[kind][sign], a=a, b=b), kind)


SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}


def operator(node: exp.Expr, scope: Scope) -> Typed:
    """x + y, x - y, x * y, x / y"""
    sign = SIGNS[type(node)]
    one, other = scope.compile(node.this), scope.compile(node.expression)
    if one.type.name not in NUMBERS or other.type.name not in NUMBERS:
        found = date_arithmetic(node, scope, sign, one, other)
        if found is not None:
            return found
    return arithmetic(node, scope, sign, one, other)


_OF_BITS = exp.BitwiseAnd | exp.BitwiseOr | exp.BitwiseXor | exp.BitwiseLeftShift | exp.BitwiseRightShift


def concatenation(node: exp.Expr, scope: Scope) -> Typed:
    """x || y of strings, bytes or arrays."""
    parts = list(node.flatten(unnest=False))
    for part in parts:
        if isinstance(part, exp.Add | exp.Sub):
            reason = "|| comes before + and -, which take no text"
            wrong(scope.script.text, part, reason, "put parentheses around the sum")
        if isinstance(part, _OF_BITS):
            unsupported(scope.script.text, part, "operators on bits beside ||", "put parentheses around each")
    values = [scope.compile(bare(part)) for part in parts]
    if any(value.is_null for value in values):
        wrong(scope.script.text, node, "operands of || cannot be literal NULL")
    return concatenated(node, scope, values)


def concatenated(node: exp.Expr, scope: Scope, values: Sequence[Typed]) -> Typed:
    """The values one after the other; NULL if one is."""
    if any(value.type.element is not None for value in values):
        kind, arrays = common(node, scope, "||", values)
        if kind.element is None:
            return no_signature(node, scope, "||", values)
        return Typed(let_all([value.node for value in arrays], _joined_arrays), kind)
    if any(value.type == BYTES for value in values) and all(coerces(value, BYTES) for value in values):
        values = [coerced(value, BYTES) for value in values]
        return Typed(_joined([value.node for value in values]), BYTES)
    texts = [to_string(value) for value in values if value.type != BYTES]
    found = [text.node for text in texts if text is not None]
    if len(found) < len(values):
        return no_signature(node, scope, "||", values)
    return Typed(_joined(found), STRING)


_MOST_IN_CHAIN = 100


def _joined(texts: Sequence[Node]) -> Node:
    """The texts one after the other, long chains as chains of chains: to DuckDB each operand is a level of its own."""
    if len(texts) == 1:
        return texts[0]
    if len(texts) <= _MOST_IN_CHAIN:
        return Chain("||", tuple(texts))
    parts = [texts[start : start + _MOST_IN_CHAIN] for start in range(0, len(texts), _MOST_IN_CHAIN)]
    return _joined([Chain("||", tuple(part)) for part in parts])


def _joined_arrays(arrays: Sequence[Node]) -> Node:
    nulls = Chain("OR", tuple([sql("{x} IS NULL", x=array) for array in arrays]))
    joined = reduce(lambda one, other: sql("list_concat({a}, {b})", a=one, b=other), arrays)
    return Case(((nulls, Literal(None)),), joined)


_BITWISE: dict[type[exp.Expr], str] = {
    exp.BitwiseXor: "xor({a}, {b})",
    exp.BitwiseAnd: "({a} & {b})",
    exp.BitwiseOr: "({a} | {b})",
}


_OF_BYTES: dict[type[exp.Expr], str] = {
    exp.BitwiseXor: "googlesql_bytes_xor",
    exp.BitwiseAnd: "googlesql_bytes_and",
    exp.BitwiseOr: "googlesql_bytes_or",
}


def positive(node: exp.Expr, scope: Scope) -> Typed:
    """+x"""
    value = scope.compile(node.this)
    if value.is_null or value.type not in (INT64, FLOAT64, NUMERIC, BIGNUMERIC):
        kind = "literal NULL" if value.is_null else value.type
        wrong(scope.script.text, node, f"the operand of + must be a number and is {kind}", "convert it with CAST")
    return value


def bitwise(node: exp.Expr, scope: Scope) -> Typed:
    """x & y, x | y, x ^ y"""
    values = [scope.compile(node.this), scope.compile(node.expression)]
    if all(value.type == BYTES for value in values):
        return Typed(FunctionCall(_OF_BYTES[type(node)], tuple([value.node for value in values])), BYTES)
    if any(value.type != INT64 or value.is_null for value in values):
        return no_signature(node, scope, "bitwise operator", values)
    return Typed(sql(_BITWISE[type(node)], a=values[0].node, b=values[1].node), INT64)


def bitwise_not(node: exp.Expr, scope: Scope) -> Typed:
    """~x"""
    value = scope.compile(node.this)
    if value.is_null:
        wrong(scope.script.text, node, "operands of ~ cannot be literal NULL")
    if isinstance(value.literal, str):
        value = as_type(node, scope, "~", value, BYTES)
    if value.type == BYTES:
        return Typed(FunctionCall("googlesql_bytes_not", (value.node,)), BYTES)
    if value.type != INT64:
        return no_signature(node, scope, "~", [value])
    return Typed(sql("(-1::BIGINT - {x})", x=value.node), INT64)


SHIFTS = {
    # a negative number cannot be shifted left in DuckDB, and >> keeps the sign there: both go by way of 64 plain bits
    "<<": (
        "CASE WHEN {a} IS NULL THEN NULL WHEN {b} < 0 THEN error('Bitwise shift by negative offset.')"
        " WHEN {b} > 63 THEN 0::BIGINT WHEN {a} IS"
        " NULL OR {b} IS NULL THEN NULL ELSE list_transform([((CASE WHEN {a} < 0 THEN {a}::HUGEINT +"
        " 18446744073709551616 ELSE {a}::HUGEINT END) % (1::HUGEINT << (64 - {b})::HUGEINT)) * (1::HUGEINT <<"
        " {b}::HUGEINT)], lambda b_: CAST(CASE WHEN b_ > 9223372036854775807 THEN b_ - 18446744073709551616 ELSE b_ END"
        " AS BIGINT))[1] END"
    ),
    ">>": (
        "CASE WHEN {a} IS NULL THEN NULL WHEN {b} < 0 THEN error('Bitwise shift by negative offset.')"
        " WHEN {b} > 63 THEN 0::BIGINT WHEN {b} = 0"
        " THEN {a} ELSE CAST((CASE WHEN {a} < 0 THEN {a}::HUGEINT + 18446744073709551616 ELSE {a}::HUGEINT END) //"
        " (1::HUGEINT << {b}::HUGEINT) AS BIGINT) END"
    ),
}


def shift(node: exp.Expr, scope: Scope) -> Typed:
    """x << n, x >> n"""
    values = [scope.compile(node.this), scope.compile(node.expression)]
    sign = "<<" if isinstance(node, exp.BitwiseLeftShift) else ">>"
    if values[0].type == BYTES and values[1].type == INT64:
        name = f"googlesql_bytes_shift_{'left' if sign == '<<' else 'right'}"
        return Typed(FunctionCall(name, tuple([value.node for value in values])), BYTES)
    if any(value.type != INT64 for value in values):
        return no_signature(node, scope, "shift", values)
    return Typed(sql(SHIFTS[sign], a=values[0].node, b=values[1].node), INT64)
