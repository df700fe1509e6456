"""GoogleSQL's rules of coercion: what it turns into what by itself.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.sql.literals import (
    EMPTY,
    FAILURE,
    NULL,
    FloatLiteral,
    LiteralValue,
    Text,
    Whole,
    literal_coerces,
)
from warehouse_refresh.warehouse.sql.query import ListedColumn
from warehouse_refresh.warehouse.types import FLOAT64, INT64, Column, SqlType, array_of, parse_type, struct_of

NUMBERS = {"INT64": 1, "NUMERIC": 2, "BIGNUMERIC": 3, "FLOAT64": 4}
"""The types of numbers, each with its place among those that it coerces to: the higher ones."""


class Value(Protocol):
    """What the rules need to know of an expression. Literals coerce further than other expressions do, and so do the
    `parts` of an array or a struct that is written out."""

    @property
    def type(self) -> SqlType: ...

    @property
    def literal(self) -> LiteralValue: ...

    @property
    def parts(self) -> "Sequence[Value]": ...


@dataclass(frozen=True, slots=True)
class AnyValue:
    """A value of which only the type is known."""

    type: SqlType
    literal: LiteralValue = None
    parts: tuple[Value, ...] = ()


def same(one: SqlType, other: SqlType) -> bool:
    """Whether the types are equal: the fields' names do not matter."""
    if one.name != other.name or len(one.fields) != len(other.fields):
        return False
    if one.element is not None and other.element is not None:
        return same(one.element, other.element)
    return not one.fields or all(same(a.type, b.type) for a, b in zip(one.fields, other.fields, strict=True))


def is_groupable(kind: SqlType) -> bool:
    """Whether GROUP BY, DISTINCT and the like can compare values of the type."""
    if kind.element is not None:
        return is_groupable(kind.element)
    return kind.name not in ("JSON", "GEOGRAPHY") and all(is_groupable(field.type) for field in kind.fields)


def plain(type_: SqlType) -> SqlType:
    """The type without lengths, precisions and the like, as expressions have it."""
    if type_.element is not None:
        return array_of(plain(type_.element))
    if type_.name == "STRUCT":
        return struct_of(*(Column(field.name, plain(field.type)) for field in type_.fields))
    return SqlType(type_.name)


def coerces(value: Value, to: SqlType) -> bool:
    """Whether GoogleSQL turns the value into that type by itself. Of an array that is written out each element must
    be a literal that coerces: `[1]` can be an ARRAY<FLOAT64>, `[x]` cannot."""
    if takes_any_type(value) or same(value.type, to) or (value.literal is EMPTY and to.element is not None):
        return True
    if value.parts and value.type.name == to.name:
        kinds = part_types(value, to)
        if to.element is not None and not _is_literal(value):
            return False
        rule = _coerces_as_element if to.element is not None else _coerces_as_field if is_constant(value) else coerces
        return kinds is not None and all(map(rule, value.parts, kinds))
    return literal_coerces(value.literal, to) or widens(value.type, to)


def _is_literal(value: Value) -> bool:
    """Whether the value is a literal, or written out of literals. A parameter is none."""
    if isinstance(value.literal, Text | Whole):
        return False
    return value.literal is not None or (bool(value.parts) and all(map(_is_literal, value.parts)))


def is_constant(value: Value) -> bool:
    """Whether a struct is written out of literals alone, without NULL: then each of its fields has its own type."""
    return all(_is_literal(part) and not takes_any_type(part) for part in value.parts) and all(
        is_constant(part) for part in value.parts if part.type.fields
    )


def _fits_any_array(value: Value, to: SqlType, around: Value) -> bool:
    """Whether it is an empty array, in a struct that is no constant."""
    return value.literal is EMPTY and to.element is not None and not is_constant(around)


def _coerces_as_field(value: Value, to: SqlType) -> bool:
    """Whether a field of a constant struct coerces. An empty array within it is one of INT64."""
    if value.literal is EMPTY and to.element is not None:
        return same(value.type, to) or literal_coerces(0, to.element)
    return coerces(value, to)


_LIKE_NULL: Mapping[str, LiteralValue] = {"FLOAT64": FloatLiteral("0"), "STRING": ""}
"""Literals of the types that NULL has in an array, which coerce as it does there."""


def _coerces_as_element(value: Value, to: SqlType) -> bool:
    """Whether an element of an array that is written out coerces: a literal, of which NULL is an INT64 if nothing says
    otherwise."""
    if same(value.type, to):
        return True
    if value.literal is NULL:
        return widens(value.type, to) or literal_coerces(_LIKE_NULL.get(value.type.name), to)
    if value.type.element is not None:  # in a struct: no array has arrays for elements
        return False
    if value.parts and value.type.name == to.name == "STRUCT":
        kinds = part_types(value, to)
        return kinds is not None and all(
            _fits_any_array(part, kind, value) or _coerces_as_element(part, kind)
            for part, kind in zip(value.parts, kinds, strict=True)
        )
    return literal_coerces(value.literal, to)


def keeps_arrays(value: Value, to: SqlType) -> bool:
    """Whether each array within a struct that is written out has its type in `to` already: what an array or a typed
    struct holds coerces no further, while an argument of a function does."""
    if value.type.element is not None:
        return same(value.type, to) or takes_any_type(value)
    if value.type.name != "STRUCT" or len(value.parts) != len(to.fields):
        return True
    return all(
        _fits_any_array(part, field.type, value) or keeps_arrays(part, field.type)
        for part, field in zip(value.parts, to.fields, strict=True)
    )


def takes_any_type(value: Value) -> bool:
    """Whether it is the literal NULL, or ERROR(…)."""
    return value.literal is NULL or value.literal is FAILURE


def widens(kind: SqlType, to: SqlType) -> bool:
    """Whether any value of the type coerces: INT64 to NUMERIC to BIGNUMERIC to FLOAT64, DATE to DATETIME, and a
    STRUCT field by field."""
    if kind.name in NUMBERS and to.name in NUMBERS:
        return NUMBERS[kind.name] < NUMBERS[to.name]
    if kind.name == to.name == "STRUCT" and len(kind.fields) == len(to.fields):
        pairs = [(one.type, other.type) for one, other in zip(kind.fields, to.fields, strict=True)]
        return all(same(one, other) or widens(one, other) for one, other in pairs)
    return (kind.name, to.name) == ("DATE", "DATETIME")


def as_listed(listed: Sequence[ListedColumn], values: Sequence[Value]) -> list[Column]:
    """The columns of a table or view whose list names these columns, and whose query selects these values. Raises
    SqlError for another number of columns, two of one name, and a type that the query's does not coerce to.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#create_table_statement"""
    if len(listed) != len(values):
        reason = f"the list has {len(listed)} columns, and the query gives {len(values)}"
        raise SqlError(reason, hint="write one name for each column of the query", place=listed[0].place)
    seen: set[str] = set()
    columns = []
    for one, value in zip(listed, values, strict=True):
        if one.name.casefold() in seen:
            hint = "give one of them another name"
            raise SqlError(f"the list has two columns named {one.name}", hint=hint, place=one.place)
        seen.add(one.name.casefold())
        kind = parse_type(one.kind) if one.kind else value.type
        is_empty = value.literal is NULL or (value.literal is EMPTY and kind.element is not None)
        if not is_empty and not becomes(value.type, plain(kind)):
            reason = f"the column {one.name} is {kind}, and the query gives {value.type}"
            raise SqlError(reason, hint=f"write CAST(… AS {plain(kind)}) in the query", place=one.place)
        columns.append(Column(one.name, kind, one.required))
    return columns


def becomes(kind: SqlType, to: SqlType) -> bool:
    """Whether a table's column of the type `to` takes any value of the type `kind`. Literals go no further here."""
    if same(kind, to) or widens(kind, to):
        return True
    if kind.name != "STRUCT" or to.name != "STRUCT" or len(kind.fields) != len(to.fields):
        return False
    return all(becomes(one.type, other.type) for one, other in zip(kind.fields, to.fields, strict=True))


def part_types(value: Value, to: SqlType) -> list[SqlType] | None:
    """The types that the parts of an array or struct have in another type; None if it has another number of fields."""
    kinds = [to.element] * len(value.parts) if to.element is not None else [field.type for field in to.fields]
    return kinds if len(kinds) == len(value.parts) else None


def supertype(values: Iterable[Value]) -> SqlType | None:
    """The type that all the values coerce to, which is one of theirs; None if there is none.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules#supertypes"""
    values = [value for value in values if not takes_any_type(value)]
    if not values:
        return INT64
    kinds = _types_of(values)
    if len(kinds) == 1:
        return _named(kinds[0], values[0].type)
    if kinds[0].name == "STRUCT":
        return _structs(values)
    for kind in kinds:
        if all(coerces(value, kind) for value in values):
            return _named(kind, values[0].type)
    if {kind.name for kind in kinds} == {"INT64", "NUMERIC", "FLOAT64"}:
        return FLOAT64
    return None


def _types_of(values: list[Value]) -> list[SqlType]:
    """The different types of the values, first those that the others are most likely to coerce to."""
    typed = [value for value in values if value.literal is None or value.literal is EMPTY] or values
    kinds: list[SqlType] = []
    for value in [*typed, *values]:
        if not any(same(value.type, kind) for kind in kinds):
            kinds.append(value.type)
    if all(kind.name in NUMBERS for kind in kinds) and any(value.literal is None for value in values):
        return _numbers_first(kinds, typed)
    return kinds


def _numbers_first(kinds: list[SqlType], typed: list[Value]) -> list[SqlType]:
    """The types of expressions before those of literals, which coerce to more."""
    own = {value.type.name for value in typed}
    return sorted(kinds, key=lambda kind: (kind.name not in own, NUMBERS[kind.name]))


def _named(kind: SqlType, first: SqlType) -> SqlType:
    """Structs of equal types: the names of the first one's fields."""
    if kind.element is not None and first.element is not None:
        return array_of(_named(kind.element, first.element))
    if kind.name != "STRUCT" or first.name != "STRUCT":
        return kind
    pairs = zip(first.fields, kind.fields, strict=True)
    return struct_of(*(Column(one.name, _named(other.type, one.type)) for one, other in pairs))


def _structs(values: list[Value]) -> SqlType | None:
    """Field by field."""
    if any(value.type.name != "STRUCT" or len(value.type.fields) != len(values[0].type.fields) for value in values):
        return None
    columns = []
    for index, field in enumerate(values[0].type.fields):
        kind = _of_fields(
            [value.parts[index] if value.parts else AnyValue(value.type.fields[index].type) for value in values]
        )
        if kind is None:
            return None
        columns.append(Column(field.name, kind))
    found = struct_of(*columns)
    return found if all(coerces(value, found) for value in values) else None


def _of_fields(values: list[Value]) -> SqlType | None:
    """The common type of a field of several structs. Among literals alone NULL is an INT64, unless all the others
    coerce to the first one's type."""
    if all(value.literal is not None for value in values):
        first = values[0].type
        if all(coerces(value, first) for value in values):
            return first
        values = [AnyValue(INT64, 0) if value.literal is NULL else value for value in values]
    return supertype(values)
