"""DuckDB expressions with their GoogleSQL types."""

from collections.abc import Iterable
from dataclasses import dataclass

from warehouse_refresh.warehouse.duckdb.translate.nodes import Array, Node, Struct
from warehouse_refresh.warehouse.duckdb.types import duckdb_type, field_names
from warehouse_refresh.warehouse.sql.literals import NULL, LiteralValue
from warehouse_refresh.warehouse.types import SqlType


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
