"""What the literals of a query mean: numbers, dates and times that stand in it as texts.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#literals
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Context, Decimal, InvalidOperation
from enum import Enum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from warehouse_refresh.warehouse.types import SqlType


class Untyped(Enum):
    """What the literal NULL, the empty array and ERROR(…) have as their value: they take whatever type they are needed
    as. CONSTANT is that of literals which stay what they are: TRUE, FALSE, b'…'."""

    NULL = "NULL"
    EMPTY = "[]"
    FAILURE = "ERROR(…)"
    CONSTANT = "TRUE"


NULL, EMPTY, FAILURE, CONSTANT = Untyped.NULL, Untyped.EMPTY, Untyped.FAILURE, Untyped.CONSTANT


class FloatLiteral(float):
    """A FLOAT64 as it is written: as a NUMERIC it has all of its digits. `source` is what the script has for it."""

    text: str
    source: str

    def __new__(cls, text: str, source: str = "") -> "FloatLiteral":
        made = super().__new__(cls, text)
        made.text = text
        made.source = source or text
        return made

    def __neg__(self) -> "FloatLiteral":
        return FloatLiteral(self.text[1:] if self.text[0] == "-" else f"-{self.text}")


class Text(str):
    """The value of a STRING parameter: it coerces to dates and times as a literal does, but not to BYTES, and an array
    with it in it stays what it is."""


class Whole(int):
    """The value of an INT64 parameter: an array with it in it stays what it is."""


LiteralValue = str | int | float | Untyped | None
"""The value of an expression that is a literal; None for any other expression."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A TIMESTAMP: what the clocks of a zone show. The zone is an offset from UTC in minutes, or a name."""

    clock: datetime
    zone: int | str


@dataclass(frozen=True, slots=True)
class BigNumeric:
    """A BIGNUMERIC: how many units of its last digit it has."""

    units: int


Constant = str | int | float | bytes | date | time | datetime | Decimal | BigNumeric | Moment
"""A literal as a value of its type."""

_WIDE = Context(prec=400)

_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})\Z")

_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,6}))?\Z")

_CLOCK = re.compile(r"(\d+-\d+-\d+)([ Tt]\d+:\d+:\d+(?:\.\d*)?)?(.*)\Z", re.DOTALL)

_OFFSET = re.compile(r"(?:UTC)?([+-])(?:(\d\d)(\d\d)|(\d{1,2})(?::(\d{1,2}))?)\Z")

ZONE_NAME = (
    r"[A-Z][A-Za-z0-9_-]*(?:/[A-Za-z0-9_+-]+)+|[A-Z][a-z]{2,}|[A-Z]{1,2}-[A-Za-z]{2,}|GB|NZ|GMT[+-]?0"
    r"|(?:EST5E|CST6C|MST7M|PST8P)DT|CET|EET|EST|GMT|HST|MET|MST|PRC|ROC|ROK|UCT|UTC|WET"
)
"""The form of a zone's name: https://www.iana.org/time-zones. Abbreviations such as PST are no names there."""


NO_ZONE = "SystemV/|US/Pacific-New|Canada/East-Saskatchewan"
"""What ICU, which DuckDB asks, takes for a zone besides: names that are no longer on that list."""

_SMALL = re.compile(r"[eE]-0*[1-9]\d+\s*\Z")
"""An exponent below -9, with which GoogleSQL makes 0 of any number: 15e-10 too."""


def read_numeric(text: str | float) -> Decimal | None:
    """A NUMERIC, rounded half away from zero; None if out of range, or if the text is no number."""
    try:
        value = Decimal(text.strip() if isinstance(text, str) else text)
        if isinstance(text, str) and _SMALL.search(text):
            return Decimal(0)
        digits = Decimal((int(value.copy_abs().scaleb(10, _WIDE)) + 5) // 10).scaleb(-9, _WIDE)
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return digits.copy_sign(-1 if value < 0 else 1) if digits < Decimal("1e29") else None


NUMERIC_SCALE, BIGNUMERIC_SCALE = 9, 38
"""How many digits after the point these types hold."""
LEAST_BIGNUMERIC, MOST_BIGNUMERIC = -(2**255), 2**255 - 1
"""In units of the last digit: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types"""


def read_bignumeric(text: str | float) -> int | None:
    """A BIGNUMERIC in units of its last digit, rounded half away from zero; None if out of range, or if the text is no
    number."""
    exponent = re.search(r"[eE]([+-]?\d+)\s*\Z", text) if isinstance(text, str) else None
    if exponent and int(exponent[1]) < -BIGNUMERIC_SCALE:  # see _SMALL
        return 0
    try:
        value = Decimal(text.strip() if isinstance(text, str) else text)
        if value and value.adjusted() > BIGNUMERIC_SCALE:
            return None
        size = (int(value.copy_abs().scaleb(BIGNUMERIC_SCALE + 1, _WIDE)) + 5) // 10 if value else 0
    except (InvalidOperation, ValueError, OverflowError):
        return None
    units = -size if value < 0 else size
    return units if LEAST_BIGNUMERIC <= units <= MOST_BIGNUMERIC else None


def text_of_units(units: int) -> str:
    """A BIGNUMERIC in units of its last digit as text, without zeros at its end."""
    whole, fraction = divmod(abs(units), 10**BIGNUMERIC_SCALE)
    digits = f"{fraction:0{BIGNUMERIC_SCALE}d}".rstrip("0")
    return f"{'-' if units < 0 else ''}{whole}{'.' if digits else ''}{digits}"


def read_date(text: str) -> date | None:
    """A DATE; None if the text is none."""
    matched = _DATE.match(text)
    try:
        return date(*map(int, matched.groups())) if matched else None
    except ValueError:
        return None


def read_time(text: str) -> time | None:
    """A TIME; None if the text is none."""
    span = _since_midnight(text)
    return (datetime(1, 1, 1, tzinfo=UTC) + span).time() if span is not None else None


def _since_midnight(text: str, *, is_exact: bool = False) -> timedelta | None:
    """The time that a clock shows; None if the text is none. The 60th second of a minute is the next one's first, where
    only a TIMESTAMP (`is_exact`) keeps its fraction."""
    matched = _TIME.match(text)
    if matched is None:
        return None
    hour, minute, second = map(int, matched.groups()[:3])
    micros = int((matched[4] or "").ljust(6, "0")) if second < 60 or is_exact else 0
    is_time = hour < 24 and minute < 60 and second <= 60
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros) if is_time else None


def read_datetime(text: str, *, is_exact: bool = False) -> datetime | None:
    """A DATETIME; None if the text is none."""
    day, separator, rest = re.fullmatch(r"([^Tt ]*)([Tt ]?)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    on, at = read_date(day), _since_midnight(rest, is_exact=is_exact) if separator else timedelta()
    try:
        return datetime.combine(on, time()) + at if on is not None and at is not None else None
    except OverflowError:
        return None


def read_timestamp(text: str) -> Moment | None:
    """A TIMESTAMP; None if the text is none. Without a zone it is in UTC."""
    matched = _CLOCK.match(text)
    found = read_datetime(f"{matched[1]}{matched[2] or ''}", is_exact=True) if matched else None
    zone = _zone_after(matched[3], has_time=bool(matched[2])) if matched else None
    if _LAST_SECOND.match(text):
        return _after_last_second(text)
    if found is None or zone is None or (isinstance(zone, str) and not is_zone(zone)):
        return None
    return Moment(found, zone) if _is_in_range(found, zone) else None


_LAST_SECOND = re.compile(r"9999-12-31[ Tt]23:59:60")


def _after_last_second(text: str) -> Moment | None:
    """The TIMESTAMP of the 60th second of year 9999's last minute, where another zone still has that year."""
    before = read_timestamp(text.replace(":60", ":59", 1))
    try:
        return (
            Moment((_in_utc(before.clock, before.zone) + timedelta(seconds=1)).replace(tzinfo=None), 0)
            if before
            else None
        )
    except (OverflowError, ZoneInfoNotFoundError):
        return None


def _in_utc(clock: datetime, zone: int | str) -> datetime:
    known = ZoneInfo(zone) if isinstance(zone, str) else timezone(timedelta(minutes=zone))
    return clock.replace(tzinfo=known).astimezone(UTC)


def _is_in_range(clock: datetime, zone: int | str) -> bool:
    """Whether what the clocks of a zone show is in the years 1 to 9999 in UTC, too."""
    if 1 < clock.year < 9999:
        return True
    try:
        _in_utc(clock, zone)
    except OverflowError:
        return False
    except ZoneInfoNotFoundError:  # a machine without a list of zones
        return True
    return True


def _zone_after(text: str, *, has_time: bool) -> int | str | None:
    """The zone in what follows a date or a time: an offset follows a time at once, and a date after one blank; a name
    follows a time after one blank."""
    if not text or (has_time and text in ("Z", "z")):
        return 0
    is_apart = text[0] == " "
    zone = text[1:] if is_apart else text
    is_offset = zone[:1] in ("+", "-")
    is_in_place = (is_apart != has_time) if is_offset else (is_apart and has_time)
    return read_zone(zone) if is_in_place else None


def read_zone(text: str) -> int | str | None:
    """A time zone: its offset from UTC in minutes, or its name; None if the text is neither. Not every name exists.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#time_zones"""
    matched = _OFFSET.match(text)
    if matched:
        hours, minutes = int(matched[2] or matched[4]), int(matched[3] or matched[5] or 0)
        offset = hours * 60 + minutes
        return offset * (-1 if matched[1] == "-" else 1) if minutes < 60 and offset <= 14 * 60 else None
    if text == "UTC":
        return 0
    return text if re.fullmatch(ZONE_NAME, text) and not re.match(NO_ZONE, text) else None


def is_zone(name: str) -> bool:
    """Whether there is a zone of that name. On a machine without a list of zones any name may be one."""
    return _is_listed(name) or not _is_listed("Europe/Paris")


@lru_cache(1000)
def _is_listed(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


READERS: Mapping[str, Callable[[str], Constant | None]] = {
    "DATE": read_date,
    "TIME": read_time,
    "DATETIME": read_datetime,
    "TIMESTAMP": read_timestamp,
}
"""How a text is read as a date or time, by the type's name."""


def literal_coerces(literal: LiteralValue, to: SqlType) -> bool:
    """Whether GoogleSQL reads the literal as that type by itself. Its value does not count: 'no date' is then an error,
    and no STRING. But a text of more than ASCII is never BYTES.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules#literal_coercion"""
    if isinstance(literal, str):
        is_bytes = to.name == "BYTES"
        return literal.isascii() and not isinstance(literal, Text) if is_bytes else to.name in READERS
    if isinstance(literal, int | float):
        return to.name in ("NUMERIC", "BIGNUMERIC") or (isinstance(literal, int) and to.name == "FLOAT64")
    return False


def literal_as(literal: LiteralValue, to: SqlType) -> Constant | None:
    """The literal as a value of another type; None where GoogleSQL does not coerce it to that type, or the type has no
    such value."""
    if isinstance(literal, str):
        if to.name == "BYTES":
            return literal.encode()
        reader = READERS.get(to.name)
        return reader(literal) if reader else None
    if isinstance(literal, int | float) and to.name == "NUMERIC":
        written = literal.text if isinstance(literal, FloatLiteral) else literal
        return read_numeric(written) if math.isfinite(literal) else None
    if isinstance(literal, int | float) and to.name == "BIGNUMERIC":
        units = read_bignumeric(literal.text if isinstance(literal, FloatLiteral) else literal)
        return BigNumeric(units) if units is not None else None
    if isinstance(literal, int) and to.name == "FLOAT64":
        return float(literal)
    return None
