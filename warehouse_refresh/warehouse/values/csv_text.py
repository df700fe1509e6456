"""CSV text, read strictly: https://www.rfc-editor.org/rfc/rfc4180

A line ends with LF or CRLF. A value in quotes may hold the separator, line ends, and quotes that are written twice; a
quote anywhere else is refused. Python's own reader takes such quotes, and does not say where a value stands.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from warehouse_refresh.warehouse.errors import Place
from warehouse_refresh.warehouse.values.invalid import InvalidValue

MOST_COLUMNS = 10_000  # of a table: https://cloud.google.com/bigquery/quotas#standard_tables
_NEXT_TO_QUOTES = "a closing quote stands before the separator or the end of its line"
_IN_QUOTES = "a value with a quote in it stands in quotes, and writes it twice"
_RETURN = "a carriage return stands before a line feed, or in quotes"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank: its number, from 1, where it starts in the text, and its characters."""

    number: int
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """The values of one record, and the line that it begins on. `blank` says that the line is empty, so that it is one
    empty value or none."""

    line: int
    start: int
    values: list[str]
    blank: bool = False


class InvalidCsv(InvalidValue):
    """The text is not CSV from this place on."""

    def __init__(self, detail: str, place: Place) -> None:
        super().__init__("invalid-csv", detail)
        self.place = place


def lines_of(text: str) -> Iterator[Line]:
    """The lines of a text that hold more than blanks, without their ends."""
    for number, start, end in _spans(text):
        line = text[start:end]
        if line.strip(" \t"):
            yield Line(number, start, line)


class CsvText:
    """A CSV text. A record has at most `MOST_COLUMNS` + 1 values: further ones are left out."""

    def __init__(self, text: str, separator: str = ",") -> None:
        self._text, self._separator = text, separator
        plain = rf'[^"{separator}\r\n]*+'
        self._value = re.compile(rf'"((?:[^"]++|"")*+)"|({plain})')
        self._is_plain = '"' not in text and text.count("\r") == text.count("\r\n")

    def records(self, most: int = MOST_COLUMNS) -> Iterator[Record]:
        """The records in order. Raises InvalidCsv at the first place that is not CSV."""
        at, number = 0, 1
        while at < len(self._text):
            end, following = _end_of_line(self._text, at)
            if self._is_plain or not self._has_signs(at, end):
                line = self._text[at:end]
                yield Record(number, at, line.split(self._separator, most), not line)
                number += 1
            else:
                values, following = self._quoted(at, number, most)
                yield Record(number, at, values)
                number += self._text.count("\n", at, following)
            at = following

    def count(self, record: Record) -> int:
        """How many values the record has, with those that were left out."""
        return sum(1 for _ in self._starts(record))

    def place(self, record: Record, index: int) -> Place:
        """Where the record's value of this index stands."""
        start = next(start for number, start in enumerate(self._starts(record)) if number == index)
        return self._place_of(record.start, record.line, start)

    def _has_signs(self, at: int, end: int) -> bool:
        return self._text.find('"', at, end) >= 0 or self._text.find("\r", at, end) >= 0

    def _quoted(self, start: int, line: int, most: int) -> tuple[list[str], int]:
        """The values of a record that may have quotes, and where the next record starts. Raises InvalidCsv."""
        values: list[str] = []
        at = start
        while True:
            match = self._value.match(self._text, at)
            assert match  # noqa: S101 (an empty value matches everywhere)
            if len(values) <= most:
                values.append(match[2] if match[1] is None else match[1].replace('""', '"'))
            at = match.end()
            if self._text.startswith(self._separator, at):
                at += 1
                continue
            ends = next((length for length, end in ((1, "\n"), (2, "\r\n")) if self._text.startswith(end, at)), 0)
            if ends or at == len(self._text):
                return values, at + ends
            raise self._fault(start, line, match)

    def _fault(self, start: int, line: int, match: re.Match[str]) -> InvalidCsv:
        at = match.end()
        if match[1] is not None:
            detail = _NEXT_TO_QUOTES
        elif self._text[at] == "\r":
            detail = _RETURN
        elif match[2]:
            detail = _IN_QUOTES
        else:
            detail = "the quote is not closed"
        return InvalidCsv(detail, self._place_of(start, line, at))

    def _starts(self, record: Record) -> Iterator[int]:
        """Where each value of the record starts."""
        at = record.start
        while True:
            yield at
            match = self._value.match(self._text, at)
            if match is None or not self._text.startswith(self._separator, match.end()):
                return
            at = match.end() + 1

    def _place_of(self, start: int, line: int, at: int) -> Place:
        last = self._text.rfind("\n", start, at)
        return Place(line + self._text.count("\n", start, at), at - max(last + 1, start) + 1)


def _spans(text: str) -> Iterator[tuple[int, int, int]]:
    """Each line's number, start and end, without the characters that end it."""
    at, number = 0, 1
    while at < len(text):
        end, following = _end_of_line(text, at)
        yield number, at, end
        at, number = following, number + 1


def _end_of_line(text: str, at: int) -> tuple[int, int]:
    """Where the line ends, and where the next one starts."""
    feed = text.find("\n", at)
    if feed < 0:
        return len(text), len(text)
    return (feed - 1 if feed > at and text[feed - 1] == "\r" else feed), feed + 1
