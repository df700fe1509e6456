"""What a table stores, where it differs from what a query answers.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#array_nulls
"""

from typing import TYPE_CHECKING

from warehouse.duckdb.translate.text import bind, quoted, string_sql
from warehouse.duckdb.translate.typed import duckdb_type, field_names
from warehouse.errors import SqlError
from warehouse.types import Column, SqlType

if TYPE_CHECKING:
    from warehouse.duckdb.translate.scope import Relation

_LENGTH = {"STRING": "length", "BYTES": "octet_length"}


def stored(relation: "Relation") -> str:
    """The query with its arrays as a table holds them. Raises SqlError for columns that a table cannot have."""
    _check_names(relation)
    if not any(_has_rules(column.value.type) for column in relation.columns):
        return relation.sql
    texts = [
        f"{stored_value(column.value.sql, column.value.type)} AS {column.value.sql}" for column in relation.columns
    ]
    return f"SELECT {', '.join(texts)} FROM ({relation.sql})"


def _check_names(relation: "Relation") -> None:
    seen: set[str] = set()
    for index, column in enumerate(relation.columns, 1):
        if not column.name:
            raise SqlError(f"column {index} of the result has no name", hint="give it one with AS")
        if column.name.casefold() in seen:
            raise SqlError(f"two columns of the result are named {column.name}", hint="give one another name with AS")
        seen.add(column.name.casefold())


def _has_rules(type_: SqlType) -> bool:
    """Whether there is a value of the type that a table does not hold as it is."""
    return has_limits(type_) or _holds_array(type_)


def has_limits(type_: SqlType) -> bool:
    """Whether the type has a length, or a REQUIRED field, which DuckDB does not check by itself."""
    if type_.element is not None:
        return has_limits(type_.element)
    if type_.name in _LENGTH and type_.parameters:
        return True
    return any(field.required or has_limits(field.type) for field in type_.fields)


def _holds_array(type_: SqlType) -> bool:
    return type_.element is not None or any(_holds_array(field.type) for field in type_.fields)


def stored_value(sql: str, type_: SqlType) -> str:
    """A value as a table holds it: no NULL array, no array that holds a NULL, no text that is longer than declared, and
    no NULL in a struct's REQUIRED field."""
    if type_.element is not None:
        return _stored_array(sql, type_)
    if not _has_rules(type_):
        return sql
    if type_.name != "STRUCT":
        return within_length(sql, type_, f"error('{type_} has maximum length {type_.parameters[0]}')")
    fields = ", ".join(
        f"{string_sql(name)}: {_stored_field(f's_.{quoted(name)}', field)}"
        for name, field in zip(field_names(type_), type_.fields, strict=True)
    )
    return f"list_transform([{sql}], lambda s_: CASE WHEN s_ IS NULL THEN NULL ELSE {{{fields}}} END)[1]"


def within_length(sql: str, type_: SqlType, failure: str) -> str:
    """A STRING or BYTES that is not longer than `type_`, or else `failure`."""
    template = f"CASE WHEN {_LENGTH[type_.name]}({{x}}) > {type_.parameters[0]} THEN {failure} ELSE {{x}} END"
    return bind(template, x=sql)


def _stored_field(sql: str, field: Column) -> str:
    value = stored_value(sql, field.type)
    if not field.required:
        return value
    failure = string_sql(f"the field {field.name} is REQUIRED and cannot be NULL")
    return f"CASE WHEN {sql} IS NULL THEN error({failure}) ELSE {value} END"


def _stored_array(sql: str, type_: SqlType) -> str:
    inner = "{x}"
    if type_.element is not None and _has_rules(type_.element):
        element = stored_value("i_", type_.element).replace("{", "{{").replace("}", "}}")
        inner = f"list_transform({{x}}, lambda i_: {element})"
    template = (
        f"CASE WHEN {{x}} IS NULL THEN []::{duckdb_type(type_)} WHEN list_count({{x}}) <> len({{x}})"
        f" THEN error('an array with a NULL element cannot be stored') ELSE {inner} END"
    )
    return bind(template, x=sql)
