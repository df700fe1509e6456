"""What a table stores, where it differs from what a query answers.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#array_nulls
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from warehouse_refresh.warehouse.duckdb.translate.coercion import by_field, coerced
from warehouse_refresh.warehouse.duckdb.translate.literals import is_null
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Array,
    FromItem,
    Item,
    Literal,
    Node,
    Select,
    Struct,
    each,
    let,
)
from warehouse_refresh.warehouse.duckdb.translate.nodes import Column as ColumnNode
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.text import COMPILING
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql
from warehouse_refresh.warehouse.names import why_unstorable
from warehouse_refresh.warehouse.sql.coercion import as_listed, plain, same
from warehouse_refresh.warehouse.sql.literals import BIGNUMERIC_SCALE, NULL
from warehouse_refresh.warehouse.sql.query import ListedColumn
from warehouse_refresh.warehouse.types import Column, SqlType

if TYPE_CHECKING:  # reading scopes takes sqlglot, which storing rows does not need
    from warehouse_refresh.warehouse.duckdb.translate.scope import Output, Relation

_LENGTH = {"STRING": "length", "BYTES": "octet_length"}


def stored(relation: "Relation") -> Node:
    """The query with its arrays as a table holds them. Raises SqlError for columns that a table cannot have."""
    _check_names(relation)
    if not any(_has_rules(column.type) for column in relation.columns):
        return relation.query
    items = [
        Item(stored_value(ColumnNode("", column.column), column.type), column.column) for column in relation.columns
    ]
    return Select(tuple(items), FromItem(relation.query, "q$"))


def as_listed_columns(relation: "Relation", listed: Sequence[ListedColumn]) -> "Relation":
    """The query with the columns of the list before AS, as in CREATE TABLE x (a INT64 NOT NULL) AS SELECT …. Raises
    SqlError for a list that does not fit."""
    items, outputs = [], []
    for one, found, column in zip(listed, relation.columns, as_listed(listed, relation.columns), strict=True):
        value = _stored_as(found, plain(column.type))
        items.append(Item(_not_null(value, one) if one.required else value, column.name))
        outputs.append(replace(found, name=column.name, column=column.name, type=column.type, literal=None, parts=()))
    return replace(relation, query=Select(tuple(items), FromItem(relation.query, "q$")), columns=tuple(outputs))


def _stored_as(found: "Output", to: SqlType) -> Node:
    node = found.of("q$").node
    if found.literal is NULL or (to.element is not None and not same(found.type, to)):
        return Array((), duckdb_type(to)) if to.element is not None else sql(f"CAST(NULL AS {duckdb_type(to)})")
    return _become(node, found.type, to)


def _become(node: Node, kind: SqlType, to: SqlType) -> Node:
    """A value of a type as another that it becomes in a table."""
    if kind.name == "STRUCT" and not same(kind, to):
        return by_field(node, kind, to, lambda field, old, new: _become(field, old.type, new.type))
    return coerced(Typed(node, kind), to).node


def _not_null(value: Node, column: ListedColumn) -> Node:
    COMPILING.where = lambda: column.place
    try:
        message = Literal(f"Required field {column.name} cannot be null")
        return sql("CASE WHEN {x} IS NULL THEN error({message}) ELSE {x} END", x=value, message=message)
    finally:
        COMPILING.where = None


def _check_names(relation: "Relation") -> None:
    seen: set[str] = set()
    for index, column in enumerate(relation.columns, 1):
        if not column.name:
            raise SqlError(f"column {index} of the result has no name", hint="give it one with AS")
        if column.name.casefold() in seen:
            raise SqlError(f"two columns of the result are named {column.name}", hint="give one another name with AS")
        seen.add(column.name.casefold())
        check_name(column.name, column.type)


def check_name(name: str, type_: SqlType, *, is_field: bool = False) -> None:
    """Raises SqlError for a name that no column, or field, of BigQuery's tables can have; see `check_answered`."""
    check_answered(type_)
    if reason := why_unstorable(name, is_field=is_field):
        what = "field" if is_field else "column"
        raise SqlError(f"a table cannot have the {what} {name[:60]}: {reason}", hint="give it another name with AS")
    for field in (type_.element or type_).fields:
        check_name(field.name, field.type, is_field=True)


def check_answered(type_: SqlType) -> None:
    """Raises UnsupportedSql for a range, which a query may compute with, and not give."""
    if type_.name.startswith("RANGE<"):
        raise UnsupportedSql(
            "the embedded engine has no column of RANGE", hint="select RANGE_START and RANGE_END of it"
        )
    for kind in [type_.element] if type_.element is not None else [field.type for field in type_.fields]:
        check_answered(kind)


def _has_rules(type_: SqlType) -> bool:
    """Whether there is a value of the type that a table does not hold as it is."""
    return has_limits(type_) or _holds_array(type_)


def has_limits(type_: SqlType) -> bool:
    """Whether the type has a length, a precision, or a REQUIRED field."""
    if type_.element is not None:
        return has_limits(type_.element)
    return bool(type_.parameters) or any(field.required or has_limits(field.type) for field in type_.fields)


def _holds_array(type_: SqlType) -> bool:
    return type_.element is not None or any(_holds_array(field.type) for field in type_.fields)


def stored_value(node: Node, type_: SqlType) -> Node:
    """A value as a table holds it: no NULL array, no array that holds a NULL, no text that is longer than declared, no
    number with more digits than declared, and no NULL in a struct's REQUIRED field."""
    if is_null(node):
        return node if type_.element is None else Array((), duckdb_type(type_))
    if type_.element is not None:
        return _stored_array(node, type_, type_.element)
    if not _has_rules(type_):
        return node
    if type_.name != "STRUCT":
        return within_limits(node, type_)
    return by_field(node, type_, type_, lambda field, _, column: _stored_field(field, column))


def within_limits(node: Node, type_: SqlType) -> Node:
    """A value of a type with a length or a precision, in the plain type: rounded to its scale, and an error for one
    that is too long or too large."""
    if type_.name in _LENGTH:
        (most,) = type_.parameters
        message = Literal(f"{type_} has maximum length {most} but got a value with length ")
        length = f"{_LENGTH[type_.name]}({{x}})"
        return sql(
            f"CASE WHEN {length} > {most} THEN error({{message}} || {length}) ELSE {{x}} END", x=node, message=message
        )
    precision, scale = (*type_.parameters, 0)[:2]
    if type_.name == "BIGNUMERIC":
        return _within_big_limits(node, precision, scale)
    rounded = f"CAST(CAST({{x}} AS {duckdb_type(type_)}) AS DECIMAL(38,9))"
    if (precision, scale) == (38, 9):
        return sql(rounded, x=node)
    above = (
        10 ** (precision - scale + 9) - 10 ** (9 - scale) // 2
    )  # in units of 1e-9: what is rounded to it is too large
    reason = _out_of_limits(type_.name, precision, scale)
    return sql(
        f"CASE WHEN abs({{x}}) >= '{_with_point(above, 9)}'::DECIMAL(38,9) THEN error({{message}}) ELSE {rounded} END",
        x=node,
        message=Literal(reason),
    )


def _out_of_limits(name: str, precision: int, scale: int) -> str:
    last = _with_point(10**precision - 1, scale)
    return (
        f"{SqlType(name, (precision, scale))} has precision {precision} and scale {scale}"
        f" but got a value that is not in range of [-{last}, {last}]"
    )


def _within_big_limits(node: Node, precision: int, scale: int) -> Node:
    most = (10**precision - 1) * 10 ** (BIGNUMERIC_SCALE - scale)
    message = Literal(_out_of_limits("BIGNUMERIC", precision, scale))
    if isinstance(node, Literal):
        units = _rounded(int(str(node.value)), 10 ** (BIGNUMERIC_SCALE - scale))
        too_large = "CAST(CAST(error({message}) AS VARCHAR) AS BIGNUM)"
        return Literal(str(units), node.type) if abs(units) <= most else sql(too_large, message=message)
    template = (
        f"list_transform([googlesql_bignumeric_round({{x}}, {scale})], lambda r_: CASE WHEN r_ NOT BETWEEN"
        f" '-{most}'::BIGNUM AND '{most}'::BIGNUM THEN error({{message}}) ELSE r_ END)[1]"
    )
    return sql(template, x=node, message=message)


def _rounded(number: int, unit: int) -> int:
    """The multiple of the unit that is nearest, of two the one further from 0."""
    whole = (abs(number) + unit // 2) // unit * unit
    return whole if number > 0 else -whole


def _with_point(digits: int, scale: int) -> str:
    """A number of so many digits after the point."""
    return f"{digits // 10**scale}.{digits % 10**scale:0{scale}d}" if scale else str(digits)


def _stored_field(node: Node, field: Column) -> Node:
    value = stored_value(node, field.type)
    if not field.required:
        return value
    message = Literal(f"the field {field.name} is REQUIRED and cannot be NULL")
    return sql("CASE WHEN {x} IS NULL THEN error({message}) ELSE {value} END", x=node, message=message, value=value)


def _stored_array(node: Node, type_: SqlType, element: SqlType) -> Node:
    if isinstance(node, Array):  # it is written out
        return Array(tuple([_stored_element(item, element) for item in node.elements]), duckdb_type(type_))
    template = (
        "CASE WHEN {x} IS NULL THEN {none} WHEN list_count({x}) <> len({x})"
        f" THEN {_NULL_ELEMENT} ELSE {{inner}} END"
    )

    def checked(array: Node) -> Node:
        inner = each(array, lambda item: stored_value(item, element)) if _has_rules(element) else array
        return sql(template, x=array, inner=inner, none=Array((), duckdb_type(type_)))

    return let(node, checked)


_NULL_ELEMENT = "error('an array with a NULL element cannot be stored')"


def _stored_element(item: Node, type_: SqlType) -> Node:
    value = stored_value(item, type_)
    if isinstance(item, Struct) or (isinstance(item, Literal) and item.value is not None):
        return value
    return sql(f"coalesce({{x}}, {_NULL_ELEMENT})", x=value)
