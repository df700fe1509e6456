"""What makes and changes JSON documents, and converts their scalars.

https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions
"""

from collections.abc import Mapping, Sequence

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, no_signature
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import (
    Definitions,
    Functions,
    argument,
    by_name,
    define,
    in_python,
    options_of,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.json.documents import TEXTS, checked_for_json, json_text
from warehouse_refresh.warehouse.duckdb.translate.literals import null, string, truth
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Array,
    Column,
    FunctionCall,
    Literal,
    Node,
    Select,
    each,
    let,
    walk,
)
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.types import FLOAT64, INT64, JSON, STRING, SqlType, array_of


def _as_text(node: exp.Expr, scope: Scope, value: Typed) -> Node:
    """The value as a JSON text; 'null' for NULL."""
    return json_text(checked_for_json(node, scope, value).node, value.type, TEXTS)


def _path(node: exp.Expr, scope: Scope, value: Typed) -> Node:
    """A path, which must not read a column."""
    found = as_type(node, scope, name_of(node), value, STRING).node
    if any(isinstance(part, Column | Select) for part in walk(found)):
        wrong(scope.script.text, node, f"the path of {name_of(node)} must be a constant expression")
    return found


def _literal_options(
    node: exp.Expr, scope: Scope, parts: list[exp.Expr], known: Mapping[str, bool]
) -> tuple[list[exp.Expr], list[Node]]:
    """The arguments without a name, and the values of the options, which are literals; `known` has their defaults."""
    plain, options = options_of(node, scope, parts, {name: truth(default) for name, default in known.items()})
    for name, value in options.items():
        if not isinstance(value.node, Literal):
            wrong(scope.script.text, node, f"the argument {name} of {name_of(node)} must be a literal")
    return plain, [value.node for value in options.values()]


def _called(name: str, *arguments: Node) -> Node:
    return FunctionCall(f"googlesql_{name.lower()}", arguments)


def json_object(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_OBJECT(name, value, …), JSON_OBJECT(names, values)"""
    values = [argument(part, scope) for part in parts]
    if len(values) == 2 and values[0].type.element is not None and values[1].type.element is not None:
        return _of_arrays(node, scope, values[0], values[1], values[1].type.element)
    if len(values) % 2:
        return no_signature(node, scope, "JSON_OBJECT", values)
    names = [as_type(node, scope, "JSON_OBJECT", name, STRING).node for name in values[::2]]
    texts = [_as_text(node, scope, value) for value in values[1::2]]
    arrays = Array(tuple(names), "VARCHAR[]"), Array(tuple(texts), "VARCHAR[]")
    return Typed(_called("JSON_OBJECT", *arrays), JSON)


def _of_arrays(node: exp.Expr, scope: Scope, names: Typed, values: Typed, element: SqlType) -> Typed:
    names = as_type(node, scope, "JSON_OBJECT", names, array_of(STRING))
    checked_for_json(node, scope, values)
    texts = let(
        values.node,
        lambda array: sql(
            "CASE WHEN {a} IS NOT NULL THEN {t} END",
            a=array,
            t=each(array, lambda item: json_text(item, element, TEXTS)),
        ),
    )
    return Typed(_called("JSON_OBJECT", names.node, texts), JSON)


def json_array(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_ARRAY(value, …)"""
    texts = [_as_text(node, scope, argument(part, scope)) for part in parts]
    template = "CAST('[' || array_to_string({x}, ',') || ']' AS JSON)"
    return Typed(sql(template, x=Array(tuple(texts), "VARCHAR[]")), JSON)


def json_set(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_SET(json, path, value, …, create_if_missing=>TRUE)"""
    plain, [create] = _literal_options(node, scope, parts, {"create_if_missing": True})
    document, pairs = _with_pairs(node, scope, plain)
    arguments = [part for path, value in pairs for part in (path, _as_text(node, scope, value))]
    return Typed(_called("JSON_SET", document, create, *arguments), JSON)


def _with_pairs(node: exp.Expr, scope: Scope, parts: Sequence[exp.Expr]) -> tuple[Node, list[tuple[Node, Typed]]]:
    """The document, and the pairs of a path and a value."""
    values = [argument(part, scope) for part in parts]
    if len(values) < 3 or len(values) % 2 == 0:
        no_signature(node, scope, name_of(node), values)
    document = as_type(node, scope, name_of(node), values[0], JSON)
    paths = [_path(node, scope, path) for path in values[1::2]]
    return document.node, list(zip(paths, values[2::2], strict=True))


def change_of_array(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_ARRAY_APPEND(json, path, value, …, append_each_element=>TRUE), JSON_ARRAY_INSERT(… insert_each_element …)"""
    option = "append_each_element" if name_of(node) == "JSON_ARRAY_APPEND" else "insert_each_element"
    plain, [each_element] = _literal_options(node, scope, parts, {option: True})
    document, pairs = _with_pairs(node, scope, plain)
    arguments = [
        part
        for path, value in pairs
        for part in (path, _as_text(node, scope, value), Literal(value.type.element is not None))
    ]
    return Typed(_called(name_of(node), document, each_element, *arguments), JSON)


def json_remove(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_REMOVE(json, path, …)"""
    values = [argument(part, scope) for part in parts]
    if len(values) < 2:
        return no_signature(node, scope, "JSON_REMOVE", values)
    document = as_type(node, scope, "JSON_REMOVE", values[0], JSON).node
    return Typed(_called("JSON_REMOVE", document, *(_path(node, scope, path) for path in values[1:])), JSON)


def json_strip_nulls(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_STRIP_NULLS(json, path, include_arrays=>TRUE, remove_empty=>FALSE)"""
    plain, options = _literal_options(node, scope, parts, {"include_arrays": True, "remove_empty": False})
    values = [argument(part, scope) for part in plain]
    if not 1 <= len(values) <= 2:
        return no_signature(node, scope, "JSON_STRIP_NULLS", values)
    document, path = [*values, string("$")][:2]
    nodes = [as_type(node, scope, "JSON_STRIP_NULLS", document, JSON).node, _path(node, scope, path)]
    return Typed(_called("JSON_STRIP_NULLS", *nodes, *options), JSON)


def json_keys(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_KEYS(json, max_depth, mode=>'strict')"""
    plain, options = options_of(node, scope, parts, {"mode": string("strict")})
    values = [argument(part, scope) for part in plain]
    if not 1 <= len(values) <= 2:
        return no_signature(node, scope, "JSON_KEYS", values)
    document, depth = [*values, null(INT64)][:2]
    nodes = [
        as_type(node, scope, "JSON_KEYS", document, JSON).node,
        as_type(node, scope, "JSON_KEYS", depth, INT64).node,
        options["mode"].node,
    ]
    return Typed(_called("JSON_KEYS", *nodes), array_of(STRING))


def float64_array(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """FLOAT64_ARRAY(json)"""
    if len(parts) != 1:
        unsupported(scope.script.text, node, "FLOAT64_ARRAY with a rounding mode")
    document = as_type(node, scope, "FLOAT64_ARRAY", argument(parts[0], scope), JSON)
    template = "CAST(googlesql_float64_array({x}) AS DOUBLE[])"
    return Typed(sql(template, x=document.node), array_of(FLOAT64))


FUNCTIONS: Functions = {
    "JSON_OBJECT": json_object,
    "JSON_ARRAY": json_array,
    "JSON_SET": json_set,
    "JSON_ARRAY_APPEND": change_of_array,
    "JSON_ARRAY_INSERT": change_of_array,
    "JSON_REMOVE": json_remove,
    "JSON_STRIP_NULLS": json_strip_nulls,
    "JSON_KEYS": json_keys,
    "FLOAT64_ARRAY": float64_array,
}

# What documents mostly hold, DuckDB converts.
_TEXT = "CAST({a} AS VARCHAR)"
_LAX_INT64 = (
    f"CASE WHEN regexp_full_match({_TEXT}, '-?[0-9]{{{{1,18}}}}') THEN CAST({_TEXT} AS BIGINT)"
    " ELSE googlesql_lax_int64({a}) END"
)
_LAX_FLOAT64 = (
    f"CASE WHEN json_type({{a}}) IN ('BIGINT', 'UBIGINT', 'DOUBLE') THEN CAST({_TEXT} AS DOUBLE)"
    " ELSE CAST(googlesql_lax_float64({a}) AS DOUBLE) END"
)
_LAX_STRING = "CASE json_type({a}) WHEN 'VARCHAR' THEN json_extract_string({a}, '$') ELSE googlesql_lax_string({a}) END"

DEFINITIONS: Definitions = by_name(
    define("LAX_INT64", "JSON -> INT64", _LAX_INT64),
    define("LAX_FLOAT64", "JSON -> FLOAT64", _LAX_FLOAT64),
    define("LAX_STRING", "JSON -> STRING", _LAX_STRING),
    *in_python("LAX_BOOL", "JSON -> BOOL"),
    *in_python("LAX_INT64_ARRAY INT64_ARRAY", "JSON -> ARRAY<INT64>"),
    *in_python("LAX_FLOAT64_ARRAY", "JSON -> ARRAY<FLOAT64>"),
    *in_python("LAX_BOOL_ARRAY BOOL_ARRAY", "JSON -> ARRAY<BOOL>"),
    *in_python("LAX_STRING_ARRAY STRING_ARRAY", "JSON -> ARRAY<STRING>"),
    *in_python("JSON_FLATTEN", "JSON -> ARRAY<JSON>"),
)
