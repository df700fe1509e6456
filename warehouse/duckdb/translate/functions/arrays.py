"""Arrays.

https://cloud.google.com/bigquery/docs/reference/standard-sql/array_functions
"""

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.arithmetic import concatenated
from warehouse.duckdb.translate.casts import cast_value
from warehouse.duckdb.translate.expressions import as_type, common, no_signature
from warehouse.duckdb.translate.functions.registry import argument, function
from warehouse.duckdb.translate.functions.strings import within
from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse.duckdb.translate.text import bind
from warehouse.duckdb.translate.typed import BOOL, BYTES, FLOAT64, INT64, NUMERIC, STRING, Typed
from warehouse.types import SqlType, array_of


def the_array(node: exp.Expr, scope: Scope, parts: list[exp.Expr], *, count: int = 1) -> list[Typed]:
    """The arguments, the first of which is an array."""
    values = [argument(part, scope) for part in parts]
    if len(values) != count:
        wrong(scope.script.text, node, f"wrong number of arguments for {name_of(node)}")
    if values[0].type.element is None:
        no_signature(node, scope, name_of(node), values)
    return values


def element_of(value: Typed) -> SqlType:
    """The type of an array's elements."""
    if value.type.element is None:
        raise TypeError(f"{value.type} is not an array")
    return value.type.element


@function("ARRAY_LENGTH")
def array_length(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_LENGTH(a)"""
    return Typed(f"CAST(len({the_array(node, scope, parts)[0].sql}) AS BIGINT)", INT64)


@function("ARRAY_REVERSE")
def array_reverse(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_REVERSE(a)"""
    [value] = the_array(node, scope, parts)
    return Typed(f"list_reverse({value.sql})", value.type)


@function("ARRAY_CONCAT")
def array_concat(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_CONCAT(a, b, …)"""
    values = [argument(part, scope) for part in parts]
    if not values or any(value.type.element is None for value in values):
        return no_signature(node, scope, "ARRAY_CONCAT", values)
    return concatenated(node, scope, values) if len(values) > 1 else values[0]


@function("ARRAY_TO_STRING")
def array_to_string(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_TO_STRING(a, delimiter [, text for NULL])"""
    values = the_array(node, scope, parts, count=3 if len(parts) == 3 else 2)
    if values[0].type.element == BYTES:
        unsupported(scope.script.text, node, "ARRAY_TO_STRING of BYTES")
    items = as_type(node, scope, "ARRAY_TO_STRING", values[0], array_of(STRING)).sql
    delimiter = as_type(node, scope, "ARRAY_TO_STRING", values[1], STRING).sql
    if len(values) == 3:
        null = as_type(node, scope, "ARRAY_TO_STRING", values[2], STRING).sql
        items = f"list_transform({items}, lambda e_: coalesce(e_, {null}))"
    return Typed(f"array_to_string({items}, {delimiter})", STRING)


@function("GENERATE_ARRAY")
def generate_array(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """GENERATE_ARRAY(from, to [, step])"""
    values = [argument(part, scope) for part in parts]
    if len(values) not in (2, 3):
        wrong(scope.script.text, node, "GENERATE_ARRAY takes two or three arguments")
    kind, found = common(node, scope, "GENERATE_ARRAY", values)
    if kind in (FLOAT64, NUMERIC):
        unsupported(scope.script.text, node, f"GENERATE_ARRAY of {kind}", "divide the elements of one of INT64")
    if kind != INT64:
        return no_signature(node, scope, "GENERATE_ARRAY", values)
    first, last, step = [value.sql for value in found] + (["1::BIGINT"] if len(found) == 2 else [])
    sql = (
        "CASE WHEN {c} = 0 THEN error('Sequence step cannot be 0.') WHEN {a} IS NULL OR {b} IS NULL OR {c} IS NULL THEN"
        " NULL ELSE generate_series({a}, {b}, {c}) END"
    )
    return Typed(f"({bind(sql, a=first, b=last, c=step)})", array_of(INT64))


@function("ARRAY_FIRST", "ARRAY_LAST")
def array_end(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_FIRST(a), ARRAY_LAST(a): an error for an empty array"""
    [value] = the_array(node, scope, parts)
    kind = element_of(value)
    index = "1" if name_of(node) == "ARRAY_FIRST" else "-1"
    sql = (
        f"CASE WHEN len({{a}}) = 0 THEN error('{name_of(node)} cannot get an element of an empty array') ELSE"
        f" ({{a}})[{index}] END"
    )
    return Typed(f"({bind(sql, a=value.sql)})", kind)


@function("ARRAY_SLICE")
def array_slice(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_SLICE(a, from, to): offsets from 0, both included, counted from the end below 0"""
    values = the_array(node, scope, parts, count=3)
    first, last = (as_type(node, scope, "ARRAY_SLICE", value, INT64).sql for value in values[1:])
    sql = (
        "CASE WHEN {a} IS NULL OR {i} IS NULL OR {j} IS NULL THEN NULL ELSE"
        " list_slice({a}, greatest(CASE WHEN {i} < 0 THEN len({a}) + {i} ELSE {i} END, 0) + 1,"
        " CASE WHEN {j} < 0 THEN len({a}) + {j} ELSE least({j}, len({a})) END + 1) END"
    )
    return Typed(f"({within(sql, a=values[0].sql, i=first, j=last)})", values[0].type)


@function("ARRAY_IS_DISTINCT")
def array_is_distinct(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_IS_DISTINCT(a): NULL counts as a value"""
    [value] = the_array(node, scope, parts)
    if element_of(value).name in ("STRUCT", "JSON", "FLOAT64"):
        unsupported(scope.script.text, node, f"ARRAY_IS_DISTINCT of {value.type}")
    sql = "(len(list_distinct({a})) + least(1, len({a}) - list_count({a})) = len({a}))"
    return Typed(bind(sql, a=value.sql), BOOL)


@function("ARRAY_INCLUDES")
def array_includes(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """Not in BigQuery."""
    unsupported(scope.script.text, node, "ARRAY_INCLUDES", "write x IN UNNEST(array)")
    raise AssertionError(parts)


@function("ARRAY_FILTER", "ARRAY_TRANSFORM")
def with_lambda(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """Not in BigQuery."""
    unsupported(scope.script.text, node, name_of(node), "write ARRAY(SELECT … FROM UNNEST(array) AS x)")
    raise AssertionError(parts)


@function("RANGE_BUCKET")
def range_bucket(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """RANGE_BUCKET(x, bounds): how many bounds are at most x"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 2 or values[1].type.element is None:
        return no_signature(node, scope, "RANGE_BUCKET", values)
    kind, (value, _) = common(node, scope, "RANGE_BUCKET", [values[0], Typed("", values[1].type.element)])
    bounds = values[1] if t.same(kind, values[1].type.element) else cast_value(values[1], array_of(kind))
    if bounds is None or kind == FLOAT64:
        unsupported(scope.script.text, node, "RANGE_BUCKET of these types")
    sql = (
        "CASE WHEN {x} IS NULL OR {a} IS NULL THEN NULL ELSE CAST(len(list_filter({a}, lambda e_: e_ <= {x})) AS"
        " BIGINT) END"
    )
    return Typed(f"({within(sql, a=bounds.sql, x=value.sql)})", INT64)
