"""Columns' types as JSON Schema: what may be sent in a query and in a body, and what is answered."""

from typing import Any

from warehouse_refresh.warehouse.types import Column, SqlType, has_values
from warehouse_refresh.warehouse.values.reading import INT64_MAX, INT64_MIN

Json = dict[str, Any]
ANYTHING: Json = {}
INT64: Json = {"type": "integer", "format": "int64", "minimum": INT64_MIN, "maximum": INT64_MAX}
NUMBER: Json = {"type": "number"}
INT64_TEXT: Json = {"type": "string", "pattern": r"^-?(0|[1-9][0-9]{0,18})$"}
DECIMAL_TEXT: Json = {"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"}
FLOAT_TEXT: Json = {
    "type": "string",
    "pattern": r"^(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|NaN|-?Infinity)$",
}
SECONDS = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
TEXTS: dict[str, Json] = {
    "INT64": INT64_TEXT,
    "FLOAT64": FLOAT_TEXT,
    "NUMERIC": DECIMAL_TEXT,
    "BIGNUMERIC": DECIMAL_TEXT,
    "BOOL": {"enum": ["true", "false"]},
    "STRING": {"type": "string", "pattern": "^[^\\u0000]*$"},
    "BYTES": {"type": "string", "contentEncoding": "base64"},
    "DATE": {"type": "string", "format": "date"},
    "TIME": {"type": "string", "pattern": f"^{SECONDS}$"},
    "DATETIME": {"type": "string", "pattern": f"^{DAY}T{SECONDS}$"},
    "TIMESTAMP": {"type": "string", "pattern": f"^{DAY}T{SECONDS}(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))$"},
    "JSON": {"type": "string", "contentMediaType": "application/json"},
    "INTERVAL": {"type": "string", "pattern": "^-?[0-9]+-[0-9]+ -?[0-9]+ -?[0-9]+:[0-9]+:[0-9]+(\\.[0-9]{1,6})?$"},
    "GEOGRAPHY": {"type": "string", "description": "well-known text"},
}
NATIVE: dict[str, Json] = {
    "INT64": INT64,
    "FLOAT64": NUMBER,
    "NUMERIC": NUMBER,
    "BIGNUMERIC": NUMBER,
    "BOOL": {"type": "boolean"},
}
ANSWERS: dict[str, Json] = {
    "INT64": INT64,
    "FLOAT64": {"oneOf": [NUMBER, {"enum": ["NaN", "Infinity", "-Infinity"]}]},
    "BOOL": {"type": "boolean"},
    "JSON": ANYTHING,
}
EXAMPLES: dict[str, Any] = {
    "INT64": 4,
    "FLOAT64": 1.5,
    "NUMERIC": "12.50",
    "BIGNUMERIC": "12.50",
    "BOOL": True,
    "STRING": "banana lipstick",
    "BYTES": "YmFuYW5h",
    "DATE": "2026-11-30",
    "TIME": "13:45:00",
    "DATETIME": "2026-11-30T13:45:00",
    "TIMESTAMP": "2026-11-30T13:45:00Z",
    "JSON": '{"color":"red"}',
    "INTERVAL": "0-0 1 2:30:0",
    "GEOGRAPHY": "POINT(103.8 1.3)",
}


def query_schema(kind: SqlType) -> Json:
    """What may stand in a query for a column; an ARRAY's elements are written as one attribute each."""
    if kind.element is not None:
        return {"type": "array", "items": query_schema(kind.element)}
    return _limited(TEXTS.get(kind.name, {"type": "string", "contentMediaType": "application/json"}), kind)


def body_schema(columns: tuple[Column, ...]) -> Json:
    """An array of rows, as sent."""
    row = _object(tuple(column for column in columns if has_values(column.type)), _sent)
    return {"type": "array", "minItems": 1, "items": {**row, "minProperties": 1}}


def answer_schema(columns: tuple[Column, ...]) -> Json:
    """A row, as answered: every column is there, but those that the table gave their default value."""
    return {**_object(columns, _answered), "required": [column.name for column in columns if not column.default]}


def example(kind: SqlType) -> Any:
    """A value of the type, as written in JSON."""
    if kind.element is not None:
        return [example(kind.element)]
    if kind.name == "STRUCT":
        return {field.name: example(field.type) for field in kind.fields}
    return EXAMPLES[kind.name]


def _object(columns: tuple[Column, ...], schema: Any) -> Json:
    properties = {column.name: _nullable(schema(column.type), column) for column in columns}
    required = [column.name for column in columns if column.required and not column.default]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _nullable(schema: Json, column: Column) -> Json:
    if column.required or not schema:
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _sent(kind: SqlType) -> Json:
    if kind.element is not None:
        return {"type": "array", "items": _sent(kind.element)}
    if kind.name == "STRUCT":
        return _object(kind.fields, _sent)
    if kind.name == "JSON":
        return ANYTHING
    text = _limited(TEXTS[kind.name], kind)
    return {"anyOf": [NATIVE[kind.name], text]} if kind.name in NATIVE else text


def _answered(kind: SqlType) -> Json:
    if kind.element is not None:
        return {"type": "array", "items": _answered(kind.element)}
    if kind.name == "STRUCT":
        return _object(kind.fields, _answered)
    return ANSWERS.get(kind.name, TEXTS.get(kind.name, ANYTHING))


def _limited(schema: Json, kind: SqlType) -> Json:
    if kind.name == "STRING" and kind.parameters:
        return {**schema, "maxLength": kind.parameters[0]}
    return schema
