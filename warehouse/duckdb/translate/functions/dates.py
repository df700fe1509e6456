"""Dates, times, timestamps and intervals: reading parts, adding, subtracting, cutting.

https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions
https://cloud.google.com/bigquery/docs/reference/standard-sql/timestamp_functions
"""

from sqlglot import exp

from warehouse.duckdb.translate.coercion import supertype
from warehouse.duckdb.translate.expressions import as_type, no_signature
from warehouse.duckdb.translate.functions.intervals import count_of, interval_sql
from warehouse.duckdb.translate.functions.registry import argument, function
from warehouse.duckdb.translate.functions.units import (
    CHECKED,
    CLOCK_UNITS,
    DATE_UNITS,
    MICROSECONDS,
    MONTHS,
    checked_date,
    trunc_date,
    unit_of,
)
from warehouse.duckdb.translate.literals import from_local
from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse.duckdb.translate.typed import DATE, DATETIME, INT64, STRING, TIMESTAMP, Typed
from warehouse.types import SqlType

INSTANTS = ("DATE", "DATETIME", "TIMESTAMP", "TIME")


def local(value: Typed, zone: str = "'UTC'") -> str:
    """A TIMESTAMP as the DATETIME on the clocks of a zone."""
    return f"timezone({zone}, {value.sql})"


def shifted(node: exp.Expr, scope: Scope, value: Typed, count: str, part: str) -> Typed:
    """A date or time that many units later. Raises SqlError for a unit that it does not have."""
    kind = value.type.name
    if kind == "DATE" and part in CLOCK_UNITS:
        value, kind = Typed(f"CAST({value.sql} AS TIMESTAMP)", DATETIME), "DATETIME"
    fits = {"DATE": DATE_UNITS, "TIME": CLOCK_UNITS, "TIMESTAMP": {*CLOCK_UNITS, "DAY"}}.get(
        kind, DATE_UNITS | CLOCK_UNITS
    )
    if part not in fits or part.startswith(("WEEK(", "ISO")):
        wrong(scope.script.text, node, f"{kind} cannot be moved by {part}")
    if kind == "DATE" and part in ("DAY", "WEEK"):
        return Typed(checked_date(f"({value.sql} + ({count} * {7 if part == 'WEEK' else 1})::INTEGER)"), DATE)
    if kind == "TIMESTAMP" and part == "DAY":
        step = f"to_hours({count} * 24)"
    else:
        step = interval_sql(count, part, node, scope)
    sql = f"({value.sql} + {step})"
    if kind == "DATE":
        sql = f"CAST({sql} AS DATE)"
    return Typed(CHECKED[kind](sql) if kind in CHECKED else sql, value.type)


@function(
    "DATE_ADD", "DATE_SUB", "DATETIME_ADD", "DATETIME_SUB", "TIMESTAMP_ADD", "TIMESTAMP_SUB", "TIME_ADD", "TIME_SUB"
)
def add(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """DATE_ADD(x, INTERVAL n unit) and the like"""
    name = name_of(node)
    if len(parts) != 2 or not isinstance(parts[1], exp.Interval):
        wrong(scope.script.text, node, f"{name} takes a value and an INTERVAL", f"write {name}(x, INTERVAL 1 DAY)")
    kind = name.partition("_")[0]
    value = _first(node, scope, argument(parts[0], scope), kind)
    unit = parts[1].args.get("unit")
    if unit is None or isinstance(unit, exp.IntervalSpan):
        unsupported(scope.script.text, node, f"{name} with this INTERVAL")
    part = unit_of(unit, scope)
    if value.type == DATE and part in CLOCK_UNITS and kind == "DATE":
        wrong(scope.script.text, node, f"{name} of a DATE does not take {part}", "use DATETIME_ADD")
    count = count_of(parts[1], scope)
    return shifted(node, scope, value, f"(-{count})" if name.endswith("SUB") else count, part)


def _first(node: exp.Expr, scope: Scope, value: Typed, kind: str) -> Typed:
    """The first argument: of the function's own type, or DATE_ of a DATETIME or TIMESTAMP."""
    if kind == "DATE" and value.type.name in ("DATETIME", "TIMESTAMP"):
        return value
    if (kind == "DATETIME" and value.type == TIMESTAMP) or (kind == "TIMESTAMP" and value.type == DATETIME):
        return value if False else no_signature(node, scope, name_of(node), [value])
    return as_type(node, scope, name_of(node), value, SqlType(kind))


EPOCH = "TIMESTAMP '0001-01-01 00:00:00'"


@function("DATE_DIFF", "DATETIME_DIFF", "TIMESTAMP_DIFF", "TIME_DIFF")
def diff(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """DATE_DIFF(x, y, unit): boundaries crossed; TIMESTAMP_DIFF: whole units elapsed"""
    name = name_of(node)
    if len(parts) != 3:
        wrong(scope.script.text, node, f"{name} takes two values and a date part")
    kind = name.partition("_")[0]
    values = [argument(part, scope) for part in parts[:2]]
    if kind == "DATE":
        common = supertype(values)
        kind = common.name if common is not None and common.name in ("DATETIME", "TIMESTAMP") else "DATE"
    a, b = (as_type(node, scope, name, value, SqlType(kind)).sql for value in values)
    part = unit_of(parts[2], scope)
    allowed = {"DATE": DATE_UNITS, "TIME": CLOCK_UNITS, "TIMESTAMP": {*CLOCK_UNITS, "DAY"}}.get(
        kind, DATE_UNITS | CLOCK_UNITS
    )
    if part not in allowed:
        wrong(scope.script.text, node, f"{name} of {kind} does not take {part}")
    return Typed(diff_sql(kind, a, b, part), INT64)


def diff_sql(kind: str, a: str, b: str, part: str) -> str:
    """How many units lie between b and a."""
    if kind == "TIMESTAMP":
        return f"((epoch_us({a}) - epoch_us({b})) // {MICROSECONDS[part]})"
    if part in CLOCK_UNITS:
        base = "DATE '0001-01-01' + " if kind == "TIME" else ""
        since = [f"date_diff('microsecond', {EPOCH}, {base}{side}) // {MICROSECONDS[part]}" for side in (a, b)]
        return f"({since[0]} - {since[1]})"
    if kind == "DATETIME":
        a, b = f"CAST({a} AS DATE)", f"CAST({b} AS DATE)"
    if part == "DAY":
        return f"({a} - {b})"
    if part == "ISOYEAR":
        return f"CAST(date_part('isoyear', {a}) - date_part('isoyear', {b}) AS BIGINT)"
    if part in MONTHS:
        return f"date_diff('{part.lower()}', {b}, {a})"
    return f"(({trunc_date(a, part)} - {trunc_date(b, part)}) // 7)"


@function("DATE_TRUNC", "DATETIME_TRUNC", "TIMESTAMP_TRUNC", "TIME_TRUNC")
def trunc(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """DATE_TRUNC(x, unit), TIMESTAMP_TRUNC(x, unit [, zone])"""
    name = name_of(node)
    if len(parts) not in (2, 3):
        wrong(scope.script.text, node, f"{name} takes a value and a date part")
    kind = name.partition("_")[0]
    value = argument(parts[0], scope)
    if not (value.type.name in ("DATETIME", "TIMESTAMP") and kind in ("DATE", "DATETIME", "TIMESTAMP")):
        value = as_type(node, scope, name, value, SqlType(kind))
    part = unit_of(parts[1], scope)
    kind = value.type.name
    allowed = {"DATE": DATE_UNITS, "TIME": CLOCK_UNITS}.get(kind, DATE_UNITS | CLOCK_UNITS)
    if part not in allowed:
        wrong(scope.script.text, node, f"{name} of {kind} does not take {part}")
    zone = "'UTC'"
    if len(parts) == 3:
        if kind != "TIMESTAMP":
            wrong(scope.script.text, node, f"{name} of {kind} takes no time zone")
        zone = as_type(node, scope, name, argument(parts[2], scope), STRING).sql
        if part in CLOCK_UNITS:
            unsupported(scope.script.text, node, f"{name} to {part} in a time zone")
    return Typed(trunc_sql(value, kind, part, zone), value.type)


def trunc_sql(value: Typed, kind: str, part: str, zone: str) -> str:
    """The value cut to a unit."""
    if kind == "DATE":
        return trunc_date(value.sql, part)
    if kind == "TIME":
        return f"CAST(date_trunc('{part.lower()}', DATE '2000-01-01' + {value.sql}) AS TIME)"
    plain = value.sql if kind == "DATETIME" else local(value, zone)
    if part in CLOCK_UNITS:
        cut = f"date_trunc('{part.lower()}', {plain})"
    else:
        cut = f"CAST({trunc_date(f'CAST({plain} AS DATE)', part)} AS TIMESTAMP)"
    return cut if kind == "DATETIME" else from_local(cut, zone)


@function("LAST_DAY")
def last_day(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """LAST_DAY(x [, unit])"""
    if len(parts) not in (1, 2):
        wrong(scope.script.text, node, "LAST_DAY takes a value and a date part")
    value = argument(parts[0], scope)
    if value.type != DATETIME:
        value = as_type(node, scope, "LAST_DAY", value, DATE)
    part = unit_of(parts[1], scope) if len(parts) == 2 else "MONTH"
    if part not in DATE_UNITS - {"DAY"}:
        wrong(scope.script.text, node, f"LAST_DAY does not take {part}")
    day = value.sql if value.type == DATE else f"CAST({value.sql} AS DATE)"
    start = trunc_date(day, part)
    if part in MONTHS:
        return Typed(f"CAST({start} + to_months({MONTHS[part]}) - to_days(1) AS DATE)", DATE)
    if part == "ISOYEAR":
        unsupported(scope.script.text, node, "LAST_DAY of ISOYEAR")
    return Typed(f"({start} + 6)", DATE)
