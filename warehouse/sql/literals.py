"""What the literals of a query mean: numbers, dates and times that stand in it as texts.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#literals
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from enum import Enum

from warehouse.types import SqlType


class Untyped(Enum):
    """What the literal NULL and the empty array have as their value: they take whatever type they are needed as."""

    NULL = "NULL"
    EMPTY = "[]"


NULL, EMPTY = Untyped.NULL, Untyped.EMPTY

LiteralValue = str | int | float | Untyped | None
"""The value of an expression that is a literal; None for any other expression."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A TIMESTAMP: what the clocks of a zone show. The zone is an offset such as `+05:30`, or a name."""

    clock: datetime
    zone: str


Constant = str | int | float | bytes | date | time | datetime | Decimal | Moment
"""A literal as a value of its type."""

_WIDE = Context(prec=400)

_DATE = re.compile(r"(\d{1,4})-(\d{1,2})-(\d{1,2})\Z")

_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{0,6}))?\Z")

_ZONED = re.compile(
    r"(\d+-\d+-\d+(?:[ Tt]\d+:\d+:\d+(?:\.\d*)?)?)(?:(Z|z)|\s*([+-]\d{1,2}(?::\d{2})?)|\s+([A-Za-z_]+(?:/[\w+-]+)*))?\Z"
)


def read_numeric(text: str | float) -> Decimal | None:
    """A NUMERIC, rounded half away from zero; None if out of range, or if the text is no number."""
    try:
        value = Decimal(text.strip() if isinstance(text, str) else text)
        digits = Decimal((int(value.copy_abs().scaleb(10, _WIDE)) + 5) // 10).scaleb(-9, _WIDE)
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return digits.copy_sign(-1 if value < 0 else 1) if digits < Decimal("1e29") else None


def read_date(text: str) -> date | None:
    """A DATE; None if the text is none."""
    matched = _DATE.match(text)
    try:
        return date(*map(int, matched.groups())) if matched else None
    except ValueError:
        return None


def read_time(text: str) -> time | None:
    """A TIME; None if the text is none."""
    matched = _TIME.match(text)
    if matched is None:
        return None
    hour, minute, second = map(int, matched.groups()[:3])
    try:
        return time(hour, minute, second, int((matched[4] or "").ljust(6, "0")))
    except ValueError:
        return None


def read_datetime(text: str) -> datetime | None:
    """A DATETIME; None if the text is none."""
    for separator in ("T", "t", " "):
        day, found, rest = text.partition(separator)
        if found:
            on, at = read_date(day), read_time(rest)
            return datetime.combine(on, at) if on is not None and at is not None else None
    on = read_date(text)
    return datetime.combine(on, time()) if on is not None else None


def read_timestamp(text: str) -> Moment | None:
    """A TIMESTAMP; None if the text is none. Without a zone it is in UTC."""
    matched = _ZONED.match(text)
    found = read_datetime(matched[1].strip()) if matched else None
    if matched is None or found is None:
        return None
    named = matched[4] if matched[4] and matched[4].upper() != "UTC" else ""
    return Moment(found, named or _offset(matched[3]))


def _offset(text: str | None) -> str:
    if not text:
        return "+00:00"
    hours, _, minutes = text[1:].partition(":")
    return f"{text[0]}{hours.zfill(2)}:{minutes or '00'}"


READERS: Mapping[str, Callable[[str], Constant | None]] = {
    "DATE": read_date,
    "TIME": read_time,
    "DATETIME": read_datetime,
    "TIMESTAMP": read_timestamp,
}
"""How a text is read as a date or time, by the type's name."""


def literal_as(literal: LiteralValue, to: SqlType) -> Constant | None:
    """The literal as a value of another type; None where GoogleSQL does not coerce it to that type.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules#literal_coercion"""
    if isinstance(literal, str):
        if to.name == "BYTES":
            return literal.encode()
        reader = READERS.get(to.name)
        return reader(literal) if reader else None
    if isinstance(literal, int | float) and to.name == "NUMERIC":
        return read_numeric(literal) if math.isfinite(literal) else None
    if isinstance(literal, int) and to.name == "FLOAT64":
        return float(literal)
    return None
