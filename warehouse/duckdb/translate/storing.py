"""What a table stores, where it differs from what a query answers.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#array_nulls
"""

from typing import TYPE_CHECKING

from warehouse.duckdb.translate.text import bind, quoted, string_sql
from warehouse.duckdb.translate.typed import duckdb_type, field_names
from warehouse.errors import SqlError
from warehouse.types import SqlType

if TYPE_CHECKING:
    from warehouse.duckdb.translate.scope import Relation


def stored(relation: "Relation") -> str:
    """The query with its arrays as a table holds them. Raises SqlError for columns that a table cannot have."""
    _check_names(relation)
    if not any(_holds_array(column.value.type) for column in relation.columns):
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


def _holds_array(type_: SqlType) -> bool:
    return type_.element is not None or any(_holds_array(field.type) for field in type_.fields)


def stored_value(sql: str, type_: SqlType) -> str:
    """A value as a table holds it: no NULL array, and no array that holds a NULL."""
    if type_.element is not None:
        return _stored_array(sql, type_)
    if type_.name == "STRUCT" and _holds_array(type_):
        names = field_names(type_)
        fields = ", ".join(
            f"{string_sql(name)}: {stored_value(f's_.{quoted(name)}', field.type)}"
            for name, field in zip(names, type_.fields, strict=True)
        )
        return f"list_transform([{sql}], lambda s_: CASE WHEN s_ IS NULL THEN NULL ELSE {{{fields}}} END)[1]"
    return sql


def _stored_array(sql: str, type_: SqlType) -> str:
    inner = "{x}"
    if type_.element is not None and _holds_array(type_.element):
        element = stored_value("i_", type_.element).replace("{", "{{").replace("}", "}}")
        inner = f"list_transform({{x}}, lambda i_: {element})"
    template = (
        f"CASE WHEN {{x}} IS NULL THEN []::{duckdb_type(type_)} WHEN list_count({{x}}) <> len({{x}})"
        f" THEN error('an array with a NULL element cannot be stored') ELSE {inner} END"
    )
    return bind(template, x=sql)
