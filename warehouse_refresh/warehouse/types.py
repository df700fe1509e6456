"""Columns and their types, in GoogleSQL's words, whichever engine holds the table.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

SCALARS = frozenset(
    {"INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC", "BOOL", "STRING", "BYTES"}
    | {"DATE", "TIME", "DATETIME", "TIMESTAMP", "JSON", "INTERVAL", "GEOGRAPHY"}
)


@dataclass(frozen=True, slots=True)
class SqlType:
    """A GoogleSQL type, printed as in a CREATE TABLE: `INT64`, `NUMERIC(10, 2)`, `ARRAY<STRUCT<sku INT64>>`.

    `name` is one of SCALARS, "ARRAY" (with `element`) or "STRUCT" (with `fields`); `parameters` are a length, or a
    precision and a scale. Any other `name` is a type as the engine describes it, which we have no values for.
    """

    name: str
    parameters: tuple[int, ...] = ()
    element: "SqlType | None" = None
    fields: tuple["Column", ...] = ()

    def __str__(self) -> str:
        if self.element is not None:
            return f"ARRAY<{self.element}>"
        if self.name == "STRUCT":
            return f"STRUCT<{', '.join(map(_field_text, self.fields))}>"
        return self.name + (f"({', '.join(map(str, self.parameters))})" if self.parameters else "")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, or a field of a STRUCT (whose name may be empty). `default` is the
    SQL, in the engine's words, of what the table stores when a row has nothing for the column; empty if it has none."""

    name: str
    type: SqlType
    required: bool = False
    description: str = ""
    default: str = ""

    @property
    def mode(self) -> Literal["NULLABLE", "REQUIRED", "REPEATED"]:
        """BigQuery's mode: https://cloud.google.com/bigquery/docs/schemas#modes"""
        if self.type.element is not None:
            return "REPEATED"
        return "REQUIRED" if self.required else "NULLABLE"


def with_required(columns: tuple[Column, ...], required: Collection[str]) -> tuple[Column, ...]:
    """The columns, those of `required` without NULLs."""
    if not required:
        return columns
    return tuple(replace(column, required=True) if column.name in required else column for column in columns)


INT64, FLOAT64, NUMERIC, BOOL = SqlType("INT64"), SqlType("FLOAT64"), SqlType("NUMERIC"), SqlType("BOOL")
BIGNUMERIC = SqlType("BIGNUMERIC")
STRING, BYTES, JSON, INTERVAL = SqlType("STRING"), SqlType("BYTES"), SqlType("JSON"), SqlType("INTERVAL")
DATE, TIME, DATETIME, TIMESTAMP = SqlType("DATE"), SqlType("TIME"), SqlType("DATETIME"), SqlType("TIMESTAMP")


def has_values(type_: SqlType) -> bool:
    """Whether we can read, store and show values of the type: not of RANGE, or of a type that only DuckDB has."""
    if type_.element is not None:
        return has_values(type_.element)
    return type_.name in SCALARS or (type_.name == "STRUCT" and all(has_values(field.type) for field in type_.fields))


def array_of(element: SqlType) -> SqlType:
    """ARRAY<element>."""
    return SqlType("ARRAY", element=element)


def struct_of(*fields: Column) -> SqlType:
    """STRUCT<fields>."""
    return SqlType("STRUCT", fields=fields)


def parse_type(text: str) -> SqlType:
    """Read a GoogleSQL type as printed by `str(SqlType)`. Raises ValueError."""
    if text in SCALARS:
        return SqlType(text)  # most are, and need no parser
    from warehouse_refresh.warehouse.sql.type_syntax import read_type

    return read_type(text)


def _field_text(field: Column) -> str:
    from warehouse_refresh.warehouse.sql.type_syntax import field_name

    named = f"{field_name(field.name)} {field.type}" if field.name else str(field.type)
    return f"{named} NOT NULL" if field.required else named
