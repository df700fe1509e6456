"""JSON.

https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions
"""

import json
import re

from sqlglot import exp

from warehouse.duckdb.translate.casts import FRACTION, STRING_OF_FLOAT64, STRING_OF_NUMERIC
from warehouse.duckdb.translate.expressions import as_type, handles, no_signature
from warehouse.duckdb.translate.functions.formats import FLOAT_TEXT
from warehouse.duckdb.translate.functions.registry import argument, function
from warehouse.duckdb.translate.scope import EXPRESSIONS, Scope
from warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse.duckdb.translate.text import bind, quoted, string_sql
from warehouse.duckdb.translate.typed import BOOL, FLOAT64, INT64, JSON, STRING, Typed, field_names
from warehouse.types import SqlType, array_of


@handles(exp.ParseJSON)
def json_literal(node: exp.Expr, scope: Scope) -> Typed:
    """JSON '…'"""
    value = scope.compile(node.this)
    if not isinstance(value.literal, str):
        unsupported(scope.script.text, node, "this JSON")
    return Typed(f"{string_sql(normal(node, scope, value.literal))}::JSON", JSON)


def normal(node: exp.Expr, scope: Scope, text: str) -> str:
    """A document as GoogleSQL keeps it: sorted keys, no blanks."""
    try:
        return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except ValueError as error:
        wrong(scope.script.text, node, f"invalid JSON: {error}")


STEP = re.compile(r"""\.([A-Za-z_0-9$-]+)|\."((?:[^"\\]|\\.)*)"|\['([^']*)'\]|\["([^"]*)"\]|\[(\d+)\]""")
# JSON_VALUE and its kin quote names as ."a b", the older JSON_EXTRACT as ['a b'].


def path_of(node: exp.Expr, scope: Scope, value: Typed) -> str:
    """A JSONPath, which must be a literal, as DuckDB writes it."""
    if not isinstance(value.literal, str):
        unsupported(scope.script.text, node, f"{name_of(node)} with a path that is not a literal")
    text = value.literal.strip()
    if not text.startswith("$"):
        wrong(scope.script.text, node, f"the JSON path {text!r} does not start with $")
    rest, found = text[1:], "$"
    while rest:
        match = STEP.match(rest)
        if match is None:
            unsupported(scope.script.text, node, f"the JSON path {text!r}")
        old = "EXTRACT" in name_of(node)
        if (match[2] is not None and old) or ((match[3] or match[4]) is not None and not old):
            wrong(
                scope.script.text, node, f"the JSON path {text!r} quotes names in another way than {name_of(node)} does"
            )
        name = next((group for group in match.groups()[:4] if group is not None), None)
        if name is not None and ('"' in name or "\\" in name):
            unsupported(scope.script.text, node, f"the JSON path {text!r}")
        found += f'."{name}"' if name is not None else f"[{match[5]}]"
        rest = rest[match.end() :]
    return found


def _document(node: exp.Expr, scope: Scope, value: Typed) -> tuple[str, bool]:
    """The document as DuckDB's text, and whether it is a JSON: a STRING that holds none reads as NULL."""
    if value.type == JSON:
        return value.sql, True
    text = as_type(node, scope, name_of(node), value, STRING).sql
    return bind("CASE WHEN json_valid({x}) THEN CAST({x} AS JSON) END", x=text), False


def _arguments(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> tuple[str, bool, str]:
    values = [argument(part, scope) for part in parts]
    if len(values) not in (1, 2):
        wrong(scope.script.text, node, f"{name_of(node)} takes a document and a path")
    path = path_of(node, scope, values[1]) if len(values) == 2 else "$"
    return *_document(node, scope, values[0]), string_sql(path).replace("{", "{{").replace("}", "}}")


SCALAR = "CASE WHEN json_type({x}) NOT IN ('OBJECT', 'ARRAY', 'NULL') THEN json_extract_string({x}, '$') END"
# GoogleSQL gives a number as the text has it (1.50), DuckDB as it would write it (1.5): where they could differ, it
# is an error.
ODD_NUMBER = "'[0-9][.][0-9]*0([^0-9]|$)|[0-9][eE][-+]?[0-9]|[0-9.]{{17,}}'"
AS_WRITTEN = (
    "CASE WHEN json_type({x}) = 'DOUBLE' AND regexp_matches({d}, "
    + ODD_NUMBER
    + ") THEN error('the embedded engine cannot read a number such as 1.50 or 1e3 out of a JSON text: this needs"
    " BigQuery') ELSE " + SCALAR + " END"
)


@function("JSON_VALUE", "JSON_EXTRACT_SCALAR")
def json_value(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_VALUE(document, path): a scalar's text, NULL for anything else"""
    document, is_json, path = _arguments(node, scope, parts)
    found = bind(f"json_extract({{x}}, {path})", x=document)
    if is_json:
        return Typed(f"({bind(SCALAR, x=found)})", STRING)
    return Typed(f"({bind(AS_WRITTEN, x=found, d=f'CAST({document} AS VARCHAR)')})", STRING)


@function("JSON_QUERY", "JSON_EXTRACT")
def json_query(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_QUERY(document, path)"""
    document, is_json, path = _arguments(node, scope, parts)
    found = bind(f"json_extract({{x}}, {path})", x=document)
    if is_json:
        return Typed(found, JSON)
    text = "CASE WHEN json_type({x}) <> 'NULL' THEN CAST({x} AS VARCHAR) END"
    return Typed(f"({bind(text, x=found)})", STRING)


@function("JSON_QUERY_ARRAY", "JSON_EXTRACT_ARRAY", "JSON_VALUE_ARRAY", "JSON_EXTRACT_STRING_ARRAY")
def json_array(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_QUERY_ARRAY(document, path), JSON_VALUE_ARRAY(document, path)"""
    document, is_json, path = _arguments(node, scope, parts)
    scalars = name_of(node) in ("JSON_VALUE_ARRAY", "JSON_EXTRACT_STRING_ARRAY")
    found = bind(f"json_extract({{x}}, {path})", x=document)
    items = "json_extract(d_, '$[*]')"
    if scalars:
        bad = f"len(list_filter({items}, lambda i_: json_type(i_) IN ('OBJECT', 'ARRAY'))) > 0"
        items = f"CASE WHEN {bad} THEN NULL ELSE list_transform({items}, lambda i_: json_extract_string(i_, '$')) END"
    elif not is_json:
        items = f"CAST({items} AS VARCHAR[])"
    sql = f"list_transform([{found}], lambda d_: CASE WHEN json_type(d_) = 'ARRAY' THEN {items} END)[1]"
    return Typed(sql, array_of(STRING if scalars or not is_json else JSON))


@function("PARSE_JSON")
def parse_json(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """PARSE_JSON(text)"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 1:
        unsupported(scope.script.text, node, "PARSE_JSON with a rounding mode")
    text = as_type(node, scope, "PARSE_JSON", values[0], STRING)
    return Typed(
        bind(
            "(CASE WHEN {x} IS NULL THEN NULL WHEN json_valid({x}) THEN json({x}) ELSE error('Invalid input to"
            " PARSE_JSON') END)",
            x=text.sql,
        ),
        JSON,
    )


@function("JSON_TYPE")
def json_type(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JSON_TYPE(json): object, array, string, number, boolean or null"""
    [value] = [argument(part, scope) for part in parts]
    if value.type != JSON:
        return no_signature(node, scope, "JSON_TYPE", [value])
    sql = (
        "CASE json_type({x}) WHEN 'VARCHAR' THEN 'string' WHEN 'BIGINT' THEN 'number' WHEN 'UBIGINT' THEN 'number' WHEN"
        " 'DOUBLE' THEN 'number' WHEN 'HUGEINT' THEN 'number' ELSE lower(json_type({x})) END"
    )
    return Typed(f"({bind(sql, x=value.sql)})", STRING)


SCALARS = {
    "STRING": (STRING, "VARCHAR", "{s}"),
    "BOOL": (BOOL, "BOOLEAN", "CAST({s} AS BOOLEAN)"),
    "INT64": (
        INT64,
        "BIGINT UBIGINT DOUBLE",
        (
            "CASE WHEN CAST({s} AS DOUBLE) = floor(CAST({s} AS DOUBLE)) THEN CASE WHEN regexp_matches({s},"
            " '^-?[0-9]+$') THEN CAST({s} AS BIGINT) ELSE CAST(CAST({s} AS DOUBLE) AS BIGINT) END ELSE error('The"
            " provided JSON number is not an integer') END"
        ),
    ),
    "FLOAT64": (FLOAT64, "BIGINT UBIGINT DOUBLE HUGEINT", "CAST({s} AS DOUBLE)"),
}


def json_scalar(name: str, value: Typed) -> Typed:
    """STRING(json), INT64(json) …: an error for a document of another type"""
    kind, accepted, sql = SCALARS[name]
    names = ", ".join(f"'{word}'" for word in accepted.split())
    sql = sql.replace("{s}", "json_extract_string({x}, '$')")
    template = (
        f"CASE WHEN {{x}} IS NULL THEN NULL WHEN json_type({{x}}) IN ({names}) THEN {sql} ELSE error('The provided JSON"
        f" input is not of type {name}') END"
    )
    return Typed(f"({bind(template, x=value.sql)})", kind)


EXPRESSIONS["json_scalar"] = json_scalar


@function("BOOL", "INT64", "FLOAT64")
def scalar_of(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """BOOL(json), INT64(json), FLOAT64(json)"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 1 or values[0].type != JSON:
        return no_signature(node, scope, name_of(node), values)
    return json_scalar(name_of(node), values[0])


def json_text(sql: str, kind: SqlType, *, strict: bool) -> str | None:
    """A value as JSON's text; None for a type that has none here. `strict` is TO_JSON_STRING's way with numbers, where
    what a double cannot hold is quoted."""
    if kind.element is not None:
        inner = json_text("e_", kind.element, strict=strict) if kind.element.name != "ARRAY" else None
        if inner is None:
            return None
        items = f"array_to_string(list_transform({{x}}, lambda e_: {inner.replace('{', '{{').replace('}', '}}')}), ',')"
        return bind(f"CASE WHEN {{x}} IS NULL THEN 'null' ELSE '[' || {items} || ']' END", x=sql)
    if kind.name == "STRUCT":
        return _struct_text(sql, kind, strict=strict)
    template = _texts(strict).get(kind.name)
    return bind(f"CASE WHEN {{x}} IS NULL THEN 'null' ELSE {template} END", x=sql) if template else None


def _struct_text(sql: str, kind: SqlType, *, strict: bool) -> str | None:
    fields = []
    for name, field in zip(field_names(kind), kind.fields, strict=True):
        text = json_text(f"f_.{quoted(name)}", field.type, strict=strict)
        if text is None:
            return None
        fields.append(f"{string_sql(json.dumps(field.name, ensure_ascii=False) + ':')} || {text}")
    body = " || ',' || ".join(f"({field})" for field in fields)
    text = "'{' || " + body + " || '}'"
    return f"list_transform([{sql}], lambda f_: CASE WHEN f_ IS NULL THEN 'null' ELSE {text} END)[1]"


def _texts(strict: bool) -> dict[str, str]:
    clock = f"strftime({{x}}, '%Y-%m-%dT%H:%M:%S') || {FRACTION}"
    wide = (
        "CASE WHEN abs({x}) > 9007199254740992 THEN '\"' || CAST({x} AS VARCHAR) || '\"' ELSE CAST({x} AS VARCHAR) END"
    )
    number = (
        "CASE WHEN isnan({x}) THEN '\"NaN\"' WHEN isinf({x}) THEN CASE WHEN {x} > 0 THEN '\"Infinity\"' ELSE"
        " '\"-Infinity\"' END ELSE "
    )
    return {
        "INT64": wide if strict else "CAST({x} AS VARCHAR)",
        "FLOAT64": number + (STRING_OF_FLOAT64 if strict else FLOAT_TEXT) + " END",
        "NUMERIC": _numeric(strict),
        "BOOL": "CAST({x} AS VARCHAR)",
        "STRING": "CAST(to_json({x}) AS VARCHAR)",
        "BYTES": "'\"' || to_base64({x}) || '\"'",
        "DATE": "'\"' || strftime({x}, '%Y-%m-%d') || '\"'",
        "DATETIME": f"'\"' || {clock} || '\"'",
        "TIMESTAMP": "'\"' || " + clock.replace("strftime({x}", "strftime(timezone('UTC', {x})") + " || 'Z\"'",
        "TIME": f"'\"' || substr(CAST({{x}} AS VARCHAR), 1, 8) || {FRACTION} || '\"'",
    }


def _numeric(strict: bool) -> str:
    exact = "{x} = trunc({x}) AND abs({x}) <= 9007199254740992"
    quoted_text = f"'\"' || {STRING_OF_NUMERIC} || '\"'"
    return f"CASE WHEN {exact} THEN {STRING_OF_NUMERIC} ELSE {quoted_text} END" if strict else STRING_OF_NUMERIC


@function("TO_JSON_STRING", "TO_JSON")
def to_json(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """TO_JSON_STRING(x), TO_JSON(x)"""
    name = name_of(node)
    if len(parts) != 1:
        unsupported(scope.script.text, node, f"{name} with an option")
    value = argument(parts[0], scope)
    if value.type == JSON:
        if name == "TO_JSON":
            return value
        unsupported(scope.script.text, node, "TO_JSON_STRING of JSON")
    text = json_text(value.sql, value.type, strict=name == "TO_JSON_STRING")
    if text is None:
        unsupported(scope.script.text, node, f"{name} of {value.type}")
    return Typed(text, STRING) if name == "TO_JSON_STRING" else Typed(f"CAST({text} AS JSON)", JSON)
