"""Constants as DuckDB's nodes."""

from datetime import date, datetime, time
from decimal import Decimal

from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal, Node
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.translate.zones import from_local
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.sql.literals import CONSTANT, NULL, BigNumeric, Constant, FloatLiteral, Moment
from warehouse_refresh.warehouse.types import BOOL, FLOAT64, INT64, STRING, SqlType


def constant(value: Constant) -> Node:
    """A constant as a node of its type."""
    if isinstance(value, Moment):
        return _moment(value)
    if isinstance(value, datetime):
        return Literal(value.isoformat(" "), "TIMESTAMP")
    if isinstance(value, date):
        return Literal(value.isoformat(), "DATE")
    if isinstance(value, time):
        return Literal(value.isoformat(), "TIME")
    if isinstance(value, Decimal):
        return Literal(f"{value:f}", "DECIMAL(38,9)")
    if isinstance(value, BigNumeric):
        return Literal(str(value.units), "BIGNUM")
    if isinstance(value, str | bytes):
        return Literal(value)
    return Literal(value, "BIGINT" if isinstance(value, int) else "DOUBLE")


def _moment(value: Moment) -> Node:
    clock = value.clock.isoformat(" ")
    if isinstance(value.zone, int):
        sign, (hours, minutes) = "-" if value.zone < 0 else "+", divmod(abs(value.zone), 60)
        return Literal(f"{clock}{sign}{hours:02}:{minutes:02}", "TIMESTAMPTZ")
    return from_local(Literal(clock, "TIMESTAMP"), Literal(value.zone))


def integer(value: int) -> Typed:
    """An INT64 literal."""
    return Typed(Literal(value, "BIGINT"), INT64, value)


def floating(value: FloatLiteral) -> Typed:
    """A FLOAT64 literal."""
    return Typed(Literal(float(value), "DOUBLE"), FLOAT64, value)


def string(value: str) -> Typed:
    """A STRING literal."""
    return Typed(Literal(value), STRING, value)


def truth(value: bool) -> Typed:
    """TRUE or FALSE."""
    return Typed(Literal(value), BOOL, CONSTANT)


def null(type_: SqlType) -> Typed:
    """NULL of a type. Raises UnsupportedSql for a type that DuckDB does not hold."""
    return Typed(Literal(None, duckdb_type(type_)), type_, NULL)


def no_value(type_: SqlType) -> Typed:
    """NULL as a function's result: unlike the literal, it coerces no further than its type."""
    return Typed(null(type_).node, type_)


def is_null(node: Node) -> bool:
    """Whether it is NULL, of whatever type."""
    return isinstance(node, Literal) and node.value is None
