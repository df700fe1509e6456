"""EXTRACT.

https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions#extract
"""

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.expressions import as_type, handles, no_signature
from warehouse.duckdb.translate.functions.dates import INSTANTS, local
from warehouse.duckdb.translate.functions.units import CLOCK_UNITS, first_day, unit_of
from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.text import bind
from warehouse.duckdb.translate.typed import INT64, INTERVAL, STRING, TIMESTAMP, Typed
from warehouse.types import SqlType


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
    if (kind == "DATE" and clock) or (kind == "TIME" and part not in CLOCK_UNITS) or part == "NANOSECOND":
        wrong(scope.script.text, node, f"EXTRACT of {kind} does not take {part}")
    if part in ("DATE", "TIME", "DATETIME"):
        if kind == "DATE" or (kind == "DATETIME" and part == "DATETIME"):
            wrong(scope.script.text, node, f"EXTRACT of {kind} does not take {part}")
        return Typed(f"CAST({sql} AS {t.duckdb_type(SqlType(part))})", SqlType(part))
    if part in ("MICROSECOND", "MILLISECOND"):
        found = f"(CAST(date_part('microsecond', {sql}) AS BIGINT) % 1000000)"
        return Typed(found if part == "MICROSECOND" else f"({found} // 1000)", INT64)
    if part == "DAYOFWEEK":
        return Typed(f"CAST(date_part('dow', {sql}) + 1 AS BIGINT)", INT64)
    if part.startswith("WEEK"):
        week = f"((date_part('doy', {{x}}) + 6 - (date_part('dow', {{x}}) + {7 - first_day(part)}) % 7) // 7)"
        return Typed(f"CAST({bind(week, x=sql)} AS BIGINT)", INT64)
    return Typed(f"CAST(date_part('{PARTS[part]}', {sql}) AS BIGINT)", INT64)


def _interval_part(node: exp.Expr, scope: Scope, value: Typed, part: str) -> Typed:
    if part in ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"):
        return Typed(f"CAST(date_part('{part.lower()}', {value.sql}) AS BIGINT)", INT64)
    return unsupported(scope.script.text, node, f"EXTRACT({part} FROM an INTERVAL)")
