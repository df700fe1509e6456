"""Variances, covariances and correlations.

https://cloud.google.com/bigquery/docs/reference/standard-sql/statistical_aggregate_functions
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.arithmetic import (
    UNSCALED,
)
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type
from warehouse_refresh.warehouse.duckdb.translate.expressions.statistics import (
    COUNTED,
    EXACT_STATISTICS,
    PARTS_OF_PRODUCT,
    SPREAD,
    UNITS,
    WHOLE,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.calls import Call
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Chain,
    Node,
    Star,
)
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.types import (
    BIGNUMERIC,
    FLOAT64,
    NUMERIC,
)

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


# `z` is 0, or NaN if a value is NaN or infinite: then so is the result. DuckDB's result overflows where Google's, which
# is computed in a wider type, does not.
_STATISTIC = (
    "(CASE WHEN {x} IS NULL THEN NULL WHEN isfinite({x}) OR isnan({z}) THEN {x} + {z} ELSE error('the embedded engine"
    " cannot compute a variance of numbers of this size: this needs BigQuery') END)"
)
# DuckDB gives NaN for one pair, and for numbers whose squares are too large or too small for a double.
_CORR = (
    "(CASE WHEN {n} < 2 THEN NULL WHEN isfinite({x}) OR isnan({z}) OR {same} THEN {x} + {z} ELSE error('the embedded"
    " engine cannot compute a correlation of numbers of this size: this needs BigQuery') END)"
)


def statistic(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """Variances and the like: NaN where a value is NaN or infinite."""
    if len(call.values) != (2 if call.name.startswith("CO") else 1):
        wrong(scope.script.text, node, f"wrong number of arguments for {call.name}")
    if NUMERIC in [value.type for value in call.values] and FLOAT64 not in [value.type for value in call.values]:
        return _exact_statistic(node, scope, call)
    if BIGNUMERIC in [value.type for value in call.values]:
        unsupported(scope.script.text, node, f"{call.name} of BIGNUMERIC", "convert with CAST(… AS FLOAT64)")
    values = [as_type(node, scope, call.name, value, FLOAT64).node for value in call.values]
    found = call.over_rows(STATISTICS[call.name], *values)
    zeros = call.over_rows("sum", Chain("+", tuple([sql("({v} * 0e0)", v=value) for value in values])))
    if call.name != "CORR":
        return Typed(sql(_STATISTIC, x=found, z=zeros), FLOAT64)
    pairs = call.over_rows("regr_count", *values)
    return Typed(sql(_CORR, n=pairs, x=found, z=zeros, same=_one_value(call, *values)), FLOAT64)


def _exact_statistic(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """Variances and the like of NUMERIC: from exact sums, so that no digit is lost where a variance is small."""
    if call.distinct:
        unsupported(scope.script.text, node, f"{call.name} DISTINCT of NUMERIC", "convert with CAST(… AS FLOAT64)")
    values = [sql(COUNTED, x=as_type(node, scope, call.name, value, NUMERIC).node) for value in call.values]
    where = Chain("AND", tuple([sql("{x} IS NOT NULL", x=value) for value in values]))
    rows = call.over_rows("count", Star(), where=where)
    pairs = [(values[0], values[-1])]
    if call.name == "CORR":
        pairs += [(values[0], values[0]), (values[1], values[1])]
    spreads = [_spread(call, one, other, rows, where) for one, other in pairs]
    template = f"({EXACT_STATISTICS[STATISTICS[call.name]]})"
    return Typed(sql(template, **dict(zip("abc", spreads, strict=False)), n=rows), FLOAT64)


def _spread(call: Call, one: Node, other: Node, rows: Node, where: Node) -> Node:
    """The sum of the products of both values' distances from their means, as SPREAD has it."""
    parts = [sql(part, x=value) for value in (one, other) for part in (WHOLE, UNITS)]
    factors = dict(zip("abcd", parts, strict=True))
    products = {
        letter: call.over_rows("sum", sql(part, **factors), where=where) for letter, part in PARTS_OF_PRODUCT.items()
    }
    x, y = (sql(UNSCALED, x=call.over_rows("sum", value, where=where)) for value in (one, other))
    return sql(SPREAD, x=x, y=y, n=rows, **products)


def _one_value(call: Call, first: Node, second: Node) -> Node:
    """Whether one side of all pairs has one value only."""
    tests = []
    for value, other in ((first, second), (second, first)):
        where = sql("{o} IS NOT NULL", o=other)
        least, most = (call.over_rows(name, value, where=where) for name in ("min", "max"))
        tests.append(sql("{a} = {b}", a=least, b=most))
    return Chain("OR", tuple(tests))
