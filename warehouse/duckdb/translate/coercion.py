"""GoogleSQL's rules of coercion: what it turns into what by itself.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules
"""

import math
from collections.abc import Iterable
from typing import Any

from warehouse.duckdb.translate.literals import TEXT_READERS, numeric_sql
from warehouse.duckdb.translate.text import bytes_sql, quoted, string_sql
from warehouse.duckdb.translate.typed import (
    EMPTY,
    FLOAT64,
    INT64,
    NULL,
    Typed,
    array_sql,
    duckdb_type,
    field_names,
    identical,
    same,
    struct_sql,
)
from warehouse.types import Column, SqlType, struct_of

NUMBERS = {"INT64": 1, "NUMERIC": 2, "FLOAT64": 3}

_WIDER = {("DATE", "DATETIME")}


def coerces(value: Typed, to: SqlType) -> bool:
    """Whether GoogleSQL turns the value into that type by itself."""
    return coerce(value, to) is not None


def coerce(value: Typed, to: SqlType) -> Typed | None:
    """The value as that type, if GoogleSQL turns it into that by itself."""
    if value.is_null:
        return Typed(f"NULL::{duckdb_type(to)}", to, NULL)
    if same(value.type, to):
        if identical(value.type, to):
            return value
        return _coerce_parts(value, to) if value.parts else Typed(relabelled(value.sql, value.type, to), to)
    if value.literal is EMPTY and to.element is not None:
        return Typed(f"[]::{duckdb_type(to)}", to)
    if value.parts and (to.element is not None) == (value.type.element is not None):
        return _coerce_parts(value, to)
    literal = _literal_as(value.literal, to) if value.literal is not None else None
    return Typed(literal, to) if literal is not None else _widened(value, to)


def _widened(value: Typed, to: SqlType) -> Typed | None:
    """Of any value: INT64 to NUMERIC to FLOAT64, and DATE to DATETIME."""
    name = value.type.name
    if name in NUMBERS and to.name in NUMBERS and NUMBERS[name] < NUMBERS[to.name]:
        return Typed(_number_as(value.sql, name, to), to)
    return Typed(f"CAST({value.sql} AS TIMESTAMP)", to) if (name, to.name) in _WIDER else None


def _number_as(sql: str, name: str, to: SqlType) -> str:
    if name == "NUMERIC":  # by way of its digits: DuckDB's own way is off by a bit
        return f"CAST(CAST({sql} AS VARCHAR) AS DOUBLE)"
    return f"CAST({sql} AS {duckdb_type(to)})"


def _coerce_parts(value: Typed, to: SqlType) -> Typed | None:
    kinds = [to.element] * len(value.parts) if to.element is not None else [field.type for field in to.fields]
    if len(kinds) != len(value.parts):
        return None
    parts = [coerce(part, kind) for part, kind in zip(value.parts, kinds, strict=True) if kind is not None]
    found = [part for part in parts if part is not None]
    if len(found) != len(parts):
        return None
    return array_sql(found, to) if to.element is not None else struct_sql(found, to)


def supertype(values: Iterable[Typed]) -> SqlType | None:
    """The type that all the values coerce to, which is one of theirs."""
    values = [value for value in values if not value.is_null]
    if not values:
        return INT64
    typed = [value for value in values if value.literal is None or value.literal is EMPTY] or values
    kinds: list[SqlType] = []
    for value in [*typed, *values]:
        if not any(same(value.type, kind) for kind in kinds):
            kinds.append(value.type)
    if all(kind.name in NUMBERS for kind in kinds) and any(value.literal is None for value in values):
        kinds = _numbers_first(kinds, typed)
    for kind in kinds:
        if all(coerces(value, kind) for value in values):
            return _named(kind, values)
    if {kind.name for kind in kinds} == {"INT64", "NUMERIC", "FLOAT64"}:
        return FLOAT64
    return _structs(values)


def _numbers_first(kinds: list[SqlType], typed: list[Typed]) -> list[SqlType]:
    """The types of expressions before those of literals, which bend."""
    own = {value.type.name for value in typed}
    return sorted(kinds, key=lambda kind: (kind.name not in own, NUMBERS[kind.name]))


def _named(kind: SqlType, values: list[Typed]) -> SqlType:
    """Structs of equal types: the names of the first one's fields."""
    if kind.name != "STRUCT" or values[0].type.name != "STRUCT":
        return kind
    pairs = zip(values[0].type.fields, kind.fields, strict=True)
    return struct_of(*(Column(first.name, field.type) for first, field in pairs))


def _structs(values: list[Typed]) -> SqlType | None:
    if any(value.type.name != "STRUCT" or len(value.type.fields) != len(values[0].type.fields) for value in values):
        return None
    columns = []
    for index, field in enumerate(values[0].type.fields):
        kind = supertype(
            value.parts[index] if value.parts else Typed("", value.type.fields[index].type) for value in values
        )
        if kind is None:
            return None
        columns.append(Column(field.name, kind))
    found = struct_of(*columns)
    return found if all(coerces(value, found) for value in values) else None


def relabelled(sql: str, kind: SqlType, to: SqlType) -> str:
    """A value of the same type with other names for its fields: DuckDB would match them by name."""
    if identical(kind, to):
        return sql
    if kind.element is not None and to.element is not None:
        return f"list_transform({sql}, lambda l_: {relabelled('l_', kind.element, to.element)})"
    names = zip(field_names(kind), kind.fields, field_names(to), to.fields, strict=True)
    fields = ", ".join(
        f"{string_sql(new)}: {relabelled(f'r_.{quoted(old)}', one.type, other.type)}" for old, one, new, other in names
    )
    return f"list_transform([{sql}], lambda r_: CASE WHEN r_ IS NULL THEN NULL ELSE {{{fields}}} END)[1]"


def _literal_as(literal: Any, to: SqlType) -> str | None:
    """The DuckDB literal, or None where GoogleSQL does not coerce the literal to that type."""
    if isinstance(literal, str):
        if to.name == "BYTES":
            return bytes_sql(literal.encode())
        reader = TEXT_READERS.get(to.name)
        return reader(literal) if reader else None
    if isinstance(literal, bool):
        return None
    if isinstance(literal, int | float) and to.name == "NUMERIC":
        return numeric_sql(literal) if math.isfinite(literal) else None
    if isinstance(literal, int) and to.name == "FLOAT64":
        return f"{float(literal)!r}::DOUBLE"
    return None
