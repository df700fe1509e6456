"""The date of a TIMESTAMP, compared with a constant date: as the TIMESTAMP, compared with the midnight of a day.

DuckDB skips the rows that its statistics of a column rule out. It does so for a column that is compared, and not for
`CAST(timezone('UTC', seen) AS DATE) >= '2024-01-31'`, which reads all of a table for each of its days.
"""

from datetime import date, timedelta

from warehouse_refresh.warehouse.duckdb.translate.nodes import Chain, Literal, Node
from warehouse_refresh.warehouse.duckdb.translate.templates import Filled, sql
from warehouse_refresh.warehouse.duckdb.translate.zones import UTC

_SIGNS = {">=": (">=", 0), "<": ("<", 0), ">": (">=", 1), "<=": ("<", 1)}
"""The sign to compare the TIMESTAMP by, and how many days after the date."""


def by_midnight(sign: str, day: Node, constant: Node) -> Node | None:
    """The comparison of a day with a constant one; None if it is no date of a TIMESTAMP in UTC."""
    moment = _moment(day)
    at = _constant(constant)
    if moment is None or sign not in _SIGNS or at is None:
        return None
    other, days = _SIGNS[sign]
    if days and at == date.max:
        return None
    midnight = Literal(f"{at + timedelta(days=days)} 00:00:00+00:00", "TIMESTAMPTZ")
    return sql(f"({{a}} {other} {{b}})", a=moment, b=midnight)


def within_days(day: Node, first: Node, last: Node) -> Node | None:
    """Whether a day is one of those between two constant ones; None as above, and if it would be computed twice."""
    moment = _moment(day)
    if moment is None or not moment.cheap:
        return None
    bounds = by_midnight(">=", day, first), by_midnight("<=", day, last)
    return Chain("AND", (bounds[0], bounds[1])) if bounds[0] is not None and bounds[1] is not None else None


def _constant(node: Node) -> date | None:
    """The constant date that this is."""
    if isinstance(node, Literal) and node.type == "DATE" and isinstance(node.value, str):
        return date.fromisoformat(node.value)
    return None


def _moment(day: Node) -> Node | None:
    """The TIMESTAMP of which this is the date in UTC."""
    if not isinstance(day, Filled):
        return None
    if day.template.text == "CAST(timezone('UTC', {x}) AS DATE)":
        return day.arguments[0]
    clock = day.arguments[0] if day.template.text == "CAST({x} AS DATE)" else None
    is_local = isinstance(clock, Filled) and clock.template.text == "timezone({z}, {x})"
    return clock.arguments[1] if is_local and isinstance(clock, Filled) and clock.arguments[0] == UTC else None
