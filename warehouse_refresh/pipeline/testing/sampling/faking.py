"""Fakes in place of personal values: the same value has the same fake everywhere, so that joins match.

A fake has the form of its value: letters stand for letters, digits for digits, a date is near. What it is follows from
the value and from a secret that nobody keeps, so that no list of likely values leads back.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from warehouse_refresh.warehouse.types import SqlType
from warehouse_refresh.warehouse.values.json_text import canonical, parse_json

_TRIES = 200
_NEAR = timedelta(days=180)
"""So far a date is moved at most."""
_LOWER, _UPPER, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"

T = TypeVar("T")
Draw = Callable[[int], int]
"""Draws a number from 0 on, below a limit."""


class Fakes:
    """Makes fakes, and remembers which it has made: two values have one fake only if there are too few."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._made: dict[str, dict[Any, Any]] = {}

    def fake(self, value: Any, kind: SqlType) -> Any:
        """The fake of a value of a type; None for NULL, and for types of which there are no fakes."""
        if kind.element is not None:
            return [self.fake(each, kind.element) for each in value or ()]
        if value is None:
            return None
        if kind.name == "STRUCT":
            return {field.name: self.fake(value.get(field.name), field.type) for field in kind.fields}
        if kind.name == "JSON":
            return canonical(parse_json(json.dumps(self._json(json.loads(value)))))
        make = _FAKES.get(kind.name)
        return make(self, value, kind) if make is not None else None

    def _json(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._json(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._json(each) for each in value]
        if isinstance(value, str):
            return self.text(value)
        return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value

    def text(self, value: str) -> str:
        """Texts that differ only in the case of letters have fakes that do, too."""
        folded = value.casefold()
        if not any(each.isalpha() or each.isdecimal() for each in folded):
            return value
        if len(folded) != len(value):  # such as ß: the letters cannot be matched one by one
            return self._once("text", value, _like)
        made = self._once("text", folded, _like)
        return "".join(new.upper() if old.isupper() else new for old, new in zip(value, made, strict=True))

    def _string(self, value: str, _: SqlType) -> str:
        return self.text(value)

    def _number(self, value: Any, _: SqlType) -> Any:
        text = format(value, "f") if isinstance(value, Decimal) else repr(value)
        return type(value)(self._once("number", text, _like_number))

    def _bytes(self, value: bytes, _: SqlType) -> bytes:
        return self._once("bytes", value, lambda value, draw: bytes(draw(256) for _ in value))

    def _bool(self, value: bool, _: SqlType) -> bool:
        return self._drawing("bool", value, 0)(2) == 1

    def _moved(self, value: Any, _: SqlType) -> Any:
        """Moments of one day are moved alike, as a join by the day needs it."""
        day = value.date() if isinstance(value, datetime) else value
        if not date.min + _NEAR < day < date.max - _NEAR:
            return value.replace(year=2000)
        days = self._drawing("date", day, 0)(2 * _NEAR.days) - _NEAR.days
        return value + timedelta(days=days if days < 0 else days + 1)

    def _once(self, kind: str, value: T, make: Callable[[T, Draw], T]) -> T:
        """The fake of this value, made at the first time."""
        made = self._made.setdefault(kind, {})
        if value not in made:
            taken = set(made.values())
            for attempt in range(_TRIES):
                made[value] = make(value, self._drawing(kind, value, attempt))
                if made[value] != value and made[value] not in taken:
                    break
        fake: T = made[value]
        return fake

    def _drawing(self, kind: str, value: object, attempt: int) -> Draw:
        """Draws numbers from 0 on, below a limit, that follow from a value."""
        numbers = self._numbers(f"{kind}\0{value!r}\0{attempt}")
        return lambda below: next(numbers) % below

    def _numbers(self, said: str) -> Iterator[int]:
        for block in count():
            digest = hmac.digest(self._secret, f"{said}\0{block}".encode(), "sha256")
            yield from (int.from_bytes(digest[at : at + 4], "big") for at in range(0, 32, 4))


def _like(text: str, draw: Draw) -> str:
    """A text with a letter for each letter, and a digit for each digit."""
    return "".join(_character(each, draw) for each in text)


def _character(character: str, draw: Draw) -> str:
    if character.isdecimal():
        return _DIGITS[draw(10)]
    if character.isalpha():
        return (_UPPER if character.isupper() else _LOWER)[draw(26)]
    return character


def _like_number(text: str, draw: Draw) -> str:
    """A number with as many digits before and after the point, and no larger exponent. It fits wherever `text` does."""
    digits, e, exponent = text.partition("e")
    first = next((at for at, each in enumerate(digits) if each in _DIGITS), 0)
    made = [_DIGITS[draw(10)] if each in _DIGITS else each for each in digits]
    if len(digits) > first + 1 and digits[first] in _DIGITS:
        leading = int(digits[first])
        made[first] = str(1 + draw(max(leading - 1, 1))) if leading else "0"
    return "".join(made) + e + exponent


_FAKES: Mapping[str, Callable[[Fakes, Any, SqlType], Any]] = {
    "INT64": Fakes._number,
    "FLOAT64": Fakes._number,
    "NUMERIC": Fakes._number,
    "BIGNUMERIC": Fakes._number,
    "STRING": Fakes._string,
    "BYTES": Fakes._bytes,
    "BOOL": Fakes._bool,
    "DATE": Fakes._moved,
    "DATETIME": Fakes._moved,
    "TIMESTAMP": Fakes._moved,
}
"""The types that have fakes."""
