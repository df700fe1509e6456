"""Turn requests into rows: a query string is one row, a JSON array of objects is many. All faults are reported.

Attributes must match the column names exactly. For an unknown name the fault suggests the closest column.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

from warehouse_refresh.api.problems import MAX_ERRORS
from warehouse_refresh.warehouse import Row
from warehouse_refresh.warehouse.errors import Place
from warehouse_refresh.warehouse.suggest import Suggestions
from warehouse_refresh.warehouse.types import Column, SqlType, has_values
from warehouse_refresh.warehouse.values.invalid import InvalidValue, shown
from warehouse_refresh.warehouse.values.json_text import Object
from warehouse_refresh.warehouse.values.reading import from_json, from_text, to_json

LONGEST_NAME = 300  # of a column: https://cloud.google.com/bigquery/docs/schemas#column_names
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a request. `row` counts from 0 in an array; `attribute` is "" if the fault is not about one.
    `place` is its place in a CSV or NDJSON body."""

    code: str
    detail: str
    attribute: str = ""
    row: int | None = None
    place: Place | None = None

    def to_json(self) -> dict[str, Any]:
        """As the answer shows it."""
        place = {"line": self.place.line, "column": self.place.column} if self.place else {}
        shown = {"row": self.row, **place, "attribute": self.attribute, "code": self.code, "detail": self.detail}
        return {name: value for name, value in shown.items() if value is not None}


def row_of_query(query: bytes, columns: Iterable[Column]) -> tuple[Row, list[Fault]]:
    """The row of a query string (`a=1&b=x`, as in the URL), and its faults.

    It follows https://url.spec.whatwg.org/#application/x-www-form-urlencoded, but malformed parts are faults.
    """
    given: dict[str, list[str]] = {}
    faults: list[Fault] = []
    for part in query.split(b"&") if query else []:
        try:
            name, value = _pair(part)
        except InvalidValue as refused:
            faults.append(Fault(refused.code, refused.detail, _rough_name(part)))
            if len(faults) >= MAX_ERRORS:
                return {}, faults
        else:
            given.setdefault(name, []).append(value)
    row, more = _row(given, columns, _text_value, suggestions_of(columns), empty=not query)
    return row, faults + more


def rows_of_objects(objects: list[object], columns: Iterable[Column]) -> tuple[list[Row], list[Fault]]:
    """The rows of parsed JSON objects, and their faults, each with the row's index.

    Stops at the row with the thousandth fault: an answer has no more.
    """
    columns = tuple(columns)
    suggestions = suggestions_of(columns)
    rows, faults = [], []
    for index, item in enumerate(objects):
        row, more = row_of_object(item, columns, suggestions)
        rows.append(row)
        faults += [Fault(fault.code, fault.detail, fault.attribute, index) for fault in more]
        if len(faults) >= MAX_ERRORS:
            break
    return rows, faults


def row_to_json(row: Row, columns: Iterable[Column]) -> dict[str, Any]:
    """The row as stored, for msgspec: every column in order, NULL where none was given. A column that the table gave
    its default value is left out, since only the table knows that value."""
    shown = (column for column in columns if column.name in row or not column.default)
    return {column.name: to_json(row.get(column.name), column.type) for column in shown}


def suggestions_of(columns: Iterable[Column]) -> Suggestions:
    """Suggestions for one request; `Suggestions` limits the time that they take."""
    return Suggestions([column.name for column in columns])


def row_of_object(item: object, columns: tuple[Column, ...], suggestions: Suggestions) -> tuple[Row, list[Fault]]:
    """The row of a parsed JSON object, and its faults."""
    if not isinstance(item, Object):
        return {}, [Fault("not-an-object", "each row is a JSON object of attributes")]
    row, faults = _row(item, columns, from_json, suggestions, empty=not item)
    if item.repeated:
        faults.append(Fault("repeated-attribute", "the attribute is given twice", item.repeated[:LONGEST_NAME]))
    return row, faults


def _row(
    given: Mapping[str, Any],
    columns: Iterable[Column],
    read: Callable[[Any, SqlType], Any],
    suggestions: Suggestions,
    *,
    empty: bool,
) -> tuple[Row, list[Fault]]:
    if empty:
        return {}, [Fault("no-attributes", "no attribute is given")]
    known = {column.name: column for column in columns}
    row: dict[str, Any] = {}
    strange = islice((name for name in given if name not in known), MAX_ERRORS)
    faults = [unknown_column(name, suggestions) for name in strange]
    for name, column in known.items():
        try:
            if name in given:
                take(row, column, _read(given[name], column, read))
            elif column.required and not column.default:
                raise missing(column)
        except InvalidValue as refused:
            faults.append(Fault(refused.code, refused.detail, name))
    return row, faults


def _read(given: Any, column: Column, read: Callable[[Any, SqlType], Any]) -> Any:
    if not has_values(column.type):
        raise InvalidValue("unsupported-type", f"the API cannot store values of {column.type}")
    return read(given, column.type)


def take(row: dict[str, Any], column: Column, value: Any) -> None:
    """Put the value into the row. A NULL that the request gives is kept: the column's default does not replace it."""
    if value is None and column.required:
        raise missing(column)
    if value is not None or column.default:
        row[column.name] = value


def missing(column: Column) -> InvalidValue:
    """Why a REQUIRED column that gets no value is refused."""
    return InvalidValue("missing-attribute", f"the column is REQUIRED and needs a {column.type}")


def unknown_column(name: str, suggestions: Suggestions) -> Fault:
    """Why a name that no column has is refused."""
    if not name:
        return Fault("empty-name", "an attribute has an empty name")
    hint = suggestions.did_you_mean(name)
    detail = f"there is no column {shown(name)}{'; ' if hint else ''}{hint}"
    return Fault("unknown-column", detail, name[:LONGEST_NAME])


def _text_value(values: list[str], kind: SqlType) -> Any:
    if kind.element is not None:
        return [from_text(value, kind.element) for value in values]
    if len(values) > 1:
        raise InvalidValue(
            "repeated-attribute", f"the attribute is given {len(values)} times, and {kind} is not an ARRAY"
        )
    return from_text(values[0], kind)


def _pair(part: bytes) -> tuple[str, str]:
    name, equals, value = part.partition(b"=")
    if not equals and name:
        raise InvalidValue("no-value", "the attribute has no value: write name=value")
    return _decoded(name), _decoded(value)


def _decoded(raw: bytes) -> str:
    if BAD_ESCAPE.search(raw):
        raise InvalidValue("bad-escape", "a % must be followed by two hexadecimal digits; write %25 for % itself")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise InvalidValue("not-utf8", "the bytes are not UTF-8") from None


def _rough_name(part: bytes) -> str:
    """The attribute's name as far as it can be read, to say which one is meant."""
    name = part[: 3 * LONGEST_NAME].partition(b"=")[0]
    return unquote_to_bytes(name.replace(b"+", b" ")).decode("utf-8", "replace")[:LONGEST_NAME]
