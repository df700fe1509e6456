"""INTERVAL: its three parts, which do not carry over into each other, as text and from text.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#interval_type
"""

from collections.abc import Sequence

from warehouse_refresh.warehouse.duckdb.translate.nodes import Node
from warehouse_refresh.warehouse.duckdb.translate.templates import sql

MOST_MONTHS, MOST_DAYS, MOST_MICROS = 120_000, 3_660_000, 316_224_000_000_000_000
"""The largest months, days and microseconds of an INTERVAL: 10,000 years each."""
MICROS_OF_DAY = 86_400_000_000
MONTHS_OF = "CAST(date_part('year', {x}) * 12 + date_part('month', {x}) AS BIGINT)"
DAYS_OF = "CAST(date_part('day', {x}) AS BIGINT)"
MICROS_OF = (
    "CAST(date_part('hour', {x}) * 3600000000 + date_part('minute', {x}) * 60000000 + date_part('microsecond', {x}) AS"
    " BIGINT)"
)
PARTS = (MONTHS_OF, DAYS_OF, MICROS_OF)
OUT_OF_RANGE = "error('Interval field is out of range')"
_MADE = (
    f"CASE WHEN abs(p_.m) > {MOST_MONTHS} OR abs(p_.d) > {MOST_DAYS} OR abs(p_.u) > {MOST_MICROS} THEN {OUT_OF_RANGE}"
    " ELSE to_months(p_.m::INTEGER) + to_days(p_.d::INTEGER) + to_microseconds(p_.u::BIGINT) END"
)


def made(months: str, days: str, micros: str) -> str:
    """The template of an INTERVAL with these parts, which it checks. They may be HUGEINT."""
    return f"list_transform([{{{{'m': {months}, 'd': {days}, 'u': {micros}}}}}], lambda p_: {_MADE})[1]"


def put_together(parts: Sequence[Node]) -> Node:
    """The INTERVAL of these months, days and microseconds."""
    return sql(made("{m}", "{d}", "{u}"), **dict(zip("mdu", parts, strict=True)))


def in_range(value: Node) -> Node:
    """An INTERVAL, or the error that it is out of range."""
    tests = zip(PARTS, (MOST_MONTHS, MOST_DAYS, MOST_MICROS), strict=True)
    test = " OR ".join(f"abs({part}) > {most}" for part, most in tests)
    return sql(f"(CASE WHEN {test} THEN {OUT_OF_RANGE} ELSE {{x}} END)", x=value)


def scaled(value: Node, count: Node) -> Node:
    """An INTERVAL multiplied by a whole number."""
    return sql(made(*(f"{part}::HUGEINT * {{n}}" for part in PARTS)), x=value, n=count)


_DAYS = "({d} + {m} % {n} * 30)"
_QUOTIENT = made("{m} // {n}", f"{_DAYS} // {{n}}", f"({{u}} + {_DAYS} % {{n}} * {MICROS_OF_DAY}) // {{n}}")
"""A remainder of months becomes days, 30 a month; a remainder of days becomes time, 24 hours a day."""
_DIVIDED = f"CASE WHEN {{n}} = 0 THEN error('Interval division by zero') ELSE {_QUOTIENT} END"


def divided(value: Node, count: Node) -> Node:
    """An INTERVAL divided by an INT64."""
    return quotient([sql(part, x=value) for part in PARTS], count)


def quotient(parts: Sequence[Node], count: Node) -> Node:
    """The INTERVAL of these months, days and microseconds, divided by a number; NULL if that is NULL."""
    nodes = [sql("CAST({x} AS HUGEINT)", x=part) for part in (*parts, count)]
    return sql(_DIVIDED, **dict(zip("mdun", nodes, strict=True)))


# Text


_CLOCK = (
    "abs({u}) // 3600000000 || ':' || abs({u}) // 60000000 % 60 || ':' || abs({u}) // 1000000 % 60 || CASE WHEN {u} %"
    " 1000000 = 0 THEN '' WHEN {u} % 1000 = 0 THEN printf('.%03d', abs({u}) // 1000 % 1000) ELSE printf('.%06d',"
    " abs({u}) % 1000000) END"
)
_TEXT = (
    "CASE WHEN {m} < 0 THEN '-' ELSE '' END || abs({m}) // 12 || '-' || abs({m}) % 12 || ' ' || {d} || ' ' ||"
    f" CASE WHEN {{u}} < 0 THEN '-' ELSE '' END || {_CLOCK}"
)
_OF_STRUCT = _TEXT.replace("{m}", "p_.m").replace("{d}", "p_.d").replace("{u}", "p_.u")
STRING_OF_INTERVAL = (
    f"list_transform([{{{{'m': {MONTHS_OF}, 'd': {DAYS_OF}, 'u': {MICROS_OF}}}}}], lambda p_: {_OF_STRUCT})[1]"
)
"""Years and months, days, and hours, minutes and seconds: `-1-2 3 4:5:6.789`."""


def _iso(value: str, letter: str) -> str:
    """A part of a duration, left out where it is 0."""
    return f"CASE WHEN {value} = 0 THEN '' ELSE {value} || '{letter}' END"


_ISO_DAY = " || ".join(map(_iso, ("p_.m // 12", "p_.m % 12", "p_.d"), "YMD"))
_ISO_CLOCK = " || ".join(map(_iso, ("p_.u // 3600000000", "p_.u // 60000000 % 60"), "HM"))
_ISO_SECONDS = (
    "CASE WHEN p_.u % 60000000 = 0 THEN '' ELSE CASE WHEN p_.u < 0 THEN '-' ELSE '' END || abs(p_.u) // 1000000 % 60 ||"
    " regexp_replace(printf('.%06d', abs(p_.u) % 1000000), '[.]?0+$', '') || 'S' END"
)
_ISO_TEXT = (
    "CASE WHEN p_.m = 0 AND p_.d = 0 AND p_.u = 0 THEN 'P0Y' ELSE 'P' || "
    f"{_ISO_DAY} || CASE WHEN p_.u = 0 THEN '' ELSE 'T' || {_ISO_CLOCK} || {_ISO_SECONDS} END END"
)
ISO_OF_INTERVAL = (
    f"list_transform([{{{{'m': {MONTHS_OF}, 'd': {DAYS_OF}, 'u': {MICROS_OF}}}}}], lambda p_: {_ISO_TEXT})[1]"
)
"""As JSON has it: `P1Y2M3DT4H5M6.789S`."""


def _number(pattern: str) -> str:
    """The number that stands in the text where the pattern's group is; 0 if it does not match."""
    return f"CAST('0' || regexp_extract({{x}}, '{pattern}', 1) AS BIGINT)"


def _signed(pattern: str) -> str:
    return f"CAST(coalesce(nullif(regexp_extract({{x}}, '{pattern}', 1), ''), '0') AS BIGINT)"


_ONE = r"[+-]?\d+"
_SECONDS = r"\d+:\d+:\d+(?:\.\d{{1,6}})?"
_TIME = rf"(?:[+-]?{_SECONDS}|{_ONE}(?::\d+)?)"
_FORMS = (
    rf"{_ONE}-\d+(?: {_ONE}(?: {_TIME})?)?|{_ONE} {_ONE} {_TIME}|{_ONE} {_ONE}:\d+(?::\d+(?:\.\d{{{{1,6}}}})?)?"
    rf"|[+-]?{_SECONDS}"
)
"""Parts may be left out where the signs between the others tell which they are."""
_YEARS, _MONTHS = _number(r"^[+-]?(\d+)-"), _number(r"^[+-]?\d+-(\d+)")
_MONTHS_ALONE = _number(r"^[+-]?(\d+) \S+ ")
_MONTHS_READ = f"({_YEARS}::HUGEINT * 12 + {_MONTHS} + {_MONTHS_ALONE}) * CASE WHEN {{x}} LIKE '-%' THEN -1 ELSE 1 END"
_DAYS_READ = " + ".join(
    map(_signed, (rf"^{_ONE}-\d+ ({_ONE})", rf"^{_ONE} ({_ONE}) ", rf"^({_ONE}) [+-]?\d+:[0-9:.]+$"))
)
_HOURS, _HOURS_ALONE = _number(r"(\d+):"), _number(r"^\S+ \S+ [+-]?(\d+)$")
_MINUTES, _WHOLE_SECONDS = _number(r":(\d+)"), _number(r":\d+:(\d+)")
_FRACTION = r"CAST(rpad(regexp_extract({x}, '\.(\d+)$', 1), 6, '0') AS BIGINT)"
_MICROS_READ = (
    f"((({_HOURS}::HUGEINT + {_HOURS_ALONE}) * 60 + {_MINUTES}) * 60 + {_WHOLE_SECONDS}) * 1000000 + {_FRACTION}"
)
_MICROS_SIGNED = (
    rf"({_MICROS_READ}) * CASE WHEN regexp_matches({{x}}, '(?:^| )-\d+:|^\S+ \S+ -\d+$') THEN -1 ELSE 1 END"
)


def _counted(unit: str, part: int, pattern: str = r"-?\d+", factor: int = 1) -> str:
    """What an ISO 8601 duration has of a unit, before its T (part 1) or after it."""
    found = f"regexp_extract_all(split_part({{x}}, 'T', {part}), '({pattern}){unit}', 1)"
    number = f"CAST(CAST(replace(n_, ',', '.') AS DECIMAL(38,6)) * {factor} AS HUGEINT)"
    return f"coalesce(list_sum(list_transform({found}, lambda n_: {number})), 0)"


_ISO = r"P(?:-?\d+[YMWD])*(?:T(?:-?\d+[HM]|-?\d+(?:[.,]\d{{1,6}})?S)*)?"
_ISO_READ = made(
    f"{_counted('Y', 1)} * 12 + {_counted('M', 1)}",
    f"{_counted('W', 1)} * 7 + {_counted('D', 1)}",
    f"({_counted('H', 2)} * 60 + {_counted('M', 2)}) * 60000000 + {_counted('S', 2, r'-?[0-9.,]+', 1_000_000)}",
)
INTERVAL_OF_STRING = (
    f"CASE WHEN {{x}} IS NULL THEN NULL WHEN regexp_full_match({{x}}, '{_FORMS}') THEN"
    f" {made(_MONTHS_READ, _DAYS_READ, _MICROS_SIGNED)} WHEN {{x}} <> 'P' AND regexp_full_match({{x}}, '{_ISO}') THEN"
    f" {_ISO_READ} ELSE error('Invalid INTERVAL value: ' || {{x}}) END"
)
