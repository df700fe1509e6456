"""Date parts, and dates cut to them.

https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions#date_trunc
"""

from sqlglot import exp

from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.syntax import name_of, wrong
from warehouse.duckdb.translate.text import bind

DAYS = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
MICROSECONDS = {
    "MICROSECOND": 1,
    "MILLISECOND": 1000,
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
}
MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
DATE_UNITS = {"DAY", "WEEK", "ISOWEEK", "MONTH", "QUARTER", "YEAR", "ISOYEAR", *(f"WEEK({day})" for day in DAYS)}
CLOCK_UNITS = {"MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR"}


def unit_of(node: exp.Expr, scope: Scope) -> str:
    """A date part as written: DAY, WEEK(MONDAY). Raises SqlError."""
    if isinstance(node, exp.Anonymous | exp.WeekStart):
        inner = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
        name = name_of(node) if isinstance(node, exp.Anonymous) else "WEEK"
        day = inner.name.upper()
        if name != "WEEK" or day not in DAYS:
            wrong(scope.script.text, node, f"{name}({day}) is not a date part")
        return f"WEEK({day})"
    name = node.name.upper()
    known = DATE_UNITS | CLOCK_UNITS | {"DAYOFWEEK", "DAYOFYEAR", "DATE", "TIME", "DATETIME", "NANOSECOND"}
    if name not in known:
        wrong(scope.script.text, node, f"{name or node.sql('bigquery')} is not a date part")
    return name


def first_day(unit: str) -> int:
    """The day that a week begins with: 0 for Sunday."""
    return 1 if unit == "ISOWEEK" else DAYS.index(unit[5:-1]) if unit.startswith("WEEK(") else 0


def trunc_date(sql: str, unit: str) -> str:
    """A DATE cut to a unit of days or more."""
    if unit == "DAY":
        return sql
    if unit in MONTHS:
        return f"CAST(date_trunc('{unit.lower()}', {sql}) AS DATE)"
    if unit == "ISOYEAR":
        return f"CAST(date_trunc('week', make_date(date_part('isoyear', {sql}), 1, 4)) AS DATE)"
    return bind(f"({{x}} - ((date_part('dow', {{x}}) + {7 - first_day(unit)}) % 7)::INTEGER)", x=sql)


def checked_date(sql: str) -> str:
    """A DATE that must lie in the years 1 to 9999."""
    return _checked(sql, "DATE '0001-01-01'", "DATE '9999-12-31'")


def checked_datetime(sql: str) -> str:
    """A DATETIME that must lie in the years 1 to 9999."""
    return _checked(sql, "TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59.999999'")


def checked_timestamp(sql: str) -> str:
    """A TIMESTAMP that must lie in the years 1 to 9999."""
    return _checked(sql, "TIMESTAMPTZ '0001-01-01 00:00:00+00'", "TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'")


def _checked(sql: str, low: str, high: str) -> str:
    return bind(f"CASE WHEN {{x}} < {low} OR {{x}} > {high} THEN error('date out of range') ELSE {{x}} END", x=sql)


CHECKED = {"DATE": checked_date, "DATETIME": checked_datetime, "TIMESTAMP": checked_timestamp}
