"""GoogleSQL's types as text, read and written with sqlglot.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
"""

import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.errors import ParseError, TokenError

from warehouse_refresh.warehouse.types import Column, SqlType, array_of, struct_of

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


def read_type(text: str) -> SqlType:
    """Read a type. Raises ValueError."""
    try:
        tree = sqlglot.parse_one(text, into=exp.DataType, dialect="bigquery", error_level=ErrorLevel.IMMEDIATE)
        return type_of(tree)
    except (ParseError, TokenError) as error:
        raise ValueError(f"{text!r} is not a GoogleSQL type") from error


def field_name(name: str) -> str:
    """A field's name as it is written in a type: quoted where it must be."""
    return exp.to_identifier(name).sql("bigquery")


def type_of(datatype: exp.DataType) -> SqlType:
    """The type that sqlglot parsed from GoogleSQL. Raises ValueError for a type GoogleSQL does not have."""
    if datatype.this == type_names.ARRAY and datatype.expressions:
        return array_of(type_of(datatype.expressions[0]))
    if datatype.this == type_names.STRUCT and datatype.expressions:
        return struct_of(*map(_field_of, datatype.expressions))
    if datatype.this not in _SCALAR_OF_SQLGLOT:
        raise ValueError(f"{datatype.sql('bigquery')} is not a GoogleSQL type")
    name, parameters = _SCALAR_OF_SQLGLOT[datatype.this], tuple(map(_parameter, datatype.expressions))
    if parameters:
        _check_parameters(name, parameters)
    return SqlType(name, parameters)


_WHOLE_DIGITS = {"NUMERIC": (29, 9), "BIGNUMERIC": (38, 38)}
"""By type how many digits may stand before the point, and how many after it."""


def _check_parameters(name: str, parameters: tuple[int, ...]) -> None:
    """Raises ValueError for a length, precision or scale that the type cannot have.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#parameterized_data_types"""
    written = f"{name}({', '.join(map(str, parameters))})"
    if name in ("STRING", "BYTES"):
        if len(parameters) > 1 or not 1 <= parameters[0] < 2**63:
            raise ValueError(f"{written}: the length is one number above 0")
    elif name in _WHOLE_DIGITS:
        before, after = _WHOLE_DIGITS[name]
        precision, scale = (*parameters, 0)[:2]
        if len(parameters) > 2 or scale > after:
            raise ValueError(f"{written}: the scale is a number from 0 to {after}")
        if not max(1, scale) <= precision <= scale + before:
            raise ValueError(f"{written}: the precision is a number from {max(1, scale)} to {scale + before}")
    else:
        raise ValueError(f"{written}: {name} takes no length or precision")


def _parameter(node: exp.Expr) -> int:
    number = node.this
    if isinstance(number, exp.HexString):
        return int(number.name, 16)
    if not isinstance(number, exp.Literal) or number.is_string or not number.name.isdigit():
        raise ValueError(f"{node.sql('bigquery')} is not a type's length, precision or scale")
    return int(number.name)


def column_of(definition: exp.Expr) -> Column:
    """The column that a CREATE TABLE, or the field that a STRUCT, defines with its type. Raises ValueError."""
    constraints = [constraint.args["kind"] for constraint in definition.args.get("constraints") or ()]
    required = any(isinstance(kind, exp.NotNullColumnConstraint) for kind in constraints)
    return Column(definition.name, type_of(definition.args["kind"]), required)


def _field_of(node: exp.Expr) -> Column:
    return Column("", type_of(node)) if isinstance(node, exp.DataType) else column_of(node)
