"""SUM and AVG.

https://cloud.google.com/bigquery/docs/reference/standard-sql/aggregate_functions#sum
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.arithmetic import (
    MEAN_OF_LARGE,
    SUM_OF_LARGE,
    within_bignumeric,
)
from warehouse_refresh.warehouse.duckdb.translate.expressions.intervals import PARTS, put_together, quotient
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.calls import Call, one
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Node,
)
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.types import (
    BIGNUMERIC,
    FLOAT64,
    INT64,
    INTERVAL,
    NUMERIC,
)

# Google adds in a wider type, in which no sum of doubles overflows on its way: where DuckDB's sum does, the values are
# added again as 2^-64 of themselves, which rounds nothing that counts there.
_SMALL = "{x} * 5.421010862427522e-20"
_SUM = (
    "CASE WHEN isfinite({x}) OR NOT isfinite({s}) THEN {x} WHEN abs({s}) >= 9.745314011399999e288"
    " THEN error('double overflow') ELSE {s} * 1.8446744073709552e19 END"
)
_AVG = (  # the mean of an infinity and numbers depends on the order in which Google has them: infinite or NaN
    "(CASE WHEN isfinite({x}) OR isnan({s}) OR {n} < 2 THEN {x} WHEN isinf({s})"
    " THEN error('the embedded engine cannot tell the mean of infinite numbers: this needs BigQuery')"
    " ELSE {s} * 1.8446744073709552e19 END)"
)


def sum_(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if _of_intervals(call):
        return Typed(put_together(_interval_sums(node, scope, call)), INTERVAL)
    value = one(node, scope, call, INT64, NUMERIC, BIGNUMERIC, FLOAT64)
    if value.type == BIGNUMERIC:
        template = within_bignumeric("{x}", "SUM")
        return Typed(
            sql(f"TRY({template})" if call.safe else template, x=call.over_rows("sum", value.node)), BIGNUMERIC
        )
    if value.type == NUMERIC and not call.distinct:
        return _of_large(call, value.node, SUM_OF_LARGE)
    if value.type == NUMERIC:
        template = f"TRY({_NUMERIC_OF_UNITS})" if call.safe else _NUMERIC_OF_UNITS
        return Typed(sql(template, x=call.over_rows("sum", sql(_UNITS, x=value.node))), NUMERIC)
    total, template = call.over_rows("sum", value.node), f"CAST({{x}} AS {duckdb_type(value.type)})"
    small = {}
    if value.type == FLOAT64:
        template, small = _SUM, {"s": call.over_rows("sum", sql(_SMALL, x=value.node))}
    return Typed(sql(f"TRY({template})" if call.safe else f"({template})", x=total, **small), value.type)


# Of distinct ones, as whole numbers of any size.
_UNITS = "CAST(replace(CAST({x} AS VARCHAR), '.', '') AS BIGNUM)"
_NUMERIC_OF_UNITS = (
    "CAST(regexp_replace(regexp_replace(CAST({x} AS VARCHAR), '^(-?)([0-9]{{1,9}})$', '\\1000000000\\2'),"
    " '([0-9]{{9}})$', '.\\1') AS DECIMAL(38,9))"
)

# A sum of NUMERIC may pass the range on its way. DuckDB's sum fails then, so numbers from 1e20 on are added apart.
_IS_LARGE = "{x} NOT BETWEEN '-1e20'::DECIMAL(38,9) AND '1e20'::DECIMAL(38,9)"
_LARGE = {
    "s": f"CASE WHEN {_IS_LARGE} THEN {{x}} - trunc({{x}}) ELSE {{x}} END",
    "h": f"CASE WHEN {_IS_LARGE} THEN CAST(trunc({{x}}) AS HUGEINT) END",
}
"""Small numbers and what large ones have after the point, and the whole parts of large ones."""


def _of_large(call: Call, value: Node, template: str, **more: Node) -> Typed:
    """The template with the sums that _LARGE describes."""
    sums = {letter: call.over_rows("sum", sql(part, x=value)) for letter, part in _LARGE.items()}
    return Typed(sql(f"TRY({template})" if call.safe else f"({template})", **sums, **more), NUMERIC)


def avg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if _of_intervals(call):
        count = sql("nullif({x}, 0)", x=call.over_rows("count", call.values[0].node))
        return Typed(quotient(_interval_sums(node, scope, call), count), INTERVAL)
    value = one(node, scope, call, NUMERIC, BIGNUMERIC, INT64, FLOAT64)
    rows = call.over_rows("count", value.node)
    if value.type == BIGNUMERIC:
        return Typed(
            sql("googlesql_bignumeric_mean({x}, {n})", x=call.over_rows("sum", value.node), n=rows), BIGNUMERIC
        )
    if value.type == NUMERIC:
        return _mean_of_numeric(call, value.node, rows)
    found = call.over_rows("avg", value.node)
    if value.type == FLOAT64:
        return Typed(sql(_AVG, x=found, s=call.over_rows("avg", sql(_SMALL, x=value.node)), n=rows), FLOAT64)
    return Typed(found, FLOAT64)


def _mean_of_numeric(call: Call, value: Node, rows: Node) -> Typed:
    if not call.distinct:
        return _of_large(call, value, MEAN_OF_LARGE, n=rows)
    mean = sql("googlesql_bignumeric_mean({x}, {n})", x=call.over_rows("sum", sql(_UNITS, x=value)), n=rows)
    return Typed(sql(_NUMERIC_OF_UNITS, x=mean), NUMERIC)


def _of_intervals(call: Call) -> bool:
    return len(call.values) == 1 and call.values[0].type == INTERVAL


def _interval_sums(node: exp.Expr, scope: Scope, call: Call) -> list[Node]:
    """The sums of the months, of the days and of the microseconds."""
    if call.distinct or call.safe:
        unsupported(
            scope.script.text,
            node,
            f"{'SAFE.' if call.safe else ''}{call.name} of {'DISTINCT ' if call.distinct else ''}INTERVAL",
        )
    return [call.over_rows("sum", sql(part, x=call.values[0].node)) for part in PARTS]
