"""JSON text, read without loss: numbers keep their digits, and a name given twice is seen."""

import json
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, NoReturn

from api.refusal import Refused, shown

MAX_DEPTH = 500  # BigQuery's limit: https://cloud.google.com/bigquery/quotas#json_type
MAX_DIGITS = 400


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


class Object(dict[str, Any]):
    """A JSON object; `repeated` is a name that it holds twice, or empty."""

    repeated = ""


class InvalidJson(Refused):
    """The text is not JSON."""

    def __init__(self, detail: str) -> None:
        super().__init__("invalid-json", detail)


def parse_json(text: str) -> Any:
    """None, bool, str, Number, list or Object. Raises InvalidJson, with line and column."""
    try:
        return json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_constant, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        raise InvalidJson(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise InvalidJson("the JSON is nested too deeply") from None


def canonical(value: object) -> str:
    """The text of a JSON column's value: no spaces, numbers as FLOAT64 or INT64 print. Raises Refused.

    A number that neither holds exactly is refused, as PARSE_JSON does by default:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#parse_json
    """
    return _canonical(value, 0)


def _canonical(value: object, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise Refused("out-of-range", f"JSON nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Number):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{','.join(_canonical(item, depth + 1) for item in value)}]"
    if isinstance(value, Object):
        if value.repeated:
            raise Refused("repeated-attribute", f"the JSON object has the name {shown(value.repeated)} twice")
        return "{" + ",".join(f"{_text(name)}:{_canonical(item, depth + 1)}" for name, item in value.items()) + "}"
    return json.dumps(value)


def _text(text: str) -> str:
    if "\0" in text:
        raise Refused("nul", "a JSON text cannot hold the character NUL")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused("not-utf8", "half of a surrogate pair is not a character")
    return json.dumps(text, ensure_ascii=False)


def _number(text: Number) -> str:
    if len(text) <= MAX_DIGITS:
        if text.lstrip("-").isdigit() and -(2**63) <= int(text) < 2**64:
            return str(int(text))
        number = float(text)
        if isfinite(number) and _same(repr(number), text):
            return repr(number)
    raise Refused("out-of-range", f"{shown(text)} is a number that JSON columns cannot hold exactly")


def _same(one: str, other: str) -> bool:
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:  # an exponent beyond what Decimal holds
        return False


def _object(pairs: list[tuple[str, Any]]) -> Object:
    value = Object(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        value.repeated = next(name for name in names if names.count(name) > 1)
    return value


def _constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON; write it as a string")
