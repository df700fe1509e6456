"""Aggregates that collect values: ARRAY_AGG, STRING_AGG, ARRAY_CONCAT_AGG.

https://cloud.google.com/bigquery/docs/reference/standard-sql/aggregate_functions#array_agg
"""

from dataclasses import replace

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, no_signature
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.calls import Call, one
from warehouse_refresh.warehouse.duckdb.translate.literals import string
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Literal,
    Node,
)
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import is_volatile, sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.coercion import is_groupable
from warehouse_refresh.warehouse.types import (
    BYTES,
    FLOAT64,
    STRING,
    array_of,
)


def array_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if value.type.element is not None:
        wrong(scope.script.text, node, "an array cannot hold arrays", "aggregate a STRUCT that holds it")
    if call.distinct and not is_groupable(value.type):
        unsupported(scope.script.text, node, f"ARRAY_AGG(DISTINCT …) of {value.type}")
    if call.where is not None and call.nulls != "IGNORE":
        wrong(scope.script.text, node, "ARRAY_AGG in PIVOT needs IGNORE NULLS")
    _check_order(node, scope, call, value)
    found = items_of(call, value, without_nulls=call.nulls == "IGNORE")
    return Typed(_limited(found, call.limit), array_of(value.type))


def items_of(call: Call, value: Typed, *, without_nulls: bool) -> Node:
    """The values of the call's rows as an array, in the call's order."""
    where = sql("{x} IS NOT NULL", x=value.node) if without_nulls else None
    if not _is_sorted_later(call, value):
        return call.over_rows("list", value.node, where=where)
    direction, _, nulls = call.order[0].direction.partition(" ")
    found = replace(call, order=[]).over_rows("list", value.node, where=where)
    template = _SORTED_FLOATS if value.type == FLOAT64 else "list_sort({x}, {direction}, {nulls})"
    return sql(template, x=found, direction=Literal(direction), nulls=Literal(nulls))


_SORTED_FLOATS = (  # NaN comes before all numbers
    "list_transform(list_sort(list_transform({x}, lambda v: {{'is_number': NOT isnan(v), 'v': v}}), {direction},"
    " {nulls}), lambda pair: pair.v)"
)


def _limited(array: Node, limit: int | None) -> Node:
    if limit == 0:  # no value at all
        return sql("CASE WHEN false THEN {x} END", x=array)
    return sql(f"({{x}})[:{limit}]", x=array) if limit is not None else array


def _check_order(node: exp.Expr, scope: Scope, call: Call, value: Typed) -> None:
    """Raises SqlError where DISTINCT leaves no one value to sort by."""
    if call.distinct and any(key.value != value.node for key in call.order):
        wrong(scope.script.text, node, f"{call.name}(DISTINCT x ORDER BY y): y must be x")
    if _is_sorted_later(call, value) and value.type == FLOAT64 and call.nulls != "IGNORE":
        what = f"{call.name}(DISTINCT x ORDER BY x) of a FLOAT64 that may fail"
        unsupported(scope.script.text, node, what, "add IGNORE NULLS, which a table needs anyway")


def _is_sorted_later(call: Call, value: Typed) -> bool:
    """Whether the distinct values are sorted after they are collected: of what is volatile, which is all that may fail,
    DuckDB does not see that the values and the key are the same. Those of HAVING are collected in any order."""
    return call.distinct and bool(call.order) and (call.having is not None or is_volatile(value.node))


def string_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if len(call.values) not in (1, 2):
        wrong(scope.script.text, node, "STRING_AGG takes one or two arguments")
    value = call.values[0]
    if value.type == BYTES:
        return _bytes_agg(node, scope, call)
    value = as_type(node, scope, "STRING_AGG", value, STRING)
    separator = call.values[1] if len(call.values) == 2 else string(",")
    if not isinstance(separator.literal, str):
        unsupported(scope.script.text, node, "STRING_AGG with a separator that is not a literal")
    _check_order(node, scope, call, value)
    if call.limit is None and not _is_sorted_later(call, value):
        return Typed(call.over_rows("string_agg", value.node, separator.node), STRING)
    items = _limited(items_of(call, value, without_nulls=True), call.limit)
    return Typed(sql("array_to_string({x}, {s})", x=items, s=separator.node), STRING)


def _bytes_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """STRING_AGG of BYTES: by way of hexadecimal digits, which join alike."""
    value = call.values[0]
    separator = as_type(node, scope, "STRING_AGG", call.values[1], BYTES) if len(call.values) == 2 else None
    if separator is not None and (not isinstance(separator.node, Literal) or separator.is_null):
        unsupported(scope.script.text, node, "STRING_AGG with a separator that is not a literal")
    _check_order(node, scope, call, value)
    items = _limited(items_of(call, value, without_nulls=True), call.limit)
    template = "from_hex(array_to_string(list_transform({x}, lambda b_: hex(b_)), {s}))"
    written = separator.node.value if separator is not None and isinstance(separator.node, Literal) else b","
    digits = written.hex().upper() if isinstance(written, bytes) else ""
    return Typed(sql(template, x=items, s=Literal(digits)), BYTES)


def array_concat_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if value.type.element is None:
        return no_signature(node, scope, call.name, call.values)
    _check_order(node, scope, call, value)
    arrays = _limited(items_of(call, value, without_nulls=True), call.limit)
    return Typed(sql("flatten({x})", x=arrays), value.type)
