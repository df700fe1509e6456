"""Columns and their types, in GoogleSQL's words, whichever engine holds the table.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
"""

from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.errors import ParseError, TokenError

SCALARS = frozenset(
    {"INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC", "BOOL", "STRING", "BYTES"}
    | {"DATE", "TIME", "DATETIME", "TIMESTAMP", "JSON", "INTERVAL", "GEOGRAPHY"}
)

type_names = exp.DataType.Type
_SCALAR_OF_SQLGLOT = {
    type_names.BIGINT: "INT64",
    type_names.INT: "INT64",
    type_names.INT128: "INT64",
    type_names.SMALLINT: "INT64",
    type_names.TINYINT: "INT64",
    type_names.DOUBLE: "FLOAT64",
    type_names.FLOAT: "FLOAT64",
    type_names.DECIMAL: "NUMERIC",
    type_names.BIGDECIMAL: "BIGNUMERIC",
    type_names.BOOLEAN: "BOOL",
    type_names.TEXT: "STRING",
    type_names.VARCHAR: "STRING",
    type_names.BINARY: "BYTES",
    type_names.VARBINARY: "BYTES",
    type_names.DATE: "DATE",
    type_names.TIME: "TIME",
    type_names.DATETIME: "DATETIME",
    type_names.TIMESTAMP: "DATETIME",
    type_names.TIMESTAMPTZ: "TIMESTAMP",
    type_names.JSON: "JSON",
    type_names.INTERVAL: "INTERVAL",
    type_names.GEOGRAPHY: "GEOGRAPHY",
}


@dataclass(frozen=True, slots=True)
class SqlType:
    """A GoogleSQL type, printed as in a CREATE TABLE: `INT64`, `NUMERIC(10, 2)`, `ARRAY<STRUCT<sku INT64>>`.

    `name` is one of SCALARS, "ARRAY" (with `element`) or "STRUCT" (with `fields`); `parameters` are a length, or a
    precision and a scale.
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
    """A column of a table, or a field of a STRUCT (whose name may be empty)."""

    name: str
    type: SqlType
    required: bool = False
    description: str = ""

    @property
    def mode(self) -> Literal["NULLABLE", "REQUIRED", "REPEATED"]:
        """BigQuery's mode: https://cloud.google.com/bigquery/docs/schemas#modes"""
        if self.type.element is not None:
            return "REPEATED"
        return "REQUIRED" if self.required else "NULLABLE"


def array_of(element: SqlType) -> SqlType:
    """ARRAY<element>."""
    return SqlType("ARRAY", element=element)


def struct_of(*fields: Column) -> SqlType:
    """STRUCT<fields>."""
    return SqlType("STRUCT", fields=fields)


def parse_type(text: str) -> SqlType:
    """Read a GoogleSQL type as printed by `str(SqlType)`. Raises ValueError."""
    try:
        tree = sqlglot.parse_one(text, into=exp.DataType, dialect="bigquery", error_level=ErrorLevel.IMMEDIATE)
        return type_of(tree)
    except (ParseError, TokenError) as error:
        raise ValueError(f"{text!r} is not a GoogleSQL type") from error


def type_of(datatype: exp.DataType) -> SqlType:
    """The type that sqlglot parsed from GoogleSQL. Raises ValueError for a type GoogleSQL does not have."""
    if datatype.this == type_names.ARRAY and datatype.expressions:
        return array_of(type_of(datatype.expressions[0]))
    if datatype.this == type_names.STRUCT and datatype.expressions:
        return struct_of(*map(_field_of, datatype.expressions))
    if datatype.this not in _SCALAR_OF_SQLGLOT:
        raise ValueError(f"{datatype.sql('bigquery')} is not a GoogleSQL type")
    return SqlType(_SCALAR_OF_SQLGLOT[datatype.this], tuple(map(_parameter, datatype.expressions)))


def _parameter(node: exp.Expr) -> int:
    if not node.name.isdigit():
        raise ValueError(f"{node.sql('bigquery')} is not a type's length, precision or scale")
    return int(node.name)


def _field_text(field: Column) -> str:
    name = exp.to_identifier(field.name).sql("bigquery") if field.name else ""
    return f"{name} {field.type}".strip()


def _field_of(node: exp.Expr) -> Column:
    if isinstance(node, exp.DataType):
        return Column("", type_of(node))
    kind = node.args["kind"]
    return Column(node.name, type_of(kind))
