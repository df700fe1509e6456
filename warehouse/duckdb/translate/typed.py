"""DuckDB expressions with their GoogleSQL types, and GoogleSQL's rules of coercion.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from warehouse.duckdb.translate.text import quoted, string_sql
from warehouse.errors import UnsupportedSql
from warehouse.types import SCALARS, Column, SqlType, array_of, parse_type, struct_of

INT64, FLOAT64, NUMERIC, BOOL = SqlType("INT64"), SqlType("FLOAT64"), SqlType("NUMERIC"), SqlType("BOOL")

STRING, BYTES, JSON, INTERVAL = SqlType("STRING"), SqlType("BYTES"), SqlType("JSON"), SqlType("INTERVAL")

DATE, TIME, DATETIME, TIMESTAMP = SqlType("DATE"), SqlType("TIME"), SqlType("DATETIME"), SqlType("TIMESTAMP")

_DUCKDB_OF = {
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "NUMERIC": "DECIMAL(38,9)",
    "BOOL": "BOOLEAN",
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMPTZ",
    "JSON": "JSON",
    "INTERVAL": "INTERVAL",
}


_GOOGLESQL_OF = {
    **{duckdb: googlesql for googlesql, duckdb in _DUCKDB_OF.items()},
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",  # as DuckDB describes it
}


class Null:
    """What the literal NULL and the empty array have as their value: they take whatever type is asked of them."""


NULL, EMPTY = Null(), Null()


@dataclass(frozen=True, slots=True)
class Typed:
    """A DuckDB expression. `literal` is a literal's value (int, float, str, NULL, EMPTY), since literals coerce further
    than other expressions do; `parts` are the elements of an array or struct constructor, for the same reason."""

    sql: str
    type: SqlType
    literal: Any = None
    parts: tuple["Typed", ...] = ()

    @property
    def is_null(self) -> bool:
        """The literal NULL."""
        return self.literal is NULL


def duckdb_type(type_: SqlType) -> str:
    """The DuckDB type that holds a GoogleSQL type. Raises UnsupportedSql."""
    if type_.element is not None:
        return f"{duckdb_type(type_.element)}[]"
    if type_.name == "STRUCT":
        fields = zip(field_names(type_), type_.fields, strict=True)
        return f"STRUCT({', '.join(f'{quoted(name)} {duckdb_type(field.type)}' for name, field in fields)})"
    if type_.name not in SCALARS:
        raise UnsupportedSql(f"GoogleSQL has no type {type_}", hint="give the table's column another type")
    if type_.name not in _DUCKDB_OF:
        raise UnsupportedSql(f"the embedded engine has no {type_.name}", hint="this script needs BigQuery")
    if type_.name == "NUMERIC" and type_.parameters:
        precision, scale = (*type_.parameters, 0)[:2]
        return f"DECIMAL({precision},{scale})"
    return _DUCKDB_OF[type_.name]


@lru_cache(1000)
def googlesql_type(description: str) -> SqlType:
    """The GoogleSQL type of a column that DuckDB describes so; the description itself, where GoogleSQL has none."""
    if description in _GOOGLESQL_OF:
        return SqlType(_GOOGLESQL_OF[description])  # most are, and need no parser
    from sqlglot import exp
    from sqlglot.errors import ParseError

    try:
        tree = exp.DataType.build(description, dialect="duckdb")
        return _without_default_scale(parse_type(tree.sql("bigquery")))
    except (ParseError, ValueError):
        return SqlType(description)


def _without_default_scale(type_: SqlType) -> SqlType:
    if type_.element is not None:
        return array_of(_without_default_scale(type_.element))
    if type_.name == "STRUCT":
        return struct_of(*(Column(field.name, _without_default_scale(field.type)) for field in type_.fields))
    return SqlType(type_.name, () if type_.parameters in ((38, 9), ()) else type_.parameters)


def plain(type_: SqlType) -> SqlType:
    """The type without lengths, precisions and the like, as expressions have it."""
    if type_.element is not None:
        return array_of(plain(type_.element))
    if type_.name == "STRUCT":
        return struct_of(*(Column(field.name, plain(field.type)) for field in type_.fields))
    return SqlType(type_.name)


def field_names(type_: SqlType) -> list[str]:
    """The names that a struct's fields have in DuckDB, where they must be there and differ without regard to case.
    BigQuery too stores a field without a name as _field_1."""
    names: list[str] = []
    for index, field in enumerate(type_.fields, 1):
        taken = not field.name or any(field.name.casefold() == name.casefold() for name in names)
        names.append(f"_field_{index}" if taken else field.name)
    return names


def same(one: SqlType, other: SqlType) -> bool:
    """The types are equal: the fields' names do not matter."""
    if one.element is not None and other.element is not None:
        return same(one.element, other.element)
    if one.name != other.name or len(one.fields) != len(other.fields):
        return False
    return all(same(a.type, b.type) for a, b in zip(one.fields, other.fields, strict=True))


def identical(one: SqlType, other: SqlType) -> bool:
    """The types are equal, and so are the names of all fields."""
    return duckdb_type(one) == duckdb_type(other)


def array_sql(parts: Iterable[Typed], type_: SqlType) -> Typed:
    """An array of these elements."""
    parts = tuple(parts)
    return Typed(f"[{', '.join(part.sql for part in parts)}]::{duckdb_type(type_)}", type_, parts=parts)


def struct_sql(parts: Iterable[Typed], type_: SqlType) -> Typed:
    """A struct of these fields."""
    parts = tuple(parts)
    fields = zip(field_names(type_), parts, strict=True)
    return Typed("{" + ", ".join(f"{string_sql(name)}: {part.sql}" for name, part in fields) + "}", type_, parts=parts)
