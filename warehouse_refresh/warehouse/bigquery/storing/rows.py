"""Check rows before a job is sent, so that a call with a row that BigQuery would refuse stores nothing."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from warehouse_refresh.warehouse.errors import InvalidRow
from warehouse_refresh.warehouse.types import Column, SqlType

_PYTHON: dict[str, type | tuple[type, ...]] = {
    "INT64": int,
    "FLOAT64": (float, int),
    "NUMERIC": (Decimal, int),
    "BIGNUMERIC": (Decimal, int),
    "BOOL": bool,
    "STRING": str,
    "BYTES": bytes,
    "DATE": date,
    "TIME": time,
    "DATETIME": datetime,
    "TIMESTAMP": datetime,
    "JSON": str,
    "GEOGRAPHY": str,
    "INTERVAL": str,
}
# Precision and scale: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types
_DECIMALS = {"NUMERIC": (38, 9), "BIGNUMERIC": (76, 38)}


def check_row(row: Mapping[str, Any], columns: Sequence[Column]) -> None:
    """Raise InvalidRow for a name that no column has, and for a value that does not fit its column."""
    known = {column.name for column in columns}
    for name in row:
        if name not in known:
            raise InvalidRow(f"there is no column {name}")
    for column in columns:
        if column.default and column.name not in row:
            continue
        problem = _problem_of_column(row.get(column.name), column)
        if problem:
            raise InvalidRow(f"{column.name}: {problem}")


def _problem_of_column(value: Any, column: Column) -> str:
    if value is None:
        return "the column is REQUIRED" if column.required else ""
    return _problem(value, column.type)


def _problem(value: Any, kind: SqlType) -> str:
    if kind.element is not None:
        return _first(("an ARRAY holds no NULL" if each is None else _problem(each, kind.element)) for each in value)
    if kind.name == "STRUCT":
        return _first(_problem_of_column(value.get(field.name), field) for field in kind.fields)
    if not isinstance(value, _PYTHON.get(kind.name, object)) or (kind.name == "INT64" and isinstance(value, bool)):
        return f"{type(value).__name__} is not a value of {kind}"
    return _problem_of_size(value, kind)


def _problem_of_size(value: Any, kind: SqlType) -> str:
    if kind.name in _DECIMALS:
        return "" if _fits(Decimal(value), kind) else f"the number does not fit {kind}"
    if kind.name == "INT64":
        return "" if -(2**63) <= value < 2**63 else "the number does not fit INT64"
    if kind.name in ("DATETIME", "TIMESTAMP"):
        return _problem_of_moment(value, kind)
    if isinstance(value, str) and not _is_unicode(value):
        return "the text holds half of a surrogate pair"
    if kind.name == "JSON":
        return "" if _is_json(value) else "the text is not JSON"
    if kind.parameters and len(value) > kind.parameters[0]:
        return f"{len(value)} {'bytes' if kind.name == 'BYTES' else 'characters'} do not fit {kind}"
    return ""


def _fits(number: Decimal, kind: SqlType) -> bool:
    precision, scale = {0: _DECIMALS[kind.name], 1: (*kind.parameters, 0), 2: kind.parameters}[len(kind.parameters)]
    if not number.is_finite():
        return False
    _, digits, exponent = number.as_tuple()  # normalize() would round to 28 digits
    significant = "".join(map(str, digits)).rstrip("0")
    exponent = int(exponent) + len(digits) - len(significant)
    return not significant or (-exponent <= scale and len(significant) + exponent <= precision - scale)


def _problem_of_moment(value: datetime, kind: SqlType) -> str:
    if (value.tzinfo is None) != (kind.name == "DATETIME"):
        return "a TIMESTAMP needs its time zone" if value.tzinfo is None else "a DATETIME has no time zone"
    try:
        value.astimezone(UTC) if value.tzinfo else None
    except OverflowError:
        return "the moment is outside of the years 1 to 9999 in UTC"
    return ""


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _first(problems: Any) -> str:
    return next((problem for problem in problems if problem), "")
