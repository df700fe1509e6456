"""Dates, times, timestamps and intervals: reading parts, adding, subtracting, cutting.

https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions
https://cloud.google.com/bigquery/docs/reference/standard-sql/timestamp_functions
"""

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.casts import cast_value
from warehouse.duckdb.translate.expressions import as_type, handles, no_signature, only
from warehouse.duckdb.translate.functions.registry import argument, define, function
from warehouse.duckdb.translate.functions.units import (
    CHECKED,
    CLOCK_UNITS,
    DATE_UNITS,
    MICROSECONDS,
    MONTHS,
    checked_date,
    first_day,
    trunc_date,
    unit_of,
)
from warehouse.duckdb.translate.scope import EXPRESSIONS, Scope
from warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse.duckdb.translate.typed import DATE, DATETIME, INT64, INTERVAL, STRING, TIME, TIMESTAMP, Typed, bind
from warehouse.types import SqlType, array_of

INSTANTS = ("DATE", "DATETIME", "TIMESTAMP", "TIME")


def local(value: Typed, zone: str = "'UTC'") -> str:
    """A TIMESTAMP as the DATETIME on the clocks of a zone."""
    return f"timezone({zone}, {value.sql})"


def from_local(sql: str, zone: str) -> str:
    """The TIMESTAMP at which the clocks of a zone show a DATETIME: the first one, where they show it twice."""
    return t.from_local(sql, zone)


@handles(exp.Interval)
def interval(node: exp.Expr, scope: Scope) -> Typed:
    """INTERVAL n DAY, INTERVAL '1-2' YEAR TO MONTH"""
    only(node, scope, "this", "unit")
    unit = node.args.get("unit")
    if isinstance(unit, exp.IntervalSpan):
        return _interval_range(node, scope, unit)
    if unit is None:
        wrong(scope.script.text, node, "INTERVAL needs a date part")
    part = unit_of(unit, scope)
    return Typed(interval_sql(_count(node, scope), part, node, scope), INTERVAL)


def _count(node: exp.Expr, scope: Scope) -> str:
    inner = node.this
    if isinstance(inner, exp.Literal) and inner.args.get("is_string"):
        text = str(inner.this).strip()
        if not text.lstrip("+-").isdigit():
            unsupported(scope.script.text, node, f"INTERVAL of {text!r}")
        return f"({int(text)}::BIGINT)"
    return as_type(node, scope, "INTERVAL", scope.compile(inner), INT64).sql


def interval_sql(count: str, part: str, node: exp.Expr, scope: Scope) -> str:
    """That many of a unit as an INTERVAL."""
    if part in MONTHS:
        return f"to_months(({count} * {MONTHS[part]})::INTEGER)"
    if part in ("DAY", "WEEK"):
        return f"to_days(({count} * {7 if part == 'WEEK' else 1})::INTEGER)"
    if part in MICROSECONDS:
        return f"to_microseconds({count} * {MICROSECONDS[part]})"
    wrong(scope.script.text, node, f"INTERVAL does not take {part}")


_SPANS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")


def _interval_range(node: exp.Expr, scope: Scope, unit: exp.Expr) -> Typed:
    first, last = _SPANS.index(unit.this.name.upper()), _SPANS.index(unit.expression.name.upper())
    parts = interval_parts(str(node.this.this), first, last) if isinstance(node.this, exp.Literal) else None
    if parts is None:
        unsupported(scope.script.text, node, f"this INTERVAL … {_SPANS[first]} TO {_SPANS[last]}")
    months, days, microseconds = parts
    return Typed(f"(to_months({months}) + to_days({days}) + to_microseconds({microseconds}))", INTERVAL)


def interval_parts(text: str, first: int, last: int) -> tuple[int, int, int] | None:
    """Months, days and microseconds of a text such as '1-2 3 4:5:6.7', of which the parts first … last are there."""
    words = text.split()
    values = [0] * 6
    expected = [span for span in (range(2), range(2, 3), range(3, 6)) if set(span) & set(range(first, last + 1))]
    if len(words) != len(expected):
        return None
    micros = 0
    for word, span in zip(words, expected, strict=True):
        sign = -1 if word.startswith("-") else 1
        pieces = word.lstrip("+-").replace("-", ":").split(":")
        slots = [slot for slot in span if first <= slot <= last]
        if len(pieces) != len(slots):
            return None
        for slot, piece in zip(slots, pieces, strict=True):
            whole, _, fraction = piece.partition(".")
            if not whole.isdigit() or (fraction and not fraction.isdigit()) or (fraction and slot != 5):
                return None
            values[slot] = sign * int(whole)
            micros += sign * int(fraction[:6].ljust(6, "0") or 0) if fraction else 0
    seconds = values[3] * 3600 + values[4] * 60 + values[5]
    return values[0] * 12 + values[1], values[2], seconds * 1_000_000 + micros


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
    count = _count(parts[1], scope)
    return shifted(node, scope, value, f"(-{count})" if name.endswith("SUB") else count, part)


def _first(node: exp.Expr, scope: Scope, value: Typed, kind: str) -> Typed:
    """The first argument: of the function's own type, or DATE_ of a DATETIME or TIMESTAMP."""
    if kind == "DATE" and value.type.name in ("DATETIME", "TIMESTAMP"):
        return value
    if kind == "DATETIME" and value.type == TIMESTAMP or kind == "TIMESTAMP" and value.type == DATETIME:
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
        common = t.supertype(values)
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
        return f"(date_part('isoyear', {a}) - date_part('isoyear', {b}))"
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


@handles(exp.Extract)
def extract(node: exp.Expr, scope: Scope) -> Typed:
    """EXTRACT(part FROM x [AT TIME ZONE zone])"""
    inner, zone = node.expression, "'UTC'"
    zoned = isinstance(inner, exp.AtTimeZone)
    if zoned:
        zone = as_type(node, scope, "AT TIME ZONE", scope.compile(inner.args["zone"]), STRING).sql
        inner = inner.this
    value = scope.compile(inner)
    part = unit_of(node.this, scope)
    if value.type == INTERVAL:
        return _interval_part(node, scope, value, part)
    if value.type.name not in INSTANTS or (zoned and value.type != TIMESTAMP):
        return no_signature(node, scope, "EXTRACT", [value])
    sql = local(value, zone) if value.type == TIMESTAMP else value.sql
    return extracted(node, scope, sql, value.type.name, part)


PARTS = {"YEAR": "year", "ISOYEAR": "isoyear", "QUARTER": "quarter", "MONTH": "month", "ISOWEEK": "week", "DAY": "day"}
PARTS |= {"DAYOFYEAR": "doy", "HOUR": "hour", "MINUTE": "minute", "SECOND": "second"}


def extracted(node: exp.Expr, scope: Scope, sql: str, kind: str, part: str) -> Typed:
    """A part of a date or time."""
    clock = part in CLOCK_UNITS or part == "TIME"
    if (kind == "DATE" and clock) or (kind == "TIME" and not part in CLOCK_UNITS) or part == "NANOSECOND":
        wrong(scope.script.text, node, f"EXTRACT of {kind} does not take {part}")
    if part in ("DATE", "TIME", "DATETIME"):
        if kind == "DATE" or (kind == "DATETIME" and part == "DATETIME"):
            wrong(scope.script.text, node, f"EXTRACT of {kind} does not take {part}")
        return Typed(f"CAST({sql} AS {t.duckdb_type(SqlType(part))})", SqlType(part))
    if part in ("MICROSECOND", "MILLISECOND"):
        found = f"(date_part('microsecond', {sql}) % 1000000)"
        return Typed(found if part == "MICROSECOND" else f"({found} // 1000)", INT64)
    if part == "DAYOFWEEK":
        return Typed(f"(date_part('dow', {sql}) + 1)", INT64)
    if part.startswith("WEEK"):
        week = f"((date_part('doy', {{x}}) + 6 - (date_part('dow', {{x}}) + {7 - first_day(part)}) % 7) // 7)"
        return Typed(bind(week, x=sql), INT64)
    return Typed(f"date_part('{PARTS[part]}', {sql})", INT64)


def _interval_part(node: exp.Expr, scope: Scope, value: Typed, part: str) -> Typed:
    if part in ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"):
        return Typed(f"date_part('{part.lower()}', {value.sql})", INT64)
    return unsupported(scope.script.text, node, f"EXTRACT({part} FROM an INTERVAL)")


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
    kind = t.supertype([one, other])
    if kind is None or kind.name not in INSTANTS:
        return None
    a, b = t.coerce(one, kind), t.coerce(other, kind)
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
        guard = "CASE WHEN date_part('month', {i}) <> 0 OR date_part('year', {i}) <> 0 THEN error('TIMESTAMP and months') ELSE {i} END"
        return Typed(CHECKED["TIMESTAMP"](f"({one.sql} {sign} {bind(guard, i=other.sql)})"), TIMESTAMP)
    return unsupported(scope.script.text, node, f"{sign} of {kind} and INTERVAL") if kind == "TIME" else None


EXPRESSIONS["date_arithmetic"] = date_arithmetic


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


def _argument_as(node: exp.Expr, scope: Scope, value: Typed, kind: SqlType) -> Typed:
    found = cast_value(value, kind)
    return found if found is not None else no_signature(node, scope, name_of(node), [value])


@function("DATE", "DATETIME", "TIMESTAMP", "TIME")
def constructor(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """DATE(…), DATETIME(…), TIMESTAMP(…), TIME(…)"""
    name = name_of(node)
    values = [argument(part, scope) for part in parts]
    if len(values) in (3, 6):
        return _from_numbers(node, scope, name, values)
    if len(values) == 2 and name == "DATETIME" and values[0].type == DATE and values[1].type == TIME:
        return Typed(f"({values[0].sql} + {values[1].sql})", DATETIME)
    if len(values) == 2:
        return _in_zone(node, scope, name, values)
    if len(values) != 1:
        wrong(scope.script.text, node, f"wrong number of arguments for {name}")
    value = values[0]
    if isinstance(value.literal, str):
        return as_type(node, scope, name, value, SqlType(name))
    takes = {
        "DATE": (*INSTANTS[:3], "STRING"),
        "DATETIME": (*INSTANTS[:3], "STRING"),
        "TIMESTAMP": (*INSTANTS[:3], "STRING"),
    }
    if value.type.name not in takes.get(name, ("TIME", "DATETIME", "TIMESTAMP")):
        return no_signature(node, scope, name, values)
    if value.type == STRING and name in ("DATE", "DATETIME"):
        unsupported(scope.script.text, node, f"{name} of a STRING", f"write CAST(… AS {name})")
    return _argument_as(node, scope, value, SqlType(name))


def _from_numbers(node: exp.Expr, scope: Scope, name: str, values: list[Typed]) -> Typed:
    if (name, len(values)) not in (("DATE", 3), ("TIME", 3), ("DATETIME", 6)):
        wrong(scope.script.text, node, f"wrong number of arguments for {name}")
    numbers = [as_type(node, scope, name, value, INT64).sql for value in values]
    day = f"make_date({', '.join(numbers[:3])})"
    if name == "DATE":
        return Typed(checked_date(day), DATE)
    hour, minute, second = numbers[-3:]
    check = f"CASE WHEN {second} NOT BETWEEN 0 AND 59 OR {hour} NOT BETWEEN 0 AND 23 THEN error('Input calculates to invalid time') ELSE {hour} END"
    clock = f"make_time({check}, {minute}, CAST({second} AS DOUBLE))"
    return Typed(clock, TIME) if name == "TIME" else Typed(f"({day} + {clock})", DATETIME)


def _in_zone(node: exp.Expr, scope: Scope, name: str, values: list[Typed]) -> Typed:
    value, zone = values[0], as_type(node, scope, name, values[1], STRING).sql
    if name == "TIMESTAMP":
        if value.type == STRING and isinstance(value.literal, str):
            value = as_type(node, scope, name, value, DATETIME)
        if value.type == STRING:
            unsupported(scope.script.text, node, "TIMESTAMP of a STRING with a zone", "use PARSE_TIMESTAMP")
        if value.type.name in ("DATE", "DATETIME"):
            return Typed(from_local(f"CAST({value.sql} AS TIMESTAMP)", zone), TIMESTAMP)
        return no_signature(node, scope, name, values)
    value = as_type(node, scope, name, value, TIMESTAMP)
    sql = local(value, zone)
    return Typed(sql if name == "DATETIME" else f"CAST({sql} AS {name})", SqlType(name))


@function("STRING")
def string(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """STRING(timestamp), STRING(json)"""
    values = [argument(part, scope) for part in parts]
    if len(values) == 1 and values[0].type.name == "JSON":
        return EXPRESSIONS["json_scalar"](node, scope, "STRING", values[0])  # type: ignore[no-any-return] # a late binding
    if len(values) != 1 or values[0].type.name not in INSTANTS:
        unsupported(scope.script.text, node, "this STRING(…)", "use FORMAT_TIMESTAMP")
    return _argument_as(node, scope, values[0], STRING)


@function("CURRENT_DATE", "CURRENT_DATETIME", "CURRENT_TIMESTAMP", "CURRENT_TIME")
def current(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """CURRENT_DATE([zone]) and the like"""
    name = name_of(node)
    zone = as_type(node, scope, name, argument(parts[0], scope), STRING).sql if parts else "'UTC'"
    return _now(name, zone)


def _now(name: str, zone: str) -> Typed:
    kind = SqlType(name.partition("_")[2])
    if kind == TIMESTAMP:
        return Typed("now()", TIMESTAMP)
    sql = f"timezone({zone}, now())"
    return Typed(sql if kind == DATETIME else f"CAST({sql} AS {kind})", kind)


@handles(exp.CurrentDate, exp.CurrentDatetime, exp.CurrentTimestamp, exp.CurrentTime)
def current_bare(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """CURRENT_DATE without parentheses"""
    names = {exp.CurrentDate: "CURRENT_DATE", exp.CurrentDatetime: "CURRENT_DATETIME", exp.CurrentTime: "CURRENT_TIME"}
    return _now(names.get(type(node), "CURRENT_TIMESTAMP"), "'UTC'")


_FLOOR = "CASE WHEN epoch_us({{a}}) >= 0 THEN epoch_us({{a}}) // {0} ELSE -((-epoch_us({{a}}) + {0} - 1) // {0}) END"
define("UNIX_SECONDS", "TIMESTAMP -> INT64", _FLOOR.format(1_000_000))
define("UNIX_MILLIS", "TIMESTAMP -> INT64", _FLOOR.format(1000))
define("UNIX_MICROS", "TIMESTAMP -> INT64", "epoch_us({a})")
define("UNIX_DATE", "DATE -> INT64", "({a} - DATE '1970-01-01')")
UNITS = {"TIMESTAMP_SECONDS": 1_000_000, "TIMESTAMP_MILLIS": 1000, "TIMESTAMP_MICROS": 1}


@function("DATE_FROM_UNIX_DATE", *UNITS)
def from_unix(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """TIMESTAMP_SECONDS(n) and the like: that long after 1970 began"""
    name = name_of(node)
    if len(parts) != 1:
        wrong(scope.script.text, node, f"{name} takes one argument")
    count = as_type(node, scope, name, argument(parts[0], scope), INT64).sql
    if name == "DATE_FROM_UNIX_DATE":
        return Typed(checked_date(f"(DATE '1970-01-01' + ({count})::INTEGER)"), DATE)
    return Typed(CHECKED["TIMESTAMP"](f"make_timestamptz({count} * {UNITS[name]})"), TIMESTAMP)


@function("GENERATE_DATE_ARRAY", "GENERATE_TIMESTAMP_ARRAY")
def generate(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """GENERATE_DATE_ARRAY(from, to [, INTERVAL n unit])"""
    name = name_of(node)
    kind = SqlType("DATE" if "DATE" in name else "TIMESTAMP")
    if len(parts) not in (2, 3) or (len(parts) == 3 and not isinstance(parts[2], exp.Interval)):
        wrong(scope.script.text, node, f"{name} takes two values and an INTERVAL")
    first, last = (as_type(node, scope, name, argument(part, scope), kind).sql for part in parts[:2])
    part, step = "DAY", 1
    if len(parts) == 3:
        part = unit_of(parts[2].args["unit"], scope)
        count = parts[2].this
        sign = -1 if isinstance(count, exp.Neg) else 1
        text = str((count.this if isinstance(count, exp.Neg) else count).this)
        if not text.lstrip("-").isdigit() or int(text) == 0:
            unsupported(scope.script.text, node, f"{name} with a step that is not a literal")
        step = sign * int(text)
    elif kind == TIMESTAMP:
        wrong(scope.script.text, node, f"{name} needs an INTERVAL")
    return Typed(_series(node, scope, kind, first, last, part, step), array_of(kind))


def _series(node: exp.Expr, scope: Scope, kind: SqlType, first: str, last: str, part: str, step: int) -> str:
    """Each element is the one before it, moved: after 31 January and 29 February comes 29 March."""
    if kind == TIMESTAMP and part not in (*CLOCK_UNITS, "DAY"):
        wrong(scope.script.text, node, f"GENERATE_TIMESTAMP_ARRAY does not take {part}")
    if kind == DATE and part in CLOCK_UNITS:
        wrong(scope.script.text, node, f"GENERATE_DATE_ARRAY does not take {part}")
    stored = "TIMESTAMP" if kind == DATE else "TIMESTAMPTZ"
    span = interval_sql(f"({step}::BIGINT)", part, node, scope)
    series = f"generate_series(CAST({{a}} AS {stored}), CAST({{b}} AS {stored}), {span})"
    if kind == DATE:
        series = f"CAST({series} AS DATE[])"
    return bind(f"(CASE WHEN {{a}} IS NULL OR {{b}} IS NULL THEN NULL ELSE {series} END)", a=first, b=last)
