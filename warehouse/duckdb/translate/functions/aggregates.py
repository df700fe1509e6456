"""Aggregate functions.

https://cloud.google.com/bigquery/docs/reference/standard-sql/aggregate_functions
"""

from sqlglot import exp

from warehouse.duckdb.translate import grouping
from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.arithmetic import N_DIV
from warehouse.duckdb.translate.coercion import coerce
from warehouse.duckdb.translate.expressions import as_type, boolean, no_signature
from warehouse.duckdb.translate.functions.aggregate_calls import Call, taken_apart
from warehouse.duckdb.translate.scope import EXPRESSIONS, Scope
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.text import bind
from warehouse.duckdb.translate.typed import BOOL, BYTES, FLOAT64, INT64, NUMERIC, STRING, Typed
from warehouse.types import SqlType, array_of

AGGREGATE_NAMES = frozenset(
    [
        "COUNT",
        "COUNTIF",
        "SUM",
        "AVG",
        "MIN",
        "MAX",
        "ANY_VALUE",
        "ARRAY_AGG",
        "STRING_AGG",
        "ARRAY_CONCAT_AGG",
        "LOGICAL_AND",
        "LOGICAL_OR",
        "BIT_AND",
        "BIT_OR",
        "BIT_XOR",
        "STDDEV",
        "STDDEV_SAMP",
        "STDDEV_POP",
        "VARIANCE",
        "VAR_SAMP",
        "VAR_POP",
        "CORR",
        "COVAR_POP",
        "COVAR_SAMP",
        "GROUPING",
        "MAX_BY",
        "MIN_BY",
        "APPROX_COUNT_DISTINCT",
        "APPROX_QUANTILES",
        "APPROX_TOP_COUNT",
        "APPROX_TOP_SUM",
    ]
)
grouping.AGGREGATES.update(AGGREGATE_NAMES)
EXPRESSIONS["aggregates"] = AGGREGATE_NAMES


def aggregate(node: exp.Expr, scope: Scope, *, window: bool = False) -> Typed:
    """An aggregate call over the rows of `scope`. Raises SqlError, UnsupportedSql."""
    if not window and any(True for part in node.expressions for _ in grouping.aggregates_in(part)):
        wrong(scope.script.text, node, "an aggregate function cannot hold another one", "aggregate in a subquery first")
    call = taken_apart(node, scope)
    if call.having is not None and call.name not in ("ANY_VALUE", "MAX", "MIN"):
        unsupported(scope.script.text, node, f"HAVING {call.having[0].upper()} in {call.name}")
    if (call.order or call.limit is not None) and call.name not in ("ARRAY_AGG", "STRING_AGG", "ARRAY_CONCAT_AGG"):
        wrong(scope.script.text, node, f"{call.name} does not take ORDER BY or LIMIT")
    if call.nulls and call.name != "ARRAY_AGG":
        unsupported(scope.script.text, node, f"{call.nulls} NULLS in {call.name}")
    handler = HANDLERS.get(call.name)
    if handler is None:
        unsupported(scope.script.text, node, call.name)
    if window and (call.distinct or call.order) and call.name not in ("COUNT", "SUM"):
        unsupported(scope.script.text, node, f"DISTINCT or ORDER BY in {call.name} … OVER")
    return handler(node, scope, call)


EXPRESSIONS["aggregate"] = aggregate


def one(node: exp.Expr, scope: Scope, call: Call, *kinds: SqlType) -> Typed:
    """The only argument, as the first of these types that it coerces to; of any type if none is given."""
    if len(call.values) != 1 or call.star:
        wrong(scope.script.text, node, f"{call.name} takes one argument")
    value = call.values[0]
    if not kinds:
        return value
    for kind in kinds:
        if t.same(value.type, kind):
            return value if not value.is_null else as_type(node, scope, call.name, value, kind)
    for kind in kinds:
        found = coerce(value, kind)
        if found is not None:
            return found
    return no_signature(node, scope, call.name, call.values)


def _distinct(call: Call) -> str:
    return "DISTINCT " if call.distinct else ""


def count(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if call.star:
        return Typed("count(*)", INT64)
    value = one(node, scope, call)
    if call.distinct and (value.type.element is not None or value.type.name in ("JSON", "GEOGRAPHY")):
        wrong(scope.script.text, node, f"COUNT DISTINCT does not take {value.type}")
    if call.distinct and value.type.name == "STRUCT":
        unsupported(scope.script.text, node, "COUNT DISTINCT of a STRUCT")
    return Typed(f"count({_distinct(call)}{value.sql})", INT64)


def count_if(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call, BOOL)
    if call.distinct:
        unsupported(scope.script.text, node, "COUNTIF DISTINCT")
    return Typed(f"count(CASE WHEN {value.sql} THEN 1 END)", INT64)


def sum_(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call, INT64, NUMERIC, FLOAT64)
    if value.type == FLOAT64:
        sql = f"sum({_distinct(call)}{value.sql})"
        return Typed(f"{sql}", FLOAT64)
    return Typed(f"CAST(sum({_distinct(call)}{value.sql}) AS {t.duckdb_type(value.type)})", value.type)


def avg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call, NUMERIC, INT64, FLOAT64)
    d = _distinct(call)
    if value.type == NUMERIC:
        a, b = f"CAST(sum({d}{value.sql}) AS DECIMAL(38,9))", f"CAST(nullif(count({d}{value.sql}), 0) AS DECIMAL(38,9))"
        return Typed(f"({bind(N_DIV, a=a, b=b)})", NUMERIC)
    return Typed(f"avg({d}{value.sql})", FLOAT64)


def extreme(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    word = call.name.lower()
    if call.having is not None:
        unsupported(scope.script.text, node, f"{call.name} with HAVING")
    if value.type.name in ("STRUCT", "JSON", "GEOGRAPHY"):
        return no_signature(node, scope, call.name, call.values)
    if value.type.element is not None:
        unsupported(scope.script.text, node, f"{call.name} of {value.type}")
    if value.type == FLOAT64:
        nan = f"coalesce(bool_or(isnan({value.sql})), false)"
        return Typed(f"(CASE WHEN {nan} THEN 'nan'::DOUBLE ELSE {word}({value.sql}) END)", FLOAT64)
    return Typed(f"{word}({value.sql})", value.type)


def any_value(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if call.having is None:
        # GoogleSQL may choose NULL only where all are NULL … or not: any row will do.
        return Typed(f"any_value({value.sql})", value.type)
    side, by = call.having
    if by.type.element is not None or by.type.name in ("STRUCT", "JSON"):
        return no_signature(node, scope, f"HAVING {side.upper()}", [by])
    if by.type == FLOAT64:
        unsupported(scope.script.text, node, f"HAVING {side.upper()} of FLOAT64")
    return Typed(f"arg_{side}_null({value.sql}, {by.sql})", value.type)


def by_extreme(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if len(call.values) != 2:
        wrong(scope.script.text, node, f"{call.name} takes two arguments")
    call.having = ("max" if call.name == "MAX_BY" else "min"), call.values.pop()
    return any_value(node, scope, call)


def array_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if value.type.element is not None:
        wrong(scope.script.text, node, "an array cannot hold arrays", "aggregate a STRUCT that holds it")
    if call.distinct and value.type.name in ("STRUCT", "JSON"):
        unsupported(scope.script.text, node, f"ARRAY_AGG(DISTINCT …) of {value.type}")
    sql = f"list({_distinct(call)}{value.sql}{_order(node, scope, call, value)})"
    if call.nulls == "IGNORE":
        sql += f" FILTER (WHERE {value.sql} IS NOT NULL)"
    if call.limit is not None:
        sql = f"{sql}[:{call.limit}]" if call.nulls != "IGNORE" else f"({sql})[:{call.limit}]"
    return Typed(f"({sql})" if call.nulls == "IGNORE" or call.limit is not None else sql, array_of(value.type))


def _order(node: exp.Expr, scope: Scope, call: Call, value: Typed) -> str:
    if not call.order:
        return ""
    if call.distinct and any(key.value != value.sql for key in call.order):
        wrong(scope.script.text, node, f"{call.name}(DISTINCT x ORDER BY y): y must be x")
    return f" ORDER BY {', '.join(map(str, call.order))}"


def string_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if len(call.values) not in (1, 2):
        wrong(scope.script.text, node, "STRING_AGG takes one or two arguments")
    value = call.values[0]
    if value.type == BYTES:
        unsupported(scope.script.text, node, "STRING_AGG of BYTES")
    value = as_type(node, scope, "STRING_AGG", value, STRING)
    separator = call.values[1] if len(call.values) == 2 else Typed("','", STRING, ",")
    if not isinstance(separator.literal, str):
        unsupported(scope.script.text, node, "STRING_AGG with a separator that is not a literal")
    order = _order(node, scope, call, value)
    if call.limit is not None:
        items = f"(list({_distinct(call)}{value.sql}{order}) FILTER (WHERE {value.sql} IS NOT NULL))[:{call.limit}]"
        return Typed(f"array_to_string({items}, {separator.sql})", STRING)
    return Typed(f"string_agg({_distinct(call)}{value.sql}, {separator.sql}{order})", STRING)


def array_concat_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if value.type.element is None:
        return no_signature(node, scope, call.name, call.values)
    limit = f"[:{call.limit}]" if call.limit is not None else ""
    order = _order(node, scope, call, value)
    return Typed(f"flatten((list({value.sql}{order}) FILTER (WHERE {value.sql} IS NOT NULL)){limit})", value.type)


def logical(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    return Typed(f"{'bool_and' if call.name == 'LOGICAL_AND' else 'bool_or'}({one(node, scope, call, BOOL).sql})", BOOL)


def bits(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    return Typed(f"{call.name.lower()}({_distinct(call)}{one(node, scope, call, INT64).sql})", INT64)


STATISTICS = {
    "STDDEV": "stddev_samp",
    "STDDEV_SAMP": "stddev_samp",
    "STDDEV_POP": "stddev_pop",
    "VARIANCE": "var_samp",
    "VAR_SAMP": "var_samp",
    "VAR_POP": "var_pop",
    "CORR": "corr",
    "COVAR_POP": "covar_pop",
    "COVAR_SAMP": "covar_samp",
}


def statistic(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """Variances and the like: DuckDB fails on NaN and infinity, and GoogleSQL gives NaN."""
    if len(call.values) != (2 if call.name.startswith("CO") else 1):
        wrong(scope.script.text, node, f"wrong number of arguments for {call.name}")
    if any(value.type == NUMERIC for value in call.values):
        unsupported(scope.script.text, node, f"{call.name} of NUMERIC", "convert with CAST(… AS FLOAT64)")
    values = [as_type(node, scope, call.name, value, FLOAT64).sql for value in call.values]
    return Typed(f"{STATISTICS[call.name]}({_distinct(call)}{', '.join(values)})", FLOAT64)


def approximate_count(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """APPROX_COUNT_DISTINCT: the exact count is within any promise."""
    call.distinct = True
    return count(node, scope, call)


def grouping_(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    return Typed(f"grouping({one(node, scope, call).sql})::BIGINT", INT64)


HANDLERS = {
    "COUNT": count,
    "COUNTIF": count_if,
    "SUM": sum_,
    "AVG": avg,
    "MIN": extreme,
    "MAX": extreme,
    "ANY_VALUE": any_value,
    "MAX_BY": by_extreme,
    "MIN_BY": by_extreme,
    "ARRAY_AGG": array_agg,
    "STRING_AGG": string_agg,
    "ARRAY_CONCAT_AGG": array_concat_agg,
    "LOGICAL_AND": logical,
    "LOGICAL_OR": logical,
    "BIT_AND": bits,
    "BIT_OR": bits,
    "BIT_XOR": bits,
    "GROUPING": grouping_,
    "APPROX_COUNT_DISTINCT": approximate_count,
    **dict.fromkeys(STATISTICS, statistic),
}

__all__ = ["aggregate", "boolean"]
