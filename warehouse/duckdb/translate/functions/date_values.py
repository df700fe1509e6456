"""Dates and times made of other values.

https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions#date
"""

from sqlglot import exp

from warehouse.duckdb.translate.casts import cast_value
from warehouse.duckdb.translate.expressions import as_type, handles, no_signature
from warehouse.duckdb.translate.functions.dates import INSTANTS, local
from warehouse.duckdb.translate.functions.intervals import interval_sql
from warehouse.duckdb.translate.functions.registry import argument, define, function
from warehouse.duckdb.translate.functions.units import CHECKED, CLOCK_UNITS, checked_date, unit_of
from warehouse.duckdb.translate.literals import from_local
from warehouse.duckdb.translate.scope import EXPRESSIONS, Scope
from warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse.duckdb.translate.text import bind
from warehouse.duckdb.translate.typed import DATE, DATETIME, INT64, STRING, TIME, TIMESTAMP, Typed
from warehouse.types import SqlType, array_of


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
    check = (
        f"CASE WHEN {second} NOT BETWEEN 0 AND 59 OR {hour} NOT BETWEEN 0 AND 23 THEN error('Input calculates to"
        f" invalid time') ELSE {hour} END"
    )
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
        return EXPRESSIONS["json_scalar"]("STRING", values[0])  # type: ignore[no-any-return] # a late binding
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
    names: dict[type[exp.Expr], str] = {
        exp.CurrentDate: "CURRENT_DATE",
        exp.CurrentDatetime: "CURRENT_DATETIME",
        exp.CurrentTime: "CURRENT_TIME",
    }
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
