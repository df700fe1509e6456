"""Arrays.

https://cloud.google.com/bigquery/docs/reference/standard-sql/array_functions
"""

import math
import sys

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerced
from warehouse_refresh.warehouse.duckdb.translate.expressions.arithmetic import concatenated
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, common, no_signature
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import (
    MOST_ELEMENTS,
    TOO_MANY,
    Definitions,
    Functions,
    argument,
    by_name,
    by_signature,
    define,
)
from warehouse_refresh.warehouse.duckdb.translate.literals import integer, null
from warehouse_refresh.warehouse.duckdb.translate.nodes import FunctionCall, Literal, Node, let_all
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.coercion import AnyValue, same, supertype
from warehouse_refresh.warehouse.sql.literals import EMPTY, NULL
from warehouse_refresh.warehouse.types import BOOL, BYTES, FLOAT64, INT64, NUMERIC, STRING, SqlType, array_of, struct_of
from warehouse_refresh.warehouse.types import Column as TableColumn

_COMPARABLE = (
    "CASE WHEN len({a}) <> len({b}) THEN error('Array length mismatch') WHEN list_count({a}) < len({a}) OR"
    " list_count({b}) < len({b}) THEN error('NULL array element')"
)
_LARGEST_ROOT = f"{math.sqrt(sys.float_info.max)!r}::DOUBLE"
"""The square of what is larger is no FLOAT64."""
_LENGTHS = "(sqrt(list_inner_product({a}, {a})) * sqrt(list_inner_product({b}, {b})))"

DEFINITIONS: Definitions = by_name(
    define(
        "EUCLIDEAN_DISTANCE",
        "ARRAY<FLOAT64> ARRAY<FLOAT64> -> FLOAT64",
        f"{_COMPARABLE} WHEN len({{a}}) = 0 THEN 0.0::DOUBLE WHEN NOT isfinite(list_distance({{a}}, {{b}}))"
        " AND (len(list_filter(list_concat({a}, {b}), lambda e_: NOT isfinite(e_))) = 0 OR len(list_filter({a}, lambda"
        f" e_, i_: isfinite(e_) AND isfinite(({{b}})[i_]) AND abs(e_ - ({{b}})[i_]) > {_LARGEST_ROOT})) > 0)"
        " THEN error('double overflow') ELSE list_distance({a}, {b}) END",
    ),
    define(
        "COSINE_DISTANCE",
        "ARRAY<FLOAT64> ARRAY<FLOAT64> -> FLOAT64",
        f"{_COMPARABLE} WHEN len({{a}}) = 0 OR {_LENGTHS} = 0 THEN"
        " error('Cannot compute cosine distance against zero vector')"
        " WHEN isinf(list_inner_product({a}, {a})) AND isfinite(list_sum({a}))"
        " OR isinf(list_inner_product({b}, {b})) AND isfinite(list_sum({b})) OR len(list_filter("
        f"list_concat({{a}}, {{b}}), lambda e_: isfinite(e_) AND abs(e_) > {_LARGEST_ROOT})) > 0 THEN"
        " error('COSINE_DISTANCE: double overflow')"
        f" ELSE 1 - list_inner_product({{a}}, {{b}}) / {_LENGTHS} END",
    ),
)


_KEYS = "list_transform(%s, lambda e_: e_.k)"
_DENSE = (  # the places of both vectors, each with its number
    f"list_transform(list_distinct({_KEYS % 'list_concat({a}, {b})'}), lambda k_:"
    " coalesce(list_filter({%s}, lambda e_: e_.k = k_)[1].v, 0.0::DOUBLE))"
)
_SPARSE = (
    "(CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN list_count({a}) < len({a}) OR list_count({b}) < len({b}) THEN"
    " error('NULL array element') WHEN len(list_filter(list_concat({a}, {b}), lambda e_: e_.k IS NULL OR e_.v IS NULL))"
    f" > 0 THEN error('NULL struct field') WHEN len(list_distinct({_KEYS % '{a}'})) < len({{a}})"
    f" OR len(list_distinct({_KEYS % '{b}'})) < len({{b}}) THEN error('Duplicate index found in the input array')"
    " ELSE {found} END)"
)


def distance(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """EUCLIDEAN_DISTANCE(a, b), COSINE_DISTANCE(a, b): of arrays of numbers, or of pairs of a place and a number"""
    name = name_of(node)
    values = [argument(part, scope) for part in parts]
    pairs = next((value.type.element for value in values if value.type.element and value.type.element.fields), None)
    if pairs is None or len(values) != 2:
        return by_signature(node, scope, name, DEFINITIONS[name], values)
    place = pairs.fields[0].type
    if place not in (INT64, STRING) or len(pairs.fields) != 2:
        return no_signature(node, scope, name, values)
    kind = array_of(struct_of(TableColumn("k", place), TableColumn("v", FLOAT64)))
    one, other = (as_type(node, scope, name, value, kind).node for value in values)

    def compared(vectors: list[Node]) -> Node:
        sides = dict(zip("ab", vectors, strict=True))
        dense = [Typed(sql(_DENSE % side, **sides), array_of(FLOAT64)) for side in "ab"]
        return sql(_SPARSE, **sides, found=by_signature(node, scope, name, DEFINITIONS[name], dense).node)

    return Typed(let_all([one, other], compared), FLOAT64)


def the_array(node: exp.Expr, scope: Scope, parts: list[exp.Expr], *, count: int = 1) -> list[Typed]:
    """The arguments, the first of which is an array."""
    values = [argument(part, scope) for part in parts]
    if len(values) != count:
        wrong(scope.script.text, node, f"wrong number of arguments for {name_of(node)}")
    if values[0].is_null:
        values[0] = null(array_of(INT64))
    if values[0].type.element is None:
        no_signature(node, scope, name_of(node), values)
    return values


def element_of(value: Typed) -> SqlType:
    """The type of an array's elements."""
    if value.type.element is None:
        raise TypeError(f"{value.type} is not an array")
    return value.type.element


def of_one_type(node: exp.Expr, scope: Scope, array: Typed, value: Typed) -> tuple[Typed, Typed]:
    """An array and a value, which has the type of its elements: only an array of literals becomes one of another type.
    Raises SqlError."""
    name, element = name_of(node), array.type.element
    elements = [] if array.is_null or array.literal is EMPTY else array.parts or [AnyValue(element or array.type)]
    kind = supertype([value, *elements])
    is_written = all(part.literal is not None for part in elements)
    if kind is None or not (is_written or (element is not None and same(element, kind))):
        no_signature(node, scope, name, [array, value])
        raise AssertionError
    return as_type(node, scope, name, array, array_of(kind)), as_type(node, scope, name, value, kind)


def array_length(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_LENGTH(a)"""
    [value] = the_array(node, scope, parts)
    return Typed(sql("CAST(len({a}) AS BIGINT)", a=value.node), INT64)


def array_reverse(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_REVERSE(a)"""
    [value] = the_array(node, scope, parts)
    return Typed(sql("list_reverse({a})", a=value.node), value.type)


def array_concat(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_CONCAT(a, b, …)"""
    values = [argument(part, scope) for part in parts]
    if not values or any(value.type.element is None for value in values):
        return no_signature(node, scope, "ARRAY_CONCAT", values)
    return concatenated(node, scope, values) if len(values) > 1 else values[0]


def array_to_string(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_TO_STRING(a, delimiter [, text for NULL])"""
    values = the_array(node, scope, parts, count=3 if len(parts) == 3 else 2)
    has_no_type = values[0].literal is NULL or values[0].literal is EMPTY
    if values[0].type.element == BYTES or (has_no_type and any(value.type == BYTES for value in values)):
        kinds = (array_of(BYTES), BYTES, BYTES)
        texts = [as_type(node, scope, "ARRAY_TO_STRING", *pair) for pair in zip(values, kinds, strict=False)]
        return Typed(FunctionCall("googlesql_bytes_array_to_bytes", tuple([text.node for text in texts])), BYTES)
    items = as_type(node, scope, "ARRAY_TO_STRING", values[0], array_of(STRING)).node
    delimiter, *null = (as_type(node, scope, "ARRAY_TO_STRING", value, STRING).node for value in values[1:])
    if null:
        template = "CASE WHEN {n} IS NULL THEN NULL ELSE list_transform({a}, lambda e_: coalesce(e_, {n})) END"
        items = sql(template, a=items, n=null[0])
    joined = "array_to_string({a}, {d})" if isinstance(delimiter, Literal) else _JOINED
    return Typed(sql(f"CASE WHEN {{d}} IS NULL THEN NULL ELSE {joined} END", a=items, d=delimiter), STRING)


_JOINED = (
    "CASE WHEN list_count({a}) = 0 THEN '' ELSE"
    " list_reduce(list_filter({a}, lambda e_: e_ IS NOT NULL), lambda e_, f_: e_ || {d} || f_) END"
)
"""DuckDB's own function takes a constant as delimiter."""


def generate_array(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """GENERATE_ARRAY(from, to [, step])"""
    values = [argument(part, scope) for part in parts]
    if len(values) not in (2, 3):
        wrong(scope.script.text, node, "GENERATE_ARRAY takes two or three arguments")
    kind, found = common(node, scope, "GENERATE_ARRAY", values)
    if kind not in (FLOAT64, NUMERIC, INT64):
        return no_signature(node, scope, "GENERATE_ARRAY", values)
    first, last, step = [*found, coerced(integer(1), kind)][:3]
    if kind != INT64:
        nodes = dict(zip("abc", [first.node, last.node, step.node], strict=True))
        series = _FLOAT_SERIES if kind == FLOAT64 else _NUMERIC_SERIES
        return Typed(sql(series, **nodes), array_of(kind))
    too_many = f"({{b}}::HUGEINT - {{a}}) // nullif({{c}}, 0) >= {MOST_ELEMENTS}"
    template = (  # DuckDB computes constants beforehand, also in the branches that it does not take
        "(CASE WHEN {a} IS NULL OR {b} IS NULL OR {c} IS NULL THEN NULL WHEN {c} = 0"
        f" THEN error('Sequence step cannot be 0.') WHEN {too_many} THEN {TOO_MANY}"
        f" ELSE generate_series({{a}}, CASE WHEN {too_many} THEN {{a}} ELSE {{b}} END, {{c}}) END)"
    )
    return Typed(sql(template, a=first.node, b=last.node, c=step.node), array_of(INT64))


def _series(element: str, steps: str, alone: str = "false") -> str:
    """The template of a series from {a} to {b} by {c}: its n_-th element, how many steps there are about, and when
    {a} is all of it."""
    return (
        "(CASE WHEN {a} IS NULL OR {b} IS NULL OR {c} IS NULL THEN NULL WHEN {c} = 0 THEN error('Sequence step cannot"
        f" be 0.') WHEN {alone} THEN [{{a}}] WHEN isnan({steps})"
        " THEN error('Sequence start, end, and step cannot be NaN.')"
        " WHEN isinf(CAST({c} AS DOUBLE)) THEN error('Sequence step cannot be +/-inf.')"
        f" WHEN {steps} >= {MOST_ELEMENTS} THEN {TOO_MANY} WHEN {steps} < 0 THEN [] ELSE"
        f" list_filter(list_transform(range(CAST(floor({steps}) AS BIGINT) + 2), lambda n_: {element}),"
        " lambda e_: CASE WHEN {c} > 0 THEN e_ <= {b} ELSE e_ >= {b} END) END)"
    )


_LARGEST = "1.7976931348623157e308"
_FLOAT_SERIES = _series(
    "CASE WHEN n_ = 0 THEN {a} WHEN isfinite({a} + n_ * {c}) OR NOT isfinite({a}) THEN {a} + n_ * {c} END",
    "CASE WHEN isfinite({b} - {a}) OR NOT isfinite({a}) THEN ({b} - {a}) / {c} ELSE"  # or the distance's quarter
    f" (greatest(least({{b}}, {_LARGEST}), -{_LARGEST}) / 4 - {{a}} / 4) / ({{c}} / 4) END",
    alone="{a} = {b} AND isfinite({c}) AND NOT isnan({a})",
)
_HALVES = "CAST((n_ // 2)::DECIMAL(10,0) * {c} AS DECIMAL(38,9))"
_NUMERIC_SERIES = _series(
    # The one after the last, which is left out, may be no NUMERIC; nor may all steps together.
    f"TRY({{a}} + {_HALVES} + ({_HALVES} + CAST((n_ % 2)::DECIMAL(10,0) * {{c}} AS DECIMAL(38,9))))",
    "coalesce(CAST(TRY({b} - {a}) AS DOUBLE), CAST({b} AS DOUBLE) - CAST({a} AS DOUBLE)) / CAST({c} AS DOUBLE)",
)


def array_end(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_FIRST(a), ARRAY_LAST(a): an error for an empty array"""
    [value] = the_array(node, scope, parts)
    name = name_of(node)
    template = (
        f"(CASE WHEN len({{a}}) = 0 THEN error('{name} cannot get an element of an empty array') ELSE"
        f" ({{a}})[{'1' if name == 'ARRAY_FIRST' else '-1'}] END)"
    )
    return Typed(sql(template, a=value.node), element_of(value))


def array_slice(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_SLICE(a, from, to): offsets from 0, both included, counted from the end below 0"""
    values = the_array(node, scope, parts, count=3)
    first, last = (as_type(node, scope, "ARRAY_SLICE", value, INT64).node for value in values[1:])
    template = (
        "(CASE WHEN {a} IS NULL OR {i} IS NULL OR {j} IS NULL THEN NULL ELSE"
        " list_slice({a}, greatest(CASE WHEN {i} < 0 THEN len({a}) + {i} ELSE least({i}, len({a})) END, 0) + 1,"
        " greatest(CASE WHEN {j} < 0 THEN len({a}) + {j} ELSE least({j}, len({a})) END, -1) + 1) END)"
    )
    return Typed(sql(template, a=values[0].node, i=first, j=last), values[0].type)


def array_is_distinct(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_IS_DISTINCT(a): NULL counts as a value"""
    [value] = the_array(node, scope, parts)
    if element_of(value).name in ("STRUCT", "JSON", "FLOAT64"):
        unsupported(scope.script.text, node, f"ARRAY_IS_DISTINCT of {value.type}")
    template = "(len(list_distinct({a})) + least(1, len({a}) - list_count({a})) = len({a}))"
    return Typed(sql(template, a=value.node), BOOL)


def range_bucket(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """RANGE_BUCKET(x, bounds): how many bounds are at most x"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 2 or values[1].type.element is None:
        return no_signature(node, scope, "RANGE_BUCKET", values)
    bounds, value = of_one_type(node, scope, values[1], values[0])
    kind = value.type
    if kind.name == "STRUCT":
        wrong(scope.script.text, node, f"RANGE_BUCKET cannot sort {kind}")
    is_nan = "isnan({x})" if kind == FLOAT64 else "false"
    unordered = _UNORDERED.replace("NAN", "isnan(({a})[n_])" if kind == FLOAT64 else "false")
    return Typed(
        sql(_BUCKET.replace("NAN", is_nan).replace("UNORDERED", unordered), a=bounds.node, x=value.node), INT64
    )


_UNORDERED = (
    "len(list_filter(range(1, len({a}) + 1), lambda n_: ({a})[n_] IS NULL OR NAN OR (n_ > 1 AND ({a})[n_ - 1] >"
    " ({a})[n_]))) > 0"
)
_BUCKET = (
    "(CASE WHEN {x} IS NULL OR {a} IS NULL OR NAN THEN NULL WHEN UNORDERED THEN error('Elements in input array to"
    " RANGE_BUCKET must be in ascending order') ELSE CAST(len(list_filter({a}, lambda e_: e_ <= {x})) AS BIGINT) END)"
)


FUNCTIONS: Functions = {
    "EUCLIDEAN_DISTANCE": distance,
    "COSINE_DISTANCE": distance,
    "ARRAY_LENGTH": array_length,
    "ARRAY_REVERSE": array_reverse,
    "ARRAY_CONCAT": array_concat,
    "ARRAY_TO_STRING": array_to_string,
    "GENERATE_ARRAY": generate_array,
    "ARRAY_FIRST": array_end,
    "ARRAY_LAST": array_end,
    "ARRAY_SLICE": array_slice,
    "ARRAY_IS_DISTINCT": array_is_distinct,
    "RANGE_BUCKET": range_bucket,
}
