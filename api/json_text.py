"""JSON text, read without loss: numbers keep their digits, and a name given twice is seen."""

import json
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, NoReturn

from api.refusal import Refused, shown

MAX_DEPTH = 500  # BigQuery's limit: https://cloud.google.com/bigquery/quotas#json_type
MAX_DIGITS = 400
DONE = -1


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
    parts: list[str] = []
    waiting: list[tuple[object, int]] = [(value, 0)]  # a stack of our own: Python's is not deep enough
    while waiting:
        item, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise Refused("out-of-range", f"JSON nested deeper than {MAX_DEPTH} levels")
        if depth == DONE:
            parts.append(str(item))
        elif isinstance(item, list | Object):
            waiting += reversed(_inside(item, depth + 1))
        else:
            parts.append(_leaf(item))
    return "".join(parts)


def _inside(value: list[object] | Object, depth: int) -> list[tuple[object, int]]:
    """The parts of an array or object in order: texts that are done, and values at `depth`."""
    if isinstance(value, list):
        pairs = [("", item) for item in value]
    elif value.repeated:
        raise Refused("repeated-attribute", f"the JSON object has the name {shown(value.repeated)} twice")
    else:
        pairs = [(f"{_text(name)}:", item) for name, item in value.items()]
    parts: list[tuple[object, int]] = []
    for before, item in pairs:
        parts += [("," + before if parts else before, DONE), (item, depth)]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return [(opening, DONE), *parts, (closing, DONE)]


def _leaf(value: object) -> str:
    if isinstance(value, Number):
        return _number(value)
    return _text(value) if isinstance(value, str) else json.dumps(value)


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
        if isfinite(number) and same_number(repr(number), text):
            return repr(number)
    raise Refused("out-of-range", f"{shown(text)} is a number that JSON columns cannot hold exactly")


def same_number(one: str, other: str) -> bool:
    """Whether two texts of a number mean the same one."""
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
