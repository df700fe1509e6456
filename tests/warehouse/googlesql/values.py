"""A query's answer in one form, whichever engine gave it, so that answers can be compared strictly.

A value is None, int, float, Decimal, bool, str, bytes, date, time, datetime (naive: DATETIME, aware: TIMESTAMP),
Interval, Json, a list (ARRAY) or a tuple of values (STRUCT, whose field names are part of the type).
"""

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from warehouse_refresh.warehouse.types import Column


@dataclass(frozen=True, slots=True)
class Interval:
    """The three parts of an INTERVAL, which do not carry over into each other."""

    months: int
    days: int
    microseconds: int


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value; equal when the documents are, whatever the order of the keys or the blanks."""

    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Json) and _document(self.text) == _document(other.text)

    def __hash__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The columns of a query's result and its rows, in order."""

    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]]


def key(value: Any, *, rough: bool = False) -> Any:
    """A sortable, hashable stand-in for a value: equal exactly when the values are the same, NaN and -0.0 included.
    `rough` takes FLOAT64 to 14 digits."""
    if isinstance(value, list | tuple):
        return (type(value).__name__, tuple(key(item, rough=rough) for item in value))
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else f"{value:.14g}" if rough else repr(value))
    if isinstance(value, Decimal):
        return ("Decimal", f"{value:.40f}" if value else "0")
    if isinstance(value, Json):
        return ("Json", repr(_document(value.text)))
    return (type(value).__name__, str(value) if value is not None else "")


def _document(text: str) -> Any:
    return _canonical(json.loads(text))


def _canonical(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _canonical(document[name]) for name in sorted(document)}
    if isinstance(document, list):
        return [_canonical(item) for item in document]
    return (type(document).__name__, document) if isinstance(document, bool | int | float) else document
