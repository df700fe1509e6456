"""+ and - with dates, times and intervals.

https://cloud.google.com/bigquery/docs/reference/standard-sql/operators#interval_arithmetic_operators
"""

from sqlglot import exp

from warehouse.duckdb.translate.coercion import coerce, supertype
from warehouse.duckdb.translate.functions.dates import INSTANTS, diff_sql
from warehouse.duckdb.translate.functions.units import (
    CHECKED,
    checked_date,
)
from warehouse.duckdb.translate.scope import EXPRESSIONS, Scope
from warehouse.duckdb.translate.syntax import unsupported
from warehouse.duckdb.translate.text import bind
from warehouse.duckdb.translate.typed import (
    DATE,
    DATETIME,
    INTERVAL,
    TIMESTAMP,
    Typed,
)


def date_arithmetic(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> Typed | None:
    """+ and - with a date, a time or an INTERVAL; None if neither side is one."""
    kinds = one.type.name, other.type.name
    if one.is_null or other.is_null or sign == "/":
        return None
    if sign == "*":
        if kinds in (("INTERVAL", "INT64"), ("INT64", "INTERVAL")):
            span, count = (one, other) if kinds[0] == "INTERVAL" else (other, one)
            return Typed(f"({span.sql} * {count.sql})", INTERVAL)
        return None
    if "INTERVAL" in kinds:
        return _with_interval(node, scope, sign, one, other)
    if kinds == ("DATE", "INT64") or (kinds == ("INT64", "DATE") and sign == "+"):
        day, count = (one, other) if kinds[0] == "DATE" else (other, one)
        return Typed(checked_date(f"({day.sql} {sign} ({count.sql})::INTEGER)"), DATE)
    if sign == "-":
        return _between(one, other)
    return None


def _between(one: Typed, other: Typed) -> Typed | None:
    kind = supertype([one, other])
    if kind is None or kind.name not in INSTANTS:
        return None
    a, b = coerce(one, kind), coerce(other, kind)
    if a is None or b is None:
        return None
    if kind == DATE:
        return Typed(f"to_days(({a.sql} - {b.sql})::INTEGER)", INTERVAL)
    micros = diff_sql(kind.name, a.sql, b.sql, "MICROSECOND")
    if kind == DATETIME:
        days = "to_days(({x} // 86400000000)::INTEGER) + to_microseconds({x} % 86400000000)"
        return Typed(f"({bind(days, x=micros)})", INTERVAL)
    return Typed(f"to_microseconds({micros})", INTERVAL)


def _with_interval(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> Typed | None:
    if one.type == other.type:
        return Typed(f"({one.sql} {sign} {other.sql})", INTERVAL)
    if one.type == INTERVAL:
        if sign == "-":
            return None
        one, other = other, one
    kind = one.type.name
    if kind == "DATE":
        return Typed(CHECKED["DATETIME"](f"(CAST({one.sql} AS TIMESTAMP) {sign} {other.sql})"), DATETIME)
    if kind == "DATETIME":
        return Typed(CHECKED["DATETIME"](f"({one.sql} {sign} {other.sql})"), DATETIME)
    if kind == "TIMESTAMP":
        guard = (
            "CASE WHEN date_part('month', {i}) <> 0 OR date_part('year', {i}) <> 0 THEN error('TIMESTAMP and months')"
            " ELSE {i} END"
        )
        return Typed(CHECKED["TIMESTAMP"](f"({one.sql} {sign} {bind(guard, i=other.sql)})"), TIMESTAMP)
    return unsupported(scope.script.text, node, f"{sign} of {kind} and INTERVAL") if kind == "TIME" else None


EXPRESSIONS["date_arithmetic"] = date_arithmetic
