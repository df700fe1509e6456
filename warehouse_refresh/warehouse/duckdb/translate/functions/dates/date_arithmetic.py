"""INTERVAL, and what moves dates and times: DATE_ADD and the like, + and -, series of dates.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#interval_type
https://cloud.google.com/bigquery/docs/reference/standard-sql/operators#interval_arithmetic_operators
"""

import re
from decimal import Decimal

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerce
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, fails, only
from warehouse_refresh.warehouse.duckdb.translate.expressions.intervals import (
    DAYS_OF,
    MICROS_OF,
    MICROS_OF_DAY,
    MONTHS_OF,
    MOST_DAYS,
    MOST_MICROS,
    MOST_MONTHS,
    OUT_OF_RANGE,
    divided,
    in_range,
    made,
    scaled,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_parts import (
    CLOCK_UNITS,
    INSTANTS,
    MICROSECONDS,
    MONTHS,
    checked,
    of_kind,
    unit_of,
    units_between,
    units_of,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import (
    MOST_ELEMENTS,
    TOO_MANY,
    Functions,
    argument,
)
from warehouse_refresh.warehouse.duckdb.translate.literals import integer, no_value
from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal, Node
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.sql.coercion import supertype
from warehouse_refresh.warehouse.types import (
    DATE,
    DATETIME,
    INT64,
    INTERVAL,
    STRING,
    TIME,
    TIMESTAMP,
    SqlType,
    array_of,
)

# INTERVAL


def interval(node: exp.Expr, scope: Scope) -> Typed:
    """INTERVAL n DAY, INTERVAL '1-2' YEAR TO MONTH"""
    only(node, scope, "this", "unit")
    unit = node.args.get("unit")
    if isinstance(unit, exp.IntervalSpan):
        return _interval_range(node, scope, unit)
    if unit is None:
        wrong(scope.script.text, node, "INTERVAL needs a date part")
    text = str(node.this.this) if isinstance(node.this, exp.Literal) and node.this.args.get("is_string") else ""
    if unit_of(unit, scope) == "SECOND" and _SECONDS.fullmatch(text) and f"{text}'" in scope.script.text:
        return Typed(interval_of(node, scope, integer(int(Decimal(text) * 1_000_000)).node, "MICROSECOND"), INTERVAL)
    return Typed(interval_of(node, scope, count_of(node, scope), unit_of(unit, scope)), INTERVAL)


_SECONDS = re.compile(r"[+-]?\d*\.\d{1,6}")


def count_of(node: exp.Expr, scope: Scope) -> Node:
    """How many units an INTERVAL has."""
    inner = node.this
    if isinstance(inner, exp.Literal) and inner.args.get("is_string"):
        text = str(inner.this)
        if not re.fullmatch(r"[+-]?\d+", text) or not -(2**63) <= int(text) < 2**63:
            wrong(scope.script.text, node, f"invalid INTERVAL value {text!r}")
        return integer(int(text)).node
    return as_type(node, scope, "INTERVAL", scope.compile(inner), INT64).node


_UNITS = {
    **{part: ("microseconds", size, MOST_MICROS) for part, size in MICROSECONDS.items()},
    **{part: ("months", size, MOST_MONTHS) for part, size in MONTHS.items()},
    "DAY": ("days", 1, MOST_DAYS),
    "WEEK": ("days", 7, MOST_DAYS),
}
"""Of each unit the part of an INTERVAL that it counts in, how many of that it is, and how many there can be."""


def interval_of(node: exp.Expr, scope: Scope, count: Node, part: str) -> Node:
    """That many of a unit as an INTERVAL."""
    if part not in _UNITS:
        wrong(scope.script.text, node, f"INTERVAL does not take {part}")
    unit, size, most = _UNITS[part]
    number = "({n})::BIGINT" if unit == "microseconds" else "({n})::INTEGER"
    span = f"to_{unit}({number} * {size})"
    if isinstance(count, Literal) and isinstance(count.value, int) and abs(count.value) * size <= most:
        return sql(span, n=count)
    return sql(f"CASE WHEN abs({{n}}::HUGEINT) > {most // size} THEN {OUT_OF_RANGE} ELSE {span} END", n=count)


_SPANS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")


def _interval_range(node: exp.Expr, scope: Scope, unit: exp.Expr) -> Typed:
    names = [part.name.upper() if isinstance(part, exp.Expr) else "" for part in (unit.this, unit.expression)]
    if not set(names) <= set(_SPANS):
        wrong(scope.script.text, node, f"an INTERVAL goes not from {' to '.join(names)}", "write DAY TO SECOND")
    first, last = map(_SPANS.index, names)
    parts = interval_parts(str(node.this.this), first, last) if isinstance(node.this, exp.Literal) else None
    if parts is None:
        unsupported(scope.script.text, node, f"this INTERVAL … {_SPANS[first]} TO {_SPANS[last]}")
    months, days, microseconds = parts
    if abs(months) > MOST_MONTHS or abs(days) > MOST_DAYS or abs(microseconds) > MOST_MICROS:
        wrong(scope.script.text, node, "the INTERVAL is out of range: it is longer than 10,000 years")
    return Typed(sql(f"(to_months({months}) + to_days({days}) + to_microseconds({microseconds}))"), INTERVAL)


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
            if (
                not whole.isdigit()
                or (fraction and not fraction.isdigit())
                or (fraction and (slot != 5 or len(fraction) > 6))
            ):
                return None
            values[slot] = sign * int(whole)
            micros += sign * int(fraction[:6].ljust(6, "0") or 0) if fraction else 0
    seconds = values[3] * 3600 + values[4] * 60 + values[5]
    return values[0] * 12 + values[1], values[2], seconds * 1_000_000 + micros


# Moving


_IN_A_DAY = {
    "HOUR": 24,
    "MINUTE": 24 * 60,
    "SECOND": 24 * 60 * 60,
    "MILLISECOND": 24 * 60 * 60 * 1000,
    "MICROSECOND": 24 * 60 * 60 * 1_000_000,
}


def shifted(node: exp.Expr, scope: Scope, value: Typed, count: Node, part: str) -> Typed:
    """A date or time that many units later. Raises SqlError for a unit that it does not have."""
    if value.type == DATE and part in CLOCK_UNITS:
        value = Typed(sql("CAST({x} AS TIMESTAMP)", x=value.node), DATETIME)
    kind = value.type
    if part not in units_of(kind.name) or part.startswith(("WEEK(", "ISO")):
        wrong(scope.script.text, node, f"{kind} cannot be moved by {part}")
    if kind == DATE and part in ("DAY", "WEEK"):
        moved = sql(f"({{x}} + ({{n}} * {7 if part == 'WEEK' else 1})::INTEGER)", x=value.node, n=count)
        return Typed(checked(DATE, moved), DATE)
    if kind == TIMESTAMP and part == "DAY":
        step = sql("to_hours(({n} * 24)::BIGINT)", n=count)
    elif kind == TIME:  # the clock goes round
        step = interval_of(node, scope, sql(f"({{n}} % {_IN_A_DAY[part]})", n=count), part)
    else:
        step = interval_of(node, scope, count, part)
    template = "CAST(({x} + {s}) AS DATE)" if kind == DATE else "({x} + {s})"
    return Typed(checked(kind, sql(template, x=value.node, s=step)), kind)


def add(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """DATE_ADD(x, INTERVAL n unit) and the like"""
    name = name_of(node)
    if len(parts) != 2 or not isinstance(parts[1], exp.Interval):
        wrong(scope.script.text, node, f"{name} takes a value and an INTERVAL", f"write {name}(x, INTERVAL 1 DAY)")
    kind = name.partition("_")[0]
    given = argument(parts[0], scope)
    value = of_kind(node, scope, given, kind)
    unit = parts[1].args.get("unit")
    if unit is None or isinstance(unit, exp.IntervalSpan):
        unsupported(scope.script.text, node, f"{name} with this INTERVAL")
    part = unit_of(unit, scope)
    is_date = given.type == DATE or (kind == "DATE" and given.type == STRING)
    if part in CLOCK_UNITS and given.is_null and kind == "DATE":
        return no_value(DATE)
    if part in CLOCK_UNITS and is_date:
        wrong(scope.script.text, node, f"{name} of a DATE does not take {part}", "use DATETIME_ADD")
    count = count_of(parts[1], scope)
    if name == "TIME_SUB":  # less than a day of them, so that the smallest INT64 can be taken
        count = sql(f"({{n}} % {_IN_A_DAY[part]})", n=count) if part in _IN_A_DAY else count
    return shifted(node, scope, value, sql("(-{n})", n=count) if name.endswith("SUB") else count, part)


# + and -


def date_arithmetic(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> Typed | None:
    """+, - and * with a date, a time or an INTERVAL; None if neither side is one."""
    if one.is_null or other.is_null:
        return None
    if sign in "*/":
        return _multiple(sign, one, other)
    one, other = _with_days(node, scope, sign, one, other)
    kinds = one.type.name, other.type.name
    if "INTERVAL" in kinds:
        return _with_interval(node, scope, sign, one, other)
    if kinds == ("DATE", "INT64") or (kinds == ("INT64", "DATE") and sign == "+"):
        day, count = (one, other) if kinds[0] == "DATE" else (other, one)
        return Typed(checked(DATE, sql(f"({{x}} {sign} ({{n}})::INTEGER)", x=day.node, n=count.node)), DATE)
    if sign == "-":
        return _between(one, other)
    return None


def _with_days(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> tuple[Typed, Typed]:
    """Both operands, with a DATE for a literal text: `'2024-01-31' + 1`, `'2024-01-31' - '2024-01-01'`."""
    texts = isinstance(one.literal, str), isinstance(other.literal, str)
    counts = one.type in (INT64, INTERVAL), other.type in (INT64, INTERVAL)
    if texts[0] and (counts[1] or (sign == "-" and texts[1])):
        one = as_type(node, scope, f"operator {sign}", one, DATE)
    if texts[1] and ((sign == "+" and counts[0]) or (sign == "-" and texts[0])):
        other = as_type(node, scope, f"operator {sign}", other, DATE)
    return one, other


def _multiple(sign: str, one: Typed, other: Typed) -> Typed | None:
    """An INTERVAL times a number, or divided by one; None for other values."""
    kinds = one.type.name, other.type.name
    if kinds == ("INTERVAL", "INT64"):
        return Typed((scaled if sign == "*" else divided)(one.node, other.node), INTERVAL)
    return Typed(scaled(other.node, one.node), INTERVAL) if (sign, *kinds) == ("*", "INT64", "INTERVAL") else None


_DAYS_AND_TIME = "(to_days(({x} // 86400000000)::INTEGER) + to_microseconds({x} % 86400000000))"


def _between(one: Typed, other: Typed) -> Typed | None:
    """The INTERVAL between two dates or times; None if the values are none."""
    kind = supertype([one, other])
    if kind is None or kind.name not in INSTANTS:
        return None
    a, b = coerce(one, kind), coerce(other, kind)
    if a is None or b is None:
        return None
    if kind == DATE:
        return Typed(sql("to_days(({a} - {b})::INTEGER)", a=a.node, b=b.node), INTERVAL)
    micros = units_between(kind.name, a.node, b.node, "MICROSECOND")
    return Typed(sql(_DAYS_AND_TIME if kind == DATETIME else "to_microseconds({x})", x=micros), INTERVAL)


_WITHOUT_MONTHS = (
    "(CASE WHEN date_part('month', {x}) <> 0 OR date_part('year', {x}) <> 0 THEN error('TIMESTAMP and months')"
    " ELSE {x} END)"
)


def _with_interval(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> Typed | None:
    template = f"({{x}} {sign} {{i}})"
    if one.type == other.type:
        return Typed(in_range(sql(template, x=one.node, i=other.node)), INTERVAL)
    if one.type == INTERVAL:
        if sign == "-":
            return None
        one, other = other, one
    kind = one.type.name
    if kind == "DATE":
        moment = sql("CAST({x} AS TIMESTAMP)", x=one.node)
        return Typed(checked(DATETIME, sql(template, x=moment, i=other.node)), DATETIME)
    if kind == "DATETIME":
        return Typed(checked(DATETIME, sql(template, x=one.node, i=other.node)), DATETIME)
    if kind == "TIMESTAMP":
        span = sql(_WITHOUT_MONTHS, x=other.node)
        return Typed(checked(TIMESTAMP, sql(template, x=one.node, i=span)), TIMESTAMP)
    return unsupported(scope.script.text, node, f"{sign} of {kind} and INTERVAL") if kind == "TIME" else None


# Series


def generate(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """GENERATE_DATE_ARRAY(from, to [, INTERVAL n unit])"""
    name = name_of(node)
    kind = DATE if "DATE" in name else TIMESTAMP
    if len(parts) not in (2, 3) or (len(parts) == 3 and not isinstance(parts[2], exp.Interval)):
        wrong(scope.script.text, node, f"{name} takes two values and an INTERVAL")
    first, last = (as_type(node, scope, name, argument(part, scope), kind).node for part in parts[:2])
    part, step = "DAY", 1
    if len(parts) == 3:
        if parts[2].args.get("unit") is None:
            wrong(scope.script.text, node, "INTERVAL needs a date part", "write INTERVAL 1 HOUR")
        part = unit_of(parts[2].args["unit"], scope)
        step = max(-_longest(part), min(step_of(node, scope, parts[2].this), _longest(part)))
    elif kind == TIMESTAMP:
        wrong(scope.script.text, node, f"{name} needs an INTERVAL")
    if (kind == TIMESTAMP and part not in units_of("TIMESTAMP")) or (kind == DATE and part in CLOCK_UNITS):
        wrong(scope.script.text, node, f"{name} does not take {part}")
    span = interval_of(node, scope, integer(step).node, part)
    length = Literal(length_of(step, part))
    return Typed(sql(_SERIES[kind.name], a=first, b=last, s=span, n=length), array_of(kind))


def _longest(part: str) -> int:
    """A step that leaves the calendar from any day, and the longest that an INTERVAL holds:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#interval_type"""
    if part in MONTHS:
        return 120_000 // MONTHS[part]
    return 3_660_000 * MICROSECONDS["DAY"] // MICROSECONDS.get(part, 7 * MICROSECONDS["DAY"])


def length_of(count: int, part: str) -> int:
    """How many microseconds so many of a unit take at least."""
    return count * (MICROSECONDS.get(part) or MICROSECONDS["DAY"] * (28 if part in MONTHS else 7))


def step_of(node: exp.Expr, scope: Scope, count: exp.Expr) -> int:
    """A whole number that stands in the text."""
    sign = -1 if isinstance(count, exp.Neg) else 1
    text = str((count.this if isinstance(count, exp.Neg) else count).this)
    if not text.lstrip("-").isdigit() or int(text) == 0:
        unsupported(scope.script.text, node, f"{name_of(node)} with a step that is not a literal")
    return sign * int(text)


# Each element is the one before it, moved: after 31 January and 29 February comes 29 March.
_MANY = f"(epoch_us({{b}}) - epoch_us({{a}})) // {{n}} >= {MOST_ELEMENTS}"
_WITHIN = f"(CASE WHEN {{a}} IS NULL OR {{b}} IS NULL THEN NULL WHEN {_MANY} THEN {TOO_MANY} ELSE "
_LAST = (
    f"CASE WHEN {_MANY} THEN {{a}} ELSE {{b}} END"  # DuckDB computes constants also in a branch that it does not take
)
_SERIES = {
    "DATE": (
        f"{_WITHIN}CAST(generate_series(CAST({{a}} AS TIMESTAMP), CAST({_LAST} AS TIMESTAMP), {{s}}) AS DATE[]) END)"
    ),
    "TIMESTAMP": f"{_WITHIN}generate_series({{a}}, {_LAST}, {{s}}) END)",
}


# Buckets

_ORIGIN = "1950-01-01"


def bucket(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """DATE_BUCKET(x, INTERVAL n unit [, origin]): the start of the interval that holds x; one begins at the origin"""
    name = name_of(node)
    if len(parts) not in (2, 3) or not (isinstance(parts[1], exp.Interval) or scope.compile(parts[1]).type == INTERVAL):
        wrong(scope.script.text, node, f"{name} takes a value and an INTERVAL", f"write {name}(x, INTERVAL 7 DAY)")
    unit = parts[1].args.get("unit")
    if unit is None or isinstance(unit, exp.IntervalSpan):
        unsupported(scope.script.text, node, f"{name} with this INTERVAL")
    part, width = unit_of(unit, scope), step_of(node, scope, parts[1].this)
    values = [argument(given, scope) for given in (parts[0], *parts[2:])]
    kind = _kind_of_bucket(values) or SqlType(name.partition("_")[0])
    if part not in units_of("DATETIME") or part.startswith(("WEEK(", "ISO")):
        wrong(scope.script.text, node, f"{name} does not take an INTERVAL of {part}")
    value, *origins = [as_type(node, scope, name, given, kind).node for given in values]
    if width < 0:
        return fails(kind, f"{name} takes an INTERVAL above 0", value, *origins)
    if (kind == DATE and part in CLOCK_UNITS) or (kind == TIMESTAMP and part in MONTHS):
        return fails(kind, f"{name} does not take an INTERVAL of {part}", value, *origins)
    origin = origins[0] if origins else Literal(_ORIGIN)
    length = Literal(width * (MONTHS.get(part) or MICROSECONDS.get(part) or MICROSECONDS["DAY"] * 7))
    template = _BUCKETS["MONTH" if part in MONTHS else kind.name]
    found = sql(template, x=value, o=origin, n=length)
    return Typed(checked(kind, sql(f"CAST({{x}} AS {duckdb_type(kind)})", x=found)), kind)


def _kind_of_bucket(values: list[Typed]) -> SqlType | None:
    """The type of the value and the origin, whatever the function's name says; None if literals leave that to it."""
    kinds = [value.type for value in values if value.literal is None and not value.is_null]
    if not kinds or kinds[0] not in (DATE, DATETIME, TIMESTAMP) or values[0].literal is not None:
        return None
    return DATETIME if DATETIME in kinds and kinds[0] == DATE else kinds[0]


def _floor(since: str) -> str:
    """A count cut to a multiple of {n}, downwards."""
    return f"({since} - ({since} % {{n}} + {{n}}) % {{n}})"


_MONTHS_SINCE = (
    "CAST((date_part('year', {x}) - date_part('year', {o})) * 12 + date_part('month', {x}) - date_part('month', {o}) AS"
    " BIGINT)"
).replace("{o}", "CAST({o} AS TIMESTAMP)")
_IN_MONTH = f"(CAST({{o}} AS TIMESTAMP) + to_months({_floor(_MONTHS_SINCE)}::INTEGER))"
_ORIGIN_INSTANT = "timezone('UTC', CAST({o} AS TIMESTAMP))"
_BUCKETS = {
    "DATE": f"(CAST({{o}} AS DATE) + ({_floor('(({x} - CAST({o} AS DATE)) * 86400000000)')} // 86400000000)::INTEGER)",
    "DATETIME": (
        f"(CAST({{o}} AS TIMESTAMP) + to_microseconds({_floor('(epoch_us({x}) - epoch_us(CAST({o} AS TIMESTAMP)))')}))"
    ),
    "TIMESTAMP": (
        f"make_timestamptz(epoch_us({_ORIGIN_INSTANT}) + {_floor(f'(epoch_us({{x}}) - epoch_us({_ORIGIN_INSTANT}))')})"
    ),
    "MONTH": (
        f"CASE WHEN {_IN_MONTH} > CAST({{x}} AS TIMESTAMP)"
        f" THEN CAST({{o}} AS TIMESTAMP) + to_months(({_floor(_MONTHS_SINCE)} - {{n}})::INTEGER) ELSE {_IN_MONTH} END"
    ),
}

# Parts of an INTERVAL that grow too large

_ALL_DAYS = f"({MONTHS_OF} * 30 + {DAYS_OF})"
_DAYS_AND_MICROS = f"({DAYS_OF}::HUGEINT * {MICROS_OF_DAY} + {MICROS_OF})"
_ALL_MICROS = f"({_ALL_DAYS}::HUGEINT * {MICROS_OF_DAY} + {MICROS_OF})"
_JUSTIFIED = {
    "JUSTIFY_DAYS": made(f"{_ALL_DAYS} // 30", f"{_ALL_DAYS} % 30", MICROS_OF),
    "JUSTIFY_HOURS": made(MONTHS_OF, f"{_DAYS_AND_MICROS} // {MICROS_OF_DAY}", f"{_DAYS_AND_MICROS} % {MICROS_OF_DAY}"),
    "JUSTIFY_INTERVAL": made(
        f"{_ALL_MICROS} // ({MICROS_OF_DAY} * 30)",
        f"{_ALL_MICROS} % ({MICROS_OF_DAY} * 30) // {MICROS_OF_DAY}",
        f"{_ALL_MICROS} % {MICROS_OF_DAY}",
    ),
}


def justify(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """JUSTIFY_DAYS(i): 30 days are a month; JUSTIFY_HOURS(i): 24 hours are a day; JUSTIFY_INTERVAL(i): both"""
    name = name_of(node)
    if len(parts) != 1:
        wrong(scope.script.text, node, f"{name} takes one argument")
    value = as_type(node, scope, name, argument(parts[0], scope), INTERVAL)
    return Typed(sql(_JUSTIFIED[name], x=value.node), INTERVAL)


def make_interval(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """MAKE_INTERVAL([year] [, month] [, day] [, hour] [, minute] [, second]), each by position or by name"""
    found: dict[str, Node] = {}
    for index, part in enumerate(parts):
        named = isinstance(part, exp.Kwarg)
        span = part.this.name.upper() if named else _SPANS[index] if index < len(_SPANS) else ""
        if span not in _SPANS or span in found:
            wrong(scope.script.text, node, "MAKE_INTERVAL takes year, month, day, hour, minute, second")
        value = scope.compile(part.expression) if named else argument(part, scope)
        found[span] = as_type(node, scope, "MAKE_INTERVAL", value, INT64).node
    values = [found.get(span, integer(0).node) for span in _SPANS]
    micros = "{d}::HUGEINT * 3600000000 + {e}::HUGEINT * 60000000 + {f}::HUGEINT * 1000000"
    template = made("{a}::HUGEINT * 12 + {b}", "{c}", micros)
    return Typed(unless_null(values, lambda n: sql(template, **dict(zip("abcdef", n, strict=True)))), INTERVAL)


FUNCTIONS: Functions = {
    **dict.fromkeys((f"{kind}_{word}" for kind in INSTANTS for word in ("ADD", "SUB")), add),
    **dict.fromkeys(("DATE_BUCKET", "DATETIME_BUCKET", "TIMESTAMP_BUCKET"), bucket),
    **dict.fromkeys(_JUSTIFIED, justify),
    "MAKE_INTERVAL": make_interval,
    "GENERATE_DATE_ARRAY": generate,
    "GENERATE_TIMESTAMP_ARRAY": generate,
}
