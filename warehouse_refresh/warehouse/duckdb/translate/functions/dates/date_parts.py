"""Date parts: EXTRACT reads one, TRUNC and LAST_DAY cut to one, DIFF counts them.

https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions
https://cloud.google.com/bigquery/docs/reference/standard-sql/timestamp_functions
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, no_signature
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions, argument
from warehouse_refresh.warehouse.duckdb.translate.literals import is_null, no_value, null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal, Node, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.translate.zones import CHECKED, UTC, from_local, local, offset
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.sql.coercion import supertype
from warehouse_refresh.warehouse.sql.literals import is_zone, read_zone
from warehouse_refresh.warehouse.types import DATE, DATETIME, INT64, INTERVAL, STRING, TIMESTAMP, SqlType

INSTANTS = ("DATE", "DATETIME", "TIMESTAMP", "TIME")
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
DATE_UNITS = frozenset(
    {"DAY", "WEEK", "ISOWEEK", "MONTH", "QUARTER", "YEAR", "ISOYEAR", *(f"WEEK({day})" for day in DAYS)}
)
CLOCK_UNITS = frozenset({"MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR"})
_OTHER_PARTS = frozenset({"DAYOFWEEK", "DAYOFYEAR", "DATE", "TIME", "DATETIME", "NANOSECOND"})


def unit_of(node: exp.Expr, scope: Scope) -> str:
    """A date part as written: DAY, WEEK(MONDAY). Raises SqlError."""
    if isinstance(node, exp.Anonymous | exp.WeekStart):
        name = name_of(node) if isinstance(node, exp.Anonymous) else "WEEK"
        days = node.expressions if isinstance(node, exp.Anonymous) else [node.this]
        day = ", ".join(inner.name.upper() for inner in days)
        if name != "WEEK" or day not in DAYS:
            wrong(scope.script.text, node, f"{name}({day}) is not a date part")
        return f"WEEK({day})"
    if isinstance(node, exp.Literal):
        wrong(scope.script.text, node, "a date part is a word, not a value", "write it without quotes")
    name = "" if isinstance(node, exp.Column) and node.args.get("table") else node.name.upper()
    if name not in DATE_UNITS | CLOCK_UNITS | _OTHER_PARTS:
        wrong(scope.script.text, node, f"{name or node.sql('bigquery')} is not a date part")
    return name


def units_of(kind: str) -> frozenset[str]:
    """The units that a date or time is moved by, and that lie between two: those of TIMESTAMP are of one length."""
    if kind == "TIMESTAMP":
        return CLOCK_UNITS | {"DAY"}
    return {"DATE": DATE_UNITS, "TIME": CLOCK_UNITS}.get(kind, DATE_UNITS | CLOCK_UNITS)


def first_day(unit: str) -> int:
    """The day that a week begins with: 0 for Sunday."""
    return 1 if unit == "ISOWEEK" else DAYS.index(unit[5:-1]) if unit.startswith("WEEK(") else 0


def zone_of(node: exp.Expr, scope: Scope, name: str, value: Typed, of: Typed | None = None) -> Node:
    """The time zone that an argument names: NULL where what it is the zone `of` is NULL. A text that names none is an
    error once it is computed."""
    text = as_type(node, scope, name, value, STRING)
    if of is not None and is_null(of.node):
        return null(STRING).node
    if not isinstance(text.literal, str):
        return text.node if text.is_null else sql(CHECKED, z=text.node)
    zone = read_zone(text.literal)
    if zone is None or (isinstance(zone, str) and not is_zone(zone)):
        return sql(CHECKED, z=Literal(text.literal))
    return offset(zone) if isinstance(zone, int) else Literal(zone)


_LIMITS = {
    "DATE": ("DATE '0001-01-01'", "DATE '9999-12-31'"),
    "DATETIME": ("TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59.999999'"),
    "TIMESTAMP": ("TIMESTAMPTZ '0001-01-01 00:00:00+00'", "TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"),
}


def checked(kind: SqlType, value: Node) -> Node:
    """A DATE, DATETIME or TIMESTAMP that must lie in the years 1 to 9999; a TIME as it is."""
    if kind.name not in _LIMITS:
        return value
    low, high = _LIMITS[kind.name]
    return sql(f"(CASE WHEN {{x}} < {low} OR {{x}} > {high} THEN error('date out of range') ELSE {{x}} END)", x=value)


def local_checked(moment: Node, zone: Node) -> Node:
    """A TIMESTAMP as the DATETIME on the clocks of a zone, which must lie in the years 1 to 9999, too."""
    clock = local(moment, zone)
    return clock if zone == UTC else checked(DATETIME, clock)


def from_local_checked(clock: Node, zone: Node) -> Node:
    """The TIMESTAMP of a DATETIME on the clocks of a zone, which must lie in the years 1 to 9999, too."""
    moment = from_local(clock, zone)
    return moment if zone == UTC else checked(TIMESTAMP, moment)


_ISO_YEAR = "CAST(date_part('isoyear', {x}) AS BIGINT)"  # of NULL it is a DOUBLE, which make_date does not take


def trunc_date(day: Node, unit: str) -> Node:
    """A DATE cut to a unit of days or more."""
    if unit == "DAY":
        return day
    if unit in MONTHS:
        return sql(f"CAST(date_trunc('{unit.lower()}', {{x}}) AS DATE)", x=day)
    if unit == "ISOYEAR":
        return sql(f"CAST(date_trunc('week', make_date({_ISO_YEAR}, 1, 4)) AS DATE)", x=day)
    return sql(f"({{x}} - ((date_part('dow', {{x}}) + {7 - first_day(unit)}) % 7)::INTEGER)", x=day)


def _as_day(value: Typed) -> Node:
    """The day of a DATE or DATETIME."""
    return value.node if value.type == DATE else sql("CAST({x} AS DATE)", x=value.node)


def of_kind(node: exp.Expr, scope: Scope, value: Typed, kind: str) -> Typed:
    """The argument of a function that begins with DATE_, DATETIME_ or TIMESTAMP_: each takes a DATETIME and a TIMESTAMP
    as it is, and the last two take a DATE as a DATETIME. Other values must be of the function's own `kind`."""
    if kind != "TIME" and value.type in (DATETIME, TIMESTAMP):
        return value
    if kind == "TIMESTAMP" and value.type == DATE:
        kind = "DATETIME"
    return as_type(node, scope, name_of(node), value, SqlType(kind))


def trunc(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """DATE_TRUNC(x, unit), TIMESTAMP_TRUNC(x, unit [, zone])"""
    name = name_of(node)
    if len(parts) not in (2, 3):
        wrong(scope.script.text, node, f"{name} takes a value and a date part")
    kind = name.partition("_")[0]
    given = argument(parts[0], scope)
    value = of_kind(node, scope, given, kind)
    part = unit_of(parts[1], scope)
    kind = "DATE" if given.type == DATE else value.type.name
    allowed = {"DATE": DATE_UNITS, "TIME": CLOCK_UNITS}.get(kind, DATE_UNITS | CLOCK_UNITS)
    if part not in allowed:
        wrong(scope.script.text, node, f"{name} of {kind} does not take {part}")
    zone: Node = UTC
    if len(parts) == 3:
        if kind != "TIMESTAMP":
            wrong(scope.script.text, node, f"{name} of {kind} takes no time zone")
        zone = zone_of(node, scope, name, argument(parts[2], scope), value)
    cut = _cut(value, part, zone)
    return Typed(checked(value.type, cut) if part.startswith("WEEK") else cut, value.type)


def _cut(value: Typed, part: str, zone: Node) -> Node:
    """The value cut to a unit."""
    kind = value.type.name
    if kind == "DATE":
        return trunc_date(value.node, part)
    if kind == "TIME":
        return sql(f"CAST(date_trunc('{part.lower()}', DATE '2000-01-01' + {{x}}) AS TIME)", x=value.node)
    if kind == "TIMESTAMP" and part in CLOCK_UNITS and zone != UTC:
        return let(value.node, lambda moment: _cut_in_zone(moment, local(moment, zone), part))
    clock = value.node if kind == "DATETIME" else local(value.node, zone)
    if part in CLOCK_UNITS:
        cut = sql(f"date_trunc('{part.lower()}', {{x}})", x=clock)
    else:
        day = trunc_date(sql("CAST({x} AS DATE)", x=clock), part)
        cut = sql("CAST({x} AS TIMESTAMP)", x=day)
    return cut if kind == "DATETIME" else from_local_checked(cut, zone)


def _cut_in_zone(moment: Node, clock: Node, part: str) -> Node:
    """A TIMESTAMP cut to a unit that clocks of a zone show. They may show it twice, so it is cut by its length."""
    over = sql(f"to_microseconds(epoch_us({{c}} - date_trunc('{part.lower()}', {{c}})))", c=clock)
    return sql(_NOT_BEFORE_YEAR_1, x=sql("({x} - {o})", x=moment, o=over))


_NOT_BEFORE_YEAR_1 = (
    "(CASE WHEN {x} < TIMESTAMPTZ '0001-01-01 00:00:00+00' THEN error('Truncating causes underflow') ELSE {x} END)"
)


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
    if part == "ISOYEAR":
        return Typed(checked(DATE, sql(_LAST_OF_ISO_YEAR, x=_as_day(value))), DATE)
    first = trunc_date(_as_day(value), part)
    if part in MONTHS:
        return Typed(sql(f"CAST({{x}} + to_months({MONTHS[part]}) - to_days(1) AS DATE)", x=first), DATE)
    return Typed(checked(DATE, sql("({x} + 6)", x=first)), DATE)


_LAST_OF_ISO_YEAR = f"(CAST(date_trunc('week', make_date({_ISO_YEAR} + 1, 1, 4)) AS DATE) - 1)"


def diff(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """DATE_DIFF(x, y, unit): boundaries crossed; TIMESTAMP_DIFF: whole units elapsed"""
    name = name_of(node)
    if len(parts) != 3:
        wrong(scope.script.text, node, f"{name} takes two values and a date part")
    kind = name.partition("_")[0]
    values = [argument(part, scope) for part in parts[:2]]
    common = None if any(value.type == STRING for value in values) else supertype(values)
    if kind != "TIME" and common is not None and common in (DATETIME, TIMESTAMP):
        kind = common.name
    elif kind == "TIMESTAMP" and common == DATE:
        kind = "DATETIME"
    a, b = (as_type(node, scope, name, value, SqlType(kind)).node for value in values)
    part = unit_of(parts[2], scope)
    if part not in units_of(kind):
        wrong(scope.script.text, node, f"{name} of {kind} does not take {part}")
    return Typed(units_between(kind, a, b, part), INT64)


_EPOCH = "TIMESTAMP '0001-01-01 00:00:00'"


def units_between(kind: str, a: Node, b: Node, part: str) -> Node:
    """How many units lie between b and a."""
    if kind == "TIMESTAMP":
        return sql(f"((epoch_us({{a}}) - epoch_us({{b}})) // {MICROSECONDS[part]})", a=a, b=b)
    if part in CLOCK_UNITS:
        base = "DATE '0001-01-01' + " if kind == "TIME" else ""
        since = [f"date_diff('microsecond', {_EPOCH}, {base}{side}) // {MICROSECONDS[part]}" for side in ("{a}", "{b}")]
        return sql(f"({since[0]} - {since[1]})", a=a, b=b)
    if kind == "DATETIME":
        a, b = sql("CAST({x} AS DATE)", x=a), sql("CAST({x} AS DATE)", x=b)
    if part == "DAY":
        return sql("({a} - {b})", a=a, b=b)
    if part == "ISOYEAR":
        return sql("CAST(date_part('isoyear', {a}) - date_part('isoyear', {b}) AS BIGINT)", a=a, b=b)
    if part in MONTHS:
        return sql(f"date_diff('{part.lower()}', {{b}}, {{a}})", a=a, b=b)
    return sql("(({a} - {b}) // 7)", a=trunc_date(a, part), b=trunc_date(b, part))


def extract(node: exp.Expr, scope: Scope) -> Typed:
    """EXTRACT(part FROM x [AT TIME ZONE zone])"""
    inner, zone = node.expression, None
    value = scope.compile(inner.this if isinstance(inner, exp.AtTimeZone) else inner)
    if isinstance(inner, exp.AtTimeZone):
        zone = zone_of(node, scope, "AT TIME ZONE", scope.compile(inner.args["zone"]), value)
    part = unit_of(node.this, scope)
    if value.type == INTERVAL:
        return _interval_part(node, scope, value, part)
    if value.is_null and part != "DATETIME":  # the literal, which is of any type
        return no_value(SqlType(part) if part in ("DATE", "TIME") else INT64)
    if value.type.name not in INSTANTS or (zone is not None and value.type != TIMESTAMP):
        return no_signature(node, scope, "EXTRACT", [value])
    clock = value.node
    if value.type == TIMESTAMP:
        clock = (local_checked if part in ("DATE", "DATETIME") else local)(clock, zone or UTC)
    return _extracted(node, scope, clock, value.type.name, part)


_PARTS = {
    "YEAR": "year",
    "ISOYEAR": "isoyear",
    "QUARTER": "quarter",
    "MONTH": "month",
    "ISOWEEK": "week",
    "DAY": "day",
    "DAYOFYEAR": "doy",
    "HOUR": "hour",
    "MINUTE": "minute",
    "SECOND": "second",
}


def _extracted(node: exp.Expr, scope: Scope, clock: Node, kind: str, part: str) -> Typed:
    """A part of a date or time."""
    is_clock = part in CLOCK_UNITS or part == "TIME"
    if (kind == "DATE" and is_clock) or (kind == "TIME" and part not in CLOCK_UNITS) or part == "NANOSECOND":
        wrong(scope.script.text, node, f"EXTRACT of {kind} does not take {part}")
    if part in ("DATE", "TIME", "DATETIME"):
        if kind == "DATE" or (kind == "DATETIME" and part == "DATETIME"):
            wrong(scope.script.text, node, f"EXTRACT of {kind} does not take {part}")
        return Typed(sql(f"CAST({{x}} AS {duckdb_type(SqlType(part))})", x=clock), SqlType(part))
    return Typed(sql(_number(part), x=clock), INT64)


def _number(part: str) -> str:
    """The template of a part that is a number."""
    micros = "(CAST(date_part('microsecond', {x}) AS BIGINT) % 1000000)"
    if part in ("MICROSECOND", "MILLISECOND"):
        return micros if part == "MICROSECOND" else f"({micros} // 1000)"
    if part == "DAYOFWEEK":
        return "CAST(date_part('dow', {x}) + 1 AS BIGINT)"
    if part.startswith("WEEK"):
        weekday = f"(date_part('dow', {{x}}) + {7 - first_day(part)}) % 7"
        return f"CAST(((date_part('doy', {{x}}) + 6 - {weekday}) // 7) AS BIGINT)"
    return f"CAST(date_part('{_PARTS[part]}', {{x}}) AS BIGINT)"


def _interval_part(node: exp.Expr, scope: Scope, value: Typed, part: str) -> Typed:
    if part in ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"):
        return Typed(sql(f"CAST(date_part('{part.lower()}', {{x}}) AS BIGINT)", x=value.node), INT64)
    if part in ("MILLISECOND", "MICROSECOND", "NANOSECOND"):
        micros = "CAST(date_part('microsecond', {x}) AS BIGINT) % 1000000"
        unit = {"MILLISECOND": "// 1000", "MICROSECOND": "", "NANOSECOND": "* 1000"}[part]
        return Typed(sql(f"({micros} {unit})", x=value.node), INT64)
    return wrong(scope.script.text, node, f"EXTRACT of an INTERVAL does not take {part}")


FUNCTIONS: Functions = {
    **dict.fromkeys(("DATE_TRUNC", "DATETIME_TRUNC", "TIMESTAMP_TRUNC", "TIME_TRUNC"), trunc),
    "LAST_DAY": last_day,
    **dict.fromkeys(("DATE_DIFF", "DATETIME_DIFF", "TIMESTAMP_DIFF", "TIME_DIFF"), diff),
}
