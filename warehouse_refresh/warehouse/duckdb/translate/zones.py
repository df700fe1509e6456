"""Time zones: an offset from UTC, or a name.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#time_zones
"""

from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal, Node
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.sql.literals import NO_ZONE, ZONE_NAME

UTC = Literal("UTC")

BARE_OFFSET = r"[+-](\d{{1,2}}(:\d{{1,2}})?|\d{{4}})"
NAME = f"(?:{ZONE_NAME}|UTC{BARE_OFFSET})".replace("{2,}", "{{2,}}").replace("{1,2}-", "{{1,2}}-")
_OFFSET = f"'(UTC)?{BARE_OFFSET}'"
_HOURS = r"CAST(regexp_extract({z}, '[+-](\d{{1,2}})', 1) AS BIGINT)"
_MINUTES = r"CAST('0' || regexp_extract({z}, '[+-](\d{{1,2}}:|\d{{2}})(\d+)$', 2) AS BIGINT)"
CHECKED = (
    f"CASE WHEN regexp_full_match({{z}}, {_OFFSET}) THEN CASE WHEN {_HOURS} * 60 + {_MINUTES} > 840 OR {_MINUTES} > 59"
    " THEN error('Invalid time zone: ' || {z}) ELSE {z} END"
    f" WHEN NOT regexp_full_match({{z}}, '{NAME}') OR regexp_matches({{z}}, '^(?:{NO_ZONE})')"
    f" OR TRY_CAST('2000-01-01 00:00:00 ' || {{z}} AS TIMESTAMPTZ) IS NULL"
    " THEN error('Invalid time zone: ' || {z}) ELSE {z} END"
)
"""A time zone that comes from the data: check it as the query runs."""
SHIFT = (
    f"CASE WHEN regexp_full_match({{z}}, {_OFFSET}) THEN to_minutes((CASE WHEN contains({{z}}, '-') THEN -1 ELSE 1 END)"
    f" * ({_HOURS} * 60 + {_MINUTES})) ELSE INTERVAL 0 MINUTE END"
)
BASE = f"CASE WHEN regexp_full_match({{z}}, {_OFFSET}) THEN 'UTC' ELSE {{z}} END"

_INSTANT = "timezone({z}, {x})"
_EARLIER = [f"{_INSTANT} - INTERVAL {minutes} MINUTE" for minutes in (60, 30)]
FROM_LOCAL = (
    f"(CASE {' '.join(f'WHEN timezone({{z}}, {moment}) = {{x}} THEN {moment}' for moment in _EARLIER)}"
    f" ELSE {_INSTANT} END)"
)


def offset(minutes: int) -> Node:
    """The zone that is this many minutes ahead of UTC."""
    return Literal(minutes, "BIGINT") if minutes else UTC


def local(value: Node, zone: Node = UTC) -> Node:
    """A TIMESTAMP as the DATETIME on the clocks of a zone."""
    if not isinstance(zone, Literal):
        shift, base = sql(SHIFT, z=zone), sql(BASE, z=zone)
        return unless_null([value], lambda n: sql("(timezone({z}, {x}) + {s})", z=base, x=n[0], s=shift))
    if isinstance(zone.value, int):
        return sql("(timezone('UTC', {x}) + to_minutes({m}))", x=value, m=zone)
    return sql("timezone({z}, {x})", z=zone, x=value)


def from_local(clock: Node, zone: Node) -> Node:
    """The TIMESTAMP at which the clocks of a zone show a DATETIME: the first one, where they show it twice (DuckDB has
    the second)."""
    if zone == UTC:
        return sql("timezone('UTC', {x})", x=clock)
    if not isinstance(zone, Literal):
        shift, base = sql(SHIFT, z=zone), sql(BASE, z=zone)
        return unless_null([clock], lambda n: sql(FROM_LOCAL, x=sql("({x} - {s})", x=n[0], s=shift), z=base))
    if isinstance(zone.value, int):
        return sql("timezone('UTC', {x} - to_minutes({m}))", x=clock, m=zone)
    return sql(FROM_LOCAL, x=clock, z=zone)
