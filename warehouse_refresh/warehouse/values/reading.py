"""Read values of columns strictly: a text in a query or a value in JSON becomes a Python value, or is refused.

Both engines get the same value. Nothing is trimmed or guessed. A FLOAT64 is the nearest number to the text.
Every value can be written as text, in the form that TO_JSON_STRING prints; in JSON, numbers, booleans, arrays, objects
and null may also be written natively.
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import inf, isinf, isnan
from typing import Any, TypeVar

import msgspec

from warehouse_refresh.warehouse.types import SqlType
from warehouse_refresh.warehouse.values.geography import check_geography
from warehouse_refresh.warehouse.values.invalid import InvalidValue, shown
from warehouse_refresh.warehouse.values.json_text import (
    HALF,
    MAX_DIGITS,
    Number,
    Object,
    canonical,
    parse_json,
    same_number,
)

T = TypeVar("T")
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
NUMERIC_DIGITS = {"NUMERIC": (29, 9), "BIGNUMERIC": (39, 38)}  # before and after the point
BIGNUMERIC_MAX = Decimal("578960446186580977117854925043439539266.34992332820282019728792003956564819967")
BIGNUMERIC_MIN = Decimal("-578960446186580977117854925043439539266.34992332820282019728792003956564819968")

INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?")
DATETIME = re.compile(rf"{DATE.pattern}T{TIME.pattern}")
TIMESTAMP = re.compile(rf"{DATETIME.pattern}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})")
# https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#time_zones
ZONE = re.compile(r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))")
INTERVAL = re.compile(
    r"-?([0-9]{1,5})-([0-9]{1,2}) (-?[0-9]{1,7}) -?([0-9]{1,8}):([0-9]{1,2}):([0-9]{1,2})(?:\.([0-9]{1,6}))?"
)
_SPACED = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)(?: ?(UTC|Z|[+-]\d\d(?::?\d\d)?))?")


def from_text(text: str, kind: SqlType) -> Any:
    """The Python value (see warehouse.Row) of a text for a column of a type. Raises InvalidValue."""
    if kind.element is not None or kind.name == "STRUCT":
        return from_json(parse_json(text), kind)
    if text == "" and kind.name != "STRING":
        raise InvalidValue("invalid-value", f"an empty text is not {_a(kind)}; leave the attribute out for NULL")
    return READERS[kind.name](text, kind)


def from_json(value: object, kind: SqlType) -> Any:
    """The Python value of what `parse_json` returned, for a column of a type. Raises InvalidValue."""
    if kind.element is not None:
        return _array(value, kind.element)
    if value is None:
        return None
    if kind.name == "STRUCT":
        return _struct(value, kind)
    if kind.name == "JSON":
        return canonical(value)
    if isinstance(value, bool) and kind.name == "BOOL":
        return value
    if isinstance(value, Number) and kind.name in {"INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC"}:
        return from_text(str(value), kind)
    if isinstance(value, str) and not isinstance(value, Number):
        return from_text(value, kind)
    raise InvalidValue("invalid-value", f"JSON {_json_kind(value)} is not {_a(kind)}")


def iso(value: Any, kind: SqlType) -> Any:
    """A moment in ISO 8601, also if it is written as databases write it: `2026-11-02 09:30:00+00`."""
    if kind.name == "BOOL" and isinstance(value, str):
        return value.lower() if value.lower() in ("true", "false") else value
    found = _SPACED.fullmatch(value) if kind.name in ("DATETIME", "TIMESTAMP") and isinstance(value, str) else None
    if found is None:
        return value
    zone = (found[3] or "").replace("UTC", "Z")
    if re.fullmatch(r"[+-]\d\d", zone):
        zone += ":00"
    elif re.fullmatch(r"[+-]\d{4}", zone):
        zone = f"{zone[:3]}:{zone[3:]}"
    return f"{found[1]}T{found[2]}{zone}"


def to_json(value: Any, kind: SqlType) -> Any:
    """What msgspec writes for a stored value: as TO_JSON_STRING, but INT64 is always a number and NUMERIC a string.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#json_encodings
    """
    if kind.element is not None:
        return [to_json(item, kind.element) for item in value or ()]
    if value is None:
        return None
    if kind.name == "STRUCT":
        return {field.name: to_json(value.get(field.name), field.type) for field in kind.fields}
    return WRITERS[kind.name](value) if kind.name in WRITERS else value


def numeric_text(value: Decimal) -> str:
    """The number as BigQuery shows it, without zeros at its end: 2.5, 0."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _array(value: object, element: SqlType) -> list[Any]:
    if value is None:  # GoogleSQL stores a NULL array as an empty one
        return []
    if not isinstance(value, list):
        raise InvalidValue("invalid-value", f"JSON {_json_kind(value)} is not an array of {element}")
    if any(item is None for item in value):
        raise InvalidValue("null-element", "an ARRAY cannot hold NULL")
    return [from_json(item, element) for item in value]


def _struct(value: object, kind: SqlType) -> dict[str, Any]:
    if not isinstance(value, Object):
        raise InvalidValue("invalid-value", f"JSON {_json_kind(value)} is not {kind}: write an object")
    if value.repeated:
        raise InvalidValue("repeated-attribute", f"the field {shown(value.repeated)} is given twice")
    known = {field.name: field for field in kind.fields}
    if unknown := [name for name in value if name not in known]:
        raise InvalidValue("unknown-column", f"there is no field {shown(unknown[0])} in {kind}")
    if missing := [name for name, field in known.items() if field.required and value.get(name) is None]:
        raise InvalidValue("missing-attribute", f"the field {shown(missing[0])} of {kind} is REQUIRED")
    return {name: from_json(value.get(name), field.type) for name, field in known.items()}


def _int64(text: str, _: SqlType) -> int:
    if not INTEGER.fullmatch(text):
        raise _not(text, "INT64", "a whole number such as 4")
    if len(text) > 20 or not INT64_MIN <= int(text) <= INT64_MAX:
        raise InvalidValue("out-of-range", f"{shown(text)} is out of range for INT64: {INT64_MIN} to {INT64_MAX}")
    return int(text)


def _float64(text: str, _: SqlType) -> float:
    if text in {"NaN", "Infinity", "-Infinity"}:
        return float(text)
    if not FLOAT.fullmatch(text):
        raise _not(text, "FLOAT64", "a number such as 1.5 or 2e-3, NaN, Infinity or -Infinity")
    number = float(text)
    if isinf(number) or (number == 0 and re.search("[1-9]", re.split("[eE]", text)[0])):
        raise InvalidValue("out-of-range", f"{shown(text)} is out of range for FLOAT64")
    if len(text) > MAX_DIGITS or not same_number(repr(number), text):
        raise InvalidValue("not-exact", f"FLOAT64 would hold {number!r} instead of {shown(text)}")
    return number


def _numeric(text: str, kind: SqlType) -> Decimal:
    if not DECIMAL.fullmatch(text):
        raise _not(text, str(kind), "a decimal number such as 12.50")
    whole, scale = NUMERIC_DIGITS[kind.name]
    if kind.parameters:
        precision, scale = (*kind.parameters, 0)[:2]
        whole = precision - scale
    integer, _, fraction = text.lstrip("-").partition(".")
    if len(fraction.rstrip("0")) > scale:
        raise InvalidValue("too-many-decimals", f"{shown(text)} has more than the {scale} decimals that {kind} holds")
    if len(integer.lstrip("0")) > whole:
        raise InvalidValue("out-of-range", f"{shown(text)} has more than the {whole} digits before the point of {kind}")
    number = Decimal(text[: len(text) - len(fraction) + len(fraction.rstrip("0"))].rstrip("."))
    if not BIGNUMERIC_MIN <= number <= BIGNUMERIC_MAX:
        raise InvalidValue("out-of-range", f"{shown(text)} is out of range for BIGNUMERIC")
    return number if number else Decimal(0)


def _bool(text: str, _: SqlType) -> bool:
    if text not in {"true", "false"}:
        raise _not(text, "BOOL", "true or false")
    return text == "true"


def _string(text: str, kind: SqlType) -> str:
    if "\0" in text:
        raise InvalidValue("nul", "a STRING cannot hold the character NUL")
    if not text.isascii() and HALF.search(text):
        raise InvalidValue("not-utf8", "half of a surrogate pair is not a character")
    if kind.parameters and len(text) > kind.parameters[0]:
        raise InvalidValue("too-long", f"{len(text)} characters do not fit in {kind}")
    return text


def _bytes(text: str, kind: SqlType) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if base64.b64encode(value) != text.encode("utf-8", "replace"):
        raise _not(text, "BYTES", "base64 with padding, such as YmFuYW5h (in a query, + is written %2B)")
    if kind.parameters and len(value) > kind.parameters[0]:
        raise InvalidValue("too-long", f"{len(value)} bytes do not fit in {kind}")
    return value


def _date(text: str, _: SqlType) -> date:
    return _moment(text, "DATE", DATE, date.fromisoformat, "2026-11-30")


def _time(text: str, _: SqlType) -> time:
    return _moment(text, "TIME", TIME, time.fromisoformat, "13:45:00.123456")


def _datetime(text: str, _: SqlType) -> datetime:
    return _moment(text, "DATETIME", DATETIME, datetime.fromisoformat, "2026-11-30T13:45:00 (no time zone)")


def _timestamp(text: str, _: SqlType) -> datetime:
    example = "2026-11-30T13:45:00Z or 2026-11-30T13:45:00+01:00 (in a query, + is written %2B)"
    return _moment(text, "TIMESTAMP", TIMESTAMP, _in_utc, example)


def _in_utc(text: str) -> datetime:
    if not ZONE.fullmatch(text[-1:] if text.endswith("Z") else text[-6:]):
        raise ValueError("no time zone is so far from UTC")
    return datetime.fromisoformat(text).astimezone(UTC)


def _moment(text: str, name: str, form: re.Pattern[str], read: Callable[[str], T], example: str) -> T:
    if not form.fullmatch(text):
        raise _not(text, name, example)
    try:
        return read(text)
    except (ValueError, OverflowError):
        raise InvalidValue(
            "out-of-range", f"{shown(text)} is not in the calendar of {name}, or out of its range"
        ) from None


def _json(text: str, _: SqlType) -> str:
    return canonical(parse_json(text))


def _interval(text: str, _: SqlType) -> str:
    """GoogleSQL's canonical form, `[-]Y-M [-]D [-]H:M:S[.F]`, and its ranges."""
    match = INTERVAL.fullmatch(text)
    if not match:
        raise _not(text, "INTERVAL", "1-2 3 4:5:6.789 (years-months days hours:minutes:seconds)")
    years, months, days, hours, minutes, seconds, fraction = map(int, match.groups(default="0"))
    if months > 11 or minutes > 59 or seconds > 59:
        raise InvalidValue("out-of-range", f"{shown(text)} has more than 11 months, 59 minutes or 59 seconds")
    span = (hours * 3600 + minutes * 60 + seconds, fraction)
    if years * 12 + months > 120_000 or abs(days) > 3_660_000 or span > (87_840_000 * 3600, 0):
        raise InvalidValue("out-of-range", f"{shown(text)} is out of range for INTERVAL")
    return text


def _geography(text: str, _: SqlType) -> str:
    check_geography(text)
    return text


def _not(text: str, name: str, example: str) -> InvalidValue:
    return InvalidValue("invalid-value", f"{shown(text)} is not {name}: write {example}")


def _a(kind: SqlType) -> str:
    return f"a value of {kind}"


def _json_kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "true or false", Number: "number", str: "string", list: "array", Object: "object"}
    return names[type(value)]


def _float_to_json(value: float) -> float | str:
    if isnan(value):
        return "NaN"
    return {inf: "Infinity", -inf: "-Infinity"}.get(value, value)


READERS: dict[str, Callable[[str, SqlType], Any]] = {
    "INT64": _int64,
    "FLOAT64": _float64,
    "NUMERIC": _numeric,
    "BIGNUMERIC": _numeric,
    "BOOL": _bool,
    "STRING": _string,
    "BYTES": _bytes,
    "DATE": _date,
    "TIME": _time,
    "DATETIME": _datetime,
    "TIMESTAMP": _timestamp,
    "JSON": _json,
    "INTERVAL": _interval,
    "GEOGRAPHY": _geography,
}
WRITERS: dict[str, Callable[[Any], Any]] = {
    "FLOAT64": _float_to_json,
    "NUMERIC": lambda value: format(value, "f"),
    "BIGNUMERIC": lambda value: format(value, "f"),
    "BYTES": lambda value: base64.b64encode(value).decode(),
    "DATE": date.isoformat,
    "TIME": time.isoformat,
    "DATETIME": datetime.isoformat,
    "TIMESTAMP": lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    "JSON": lambda value: msgspec.Raw(value.encode()),
}
