"""GoogleSQL's coercions as DuckDB writes them. Which there are is said in `warehouse.sql.coercion`."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from warehouse_refresh.warehouse.duckdb.translate.literals import constant, null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Array, Case, Field, Literal, Node, Struct, each, let
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed, array_value, struct_value
from warehouse_refresh.warehouse.duckdb.types import duckdb_type, field_names, identical
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.sql.coercion import coerces, is_constant, part_types, same
from warehouse_refresh.warehouse.sql.literals import (
    BIGNUMERIC_SCALE,
    FAILURE,
    NUMERIC_SCALE,
    BigNumeric,
    FloatLiteral,
    LiteralValue,
    literal_as,
    literal_coerces,
    read_bignumeric,
)
from warehouse_refresh.warehouse.types import Column, SqlType

_EXAMPLES = {
    "DATE": "'2024-01-31'",
    "TIME": "'13:45:00'",
    "DATETIME": "'2024-01-31 13:45:00'",
    "TIMESTAMP": "'2024-01-31 13:45:00+00'",
}


class InvalidLiteral(SqlError):
    """A literal is read as a type that has no such value. The compiler finds where the `text` of it stands."""

    text = ""


def _invalid(literal: LiteralValue, to: SqlType) -> InvalidLiteral:
    if isinstance(literal, str):
        error = InvalidLiteral(f"{literal!r} is not a {to}", hint=f"write a {to} such as {_EXAMPLES[to.name]}")
        error.text = literal
    else:
        text = literal.source if isinstance(literal, FloatLiteral) else str(literal)
        error = InvalidLiteral(f"{text} is too large for a {to}", hint=f"write CAST({text} AS FLOAT64)")
        error.text = text.removeprefix("-")
    return error


def coerce(value: Typed, to: SqlType) -> Typed | None:
    """The value as that type; None if GoogleSQL does not turn it into that by itself. Raises InvalidLiteral,
    UnsupportedSql."""
    return coerced(value, to) if coerces(value, to) else None


def coerced(value: Typed, to: SqlType) -> Typed:
    """The value as a type that it coerces to. Raises InvalidLiteral, UnsupportedSql."""
    if value.is_null:
        return null(to)
    if value.literal is FAILURE and value.type != to:  # by way of a text, which DuckDB casts to any type
        return Typed(sql(f"CAST(CAST({{x}} AS VARCHAR) AS {duckdb_type(to)})", x=value.node), to)
    if same(value.type, to):
        if identical(value.type, to):
            return value
        if not value.parts:
            return Typed(relabelled(value.node, value.type, to), to)
    if value.parts:
        kinds = part_types(value, to) or ()
        whole = _computed(value) if to.element is not None or is_constant(value) else value
        parts = [coerced(part, kind) for part, kind in zip(whole.parts, kinds, strict=True)]
        return array_value(parts, to) if to.element is not None else struct_value(parts, to)
    if to.element is not None:
        return Typed(Array((), duckdb_type(to)), to)
    return Typed(_of_literal(value.literal, to) if literal_coerces(value.literal, to) else _widened(value, to), to)


def _computed(value: Typed) -> Typed:
    """A value in which each number with a point is what a FLOAT64 holds of it. So are those of an array, and of a
    struct of literals alone, which become another type as a whole."""
    if isinstance(value.literal, FloatLiteral):
        return replace(value, literal=FloatLiteral(f"{Decimal(value.literal):f}", value.literal.source))
    return replace(value, parts=tuple(map(_computed, value.parts))) if value.parts else value


def _of_literal(literal: LiteralValue, to: SqlType) -> Node:
    found = literal_as(literal, to)
    if found is None:
        raise _invalid(literal, to)
    return constant(found)


def _widened(value: Typed, to: SqlType) -> Node:
    if to.name == "STRUCT":
        return by_field(value.node, value.type, to, lambda x, old, new: coerced(Typed(x, old.type), new.type).node)
    if "BIGNUMERIC" in (value.type.name, to.name):
        return _big_widened(value, to)
    if value.type.name == "NUMERIC":  # by way of its digits: DuckDB's own way is off by a bit
        return sql("CAST(CAST({x} AS VARCHAR) AS DOUBLE)", x=value.node)
    return sql(f"CAST({{x}} AS {duckdb_type(to)})", x=value.node)


BIG_OF_INT64 = f"CAST(CAST({{x}} AS VARCHAR) || '{'0' * BIGNUMERIC_SCALE}' AS BIGNUM)"
BIG_OF_NUMERIC = (
    "CAST(replace(CAST(CAST({x} AS DECIMAL(38,9)) AS VARCHAR), '.', '') ||"
    f" '{'0' * (BIGNUMERIC_SCALE - NUMERIC_SCALE)}' AS BIGNUM)"
)
FLOAT_OF_BIG = "googlesql_bignumeric_to_float64({x})"


def _big_widened(value: Typed, to: SqlType) -> Node:
    if to.name != "BIGNUMERIC":
        return sql(FLOAT_OF_BIG, x=value.node)
    if value.type.name == "NUMERIC" and isinstance(value.node, Literal) and value.node.value is not None:
        return constant(BigNumeric(read_bignumeric(str(value.node.value)) or 0))
    return sql(BIG_OF_NUMERIC if value.type.name == "NUMERIC" else BIG_OF_INT64, x=value.node)


def relabelled(node: Node, kind: SqlType, to: SqlType) -> Node:
    """A value of the same type with other names for its fields: DuckDB would match them by name."""
    if identical(kind, to):
        return node
    if kind.element is not None and to.element is not None:
        element, wanted = kind.element, to.element
        return each(node, lambda item: relabelled(item, element, wanted))
    return by_field(node, kind, to, lambda field, old, new: relabelled(field, old.type, new.type))


def by_field(struct: Node, kind: SqlType, to: SqlType, convert: Callable[[Node, Column, Column], Node]) -> Node:
    """A struct of type `kind` as one of type `to`, with each field converted; NULL stays NULL."""
    fields = list(zip(field_names(kind), kind.fields, field_names(to), to.fields, strict=True))

    def converted(value: Node) -> Node:
        found = converted_fields([Field(value, old) for old, *_ in fields])
        return Case(((sql("{x} IS NULL", x=value), Literal(None)),), found)

    def converted_fields(values: list[Node]) -> Node:
        pairs = zip(values, fields, strict=True)
        return Struct(tuple([(new, convert(value, one, other)) for value, (_, one, new, other) in pairs]))

    if isinstance(struct, Struct):  # it is written out
        return converted_fields([value for _, value in struct.fields])
    return let(struct, converted)
