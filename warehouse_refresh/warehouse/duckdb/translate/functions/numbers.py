"""Numbers.

https://cloud.google.com/bigquery/docs/reference/standard-sql/mathematical_functions
"""

from decimal import Decimal
from functools import reduce
from typing import NoReturn

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import BIG_OF_INT64
from warehouse_refresh.warehouse.duckdb.translate.expressions.arithmetic import (
    B_OPERATORS,
    F_DIV,
    F_SAFE,
    N_DIV,
    N_MUL,
    UNSCALED,
    within_bignumeric,
)
from warehouse_refresh.warehouse.duckdb.translate.expressions.casts import NUMERIC_OF_DIGITS
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, common, no_signature
from warehouse_refresh.warehouse.duckdb.translate.expressions.comparisons import compared
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import (
    Definitions,
    Functions,
    argument,
    by_name,
    by_signature,
    define,
    in_python,
)
from warehouse_refresh.warehouse.duckdb.translate.literals import integer, no_value
from warehouse_refresh.warehouse.duckdb.translate.nodes import Case, FunctionCall, Literal, Node, let_all
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.coercion import NUMBERS, supertype
from warehouse_refresh.warehouse.sql.literals import FAILURE
from warehouse_refresh.warehouse.types import BIGNUMERIC, FLOAT64, INT64, INTERVAL, NUMERIC, STRING

_FINITE = (
    "CASE WHEN isfinite({0}) OR NOT isfinite({{a}}) OR {{a}} IS NULL THEN {0} ELSE error('Floating point error in"
    " function: {1}') END"
)
_POW = (
    "CASE WHEN {a} < 0 AND {b} <> floor({b}) AND isfinite({a}) AND isfinite({b}) OR {a} = 0 AND {b} < 0 THEN"
    " error('Floating point error in function: POW') WHEN {a} = 1 OR {b} = 0 THEN 1.0::DOUBLE WHEN isfinite({a}) AND"
    " isfinite({b}) AND NOT isfinite(pow({a}, {b})) THEN error('Floating point error in function: POW') ELSE pow({a},"
    " {b}) END"
)
_UNITS_A, _UNITS_B = UNSCALED.replace("{x}", "{a}"), UNSCALED.replace("{x}", "{b}")


def _taking(values: str, name: str, function: str = "") -> str:
    """A function that takes some values only. It fails for the other numbers, and is NaN for an infinity among them."""
    return (
        f"CASE WHEN {values} OR isnan({{a}}) THEN {function or name.lower()}({{a}}) WHEN isinf({{a}}) THEN"
        f" 'nan'::DOUBLE WHEN {{a}} IS NOT NULL THEN error('Floating point error in function: {name}') END"
    )


_RECIPROCAL = {"COT": "tan", "COTH": "tanh", "CSC": "sin", "CSCH": "sinh", "SEC": "cos", "SECH": "cosh"}
_NUMBER = r"(?:[0-9,]*[0-9][0-9,]*\.?[0-9]*|,*\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_CLEANED = (
    r"CASE WHEN regexp_matches({a}, '^\s*-|-\s*$') THEN '-' ELSE '' END ||"
    r" replace(regexp_extract({a}, '[0-9,.]+(?:[eE][+-]?[0-9]+)?'), ',', '')"
)
_PARSED = (  # a sign before or after the number, blanks around it, commas anywhere before the point
    rf"CASE WHEN {{a}} IS NULL THEN NULL WHEN regexp_full_match({{a}}, '\s*(?:[+-]\s*)?{_NUMBER}\s*')"
    rf" OR regexp_full_match({{a}}, '\s*{_NUMBER}\s*[+-]\s*') THEN list_transform([{_CLEANED}], lambda t_:"
    f" {NUMERIC_OF_DIGITS.replace('{x}', 't_')})[1] ELSE error('Invalid input to PARSE_NUMERIC: ' || {{a}}) END"
)

DEFINITIONS: Definitions = by_name(
    define("PARSE_NUMERIC", "STRING -> NUMERIC", _PARSED),
    define("ABS", "INT64 -> INT64", "abs({a})"),
    define("ABS", "FLOAT64 -> FLOAT64", "abs({a})"),
    define("ABS", "NUMERIC -> NUMERIC", "abs({a})"),
    define("SIGN", "INT64 -> INT64", "sign({a})::BIGINT"),
    define("SIGN", "FLOAT64 -> FLOAT64", "CASE WHEN isnan({a}) THEN {a} ELSE sign({a})::DOUBLE END"),
    define("SIGN", "NUMERIC -> NUMERIC", "sign({a})::DECIMAL(38,9)"),
    define("IS_NAN", "FLOAT64 -> BOOL", "isnan({a})"),
    define("IS_INF", "FLOAT64 -> BOOL", "isinf({a})"),
    define("RAND", "-> FLOAT64", "random()"),
    define("PI", "-> FLOAT64", "pi()"),
    define("EXP", "FLOAT64 -> FLOAT64", _FINITE.format("exp({a})", "EXP")),
    define(
        "SQRT",
        "FLOAT64 -> FLOAT64",
        "CASE WHEN {a} < 0 THEN error('Argument to SQRT cannot be negative: ' || {a}) ELSE sqrt({a}) END",
    ),
    define("LN", "FLOAT64 -> FLOAT64", _taking("{a} > 0", "LN")),
    define("LOG10", "FLOAT64 -> FLOAT64", _taking("{a} > 0", "LOG10")),
    define("LOG", "FLOAT64 -> FLOAT64", _taking("{a} > 0", "LOG", "ln")),
    define(
        "LOG",
        "FLOAT64 FLOAT64 -> FLOAT64",
        "CASE WHEN isnan({a}) OR isnan({b}) OR isinf({b}) OR {a} = '-inf'::DOUBLE OR isinf({a}) AND {b} <= 0"
        " THEN 'nan'::DOUBLE WHEN {b} = 1 AND isinf({a}) THEN {a} WHEN {a} <= 0 OR {b} <= 0 OR {b} = 1"
        " THEN error('Floating point error in function: LOG') ELSE ln({a}) / ln({b}) END",
    ),
    *(
        define(name, "FLOAT64 -> FLOAT64", f"{name.lower()}({{a}})")
        for name in ("SIN", "COS", "TAN", "ATAN", "TANH", "ASINH")
    ),
    *in_python("CBRT", "FLOAT64 -> FLOAT64"),
    *(
        define(name, "FLOAT64 -> FLOAT64", _FINITE.format(f"(1 / {inverse}({{a}}))", name))
        for name, inverse in _RECIPROCAL.items()
    ),
    define("ACOSH", "FLOAT64 -> FLOAT64", _taking("{a} >= 1", "ACOSH")),
    define("ATANH", "FLOAT64 -> FLOAT64", _taking("abs({a}) < 1", "ATANH")),
    *(define(name, "FLOAT64 -> FLOAT64", _FINITE.format(f"{name.lower()}({{a}})", name)) for name in ("COSH", "SINH")),
    define("ATAN2", "FLOAT64 FLOAT64 -> FLOAT64", "atan2({a}, {b})"),
    *(define(name, "FLOAT64 -> FLOAT64", _taking("abs({a}) <= 1", name)) for name in ("ACOS", "ASIN")),
    define("POW POWER", "FLOAT64 FLOAT64 -> FLOAT64", _POW),
    define(
        "DIV",
        "INT64 INT64 -> INT64",
        "CASE WHEN {b} = 0 THEN error('division by zero: ' || {a} || ' / 0') ELSE CAST({a} // {b} AS BIGINT) END",
    ),
    define(
        "MOD",
        "INT64 INT64 -> INT64",
        "CASE WHEN {b} = 0 THEN error('division by zero: MOD(' || {a} || ', 0)') WHEN {b} = -1 THEN 0"
        " ELSE {a} % {b} END",
    ),
    define(
        "DIV",
        "NUMERIC NUMERIC -> NUMERIC",
        "CASE WHEN {b} = 0 THEN error('division by zero: DIV') ELSE"
        f" CAST({_UNITS_A} // {_UNITS_B} AS DECIMAL(38,9)) END",
    ),
    define(
        "MOD",
        "NUMERIC NUMERIC -> NUMERIC",
        "CASE WHEN {b} = 0 THEN error('division by zero: MOD') ELSE list_transform(["
        f"{_UNITS_A} % {_UNITS_B}], lambda n_: CAST(n_ // 1000000000 AS DECIMAL(38,9))"
        " + CAST(CAST(n_ % 1000000000 AS DECIMAL(18,0)) * 0.000000001::DECIMAL(9,9) AS DECIMAL(38,9)))[1] END",
    ),
    define("CEIL CEILING", "FLOAT64 -> FLOAT64", "ceil({a})"),
    define("FLOOR", "FLOAT64 -> FLOAT64", "floor({a})"),
    define("CEIL CEILING", "NUMERIC -> NUMERIC", "ceil({a})::DECIMAL(38,9)"),
    define("FLOOR", "NUMERIC -> NUMERIC", "floor({a})::DECIMAL(38,9)"),
    define("TRUNC", "FLOAT64 -> FLOAT64", "trunc({a})"),
    define("TRUNC", "NUMERIC -> NUMERIC", "trunc({a})::DECIMAL(38,9)"),
    define("ROUND", "FLOAT64 -> FLOAT64", "round({a})"),
    define("ROUND", "NUMERIC -> NUMERIC", "round({a})::DECIMAL(38,9)"),
    define(
        "IEEE_DIVIDE",
        "FLOAT64 FLOAT64 -> FLOAT64",
        "CASE WHEN {b} = 0 AND ({a} = 0 OR isnan({a})) THEN 'nan'::DOUBLE ELSE {a} / {b} END",
    ),
    define("SAFE_ADD", "INT64 INT64 -> INT64", "TRY({a} + {b})"),
    define("SAFE_SUBTRACT", "INT64 INT64 -> INT64", "TRY({a} - {b})"),
    define("SAFE_MULTIPLY", "INT64 INT64 -> INT64", "TRY({a} * {b})"),
    define("SAFE_NEGATE", "INT64 -> INT64", "TRY(0::BIGINT - {a})"),
    *(
        define(f"SAFE_{name}", "FLOAT64 FLOAT64 -> FLOAT64", f"TRY({F_SAFE % (sign, sign, sign)})")
        for name, sign in (("ADD", "+"), ("SUBTRACT", "-"), ("MULTIPLY", "*"))
    ),
    define("SAFE_NEGATE", "FLOAT64 -> FLOAT64", "-{a}"),
    define("SAFE_DIVIDE", "FLOAT64 FLOAT64 -> FLOAT64", f"TRY({F_DIV})"),
    define("BIT_COUNT", "INT64 -> INT64", "bit_count({a})::BIGINT"),
    define("BIT_COUNT", "BYTES -> INT64", "googlesql_bytes_bit_count({a})"),
    define(
        "ABS",
        "BIGNUMERIC -> BIGNUMERIC",
        within_bignumeric("CASE WHEN {a} < '0'::BIGNUM THEN -{a} ELSE {a} END", "ABS"),
    ),
    define("SIGN", "BIGNUMERIC -> BIGNUMERIC", BIG_OF_INT64.replace("{x}", "sign({a})")),
    *in_python("PARSE_BIGNUMERIC", "STRING -> BIGNUMERIC"),
    *(
        define(name, signature, f"googlesql_bignumeric_{name.lower()}({holes})")
        for names, signature, holes in (
            ("CEIL FLOOR SQRT CBRT EXP LN LOG10", "BIGNUMERIC -> BIGNUMERIC", "{a}"),
            ("DIV MOD POW LOG", "BIGNUMERIC BIGNUMERIC -> BIGNUMERIC", "{a}, {b}"),
        )
        for name in names.split()
    ),
    *(
        define(name, signature, f"googlesql_numeric_{name.lower()}({holes})")
        for names, signature, holes in (
            ("SQRT CBRT EXP LN LOG10", "NUMERIC -> NUMERIC", "{a}"),
            ("POW LOG", "NUMERIC NUMERIC -> NUMERIC", "{a}, {b}"),
        )
        for name in names.split()
    ),
    *(define("LOG", f"{kind} -> {kind}", f"googlesql_{kind.lower()}_ln({{a}})") for kind in ("NUMERIC", "BIGNUMERIC")),
    *(
        define("POWER", f"{kind} {kind} -> {kind}", f"googlesql_{kind.lower()}_pow({{a}}, {{b}})")
        for kind in ("NUMERIC", "BIGNUMERIC")
    ),
    define("CEILING", "BIGNUMERIC -> BIGNUMERIC", "googlesql_bignumeric_ceil({a})"),
    define("PI_NUMERIC", "-> NUMERIC", "'3.141592654'::DECIMAL(38,9)"),
    define("PI_BIGNUMERIC", "-> BIGNUMERIC", "'314159265358979323846264338327950288420'::BIGNUM"),
    define("SAFE_NEGATE", "NUMERIC -> NUMERIC", "-{a}"),
    define("SAFE_NEGATE", "BIGNUMERIC -> BIGNUMERIC", f"TRY({within_bignumeric('-{a}', '-')})"),
)
"""The functions of numbers, by name."""


def rounded(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ROUND(x [, digits]), TRUNC(x [, digits])"""
    values = [argument(part, scope) for part in parts]
    name = name_of(node)
    if len(values) == 1 and values[0].type == BIGNUMERIC:
        return _in_python(name, [*values, integer(0)])
    if len(values) == 1:
        return by_signature(node, scope, name, DEFINITIONS[name], values)
    if len(values) != 2 or values[0].type.name not in NUMBERS or values[1].type != INT64:
        takes_mode = name == "ROUND" and values[0].type in (NUMERIC, BIGNUMERIC) and values[1].type == INT64
        if len(values) == 3 and takes_mode:
            return _rounded_by_mode(node, scope, values)
        return no_signature(node, scope, name, values)
    digits = values[1].literal
    if values[0].type in (NUMERIC, BIGNUMERIC):
        if values[0].type == NUMERIC and isinstance(digits, int) and -20 <= digits <= 20:
            return numeric_rounded(values[0], name, digits)
        return _in_python(name, values)
    value = as_type(node, scope, name, values[0], FLOAT64)
    if not isinstance(digits, int) or not -18 <= digits <= 20:
        return _in_python(name, [value, values[1]])
    return Typed(sql(f"({float_rounded(name.lower(), digits)})", a=value.node), FLOAT64)


def _in_python(name: str, values: list[Typed]) -> Typed:
    """ROUND or TRUNC by a function in Python."""
    kind = values[0].type
    call = FunctionCall(f"googlesql_{kind.name.lower()}_{name.lower()}", tuple([value.node for value in values]))
    return Typed(sql("CAST({x} AS DOUBLE)", x=call) if kind == FLOAT64 else call, kind)


def _rounded_by_mode(node: exp.Expr, scope: Scope, values: list[Typed]) -> Typed:
    """ROUND(x, digits, mode) of NUMERIC and BIGNUMERIC"""
    digits, mode = values[1].literal, values[2]
    if mode.is_null:
        return no_value(values[0].type)
    if mode.literal not in ("ROUND_HALF_EVEN", "ROUND_HALF_AWAY_FROM_ZERO"):
        wrong(scope.script.text, node, "the mode of ROUND is 'ROUND_HALF_EVEN' or 'ROUND_HALF_AWAY_FROM_ZERO'")
    if not isinstance(digits, int) or not -20 <= digits <= 20 or values[0].type == BIGNUMERIC:
        return _in_python("ROUND", values)
    if mode.literal == "ROUND_HALF_AWAY_FROM_ZERO" or digits >= 9:
        return numeric_rounded(values[0], "ROUND", digits)
    units = [f"'{Decimal(size).scaleb(-digits):f}'::DECIMAL(38,9)" for size in (1, 2)]
    return Typed(sql(_HALF_EVEN.format(unit=units[0], two=units[1]), a=values[0].node), NUMERIC)


_HALF_EVEN = (
    "CAST({{a}} - {{a}} % {unit} + CASE WHEN abs({{a}} % {unit}) * 2 > {unit} OR abs({{a}} % {unit}) * 2 = {unit} AND"
    " ({{a}} - {{a}} % {unit}) % {two} <> 0 THEN sign({{a}}) * {unit} ELSE 0 END AS DECIMAL(38,9))"
)
"""Of two numbers that are as near, the one with an even last digit."""


def float_rounded(word: str, digits: int) -> str:
    """A FLOAT64 rounded or cut, by its digits written out in full: the double 2.675 is a little less than that."""
    if digits < 0:
        return _rounded_to_tens(word, 10**-digits, f"googlesql_float64_{word}({{a}}, {digits})")
    if word == "trunc":
        cut = f"CAST(regexp_replace(printf('%.{digits + 25}f', {{a}}), '.{{{{25}}}}$', '') AS DOUBLE)"
        return f"CASE WHEN isfinite({{a}}) AND abs({{a}}) < 1e15 THEN {cut} ELSE {{a}} END"
    tie = f"regexp_matches(printf('%.{digits + 25}f', {{a}}), '50{{{{24}}}}$')"
    exact = f"CAST(printf('%.{digits + 1}f', {{a}}) AS DECIMAL(38,{digits + 1}))"
    return (
        f"CASE WHEN NOT isfinite({{a}}) OR abs({{a}}) >= 1e15 THEN {{a}}"
        f" WHEN {tie} THEN CAST(CAST(round({exact}, {digits}) AS VARCHAR) AS DOUBLE)"
        f" ELSE CAST(printf('%.{digits}f', {{a}}) AS DOUBLE) END"
    )


def _rounded_to_tens(word: str, unit: int, otherwise: str) -> str:
    """A FLOAT64 rounded or cut to whole units, in INT64 where they fit: a quotient may be rounded itself."""
    half = unit // 2 if word == "round" else 0
    whole = f"sign({{a}}) * CAST((CAST(trunc(abs({{a}})) AS BIGINT) + {half}) // {unit} * {unit} AS DOUBLE)"
    return f"CASE WHEN abs({{a}}) < 8e18 THEN {whole} ELSE CAST({otherwise} AS DOUBLE) END"


def numeric_rounded(value: Typed, name: str, digits: int) -> Typed:
    """A NUMERIC rounded or cut to some digits."""
    if digits >= 9:
        return value
    unit = f"'{Decimal(1).scaleb(-digits):f}'::DECIMAL(38,9)"
    template = f"({{a}} - {{a}} % {unit})"
    if name == "ROUND" and digits >= 0:
        template = f"round({{a}}, {digits})"
    elif name == "ROUND":
        template = f"({template} + CASE WHEN abs({{a}} % {unit}) * 2 >= {unit} THEN sign({{a}}) * {unit} ELSE 0 END)"
    return Typed(sql(f"CAST({template} AS DECIMAL(38,9))", a=value.node), value.type)


_SAFE_NUMERIC = {
    "SAFE_DIVIDE": f"TRY({N_DIV})",
    "SAFE_MULTIPLY": f"TRY({N_MUL})",
    "SAFE_ADD": "TRY(CAST({a} + {b} AS DECIMAL(38,9)))",
    "SAFE_SUBTRACT": "TRY(CAST({a} - {b} AS DECIMAL(38,9)))",
}


_SAFE_BIGNUMERIC = {
    "SAFE_DIVIDE": f"TRY({B_OPERATORS['/']})",
    "SAFE_MULTIPLY": f"TRY({B_OPERATORS['*']})",
    "SAFE_ADD": f"TRY({B_OPERATORS['+']})",
    "SAFE_SUBTRACT": f"TRY({B_OPERATORS['-']})",
}


def safe_operator(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """An operator that gives NULL where it would fail."""
    values = [argument(part, scope) for part in parts]
    name = name_of(node)
    if len(values) == 2 and supertype(values) in (NUMERIC, BIGNUMERIC):
        kind, (a, b) = common(node, scope, name, values)
        templates = _SAFE_NUMERIC if kind == NUMERIC else _SAFE_BIGNUMERIC
        return Typed(sql(templates[name], a=a.node, b=b.node), kind)
    return by_signature(node, scope, name, DEFINITIONS[name], values)


def extreme(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """GREATEST(x, …), LEAST(x, …): NULL if one is NULL, NaN if one is NaN."""
    values = [argument(part, scope) for part in parts]
    if not values:
        wrong(scope.script.text, node, f"{name_of(node)} takes at least one argument")
    kind, found = common(node, scope, name_of(node), values)
    if kind.element is not None or kind.name in ("STRUCT", "JSON"):
        return no_signature(node, scope, name_of(node), values)

    def chosen(numbers: list[Node]) -> Node:
        branches = [(sql("{x} IS NULL", x=number), Literal(None)) for number in numbers]
        nans = [(sql("isnan({x})", x=number), number) for number in numbers] if kind == FLOAT64 else []
        if kind == INTERVAL:  # DuckDB's function compares their parts one after the other
            sign = ">" if name_of(node) == "GREATEST" else "<"
            best = f"CASE WHEN {{b}} {sign} {{a}} THEN {{b}} ELSE {{a}} END"
            return Case(tuple(branches), reduce(lambda one, other: sql(best, a=one, b=other), numbers))
        return Case((*branches, *nans), FunctionCall(name_of(node).lower(), tuple(numbers)))

    return Typed(let_all([value.node for value in found], chosen), kind)


def coalesce(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """COALESCE(x, …), IFNULL(x, y)"""
    values = [argument(part, scope) for part in parts]
    if not values or (name_of(node) == "IFNULL" and len(values) != 2):
        wrong(scope.script.text, node, f"wrong number of arguments for {name_of(node)}")
    kind, found = common(node, scope, name_of(node), values)
    return Typed(FunctionCall("coalesce", tuple([value.node for value in found])), kind)


def nullif(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """NULLIF(x, y)"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 2:
        wrong(scope.script.text, node, "NULLIF takes two arguments")
    kind, found = common(node, scope, "NULLIF", values)

    def unless_equal(sides: list[Node]) -> Node:
        one, other = (Typed(side, kind, value.literal) for side, value in zip(sides, found, strict=True))
        return Case(((compared(node, scope, "=", one, other).node, Literal(None)),), one.node)

    return Typed(let_all([value.node for value in found], unless_equal), kind)


def zeros(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> NoReturn:  # noqa: ARG001
    """Not in BigQuery."""
    unsupported(scope.script.text, node, name_of(node), "write IFNULL(x, 0) or NULLIF(x, 0)")


def error(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ERROR(message)"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 1:
        return no_signature(node, scope, "ERROR", values)
    text = as_type(node, scope, "ERROR", values[0], STRING).node
    message = sql("coalesce({x}, 'ERROR function called with NULL value')", x=text)
    return Typed(sql("CAST(error({x}) AS BIGINT)", x=message), INT64, FAILURE)


def uuid(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """GENERATE_UUID()"""
    if parts:
        wrong(scope.script.text, node, "GENERATE_UUID takes no argument")
    return Typed(sql("CAST(uuid() AS VARCHAR)"), STRING)


def type_of(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """TYPEOF(x): the name of its type"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 1:
        wrong(scope.script.text, node, "TYPEOF takes one argument")
    return Typed(Literal(str(values[0].type)), STRING)


FUNCTIONS: Functions = {
    "TYPEOF": type_of,
    "ROUND": rounded,
    "TRUNC": rounded,
    **dict.fromkeys(_SAFE_NUMERIC, safe_operator),
    "GREATEST": extreme,
    "LEAST": extreme,
    "COALESCE": coalesce,
    "IFNULL": coalesce,
    "NULLIF": nullif,
    "ZEROIFNULL": zeros,
    "NULLIFZERO": zeros,
    "ERROR": error,
    "GENERATE_UUID": uuid,
}
