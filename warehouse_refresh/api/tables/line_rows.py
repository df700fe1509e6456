"""Turn a body of lines into rows: CSV with a header, or NDJSON. All faults are reported, with line and column.

Values are read as strictly as everywhere else. An empty value in CSV is NULL, quoted or not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from warehouse_refresh.api.problems import MAX_ERRORS, ApiProblem
from warehouse_refresh.api.tables.json_size import MAX_VALUES, most_values, size_within
from warehouse_refresh.api.tables.rows import (
    LONGEST_NAME,
    Fault,
    missing,
    row_of_object,
    suggestions_of,
    take,
    unknown_column,
)
from warehouse_refresh.warehouse import Row
from warehouse_refresh.warehouse.errors import Place
from warehouse_refresh.warehouse.types import Column, has_values
from warehouse_refresh.warehouse.values.csv_text import CsvText, InvalidCsv, Line, Record, lines_of
from warehouse_refresh.warehouse.values.invalid import InvalidValue
from warehouse_refresh.warehouse.values.json_text import InvalidJson, offsets_of, parse_json
from warehouse_refresh.warehouse.values.reading import from_text

Rows = tuple[list[Row], list[Fault]]
_NESTED = ("ARRAY", "STRUCT", "JSON")


def rows_of_csv(body: bytes, columns: tuple[Column, ...], max_rows: int) -> Rows:
    """The rows of a CSV text whose first line names the columns, and their faults. Stops at the thousandth fault.
    Raises ApiProblem for too many rows or values, before it parses those beyond the limit."""
    text, faults = _decoded(body)
    if faults:
        return [], faults
    return _CsvRows(CsvText(text), columns, max_rows).read(is_small=most_line_values(body) <= MAX_VALUES)


def rows_of_ndjson(body: bytes, columns: tuple[Column, ...], max_rows: int) -> Rows:
    """The rows of a text with a JSON object in each line, and their faults. See `rows_of_csv`."""
    text, faults = _decoded(body)
    if size_within(body, MAX_VALUES, MAX_VALUES).values > MAX_VALUES:
        raise too_many_values()
    rows: list[Row] = []
    suggestions = suggestions_of(columns)
    for line in lines_of(text):
        if len(rows) >= max_rows:
            raise too_many_rows(max_rows)
        try:
            row, found = row_of_object(parse_json(line.text), columns, suggestions)
        except InvalidJson as error:
            row, found = {}, [Fault(error.code, error.detail, place=Place(line.number, error.column))]
        faults += _placed(found, line, len(rows))
        rows.append(row)
        if len(faults) >= MAX_ERRORS:
            break
    return rows, faults if rows or faults else [Fault("no-rows", "there is no row: write one JSON object in each line")]


def too_many_rows(max_rows: int) -> ApiProblem:
    """The answer to more rows than one request may hold."""
    return ApiProblem("too-many-rows", f"more than the {max_rows} rows that one request may hold")


def most_line_values(body: bytes) -> int:
    """An upper bound of the number of values in a body of lines."""
    return body.count(b"\n") + most_values(body)


def too_many_values() -> ApiProblem:
    """The answer to more values than one request may hold."""
    return ApiProblem("too-many-values", f"more than the {MAX_VALUES:,} values that one request may hold")


def _decoded(body: bytes) -> tuple[str, list[Fault]]:
    """The text without its byte order mark, or the fault of the first bytes that are not UTF-8."""
    try:
        return body.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        start = body.rfind(b"\n", 0, error.start) + 1
        column = len(body[start : error.start].decode("utf-8", "replace")) + 1
        place = Place(body.count(b"\n", 0, error.start) + 1, column)
        return "", [Fault("not-utf8", "the bytes are not UTF-8", place=place)]


def _placed(faults: list[Fault], line: Line, row: int) -> Iterator[Fault]:
    """The faults of a line of NDJSON with their places."""
    named = offsets_of(line.text) if any(fault.attribute for fault in faults) else ()
    offsets = {name[:LONGEST_NAME]: at for name, at in named}
    for fault in faults:
        place = Place(line.number, offsets.get(fault.attribute, 0) + 1)
        yield replace(fault, row=row, place=fault.place or place)


@dataclass(frozen=True, slots=True)
class _Named:
    """A column of the table that the header names, and its index there."""

    index: int
    column: Column
    nested: bool


class _CsvRows:
    """Reads one CSV text."""

    def __init__(self, text: CsvText, columns: tuple[Column, ...], max_rows: int) -> None:
        self._text, self._columns, self._max_rows = text, columns, max_rows
        self._faults: list[Fault] = []
        self._rows: list[Row] = []
        self._values = 0

    def read(self, *, is_small: bool) -> Rows:
        """The rows and the faults; `is_small` says that the values need not be counted."""
        try:
            header = next(self._text.records(), None)
            if header is None or header.blank:
                self._faults.append(Fault("no-header", "the first line names the columns", place=Place(1)))
            else:
                self._read_rows(self._names(header), header, is_small=is_small)
        except InvalidCsv as error:
            self._faults.append(Fault(error.code, error.detail, place=error.place))
        return self._rows, self._faults

    def _read_rows(self, named: list[_Named], header: Record, *, is_small: bool) -> None:
        width = len(header.values)
        records = self._text.records(width)
        next(records)
        for record in records:
            if len(self._faults) >= MAX_ERRORS:
                return
            if record.blank and width > 1:
                continue
            if len(self._rows) >= self._max_rows:
                raise too_many_rows(self._max_rows)
            if not is_small:
                self._count(record, named)
            self._rows.append(self._row(record, named, width))
        if not self._rows and not self._faults:
            self._faults.append(Fault("no-rows", "there is no row below the header"))

    def _count(self, record: Record, named: list[_Named]) -> None:
        inside = (record.values[it.index] for it in named if it.nested and it.index < len(record.values))
        sizes = (size_within(text.encode(), MAX_VALUES, MAX_VALUES).values for text in inside)
        self._values += len(record.values) + sum(sizes)
        if self._values > MAX_VALUES:
            raise too_many_values()

    def _names(self, header: Record) -> list[_Named]:
        """The columns that the header names. Its faults are noted."""
        known = {column.name: column for column in self._columns}
        suggestions = suggestions_of(self._columns)
        found: dict[str, _Named] = {}
        for index, name in enumerate(header.values):
            if len(self._faults) >= MAX_ERRORS:
                break
            if name in found:
                fault = Fault("repeated-attribute", "the header names the column twice", name)
            elif name not in known:
                fault = unknown_column(name, suggestions)
            elif not has_values(known[name].type):
                fault = Fault("unsupported-type", f"the API cannot store values of {known[name].type}", name)
            else:
                found[name] = _Named(index, known[name], known[name].type.name in _NESTED)
                continue
            self._faults.append(replace(fault, place=self._text.place(header, index)))
        self._faults += _left_out(self._columns, found)
        return list(found.values())

    def _row(self, record: Record, named: list[_Named], width: int) -> Row:
        if record.blank:
            detail = 'a blank line is no row where there is one column: write "" for NULL'
            self._faults.append(Fault("blank-line", detail, row=len(self._rows), place=Place(record.line)))
            return {}
        if len(record.values) != width:
            self._faults.append(self._of_width(record, width))
            return {}
        row: dict[str, Any] = {}
        for it in named:
            text = record.values[it.index]
            try:
                take(row, it.column, from_text(text, it.column.type) if text else _null(it.column))
            except InvalidValue as error:
                place = self._text.place(record, it.index)
                self._faults.append(Fault(error.code, error.detail, it.column.name, len(self._rows), place))
        return row

    def _of_width(self, record: Record, width: int) -> Fault:
        count = self._text.count(record)
        detail = f"the row has {count} {'value' if count == 1 else 'values'}, and the header {width}"
        place = self._text.place(record, min(width, count - 1))
        return Fault("wrong-number-of-values", detail, row=len(self._rows), place=place)


def _left_out(columns: tuple[Column, ...], named: Mapping[str, Any]) -> Iterator[Fault]:
    for column in columns:
        if column.required and not column.default and column.name not in named:
            refused = missing(column)
            yield Fault(refused.code, refused.detail, column.name, place=Place(1))


def _null(column: Column) -> Any:
    return [] if column.type.element is not None else None
