"""Columns of queries: their names and types in DuckDB."""

from collections.abc import Sequence
from dataclasses import replace

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerced
from warehouse_refresh.warehouse.duckdb.translate.nodes import Field, FromItem, Item, Node, Select
from warehouse_refresh.warehouse.duckdb.translate.scope import Output, Relation
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import field_names, identical
from warehouse_refresh.warehouse.sql.literals import NULL
from warehouse_refresh.warehouse.types import SqlType


def with_types(relation: Relation, kinds: Sequence[SqlType]) -> Node:
    """The query with its columns as types that they coerce to."""
    pairs = list(zip(relation.columns, kinds, strict=True))
    if all(identical(column.type, kind) and column.literal is not NULL for column, kind in pairs):
        return relation.query
    items = [Item(coerced(reread(column, "q$"), kind).node, column.column) for column, kind in pairs]
    return Select(tuple(items), FromItem(relation.query, "q$"))


def reread(column: Output, alias: str) -> Typed:
    """A query's column as a value, read by the query's alias. It coerces as far as what the query computes."""
    return _read(Typed(column.of(alias).node, column.type, column.literal, column.parts))


def _read(value: Typed) -> Typed:
    """The value, its parts read from it: what they are made of cannot be named outside of the query."""
    if value.type.name == "STRUCT":
        nodes: list[Node] = [Field(value.node, name) for name in field_names(value.type)]
    else:
        nodes = [sql(f"{{x}}[{index}]", x=value.node) for index in range(1, len(value.parts) + 1)]
    pairs = zip(nodes, value.parts, strict=False)
    parts = [_read(Typed(node, part.type, part.literal, part.parts)) for node, part in pairs]
    return Typed(value.node, value.type, value.literal, tuple(parts))


def without_literals(columns: Sequence[Output]) -> tuple[Output, ...]:
    """The columns, each of which coerces no further than its type."""
    return tuple([replace(column, literal=None, parts=()) for column in columns])


def unique(names: Sequence[str]) -> list[str]:
    """Names for DuckDB: each one there, and different from all others without regard to case."""
    found: list[str] = []
    given = {name.casefold() for name in names}
    taken: set[str] = set()
    for index, name in enumerate(names):
        own = name
        while not own or own.casefold() in taken or (own != name and own.casefold() in given):
            own = f"{own}_{index}_"
        taken.add(own.casefold())
        found.append(own)
    return found
