"""Dates and times made of other values, and numbers made of them.

https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions#date
"""

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.casts import (
    DATETIME_OF_STRING,
    STRING_OF_DATETIME,
    cast_value,
)
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, no_signature
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_formats import AHEAD, local_clock
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_parts import (
    INSTANTS,
    checked,
    from_local_checked,
    local_checked,
    zone_of,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import (
    Definitions,
    Functions,
    argument,
    by_name,
    define,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.json.documents import json_scalar
from warehouse_refresh.warehouse.duckdb.translate.literals import is_null, no_value
from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal, Node, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import bare, name_of, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.translate.zones import UTC, local
from warehouse_refresh.warehouse.sql.literals import literal_as
from warehouse_refresh.warehouse.types import DATE, DATETIME, INT64, JSON, STRING, TIME, TIMESTAMP, SqlType

_FLOOR = "CASE WHEN epoch_us({{a}}) >= 0 THEN epoch_us({{a}}) // {0} ELSE -((-epoch_us({{a}}) + {0} - 1) // {0}) END"

DEFINITIONS: Definitions = by_name(
    define("UNIX_SECONDS", "TIMESTAMP -> INT64", _FLOOR.format(1_000_000)),
    define("UNIX_MILLIS", "TIMESTAMP -> INT64", _FLOOR.format(1000)),
    define("UNIX_MICROS", "TIMESTAMP -> INT64", "epoch_us({a})"),
    define("UNIX_DATE", "DATE -> INT64", "({a} - DATE '1970-01-01')"),
)


def _cast(node: exp.Expr, scope: Scope, value: Typed, kind: SqlType) -> Typed:
    found = cast_value(value, kind)
    return found if found is not None else no_signature(node, scope, name_of(node), [value])


def constructor(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """DATE(…), DATETIME(…), TIMESTAMP(…), TIME(…)"""
    name = name_of(node)
    values = [argument(part, scope) for part in parts]
    if len(values) in (3, 6):
        return _from_numbers(node, scope, name, values)
    if len(values) == 2 and name == "DATETIME" and _is_clock(values[1], of=values[0]):
        day, clock = as_type(node, scope, name, values[0], DATE), as_type(node, scope, name, values[1], TIME)
        return Typed(sql("({d} + {t})", d=day.node, t=clock.node), DATETIME)
    if len(values) == 2:
        return _in_zone(node, scope, name, values)
    if len(values) != 1:
        wrong(scope.script.text, node, f"wrong number of arguments for {name}")
    return _from_one(node, scope, name, values[0])


def _is_clock(value: Typed, *, of: Typed) -> bool:
    """Whether the second argument of DATETIME is a time of day, not a time zone. NULL is one behind a DATE."""
    return value.type == TIME or (value.is_null and of.type == DATE)


def _from_one(node: exp.Expr, scope: Scope, name: str, value: Typed) -> Typed:
    if value.type == STRING and name == "DATE" and literal_as(value.literal, DATE) is None:  # it is read as a TIMESTAMP
        value = _timestamp_of(node, scope, name, value)
    if isinstance(value.literal, str) and name == "TIME":  # a text coerces to what TIME takes, not to a TIME
        value = as_type(node, scope, name, value, TIMESTAMP)
    if value.is_null:
        return no_value(SqlType(name))
    takes = ("TIME", "DATETIME", "TIMESTAMP") if name == "TIME" else ("DATE", "DATETIME", "TIMESTAMP", "STRING")
    if value.type.name not in takes:
        return no_signature(node, scope, name, [value])
    return _cast(node, scope, value, SqlType(name))


def _timestamp_of(node: exp.Expr, scope: Scope, name: str, text: Typed) -> Typed:
    if isinstance(bare(node.expressions[0]), exp.Literal | exp.Concat):  # with SAFE too its mistakes are errors
        return as_type(node, scope, name, text, TIMESTAMP)
    return _cast(node, scope, text, TIMESTAMP)


_CLOCK = (
    "make_time(CASE WHEN {s} NOT BETWEEN 0 AND 60 OR {h} NOT BETWEEN 0 AND 23 THEN error('Input calculates to invalid"
    " time') ELSE {h} END, {m}, CAST({s} AS DOUBLE))"
)


def _from_numbers(node: exp.Expr, scope: Scope, name: str, values: list[Typed]) -> Typed:
    if (name, len(values)) not in (("DATE", 3), ("TIME", 3), ("DATETIME", 6)):
        wrong(scope.script.text, node, f"wrong number of arguments for {name}")
    numbers = [as_type(node, scope, name, value, INT64).node for value in values]
    return Typed(unless_null(numbers, _BUILT[name]), SqlType(name))


def _day(numbers: Sequence[Node]) -> Node:
    year, month, day = numbers[:3]
    return checked(DATE, sql("make_date({a}, {b}, {c})", a=year, b=month, c=day))


def _time(numbers: Sequence[Node]) -> Node:
    hours, minutes, seconds = numbers[-3:]
    return sql(_CLOCK, h=hours, m=minutes, s=seconds)


_BUILT: Mapping[str, Callable[[Sequence[Node]], Node]] = {
    "DATE": _day,
    "TIME": lambda numbers: sql("({t} + INTERVAL 0 SECOND)", t=_time(numbers)),  # 24:00 is 00:00
    "DATETIME": lambda numbers: checked(DATETIME, sql("({d} + {t})", d=_day(numbers), t=_time(numbers))),
}


def _in_zone(node: exp.Expr, scope: Scope, name: str, values: list[Typed]) -> Typed:
    value, zone = values[0], zone_of(node, scope, name, values[1], values[0])
    if name == "TIMESTAMP":
        if value.type.name not in ("DATE", "DATETIME", "STRING") and not value.is_null:
            return no_signature(node, scope, name, values)
        if is_null(zone):
            return no_value(TIMESTAMP)
        if value.type == STRING and literal_as(value.literal, DATETIME) is not None:
            value = as_type(node, scope, name, value, DATETIME)
        if value.type == STRING:
            return Typed(unless_null([value.node], lambda texts: _of_text_in_zone(texts[0], zone)), TIMESTAMP)
        return Typed(from_local_checked(sql("CAST({x} AS TIMESTAMP)", x=value.node), zone), TIMESTAMP)
    to_clock = local if name == "TIME" else local_checked
    return _part(to_clock(as_type(node, scope, name, value, TIMESTAMP).node, zone), SqlType(name))


def _of_text_in_zone(text: Node, zone: Node) -> Node:
    moment = from_local_checked(sql(DATETIME_OF_STRING, x=text), zone)
    return moment if isinstance(zone, Literal) else sql("CASE WHEN {z} IS NOT NULL THEN {m} END", z=zone, m=moment)


def _part(clock: Node, kind: SqlType) -> Typed:
    """A DATETIME, or the DATE or TIME of it."""
    return Typed(clock if kind == DATETIME else sql(f"CAST({{x}} AS {kind.name})", x=clock), kind)


def string(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """STRING(timestamp [, zone]), STRING(date), STRING(json) and the like"""
    values = [argument(part, scope) for part in parts]
    if len(values) == 1 and values[0].is_null:
        return no_value(STRING)
    if len(values) == 1 and values[0].type == JSON:
        return json_scalar("STRING", values[0])
    if len(values) == 1 and isinstance(values[0].literal, str):
        values = [as_type(node, scope, "STRING", values[0], DATE)]
    if len(values) == 1 and values[0].type.name in INSTANTS:
        return _cast(node, scope, values[0], STRING)
    if len(values) != 2:
        return no_signature(node, scope, "STRING", values)
    moment = as_type(node, scope, "STRING", values[0], TIMESTAMP)
    zone = zone_of(node, scope, "STRING", values[1], moment)
    return Typed(let(moment.node, lambda instant: _text_in_zone(instant, local_clock(instant, zone))), STRING)


def _text_in_zone(instant: Node, clock: Node) -> Node:
    ahead = sql(AHEAD, x=instant, c=clock)
    return sql(f"({{t}} || {_OFFSET})", t=sql(STRING_OF_DATETIME, x=clock), m=ahead)


_OFFSET = (
    "CASE WHEN {m} < 0 THEN '-' ELSE '+' END || printf('%02d', abs({m}) // 60) || CASE WHEN {m} % 60 = 0 THEN '' ELSE"
    " printf(':%02d', abs({m}) % 60) END"
)


def current(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """CURRENT_DATE([zone]) and the like"""
    name = name_of(node)
    zone = zone_of(node, scope, name, argument(parts[0], scope)) if parts else UTC
    return _now(SqlType(name.partition("_")[2]), zone)


def _now(kind: SqlType, zone: Node) -> Typed:
    now = sql("now()")
    return Typed(now, TIMESTAMP) if kind == TIMESTAMP else _part(local(now, zone), kind)


_BARE: dict[type[exp.Expr], SqlType] = {
    exp.CurrentDate: DATE,
    exp.CurrentDatetime: DATETIME,
    exp.CurrentTime: TIME,
    exp.CurrentTimestamp: TIMESTAMP,
}


def current_bare(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """CURRENT_DATE without parentheses"""
    return _now(_BARE[type(node)], UTC)


_UNITS = {"TIMESTAMP_SECONDS": 1_000_000, "TIMESTAMP_MILLIS": 1000, "TIMESTAMP_MICROS": 1}


def from_unix(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """TIMESTAMP_SECONDS(n) and the like: that long after 1970 began"""
    name = name_of(node)
    if len(parts) != 1:
        wrong(scope.script.text, node, f"{name} takes one argument")
    count = as_type(node, scope, name, argument(parts[0], scope), INT64).node
    if name == "DATE_FROM_UNIX_DATE":
        return Typed(checked(DATE, sql("(DATE '1970-01-01' + ({n})::INTEGER)", n=count)), DATE)
    moment = sql(f"make_timestamptz({{n}} * {_UNITS[name]})", n=count)
    return Typed(checked(TIMESTAMP, moment), TIMESTAMP)


FUNCTIONS: Functions = {
    **dict.fromkeys(INSTANTS, constructor),
    "STRING": string,
    **dict.fromkeys((f"CURRENT_{kind}" for kind in INSTANTS), current),
    "DATE_FROM_UNIX_DATE": from_unix,
    **dict.fromkeys(_UNITS, from_unix),
}
