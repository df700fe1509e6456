"""Functions that make one value of an array's elements, or take some from its start or end.

GoogleSQL has them, and Spanner documents some: https://cloud.google.com/spanner/docs/array_functions
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, no_signature
from warehouse_refresh.warehouse.duckdb.translate.functions.arrays.arrays import element_of, the_array
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions
from warehouse_refresh.warehouse.duckdb.translate.literals import no_value
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.literals import NULL
from warehouse_refresh.warehouse.types import FLOAT64, INT64, NUMERIC

_OF_FLOATS = "CASE WHEN list_bool_or(list_transform({a}, lambda e_: isnan(e_))) THEN 'nan'::DOUBLE ELSE %s END"


def extreme(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_MAX(a), ARRAY_MIN(a): of the elements that are not NULL"""
    [value] = the_array(node, scope, parts)
    kind = element_of(value)
    if kind.name in ("STRUCT", "GEOGRAPHY"):
        return no_signature(node, scope, name_of(node), [value])
    if kind.name in ("INTERVAL", "BIGNUMERIC", "JSON"):
        unsupported(scope.script.text, node, f"{name_of(node)} of {value.type}")
    found = "list_max({a})" if name_of(node) == "ARRAY_MAX" else "list_min({a})"
    if kind == FLOAT64:  # of 0.0 and -0.0, which are equal, the first one; DuckDB has the last one
        found = found.replace("{a}", "list_reverse({a})")
    return Typed(sql(f"({_OF_FLOATS % found})" if kind == FLOAT64 else found, a=value.node), kind)


def total(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_SUM(a): of the elements that are not NULL"""
    [value] = the_array(node, scope, parts)
    if value.literal is NULL:
        return no_value(FLOAT64)
    kind = element_of(value)
    if kind not in (INT64, NUMERIC, FLOAT64):
        unsupported(scope.script.text, node, f"ARRAY_SUM of {value.type}")
    return Typed(sql(_SUMS[kind.name], a=value.node), kind)


_SUMS = {
    "INT64": "CAST(list_sum({a}) AS BIGINT)",
    "NUMERIC": "CAST(list_sum({a}) AS DECIMAL(38,9))",
    "FLOAT64": (
        "(CASE WHEN isinf(list_sum({a})) AND NOT list_bool_or(list_transform({a}, lambda e_: isinf(e_)))"
        " THEN error('double overflow') ELSE list_sum({a}) END)"
    ),
}


def mean(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_AVG(a): of the elements that are not NULL"""
    [value] = the_array(node, scope, parts)
    if element_of(value) not in (INT64, FLOAT64):
        unsupported(scope.script.text, node, f"ARRAY_AVG of {value.type}")
    found = "list_avg({a})"
    return Typed(sql(f"({_MEAN})" if element_of(value) == FLOAT64 else found, a=value.node), FLOAT64)


# Google takes the elements one by one into the mean: an infinite one stays unless another one follows it. DuckDB's sum
# of them may overflow, where that of a part of each does not.
_MEAN = (
    "CASE WHEN isfinite(list_avg({a})) OR len({a}) = 0 THEN list_avg({a})"
    " WHEN list_bool_or(list_transform({a}, lambda e_: isinf(e_))) THEN CASE WHEN"
    " len(list_filter({a}, lambda e_: NOT isfinite(e_))) = 1 AND isinf(list_filter({a}, lambda e_: e_ IS NOT NULL)[-1])"
    " THEN list_avg({a}) ELSE 'nan'::DOUBLE END"
    " ELSE list_avg(list_transform({a}, lambda e_: e_ * 5.421010862427522e-20)) * 1.8446744073709552e19 END"
)


_PARTS = {
    "ARRAY_FIRST_N": "list_slice({a}, 1, {n})",
    "ARRAY_LAST_N": "list_slice({a}, greatest(len({a}) - {n}, 0) + 1, len({a}))",
    "ARRAY_REMOVE_FIRST_N": "list_slice({a}, least({n}, len({a})) + 1, len({a}))",
    "ARRAY_REMOVE_LAST_N": "list_slice({a}, 1, greatest(len({a}) - {n}, 0))",
}


def part(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_FIRST_N(a, n) and the like: the first or last n elements, or all others"""
    name = name_of(node)
    value, number = the_array(node, scope, parts, count=2)
    count = as_type(node, scope, name, number, INT64)
    template = (
        "(CASE WHEN {a} IS NULL OR {n} IS NULL THEN NULL WHEN {n} < 0 THEN"
        f" error('{name} takes a number of elements from 0 on') ELSE {_PARTS[name]} END)"
    )
    return Typed(sql(template, a=value.node, n=count.node), value.type)


FUNCTIONS: Functions = {
    "ARRAY_MAX": extreme,
    "ARRAY_MIN": extreme,
    "ARRAY_SUM": total,
    "ARRAY_AVG": mean,
    **dict.fromkeys(_PARTS, part),
}
