"""Numbers.

https://cloud.google.com/bigquery/docs/reference/standard-sql/mathematical_functions
"""

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.arithmetic import F_DIV, F_SAFE, N_DIV, N_MUL, UNSCALED
from warehouse.duckdb.translate.coercion import NUMBERS, supertype
from warehouse.duckdb.translate.expressions import as_type, common, no_signature
from warehouse.duckdb.translate.functions.registry import argument, define, function
from warehouse.duckdb.translate.literals import numeric_sql
from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse.duckdb.translate.text import attempt, bind
from warehouse.duckdb.translate.typed import FLOAT64, INT64, NUMERIC, Typed

define("ABS", "INT64 -> INT64", "abs({a})")
define("ABS", "FLOAT64 -> FLOAT64", "abs({a})")
define("ABS", "NUMERIC -> NUMERIC", "abs({a})")
define("SIGN", "INT64 -> INT64", "sign({a})::BIGINT")
define("SIGN", "FLOAT64 -> FLOAT64", "CASE WHEN isnan({a}) THEN {a} ELSE sign({a})::DOUBLE END")
define("SIGN", "NUMERIC -> NUMERIC", "sign({a})::DECIMAL(38,9)")
define("IS_NAN", "FLOAT64 -> BOOL", "isnan({a})")
define("IS_INF", "FLOAT64 -> BOOL", "isinf({a})")
define("RAND", "-> FLOAT64", "random()")
define("PI", "-> FLOAT64", "pi()")
_FINITE = (
    "CASE WHEN isfinite({0}) OR NOT isfinite({{a}}) OR {{a}} IS NULL THEN {0} ELSE error('Floating point error in"
    " function: {1}') END"
)
define("EXP", "FLOAT64 -> FLOAT64", _FINITE.format("exp({a})", "EXP"))
define(
    "SQRT",
    "FLOAT64 -> FLOAT64",
    "CASE WHEN {a} < 0 THEN error('Argument to SQRT cannot be negative') ELSE sqrt({a}) END",
)
for _name, _duck in (("LN", "ln"), ("LOG10", "log10")):
    define(
        _name,
        "FLOAT64 -> FLOAT64",
        f"CASE WHEN {{a}} <= 0 THEN error('Floating point error in function: {_name}') ELSE {_duck}({{a}}) END",
    )
define(
    "LOG",
    "FLOAT64 -> FLOAT64",
    "CASE WHEN {a} <= 0 THEN error('Floating point error in function: LOG') ELSE ln({a}) END",
)
define(
    "LOG",
    "FLOAT64 FLOAT64 -> FLOAT64",
    "CASE WHEN {a} <= 0 OR {b} <= 0 OR {b} = 1 THEN error('Floating point error in function: LOG') ELSE ln({a}) /"
    " ln({b}) END",
)
for _name in ("SIN", "COS", "TAN", "ATAN", "SINH", "TANH", "ASINH"):
    define(_name, "FLOAT64 -> FLOAT64", f"{_name.lower()}({{a}})")
define("COSH", "FLOAT64 -> FLOAT64", _FINITE.format("cosh({a})", "COSH"))
define("ATAN2", "FLOAT64 FLOAT64 -> FLOAT64", "atan2({a}, {b})")
for _name in ("ACOS", "ASIN"):
    define(
        _name,
        "FLOAT64 -> FLOAT64",
        f"CASE WHEN abs({{a}}) > 1 AND NOT isnan({{a}}) THEN error('Floating point error in function: {_name}') ELSE"
        f" {_name.lower()}({{a}}) END",
    )
define("CBRT", "FLOAT64 -> FLOAT64", "cbrt({a})")
_POW = (
    "CASE WHEN {a} < 0 AND {b} <> floor({b}) AND isfinite({a}) AND isfinite({b}) OR {a} = 0 AND {b} < 0 THEN"
    " error('Floating point error in function: POW') WHEN {a} = 1 OR {b} = 0 THEN 1.0::DOUBLE WHEN isfinite({a}) AND"
    " isfinite({b}) AND NOT isfinite(pow({a}, {b})) THEN error('Floating point error in function: POW') ELSE pow({a},"
    " {b}) END"
)
define("POW POWER", "FLOAT64 FLOAT64 -> FLOAT64", _POW)
define(
    "DIV",
    "INT64 INT64 -> INT64",
    "CASE WHEN {b} = 0 THEN error('division by zero: DIV') ELSE CAST({a} // {b} AS BIGINT) END",
)
define(
    "MOD",
    "INT64 INT64 -> INT64",
    "CASE WHEN {b} = 0 THEN error('division by zero: MOD') WHEN {b} = -1 THEN 0 ELSE {a} % {b} END",
)
_UNITS_A, _UNITS_B = UNSCALED.replace("{x}", "{a}"), UNSCALED.replace("{x}", "{b}")
define(
    "DIV",
    "NUMERIC NUMERIC -> NUMERIC",
    f"CASE WHEN {{b}} = 0 THEN error('division by zero: DIV') ELSE CAST({_UNITS_A} // {_UNITS_B} AS DECIMAL(38,9)) END",
)
define(
    "MOD",
    "NUMERIC NUMERIC -> NUMERIC",
    "CASE WHEN {b} = 0 THEN error('division by zero: MOD') ELSE list_transform(["
    f"{_UNITS_A} % {_UNITS_B}], lambda n_: CAST(n_ // 1000000000 AS DECIMAL(38,9))"
    " + CAST(CAST(n_ % 1000000000 AS DECIMAL(18,0)) * 0.000000001::DECIMAL(9,9) AS DECIMAL(38,9)))[1] END",
)
define("CEIL CEILING", "FLOAT64 -> FLOAT64", "ceil({a})")
define("FLOOR", "FLOAT64 -> FLOAT64", "floor({a})")
define("CEIL CEILING", "NUMERIC -> NUMERIC", "ceil({a})::DECIMAL(38,9)")
define("FLOOR", "NUMERIC -> NUMERIC", "floor({a})::DECIMAL(38,9)")
define("TRUNC", "FLOAT64 -> FLOAT64", "trunc({a})")
define("TRUNC", "NUMERIC -> NUMERIC", "trunc({a})::DECIMAL(38,9)")
define("ROUND", "FLOAT64 -> FLOAT64", "round({a})")
define("ROUND", "NUMERIC -> NUMERIC", "round({a})::DECIMAL(38,9)")
define(
    "IEEE_DIVIDE",
    "FLOAT64 FLOAT64 -> FLOAT64",
    "CASE WHEN {b} = 0 AND ({a} = 0 OR isnan({a})) THEN 'nan'::DOUBLE ELSE {a} / {b} END",
)
define("SAFE_ADD", "INT64 INT64 -> INT64", "TRY({a} + {b})")
define("SAFE_SUBTRACT", "INT64 INT64 -> INT64", "TRY({a} - {b})")
define("SAFE_MULTIPLY", "INT64 INT64 -> INT64", "TRY({a} * {b})")
define("SAFE_NEGATE", "INT64 -> INT64", "TRY(-{a})")
for _name, _sign in (("ADD", "+"), ("SUBTRACT", "-"), ("MULTIPLY", "*")):
    define(f"SAFE_{_name}", "FLOAT64 FLOAT64 -> FLOAT64", attempt(F_SAFE % (_sign, _sign, _sign)))
define("SAFE_NEGATE", "FLOAT64 -> FLOAT64", "-{a}")
define("SAFE_DIVIDE", "FLOAT64 FLOAT64 -> FLOAT64", attempt(F_DIV))
define("BIT_COUNT", "INT64 -> INT64", "bit_count({a})::BIGINT")


@function("ROUND", "TRUNC")
def rounded(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ROUND(x [, digits]), TRUNC(x [, digits])"""
    from warehouse.duckdb.translate.functions.registry import by_signature

    values = [argument(part, scope) for part in parts]
    name = name_of(node)
    if len(values) == 1:
        return by_signature(node, scope, name, values)
    if len(values) != 2 or values[0].type.name not in NUMBERS or values[1].type != INT64:
        if len(values) == 3:
            unsupported(scope.script.text, node, f"{name} with a rounding mode")
        return no_signature(node, scope, name, values)
    digits = values[1].literal
    if not isinstance(digits, int) or not -20 <= digits <= 20:
        unsupported(scope.script.text, node, f"{name} to digits that are not a literal from -20 to 20")
    if values[0].type == NUMERIC:
        return numeric_rounded(values[0], name.lower(), digits)
    value = as_type(node, scope, name, values[0], FLOAT64)
    return Typed(f"({bind(float_rounded(name.lower(), digits), a=value.sql)})", FLOAT64)


def float_rounded(word: str, digits: int) -> str:
    """A FLOAT64 rounded or cut, by its digits written out in full: the double 2.675 is a little less than that."""
    if digits < 0:
        power = f"1e{-digits}::DOUBLE"
        return f"CASE WHEN isfinite({{a}}) THEN {word}({{a}} / {power}) * {power} ELSE {{a}} END"
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


def numeric_rounded(value: Typed, word: str, digits: int) -> Typed:
    """A NUMERIC rounded or cut to some digits."""
    if digits >= 9:
        return value
    if digits >= 0:
        template = (
            f"CAST({word}({{a}}, {digits}) AS DECIMAL(38,9))"
            if word == "round"
            else (f"CAST(trunc({{a}} * 1{'0' * digits}) / 1{'0' * digits} AS DECIMAL(38,9))")
        )
        if word == "trunc":
            template = f"{{a}} - {{a}} % {numeric_sql(str(10.0**-digits if digits else 1))}"
        return Typed(f"CAST({bind(template, a=value.sql)} AS DECIMAL(38,9))", value.type)
    unit = f"'1{'0' * -digits}'::DECIMAL(38,9)"
    cut = f"({{a}} - {{a}} % {unit})"
    template = (
        cut
        if word == "trunc"
        else f"({cut} + CASE WHEN abs({{a}} % {unit}) * 2 >= {unit} THEN sign({{a}}) * {unit} ELSE 0 END)"
    )
    return Typed(f"CAST({bind(template, a=value.sql)} AS DECIMAL(38,9))", value.type)


@function("SAFE_DIVIDE", "SAFE_MULTIPLY", "SAFE_ADD", "SAFE_SUBTRACT")
def safe_operator(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """An operator that gives NULL where it would fail."""
    from warehouse.duckdb.translate.functions.registry import by_signature

    values = [argument(part, scope) for part in parts]
    name = name_of(node)
    if len(values) == 2 and supertype(values) == t.NUMERIC:
        kind, (a, b) = common(node, scope, name, values)
        sql = {"SAFE_DIVIDE": N_DIV, "SAFE_MULTIPLY": N_MUL, "SAFE_ADD": "{a} + {b}", "SAFE_SUBTRACT": "{a} - {b}"}[
            name
        ]
        return Typed(bind(attempt(sql), a=a.sql, b=b.sql), kind)
    return by_signature(node, scope, name, values)


@function("GREATEST", "LEAST")
def extreme(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """GREATEST(x, …), LEAST(x, …): NULL if one is NULL, NaN if one is NaN."""
    values = [argument(part, scope) for part in parts]
    if not values:
        wrong(scope.script.text, node, f"{name_of(node)} takes at least one argument")
    kind, found = common(node, scope, name_of(node), values)
    if kind.element is not None or kind.name in ("STRUCT", "JSON"):
        return no_signature(node, scope, name_of(node), values)
    texts = [value.sql for value in found]
    tests = "".join(f" WHEN {sql} IS NULL THEN NULL" for sql in texts)
    if kind == FLOAT64:
        tests += "".join(f" WHEN isnan({sql}) THEN {sql}" for sql in texts)
    return Typed(f"(CASE{tests} ELSE {name_of(node).lower()}({', '.join(texts)}) END)", kind)


@function("COALESCE", "IFNULL")
def coalesce(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """COALESCE(x, …), IFNULL(x, y)"""
    values = [argument(part, scope) for part in parts]
    if not values or (name_of(node) == "IFNULL" and len(values) != 2):
        wrong(scope.script.text, node, f"wrong number of arguments for {name_of(node)}")
    kind, found = common(node, scope, name_of(node), values)
    return Typed(f"coalesce({', '.join(value.sql for value in found)})", kind)


@function("NULLIF")
def nullif(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """NULLIF(x, y)"""
    from warehouse.duckdb.translate.comparisons import compared

    values = [argument(part, scope) for part in parts]
    if len(values) != 2:
        wrong(scope.script.text, node, "NULLIF takes two arguments")
    kind, (a, b) = common(node, scope, "NULLIF", values)
    test = compared(node, scope, "=", a, b).sql
    return Typed(f"(CASE WHEN {test} THEN NULL ELSE {a.sql} END)", kind)


@function("ZEROIFNULL", "NULLIFZERO")
def zeros(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """Not in BigQuery."""
    unsupported(scope.script.text, node, name_of(node), "write IFNULL(x, 0) or NULLIF(x, 0)")
    raise AssertionError(parts)


@function("ERROR")
def error(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ERROR(message)"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 1 or values[0].type != t.STRING:
        return no_signature(node, scope, "ERROR", values)
    return Typed(f"error({values[0].sql})", INT64, t.NULL if False else None)


@function("GENERATE_UUID")
def uuid(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """GENERATE_UUID()"""
    if parts:
        wrong(scope.script.text, node, "GENERATE_UUID takes no argument")
    return Typed("CAST(uuid() AS VARCHAR)", t.STRING)


@function("SQRT", "EXP", "LN", "LOG", "LOG10", "POW", "POWER")
def transcendental(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """Of FLOAT64; of NUMERIC they have answers of their own, exact to nine digits."""
    from warehouse.duckdb.translate.functions.registry import by_signature

    values = [argument(part, scope) for part in parts]
    if any(value.type == t.NUMERIC for value in values):
        unsupported(scope.script.text, node, f"{name_of(node)} of NUMERIC", "convert with CAST(… AS FLOAT64)")
    return by_signature(node, scope, name_of(node), values)
