"""Write values as TOML has them, so that `rows.py` reads the same values."""

import json
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any

import tomlkit

from warehouse_refresh.warehouse.types import SqlType
from warehouse_refresh.warehouse.values.reading import DECIMAL, INT64_MAX, INT64_MIN, numeric_text, to_json

_NATIVE = {"INT64", "FLOAT64", "BOOL", "STRING", "DATE", "TIME", "DATETIME", "TIMESTAMP"}


def toml_value(value: Any, kind: SqlType) -> Any:
    """The value of a type as Python's TOML libraries have it: numbers, dates and times as such, all else as text."""
    if kind.element is not None:
        return [toml_value(each, kind.element) for each in value or ()]
    if kind.name == "STRUCT":
        fields = [(field, value.get(field.name)) for field in kind.fields]
        return {field.name: toml_value(each, field.type) for field, each in fields if each is not None}
    if kind.name in ("NUMERIC", "BIGNUMERIC"):
        return _number(value)
    if kind.name == "JSON":
        return json.loads(value)
    return value if kind.name in _NATIVE else to_json(value, kind)


def toml_text(value: Any) -> str:
    """The TOML of what `toml_value` answers, in one line. Raises ConvertError for JSON's null."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{tomlkit.key(name).as_string()} = {toml_text(each)}" for name, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_text, value))}]"
    if isinstance(value, date | time):
        return value.isoformat().replace("+00:00", "Z")
    return str(tomlkit.item(value).as_string())


def _number(value: Decimal) -> int | float | str:
    """The number itself where a float is exactly it, else its text."""
    text = numeric_text(value)
    if "." not in text:
        return int(text) if INT64_MIN <= int(text) <= INT64_MAX else text
    return float(text) if repr(float(text)) == text and DECIMAL.fullmatch(text) else text
