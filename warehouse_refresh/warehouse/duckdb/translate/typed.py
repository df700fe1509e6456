"""DuckDB expressions with their GoogleSQL types."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from warehouse_refresh.warehouse.duckdb.translate.nodes import Array, Node, Struct
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.types import duckdb_type, field_names
from warehouse_refresh.warehouse.sql.literals import NULL, LiteralValue
from warehouse_refresh.warehouse.types import FLOAT64, STRING, Column, SqlType, array_of, struct_of


@dataclass(frozen=True, slots=True)
class Typed:
    """A DuckDB expression with its GoogleSQL type. `literal` is a literal's value, since literals coerce further than
    other expressions do; `parts` are the elements of an array or struct that is written out, for the same reason."""

    node: Node
    type: SqlType
    literal: LiteralValue = None
    parts: tuple["Typed", ...] = ()

    @property
    def is_null(self) -> bool:
        """Whether it is the literal NULL."""
        return self.literal is NULL


def array_value(parts: Iterable[Typed], type_: SqlType) -> Typed:
    """An array of these elements."""
    parts = tuple(parts)
    return Typed(Array(tuple([part.node for part in parts]), duckdb_type(type_)), type_, parts=parts)


def struct_value(parts: Iterable[Typed], type_: SqlType) -> Typed:
    """A struct of these fields."""
    parts = tuple(parts)
    fields = zip(field_names(type_), [part.node for part in parts], strict=True)
    return Typed(Struct(tuple(fields)), type_, parts=parts)


def picked(value: Typed, pick: Callable[[Node], Node]) -> Typed:
    """What `pick` makes of the value: an aggregate that gives one of several. DuckDB makes 0.0 of the -0.0 in an array
    or struct there, so their FLOAT64 go through it as text."""
    safe = _without_floats(value.type)
    if value.type == FLOAT64 or safe == value.type:
        return Typed(pick(value.node), value.type)
    texts = pick(sql(f"CAST({{x}} AS {duckdb_type(safe)})", x=value.node))
    return Typed(sql(f"CAST({{x}} AS {duckdb_type(value.type)})", x=texts), value.type)


def _without_floats(kind: SqlType) -> SqlType:
    """The type with STRING for each FLOAT64."""
    if kind.element is not None:
        return array_of(_without_floats(kind.element))
    if kind.fields:
        names = field_names(kind)
        return struct_of(
            *(Column(name, _without_floats(field.type)) for name, field in zip(names, kind.fields, strict=True))
        )
    return STRING if kind == FLOAT64 else kind
