"""Numbers, dates and times that stand in a query as texts, read when it is translated.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#literals
"""

import re
from datetime import date, datetime, time
from decimal import Context, Decimal, InvalidOperation

from warehouse.duckdb.translate.text import bind, string_sql


def numeric_sql(text: str | float) -> str | None:
    """A NUMERIC as DuckDB's literal, rounded half away from zero; None if out of range."""
    try:
        value = Decimal(text.strip() if isinstance(text, str) else text)
        digits = Decimal((int(value.copy_abs().scaleb(10, WIDE)) + 5) // 10).scaleb(-9, WIDE)
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return f"'{'-' if value < 0 else ''}{digits:f}'::DECIMAL(38,9)" if digits < Decimal("1e29") else None


WIDE = Context(prec=400)

_DATE = re.compile(r"(\d{1,4})-(\d{1,2})-(\d{1,2})\Z")

_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{0,6}))?\Z")

_ZONED = re.compile(
    r"(\d+-\d+-\d+(?:[ Tt]\d+:\d+:\d+(?:\.\d*)?)?)(?:(Z|z)|\s*([+-]\d{1,2}(?::\d{2})?)|\s+([A-Za-z_]+(?:/[\w+-]+)*))?\Z"
)


def date_sql(text: str) -> str | None:
    """A DATE as DuckDB's literal; None if the text is no date."""
    found = _date(text.strip()) if text == text.strip() else None
    return f"'{found.isoformat()}'::DATE" if found else None


def time_sql(text: str) -> str | None:
    """A TIME as DuckDB's literal; None if the text is no time."""
    found = _time(text)
    return f"'{found.isoformat()}'::TIME" if found else None


def datetime_sql(text: str) -> str | None:
    """A DATETIME as DuckDB's literal; None if the text is none."""
    found = _datetime(text)
    return f"'{found.isoformat(' ')}'::TIMESTAMP" if found else None


def timestamp_sql(text: str) -> str | None:
    """A TIMESTAMP as DuckDB's literal; None if the text is none. Without a zone it is in UTC."""
    matched = _ZONED.match(text)
    found = _datetime(matched[1].strip()) if matched else None
    if matched is None or found is None:
        return None
    if matched[4] and matched[4].upper() != "UTC":
        return from_local(f"'{found.isoformat(' ')}'::TIMESTAMP", string_sql(matched[4]))
    sign, hours, minutes = _offset(matched[3])
    return f"('{found.isoformat(' ')}{sign}{hours}:{minutes}'::TIMESTAMPTZ)"


def from_local(sql: str, zone: str) -> str:
    """The TIMESTAMP at which the clocks of a zone show a DATETIME: the first one, where they show it twice (DuckDB has
    the second)."""
    if zone == "'UTC'":
        return f"timezone('UTC', {sql})"
    instant = "timezone({z}, {x})"
    earlier = [f"{instant} - INTERVAL {minutes} MINUTE" for minutes in (60, 30)]
    whens = " ".join(f"WHEN timezone({{z}}, {moment}) = {{x}} THEN {moment}" for moment in earlier)
    return f"({bind(f'CASE {whens} ELSE {instant} END', x=sql, z=zone)})"


def _offset(text: str | None) -> tuple[str, str, str]:
    if not text:
        return "+", "00", "00"
    hours, _, minutes = text[1:].partition(":")
    return text[0], hours.zfill(2), minutes or "00"


def _date(text: str) -> date | None:
    matched = _DATE.match(text)
    try:
        return date(*map(int, matched.groups())) if matched else None
    except ValueError:
        return None


def _time(text: str) -> time | None:
    matched = _TIME.match(text)
    if matched is None:
        return None
    hour, minute, second = map(int, matched.groups()[:3])
    try:
        return time(hour, minute, second, int((matched[4] or "").ljust(6, "0")))
    except ValueError:
        return None


def _datetime(text: str) -> datetime | None:
    for separator in ("T", "t", " "):
        day, found, rest = text.partition(separator)
        if found:
            on, at = _date(day), _time(rest)
            return datetime.combine(on, at) if on is not None and at is not None else None
    on = _date(text)
    return datetime.combine(on, time()) if on is not None else None


TEXT_READERS = {"DATE": date_sql, "TIME": time_sql, "DATETIME": datetime_sql, "TIMESTAMP": timestamp_sql}
