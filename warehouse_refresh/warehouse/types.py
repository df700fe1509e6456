"""Columns and their types, in GoogleSQL's words, whichever engine holds the table.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

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


def columns_as_json(columns: Iterable[Column]) -> list[Any]:
    """The columns as JSON has them, in few words; `columns_from_json` reads them. They need types with values."""
    return [
        [one.name, _type_as_json(one.type), one.required, *([one.description, one.default] if _says_more(one) else [])]
        for one in columns
    ]


def columns_from_json(columns: Iterable[Any]) -> tuple[Column, ...]:
    """The columns that `columns_as_json` has written. Equal ones of scalar types are one object: a thousand scripts
    list five thousand columns, and compare them."""
    return tuple(
        [
            _scalar(name, kind, *more) if isinstance(kind, str) else Column(name, _type_from_json(kind), *more)
            for name, kind, *more in columns
        ]
    )


@lru_cache(10_000)
def _scalar(name: str, kind: str, *more: Any) -> Column:
    return Column(name, _type(kind), *more)


def _says_more(column: Column) -> bool:
    return bool(column.description or column.default)


def _type_as_json(type_: SqlType) -> Any:
    """A scalar type as its name, an array as a list of its element, all else as an object: reading the text of these
    takes the parser, whose import takes longer than a refresh of eight known scripts."""
    if type_.element is not None:
        return [_type_as_json(type_.element)]
    if type_.fields:
        return {"fields": columns_as_json(type_.fields)}
    return {"name": type_.name, "parameters": type_.parameters} if type_.parameters else str(type_)


def _type_from_json(kind: Any) -> SqlType:
    if isinstance(kind, list):
        return array_of(_type_from_json(kind[0]))
    if isinstance(kind, str):
        return _type(kind)
    if "fields" in kind:
        return struct_of(*columns_from_json(kind["fields"]))
    return SqlType(kind["name"], tuple(kind["parameters"]))


_type = lru_cache(1000)(parse_type)


def _field_text(field: Column) -> str:
    from warehouse_refresh.warehouse.sql.type_syntax import field_name

    named = f"{field_name(field.name)} {field.type}" if field.name else str(field.type)
    return f"{named} NOT NULL" if field.required else named
