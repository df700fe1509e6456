"""Approximate aggregates, whose answers are exact here.

https://cloud.google.com/bigquery/docs/reference/standard-sql/approximate_aggregate_functions
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import no_signature
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.calls import Call
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.collected import items_of
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Literal,
    Star,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.ordering import order_keys
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.coercion import is_groupable
from warehouse_refresh.warehouse.types import (
    INT64,
    array_of,
    struct_of,
)
from warehouse_refresh.warehouse.types import Column as TableColumn


def quantiles(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """APPROX_QUANTILES(x, n): n + 1 values, the smallest, those that n equal parts end with. They are exact here.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/approximate_aggregate_functions#approx_quantiles"""
    value, parts = _value_and_number(node, scope, call)
    _check_sortable(node, scope, call, value)
    call.order = order_keys(value, desc=False, nulls_first=True)
    found = items_of(call, value, without_nulls=call.nulls != "RESPECT")
    places = (
        "CASE WHEN len({x}) > 0 THEN list_transform(range({n} + 1), lambda i_:"
        " ({x})[greatest(1, (i_ * len({x}) + {n} - 1) // {n})]) END"
    )
    return Typed(sql(f"({places})", x=found, n=Literal(parts)), array_of(value.type))


_MOST = (
    "(list_transform(list_sort(list_transform(map_entries({h}), lambda e_: {{'c': -e_.value::BIGINT, 'v': e_.key}})"
    " || CASE WHEN {n} > 0 THEN [{{'c': -{n}, 'v': NULL}}] ELSE [] END), lambda e_: {{'value': e_.v, 'count': -e_.c}})"
    "[:%s])"
)


def most_frequent(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """APPROX_TOP_COUNT(x, n): the n values that occur most, each with its count. They are exact here.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/approximate_aggregate_functions#approx_top_count"""
    value, most = _value_and_number(node, scope, call)
    if not is_groupable(value.type) or call.distinct:
        no_signature(node, scope, f"{call.name}{' DISTINCT' if call.distinct else ''}", [value])
    counts = call.over_rows("histogram", value.node)
    nulls = call.over_rows("count", sql("CASE WHEN {x} IS NULL THEN 1 END", x=value.node))
    kind = array_of(struct_of(TableColumn("value", value.type), TableColumn("count", INT64)))
    found = sql(_MOST % most, h=sql("coalesce({h}, MAP {{}})", h=counts), n=nulls)
    return Typed(sql("CASE WHEN {n} > 0 THEN {x} END", n=call.over_rows("count", Star()), x=found), kind)


def _value_and_number(node: exp.Expr, scope: Scope, call: Call) -> tuple[Typed, int]:
    """The arguments of a call such as APPROX_QUANTILES(x, 100)."""
    if len(call.values) != 2:
        wrong(scope.script.text, node, f"{call.name} takes two arguments")
    value, number = call.values
    if not isinstance(number.literal, int) or number.literal < 1:
        wrong(scope.script.text, node, f"the second argument of {call.name} must be a positive integer literal")
    return value, number.literal


def _check_sortable(node: exp.Expr, scope: Scope, call: Call, value: Typed) -> None:
    if value.type.element is not None or value.type.name in ("STRUCT", "JSON", "GEOGRAPHY"):
        no_signature(node, scope, call.name, [value])
