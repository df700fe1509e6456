"""DuckDB expressions with their GoogleSQL types, and GoogleSQL's rules of coercion.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from sqlglot import exp

from warehouse.errors import UnsupportedSql
from warehouse.types import Column, SqlType, array_of, parse_type, struct_of

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
    if type_.name not in _DUCKDB_OF:
        raise UnsupportedSql(f"the embedded engine has no {type_.name}", hint="this script needs BigQuery")
    if type_.name == "NUMERIC" and type_.parameters:
        precision, scale = (*type_.parameters, 0)[:2]
        return f"DECIMAL({precision},{scale})"
    return _DUCKDB_OF[type_.name]


def googlesql_type(description: str) -> SqlType:
    """The GoogleSQL type of a column that DuckDB describes so."""
    tree = exp.DataType.build(description, dialect="duckdb")
    return _without_default_scale(parse_type(tree.sql("bigquery")))


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


def quoted(name: str) -> str:
    """A name as DuckDB's identifier."""
    return '"' + name.replace('"', '""') + '"'


def string_sql(text: str) -> str:
    """A text as DuckDB's literal."""
    if "\0" in text:
        return "(" + " || chr(0) || ".join(string_sql(part) for part in text.split("\0")) + ")"
    return "'" + text.replace("'", "''") + "'"


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


def is_simple(sql: str) -> bool:
    """Short and cheap enough to be written twice."""
    return len(sql) < 80 and "(" not in sql and "v_." not in sql


def bind(template: str, /, **arguments: str) -> str:
    """The template with its arguments put in, where one that is used twice is computed once."""
    shared = {n: sql for n, sql in arguments.items() if template.count("{" + n + "}") > 1 and not is_simple(sql)}
    if not shared:
        return template.format(**arguments)
    places = {name: f"v_.{name}" for name in shared}
    body = template.format(**{**arguments, **places})
    fields = ", ".join(f"'{name}': {sql}" for name, sql in shared.items())
    return f"list_transform([{{{fields}}}], lambda v_: {body})[1]"


def attempt(sql: str) -> str:
    """NULL where the expression fails. DuckDB's TRY takes no `error(…)`, so that becomes NULL by itself."""
    index = sql.find("error(")
    while index >= 0:
        end = closing(sql, index + len("error"))
        sql = f"{sql[:index]}NULL{sql[end + 1 :]}"
        index = sql.find("error(", index)
    return f"TRY({sql})"


def closing(sql: str, start: int) -> int:
    """Where the parenthesis that opens at `start` closes; quotes are skipped."""
    depth, index = 0, start
    while index < len(sql):
        char = sql[index]
        if char in "'\"":
            index = sql.index(char, index + 1)
        depth += (char == "(") - (char == ")")
        if depth == 0 and char == ")":
            return index
        index += 1
    raise AssertionError(sql)


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
    if value.literal is not None:
        found = _literal_as(value.literal, to)
        if found is not None:
            return Typed(found, to)
    name = value.type.name
    if name in NUMBERS and to.name in NUMBERS and NUMBERS[name] < NUMBERS[to.name]:
        return Typed(_number_as(value.sql, name, to), to)
    if (name, to.name) in _WIDER:
        return Typed(f"CAST({value.sql} AS TIMESTAMP)", to)
    return None


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


def array_sql(parts: Iterable[Typed], type_: SqlType) -> Typed:
    """An array of these elements."""
    parts = tuple(parts)
    return Typed(f"[{', '.join(part.sql for part in parts)}]::{duckdb_type(type_)}", type_, parts=parts)


def struct_sql(parts: Iterable[Typed], type_: SqlType) -> Typed:
    """A struct of these fields."""
    parts = tuple(parts)
    fields = zip(field_names(type_), parts, strict=True)
    return Typed("{" + ", ".join(f"{string_sql(name)}: {part.sql}" for name, part in fields) + "}", type_, parts=parts)


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


def bytes_sql(data: bytes) -> str:
    """Bytes as DuckDB's literal."""
    return "'" + "".join(f"\\x{byte:02X}" for byte in data) + "'::BLOB"


def numeric_sql(text: str | float) -> str | None:
    """A NUMERIC as DuckDB's literal, rounded half away from zero; None if out of range."""
    try:
        value = Decimal(text.strip() if isinstance(text, str) else text)
        digits = Decimal((int(value.copy_abs().scaleb(10, WIDE)) + 5) // 10).scaleb(-9, WIDE)
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return f"'{'-' if value < 0 else ''}{digits:f}'::DECIMAL(38,9)" if digits < Decimal("1e29") else None


WIDE = Context(prec=400)
_DATE = re.compile(r"(\d{1,4})-(\d{1,2})-(\d{1,2})\Z")
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{0,6}))?\Z")
_ZONED = re.compile(
    r"(\d+-\d+-\d+(?:[ Tt]\d+:\d+:\d+(?:\.\d*)?)?)(?:(Z|z)|\s*([+-]\d{1,2}(?::\d{2})?)|\s+([A-Za-z_]+(?:/[\w+-]+)*))?\Z"
)


def date_sql(text: str) -> str | None:
    """A DATE as DuckDB's literal; None if the text is no date."""
    found = _date(text.strip()) if text == text.strip() else None
    return f"'{found.isoformat()}'::DATE" if found else None


def time_sql(text: str) -> str | None:
    """A TIME as DuckDB's literal; None if the text is no time."""
    found = _time(text)
    return f"'{found.isoformat()}'::TIME" if found else None


def datetime_sql(text: str) -> str | None:
    """A DATETIME as DuckDB's literal; None if the text is none."""
    found = _datetime(text)
    return f"'{found.isoformat(' ')}'::TIMESTAMP" if found else None


def timestamp_sql(text: str) -> str | None:
    """A TIMESTAMP as DuckDB's literal; None if the text is none. Without a zone it is in UTC."""
    matched = _ZONED.match(text)
    found = _datetime(matched[1].strip()) if matched else None
    if matched is None or found is None:
        return None
    if matched[4] and matched[4].upper() != "UTC":
        return from_local(f"'{found.isoformat(' ')}'::TIMESTAMP", string_sql(matched[4]))
    sign, hours, minutes = _offset(matched[3])
    return f"('{found.isoformat(' ')}{sign}{hours}:{minutes}'::TIMESTAMPTZ)"


def from_local(sql: str, zone: str) -> str:
    """The TIMESTAMP at which the clocks of a zone show a DATETIME: the first one, where they show it twice (DuckDB has
    the second)."""
    if zone == "'UTC'":
        return f"timezone('UTC', {sql})"
    instant = "timezone({z}, {x})"
    earlier = [f"{instant} - INTERVAL {minutes} MINUTE" for minutes in (60, 30)]
    whens = " ".join(f"WHEN timezone({{z}}, {moment}) = {{x}} THEN {moment}" for moment in earlier)
    return f"({bind(f'CASE {whens} ELSE {instant} END', x=sql, z=zone)})"


def _offset(text: str | None) -> tuple[str, str, str]:
    if not text:
        return "+", "00", "00"
    hours, _, minutes = text[1:].partition(":")
    return text[0], hours.zfill(2), minutes or "00"


def _date(text: str) -> date | None:
    matched = _DATE.match(text)
    try:
        return date(*map(int, matched.groups())) if matched else None
    except ValueError:
        return None


def _time(text: str) -> time | None:
    matched = _TIME.match(text)
    try:
        return time(*map(int, matched.groups()[:3]), int((matched[4] or "").ljust(6, "0"))) if matched else None
    except ValueError:
        return None


def _datetime(text: str) -> datetime | None:
    for separator in ("T", "t", " "):
        day, found, rest = text.partition(separator)
        if found:
            on, at = _date(day), _time(rest)
            return datetime.combine(on, at) if on is not None and at is not None else None
    on = _date(text)
    return datetime.combine(on, time()) if on is not None else None


TEXT_READERS = {"DATE": date_sql, "TIME": time_sql, "DATETIME": datetime_sql, "TIMESTAMP": timestamp_sql}
