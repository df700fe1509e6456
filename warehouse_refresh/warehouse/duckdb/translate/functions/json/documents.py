"""JSON.

https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions
"""

import json
import re
from collections.abc import Mapping
from typing import NoReturn

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.python_functions import documents
from warehouse_refresh.warehouse.duckdb.translate.expressions.casts import (
    FRACTION,
    STRING_OF_FLOAT64,
    STRING_OF_NUMERIC,
)
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import (
    BadConstantError,
    as_type,
    fails,
    no_signature,
)
from warehouse_refresh.warehouse.duckdb.translate.expressions.intervals import ISO_OF_INTERVAL
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions, argument, options_of
from warehouse_refresh.warehouse.duckdb.translate.functions.formats import FLOAT_TEXT
from warehouse_refresh.warehouse.duckdb.translate.literals import null, string, truth
from warehouse_refresh.warehouse.duckdb.translate.nodes import Case, Chain, Field, Literal, Node, each, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import field_names
from warehouse_refresh.warehouse.types import BOOL, FLOAT64, INT64, JSON, STRING, SqlType, array_of


def json_literal(node: exp.Expr, scope: Scope) -> Typed:
    """JSON '…'"""
    value = scope.compile(node.this)
    if not isinstance(value.literal, str):
        unsupported(scope.script.text, node, "this JSON")
    return Typed(Literal(normal(node, scope, value.literal), "JSON"), JSON)


def normal(node: exp.Expr, scope: Scope, text: str) -> str:
    """A document as GoogleSQL keeps it: sorted keys, no blanks, and the first value of a key that stands twice."""
    try:
        return documents.parsed_literal(text)
    except ValueError as error:
        wrong(scope.script.text, node, f"invalid JSON: {error}")


STEP = re.compile(r"""\.([\w:\s-]+)|\."((?:[^"\\]|\\.)*)"|\['([^']*)'\]|\["([^"]*)"\]|\[\s*(\d+)\s*\]""")
_DOLLAR = re.compile(r"\.?[\w:\s-]*\$")
"""A step whose name has a $ without quotes."""
# JSON_VALUE and its kin quote names as ."a b", the older JSON_EXTRACT as ['a b'].


def path_of(node: exp.Expr, scope: Scope, value: Typed) -> str:
    """A JSONPath, which must be a literal, as DuckDB writes it."""
    if not isinstance(value.literal, str):
        unsupported(scope.script.text, node, f"{name_of(node)} with a path that is not a literal")
    text = value.literal
    if text.startswith(("lax ", "strict ")):
        unsupported(scope.script.text, node, f"the JSON path {text!r}")
    if not text.startswith("$"):
        raise BadConstantError(f"the JSON path {text!r} does not start with $")
    rest, found = text[1:], "$"
    while rest:
        match = STEP.match(rest)
        if match is None:
            _refuse_step(node, scope, text, rest)
        old = "EXTRACT" in name_of(node)
        if (match[2] is not None and old) or ((match[3] or match[4]) is not None and not old):
            raise BadConstantError(f"the JSON path {text!r} quotes names in another way than {name_of(node)} does")
        name = next((group for group in match.groups()[:4] if group is not None), None)
        if name is not None and ('"' in name or "\\" in name):
            unsupported(scope.script.text, node, f"the JSON path {text!r}")
        found += f'."{name}"' if name is not None else f"[{match[5]}]"
        rest = rest[match.end() :]
    return found


def _refuse_step(node: exp.Expr, scope: Scope, text: str, rest: str) -> NoReturn:
    """`rest` of a path begins with no step that is known."""
    if _DOLLAR.match(rest):
        quoted = "$['a$b']" if "EXTRACT" in name_of(node) else '$."a$b"'
        raise BadConstantError(f"the JSON path {text!r} has a $ that is not in quotes: write {quoted}")
    unsupported(scope.script.text, node, f"the JSON path {text!r}")


def _arguments(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> tuple[Typed, Node]:
    """The document, a JSON or a STRING, and the path."""
    values = [argument(part, scope) for part in parts]
    if len(values) not in (1, 2):
        wrong(scope.script.text, node, f"{name_of(node)} takes a document and a path")
    document = values[0] if values[0].type == JSON else as_type(node, scope, name_of(node), values[0], STRING)
    try:
        return document, Literal(path_of(node, scope, values[1]) if len(values) == 2 else "$")
    except BadConstantError as error:
        return document, fails(STRING, str(error), document.node).node


# A STRING that holds no document reads as NULL.
_OF_TEXT = "json_extract(CASE WHEN json_valid({x}) THEN CAST({x} AS JSON) END, {p})"


def _extracted(document: Typed, path: Node) -> Node:
    """The part of the document at the path."""
    return sql("json_extract({x}, {p})" if document.type == JSON else _OF_TEXT, x=document.node, p=path)


_SCALAR = "CASE WHEN json_type({x}) NOT IN ('OBJECT', 'ARRAY', 'NULL') THEN json_extract_string({x}, '$') END"
# Of a JSON, a FLOAT64 is written as GoogleSQL does: 1e-07, 1e+20.
_FLOAT_OF_JSON = FLOAT_TEXT.replace("{x}", "CAST(json_extract_string({x}, '$') AS DOUBLE)")
_SCALAR_OF_JSON = f"CASE WHEN json_type({{x}}) = 'DOUBLE' THEN {_FLOAT_OF_JSON} ELSE {_SCALAR} END"
# Of a STRING, GoogleSQL gives a number as the text has it (1.50), DuckDB as it would write it (1.5). A text that has
# such numbers, in whatever place, or NaN, or is no document, is read in Python.
_ODD = "'[.][0-9]+0([^0-9]|$)|[0-9][eE][-+]?[0-9]|[0-9.]{{17,}}|[.]000|-0([^.0-9]|$)|(^|[[:,])\\s*-?(?:[Nn][Aa]|[Ii])'"


def _of_text(document: Node, path: Node, template: str, in_python: str) -> Node:
    """What the template makes of the part {x} of a STRING at the path, or the function where numbers are odd."""
    is_odd = f"regexp_matches({{d}}, {_ODD}) OR NOT json_valid({{d}})"
    whole = f"(CASE WHEN {is_odd} THEN googlesql_{in_python}({{d}}, {{p}}) ELSE {template} END)"
    return let(document, lambda text: sql(whole, d=text, p=path, x=_extracted(Typed(text, STRING), path)))


def json_value(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_VALUE(document, path): a scalar's text, NULL for anything else"""
    document, path = _arguments(node, scope, parts)
    if document.type == JSON:
        return Typed(sql(f"({_SCALAR_OF_JSON})", x=_extracted(document, path)), STRING)
    return Typed(_of_text(document.node, path, _SCALAR, "text_value"), STRING)


def json_query(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_QUERY(document, path)"""
    document, path = _arguments(node, scope, parts)
    if document.type == JSON:
        return Typed(_extracted(document, path), JSON)
    template = "CASE WHEN json_type({x}) <> 'NULL' THEN CAST({x} AS VARCHAR) END"
    return Typed(_of_text(document.node, path, template, "text_query"), STRING)


_ITEMS = "json_extract({x}, '$[*]')"
_STRINGS = (
    f"CASE WHEN len(list_filter({_ITEMS}, lambda i_: json_type(i_) IN ('OBJECT', 'ARRAY'))) > 0 THEN NULL ELSE"
    f" list_transform({_ITEMS}, lambda i_: SCALAR) END"
)
_SCALARS_OF_TEXT = _STRINGS.replace("SCALAR", "json_extract_string(i_, '$')")
_SCALARS_OF_JSON = _STRINGS.replace("SCALAR", _SCALAR_OF_JSON.replace("{x}", "i_"))


_ARRAY = "(CASE WHEN json_type({x}) = 'ARRAY' THEN ITEMS END)"


def json_array(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_QUERY_ARRAY(document, path), JSON_VALUE_ARRAY(document, path)"""
    document, path = _arguments(node, scope, parts)
    of_scalars = name_of(node) in ("JSON_VALUE_ARRAY", "JSON_EXTRACT_STRING_ARRAY")
    if document.type == JSON:
        items = _SCALARS_OF_JSON if of_scalars else _ITEMS
        found = sql(_ARRAY.replace("ITEMS", items), x=_extracted(document, path))
        return Typed(found, array_of(STRING if of_scalars else JSON))
    items = _SCALARS_OF_TEXT if of_scalars else f"CAST({_ITEMS} AS VARCHAR[])"
    function = "text_value_array" if of_scalars else "text_query_array"
    return Typed(_of_text(document.node, path, _ARRAY.replace("ITEMS", items), function), array_of(STRING))


def parse_json(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """PARSE_JSON(text, wide_number_mode=>'exact')"""
    plain, options = options_of(node, scope, parts, {"wide_number_mode": string("exact")})
    values = [argument(part, scope) for part in plain]
    if len(values) != 1:
        return no_signature(node, scope, "PARSE_JSON", values)
    text = as_type(node, scope, "PARSE_JSON", values[0], STRING).node
    return Typed(sql("googlesql_parse_json({x}, {m})", x=text, m=options["wide_number_mode"].node), JSON)


_TYPE = (
    "(CASE json_type({x}) WHEN 'VARCHAR' THEN 'string' WHEN 'BIGINT' THEN 'number' WHEN 'UBIGINT' THEN 'number' WHEN"
    " 'DOUBLE' THEN 'number' WHEN 'HUGEINT' THEN 'number' ELSE lower(json_type({x})) END)"
)


def json_type(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_TYPE(json): object, array, string, number, boolean or null"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 1:
        return no_signature(node, scope, "JSON_TYPE", values)
    return Typed(sql(_TYPE, x=_json(node, scope, values[0])), STRING)


def _json(node: exp.Expr, scope: Scope, value: Typed) -> Node:
    """A JSON, or NULL: a text that is one is none."""
    if value.type != JSON and not value.is_null:
        no_signature(node, scope, name_of(node), [value])
    return value.node if value.type == JSON else null(JSON).node


_TEXT = "json_extract_string({x}, '$')"
# The type of a scalar, the DuckDB types of the documents that hold one, and the scalar.
_SCALARS = {
    "STRING": (STRING, "'VARCHAR'", _TEXT),
    "BOOL": (BOOL, "'BOOLEAN'", f"CAST({_TEXT} AS BOOLEAN)"),
    "INT64": (
        INT64,
        "'BIGINT', 'UBIGINT', 'DOUBLE'",
        (
            f"CASE WHEN TRY_CAST({_TEXT} AS DOUBLE) = floor(TRY_CAST({_TEXT} AS DOUBLE)) THEN"
            f" CASE WHEN regexp_matches({_TEXT}, '^-?[0-9]+$') THEN CAST({_TEXT} AS BIGINT)"
            f" ELSE CAST(TRY_CAST({_TEXT} AS DOUBLE) AS BIGINT) END ELSE"
            " error('The provided JSON number is not an integer') END"
        ),
    ),
    "FLOAT64": (FLOAT64, "'BIGINT', 'UBIGINT', 'DOUBLE', 'HUGEINT'", f"CAST({_TEXT} AS DOUBLE)"),
}


_CHECKED_EXACT = (
    "CASE WHEN json_type({x}) IN ('BIGINT', 'UBIGINT', 'HUGEINT') AND CAST(CAST(json_extract_string({x}, '$') AS"
    " DOUBLE) AS HUGEINT) <> CAST(json_extract_string({x}, '$') AS HUGEINT) THEN error('JSON number cannot be converted"
    " to FLOAT64 without loss of precision') ELSE {x} END"
)


def json_scalar(name: str, value: Typed) -> Typed:
    """STRING(json), INT64(json) …: an error for a document of another type"""
    kind, accepted, scalar = _SCALARS[name]
    template = (
        f"(CASE WHEN {{x}} IS NULL THEN NULL WHEN json_type({{x}}) IN ({accepted}) THEN {scalar} ELSE error('The"
        f" provided JSON input is not of type {name}') END)"
    )
    return Typed(sql(template, x=value.node), kind)


def scalar_of(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """BOOL(json), INT64(json), FLOAT64(json [, wide_number_mode => 'round' or 'exact'])"""
    name = name_of(node)
    known = {"wide_number_mode": string("round")} if name == "FLOAT64" else {}
    plain, options = options_of(node, scope, parts, known)
    values = [argument(part, scope) for part in plain]
    if len(values) != 1:
        return no_signature(node, scope, name, values)
    document = _json(node, scope, values[0])
    mode = options["wide_number_mode"].literal if options else "round"
    if mode not in ("round", "exact"):
        unsupported(scope.script.text, node, f"{name} with this wide_number_mode")
    return json_scalar(name, Typed(sql(_CHECKED_EXACT, x=document) if mode == "exact" else document, JSON))


_CLOCK = f"strftime({{x}}, '%Y-%m-%dT%H:%M:%S') || {FRACTION}"
_WIDE = (
    "CASE WHEN {x} BETWEEN -9007199254740992 AND 9007199254740992 THEN CAST({x} AS VARCHAR)"
    " ELSE '\"' || CAST({x} AS VARCHAR) || '\"' END"
)
_ODD_FLOAT = (
    "WHEN isnan({x}) THEN '\"NaN\"' WHEN isinf({x}) THEN CASE WHEN {x} > 0 THEN '\"Infinity\"' ELSE '\"-Infinity\"' END"
)
_EXACT = "{x} = trunc({x}) AND abs({x}) <= 9007199254740992"
# The text of a value that is not NULL, by TO_JSON.
TEXTS = {
    "INT64": "CAST({x} AS VARCHAR)",
    "FLOAT64": f"CASE {_ODD_FLOAT} ELSE {FLOAT_TEXT} END",
    "NUMERIC": "googlesql_numeric_to_json({x}, false)",
    "BIGNUMERIC": "googlesql_bignumeric_to_json({x}, false)",
    "BOOL": "CAST({x} AS VARCHAR)",
    "STRING": "CAST(to_json({x}) AS VARCHAR)",
    "BYTES": "'\"' || to_base64({x}) || '\"'",
    "DATE": "'\"' || strftime({x}, '%Y-%m-%d') || '\"'",
    "DATETIME": f"'\"' || {_CLOCK} || '\"'",
    "TIMESTAMP": f"'\"' || strftime(timezone('UTC', {{x}}), '%Y-%m-%dT%H:%M:%S') || {FRACTION} || 'Z\"'",
    "JSON": "CAST({x} AS VARCHAR)",
    "TIME": f"'\"' || substr(CAST({{x}} AS VARCHAR), 1, 8) || {FRACTION} || '\"'",
    "INTERVAL": f"'\"' || {ISO_OF_INTERVAL} || '\"'",
}
# By TO_JSON with stringify_wide_numbers.
_WIDE_TEXTS = TEXTS | {
    "INT64": _WIDE,
    "NUMERIC": "googlesql_numeric_to_json({x}, true)",
    "BIGNUMERIC": "googlesql_bignumeric_to_json({x}, true)",
}
_LETTER = "CAST(to_json(c_) AS VARCHAR)[2:-2]"
# By TO_JSON_STRING, which quotes numbers that a double cannot hold, and writes codes of characters in small letters.
_STRICT_TEXTS = _WIDE_TEXTS | {
    "STRING": "replace(replace("
    "CASE WHEN regexp_matches({x}, '[\\x0B\\x0E\\x0F\\x1A-\\x1F]') THEN '\"' || array_to_string("
    "list_transform(regexp_extract_all({x}, '(?s).'), lambda c_: CASE WHEN c_ < ' '"
    f" THEN lower({_LETTER}) ELSE {_LETTER} END), '') || '\"' ELSE CAST(to_json({{x}}) AS VARCHAR) END,"
    " chr(8232), '\\u2028'), chr(8233), '\\u2029')",
    "FLOAT64": f"CASE {_ODD_FLOAT} ELSE {STRING_OF_FLOAT64} END",
    "NUMERIC": f"CASE WHEN {_EXACT} THEN {STRING_OF_NUMERIC} ELSE '\"' || {STRING_OF_NUMERIC} || '\"' END",
    "BIGNUMERIC": "googlesql_bignumeric_to_json({x}, NULL)",
    "JSON": "googlesql_to_json_string({x})",
}


def _has_text(kind: SqlType) -> bool:
    """Whether values of the type are written as JSON here."""
    if kind.element is not None:
        return kind.element.element is None and _has_text(kind.element)
    if kind.name == "STRUCT":
        return all(_has_text(field.type) for field in kind.fields)
    return kind.name in TEXTS


def json_text(node: Node, kind: SqlType, texts: Mapping[str, str]) -> Node:
    """A value as JSON's text, by the texts of each scalar type: see TEXTS."""
    if kind.element is not None:
        element = kind.element
        return let(node, lambda array: _array_text(array, element, texts))
    if kind.name == "STRUCT":
        return let(node, lambda struct: _struct_text(struct, kind, texts))
    template = texts[kind.name]
    return sql(f"(CASE WHEN {{x}} IS NULL THEN 'null' ELSE {template} END)", x=node)


def _array_text(array: Node, element: SqlType, texts: Mapping[str, str]) -> Node:
    items = each(array, lambda item: json_text(item, element, texts))
    template = "(CASE WHEN {x} IS NULL THEN 'null' ELSE '[' || array_to_string({i}, ',') || ']' END)"
    return sql(template, x=array, i=items)


def _struct_text(struct: Node, kind: SqlType, texts: Mapping[str, str]) -> Node:
    pieces: list[Node] = []
    seen: set[str] = set()
    for name, field in zip(field_names(kind), kind.fields, strict=True):
        if texts is not _STRICT_TEXTS and field.name in seen:  # the first member of a name counts
            continue
        seen.add(field.name)
        label = json.dumps(field.name, ensure_ascii=False)
        if texts is _STRICT_TEXTS:
            label = label.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        pieces.append(Literal(f"{',' if pieces else '{'}{label}:"))
        pieces.append(json_text(Field(struct, name), field.type, texts))
    text = Chain("||", (*pieces, Literal("}")))
    return Case(((sql("{x} IS NULL", x=struct), Literal("null")),), text)


def checked_for_json(node: exp.Expr, scope: Scope, value: Typed) -> Typed:
    """The value, if its type can be written as JSON here. Raises UnsupportedSql."""
    if not _has_text(value.type):
        unsupported(scope.script.text, node, f"{name_of(node)} of {value.type}")
    return value


def to_json(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """TO_JSON(x, stringify_wide_numbers=>FALSE)"""
    plain, options = options_of(node, scope, parts, {"stringify_wide_numbers": truth(False)})
    values = [argument(part, scope) for part in plain]
    if len(values) != 1:
        return no_signature(node, scope, "TO_JSON", values)
    value, wide = checked_for_json(node, scope, values[0]), options["stringify_wide_numbers"]
    if value.type == JSON:
        return Typed(sql("coalesce({x}, 'null'::JSON)", x=value.node), JSON)
    narrow = sql("CAST({x} AS JSON)", x=json_text(value.node, value.type, TEXTS))
    if wide.node == Literal(False):
        return Typed(narrow, JSON)
    text = sql("CAST({x} AS JSON)", x=json_text(value.node, value.type, _WIDE_TEXTS))
    return Typed(sql("(CASE {w} WHEN true THEN {x} WHEN false THEN {y} END)", w=wide.node, x=text, y=narrow), JSON)


def to_json_string(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """TO_JSON_STRING(x, pretty_print)"""
    values = [argument(part, scope) for part in parts]
    if not 1 <= len(values) <= 2:
        return no_signature(node, scope, "TO_JSON_STRING", values)
    value = checked_for_json(node, scope, values[0])
    text = json_text(value.node, value.type, _STRICT_TEXTS)
    if len(values) == 1:
        return Typed(text, STRING)
    pretty = as_type(node, scope, "TO_JSON_STRING", values[1], BOOL).node
    template = "(CASE {p} WHEN true THEN googlesql_pretty_json({x}) WHEN false THEN {x} END)"
    return Typed(sql(template, p=pretty, x=text), STRING)


FUNCTIONS: Functions = {
    **dict.fromkeys(("JSON_VALUE", "JSON_EXTRACT_SCALAR"), json_value),
    **dict.fromkeys(("JSON_QUERY", "JSON_EXTRACT"), json_query),
    **dict.fromkeys(
        ("JSON_QUERY_ARRAY", "JSON_EXTRACT_ARRAY", "JSON_VALUE_ARRAY", "JSON_EXTRACT_STRING_ARRAY"), json_array
    ),
    "PARSE_JSON": parse_json,
    "JSON_TYPE": json_type,
    **dict.fromkeys(("BOOL", "INT64", "FLOAT64"), scalar_of),
    "TO_JSON": to_json,
    "TO_JSON_STRING": to_json_string,
}
