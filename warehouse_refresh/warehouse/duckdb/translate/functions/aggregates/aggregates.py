"""The aggregate functions, by name.

https://cloud.google.com/bigquery/docs/reference/standard-sql/aggregate_functions
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import no_signature
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.approximate import most_frequent, quantiles
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.calls import Call, Handler, one, taken_apart
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.collected import (
    array_agg,
    array_concat_agg,
    string_agg,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.statistics import STATISTICS, statistic
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.sums import avg, sum_
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Node,
    Over,
    Star,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.grouping import aggregates_in, windows_in
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed, picked
from warehouse_refresh.warehouse.sql.coercion import is_groupable
from warehouse_refresh.warehouse.types import (
    BOOL,
    FLOAT64,
    INT64,
)


def aggregate(node: exp.Expr, scope: Scope, *, where: Node | None = None, over: Over | None = None) -> Typed:
    """An aggregate call over the rows of `scope` for which `where` holds, or over a window. Raises SqlError,
    UnsupportedSql."""
    safe = isinstance(node, exp.SafeFunc)
    node = node.this if safe else node
    _check_parts(node, scope, over)
    call = taken_apart(node, scope, where, over, safe=safe)
    if call.having is not None and where is not None:
        unsupported(scope.script.text, node, "HAVING in an aggregate of PIVOT")
    if call.having is not None:
        _check_having(node, scope, call, call.having[1])
    if (call.order or call.limit is not None) and call.name not in ("ARRAY_AGG", "STRING_AGG", "ARRAY_CONCAT_AGG"):
        wrong(scope.script.text, node, f"{call.name} does not take ORDER BY or LIMIT")
    if call.nulls and call.name not in ("ARRAY_AGG", "APPROX_QUANTILES"):
        unsupported(scope.script.text, node, f"{call.nulls} NULLS in {call.name}")
    handler = AGGREGATES.get(call.name)
    if handler is None:
        unsupported(scope.script.text, node, call.name)
    if over is not None:
        _check_window(node, scope, call, over)
    return handler(node, scope, call)


def _check_parts(node: exp.Expr, scope: Scope, over: Over | None) -> None:
    """Raises SqlError for what must be computed before the aggregate."""
    if over is None and any(True for part in node.expressions for _ in aggregates_in(part)):
        wrong(scope.script.text, node, "an aggregate function cannot hold another one", "aggregate in a subquery first")
    if any(True for part in node.expressions for _ in windows_in(part)):
        reason = "an aggregate function cannot hold a window function"
        wrong(scope.script.text, node, reason, "compute the window function in a subquery first")


_WITHOUT_HAVING = ("CORR", "COVAR_POP", "COVAR_SAMP", "GROUPING")


def _check_having(node: exp.Expr, scope: Scope, call: Call, by: Typed) -> None:
    """Raises SqlError, UnsupportedSql for what HAVING MAX or MIN does not take."""
    if by.type.element is not None or by.type.name in ("STRUCT", "GEOGRAPHY"):
        wrong(scope.script.text, node, f"HAVING MAX and MIN do not take {by.type}")
    if by.type.name == "JSON" or call.name in _WITHOUT_HAVING or call.name.startswith("APPROX_"):
        unsupported(scope.script.text, node, f"HAVING MAX or MIN of {by.type} in {call.name}")
    if call.distinct and call.name == "ARRAY_AGG" and call.nulls != "IGNORE":
        unsupported(scope.script.text, node, "ARRAY_AGG(DISTINCT … HAVING …)", "add IGNORE NULLS")


def _check_window(node: exp.Expr, scope: Scope, call: Call, over: Over) -> None:
    """Raises SqlError, UnsupportedSql for what an aggregate over a window does not take."""
    if call.limit is not None:
        wrong(scope.script.text, node, f"{call.name} … OVER does not take LIMIT")
    if call.distinct and (over.order or over.frame):
        wrong(scope.script.text, node, f"{call.name}(DISTINCT …) OVER takes neither ORDER BY nor a frame")
    if (call.order and call.name not in ("COUNT", "SUM")) or (call.distinct and call.name.endswith("_AGG")):
        unsupported(scope.script.text, node, f"DISTINCT or ORDER BY in {call.name} … OVER")


def count(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if call.star and call.values:
        wrong(scope.script.text, node, "COUNT(*) takes nothing but the star")
    if call.star:
        return Typed(call.over_rows("count", Star()), INT64)
    value = one(node, scope, call)
    if call.distinct and not is_groupable(value.type):
        unsupported(scope.script.text, node, f"COUNT DISTINCT of {value.type}", "count TO_JSON_STRING of it")
    return Typed(call.over_rows("count", value.node), INT64)


def count_if(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call, BOOL)
    return Typed(call.over_rows("count", sql("CASE WHEN {x} THEN 1 END", x=value.node)), INT64)


def extreme(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if value.type.name in ("STRUCT", "JSON", "GEOGRAPHY"):
        return no_signature(node, scope, call.name, call.values)
    if value.type.element is not None:
        unsupported(scope.script.text, node, f"{call.name} of {value.type}")
    found = call.over_rows(call.name.lower(), value.node)
    if value.type != FLOAT64:
        return Typed(found, value.type)
    has_nan = call.over_rows("bool_or", sql("isnan({x})", x=value.node))
    return Typed(sql("(CASE WHEN coalesce({n}, false) THEN 'nan'::DOUBLE ELSE {x} END)", n=has_nan, x=found), FLOAT64)


def any_value(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if call.having is None:
        # GoogleSQL may choose NULL only where all are NULL … or not: any row will do.
        return picked(value, lambda node: call.over_rows("any_value", node))
    side, by = call.having
    if by.type.element is not None or by.type.name in ("STRUCT", "JSON"):
        return no_signature(node, scope, f"HAVING {side.upper()}", [by])
    if by.type == FLOAT64 and (call.over is not None or call.where is not None):
        unsupported(scope.script.text, node, f"{call.name} by FLOAT64 over a window or in PIVOT")
    if by.type == FLOAT64:
        return Typed(sql("({x})[1]", x=call.over_rows("list", value.node)), value.type)
    plain = replace(call, having=None)
    return picked(value, lambda node: plain.over_rows(f"arg_{side}_null", node, by.node))


def by_extreme(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if len(call.values) != 2:
        wrong(scope.script.text, node, f"{call.name} takes two arguments")
    call.having = ("max" if call.name == "MAX_BY" else "min"), call.values.pop()
    return any_value(node, scope, call)


def logical(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call, BOOL)
    return Typed(call.over_rows("bool_and" if call.name == "LOGICAL_AND" else "bool_or", value.node), BOOL)


def bits(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    return Typed(call.over_rows(call.name.lower(), one(node, scope, call, INT64).node), INT64)


def approximate_count(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """APPROX_COUNT_DISTINCT: the exact count is within any promise."""
    if call.star:
        wrong(scope.script.text, node, "* is an argument of COUNT only", "name a column")
    call.distinct = True
    return count(node, scope, call)


def grouping_(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """GROUPING where nothing is grouped; otherwise see `GroupedScope`."""
    if call.safe:
        wrong(scope.script.text, node, "SAFE does not stand before GROUPING")
    return Typed(sql("grouping({x})::BIGINT", x=one(node, scope, call).node), INT64)


AGGREGATES: Mapping[str, Handler] = {
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
    "APPROX_QUANTILES": quantiles,
    "APPROX_TOP_COUNT": most_frequent,
    **dict.fromkeys(STATISTICS, statistic),
}
"""The aggregate functions that the embedded engine has, by name."""
