"""JSON text, read without loss: numbers keep their digits, and a name given twice is seen."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from io import StringIO
from math import isfinite
from typing import Any, NoReturn

from warehouse_refresh.warehouse.values.invalid import InvalidValue, shown

MAX_DEPTH = 500  # BigQuery's limit: https://cloud.google.com/bigquery/quotas#json_type
MAX_DIGITS = 400
HALF = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair, which is no character."""
END = object()
_BLANKS = re.compile(r"[ \t\r\n]*")
_AFTER_SIGN = re.compile(r"[ \t\r\n]*[:,]?[ \t\r\n]*")


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


class Object(dict[str, Any]):
    """A JSON object; `repeated` is a name that it holds twice, or empty."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = _first_repeated(pairs) if len(self) < len(pairs) else ""


class InvalidJson(InvalidValue):
    """The text is not JSON; `column` is where in its last line that was read, if it is known."""

    def __init__(self, detail: str, column: int = 1) -> None:
        super().__init__("invalid-json", detail)
        self.column = column


def parse_json(text: str) -> Any:
    """None, bool, str, Number, list or Object. Raises InvalidJson, with line and column."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidJson(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}", error.colno) from None
    except RecursionError:
        raise InvalidJson("the JSON is nested too deeply") from None


def offsets_of(text: str) -> Iterator[tuple[str, int]]:
    """The names in the text of an object, in order, and where each one's value starts."""
    at = _BLANKS.match(text, text.index("{") + 1).end()  # type: ignore[union-attr] # it matches everywhere
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _AFTER_SIGN.match(text, at).end()  # type: ignore[union-attr] # this was parsed before
        yield name, at
        _, at = _DECODER.raw_decode(text, at)
        at = _AFTER_SIGN.match(text, at).end()  # type: ignore[union-attr]


def canonical(value: object) -> str:
    """The text of a JSON column's value: no spaces, numbers as FLOAT64 or INT64 print. Raises InvalidValue.

    A number that neither holds exactly is refused, as PARSE_JSON does by default:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#parse_json
    """
    written = StringIO()
    inside: list[Iterator[tuple[str, object]]] = [iter([("", value)])]  # our own stack: Python's is not deep enough
    while inside:
        for before, item in inside[-1]:
            written.write(before)
            if isinstance(item, list | Object):
                if len(inside) > MAX_DEPTH:
                    raise InvalidValue("out-of-range", f"JSON nested deeper than {MAX_DEPTH} levels")
                inside.append(_inside(item))
                break
            written.write(_leaf(item))
        else:
            inside.pop()
    return written.getvalue()


def _inside(value: list[object] | Object) -> Iterator[tuple[str, object]]:
    """The parts of an array or object: each value with the text before it, and END with the closing bracket."""
    if isinstance(value, list):
        yield from _punctuated("[]", (("", item) for item in value))
    elif value.repeated:
        raise InvalidValue("repeated-attribute", f"the JSON object has the name {shown(value.repeated)} twice")
    else:
        yield from _punctuated("{}", ((f"{_text(name)}:", item) for name, item in value.items()))


def _punctuated(brackets: str, items: Iterator[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    before = brackets[0]
    for name, item in items:
        yield before + name, item
        before = ","
    yield (brackets if before != "," else brackets[1]), END


def _leaf(value: object) -> str:
    if value is END:
        return ""
    if isinstance(value, Number):
        return _number(value)
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    if "\0" in text:
        raise InvalidValue("nul", "a JSON text cannot hold the character NUL")
    if not text.isascii() and HALF.search(text):
        raise InvalidValue("not-utf8", "half of a surrogate pair is not a character")
    return json.dumps(text, ensure_ascii=False)


def _number(text: Number) -> str:
    if len(text) <= MAX_DIGITS:
        if text.lstrip("-").isdigit() and -(2**63) <= int(text) < 2**64:
            return str(int(text))
        number = float(text)
        if isfinite(number) and same_number(repr(number), text):
            return repr(number)
    raise InvalidValue("out-of-range", f"{shown(text)} is a number that JSON columns cannot hold exactly")


def same_number(one: str, other: str) -> bool:
    """Whether two texts of a number mean the same one."""
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:  # an exponent beyond what Decimal holds
        return False


def _number_of(text: str) -> Number:
    """A Python function, not the class itself: the JSON parser then lets other threads run while it reads many
    numbers."""
    return Number(text)


def _first_repeated(pairs: list[tuple[str, Any]]) -> str:
    """The first name that appears a second time, in linear time; "" if none does."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON; write it as a string")


_DECODER = json.JSONDecoder(
    parse_int=_number_of, parse_float=_number_of, parse_constant=_constant, object_pairs_hook=Object
)
