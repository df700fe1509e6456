"""Values as query parameters, and rows as one query parameter: no value ever becomes part of a statement's text.

https://cloud.google.com/bigquery/docs/reference/rest/v2/QueryParameter
"""

import base64
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from warehouse_refresh.warehouse.bigquery.schema import quoted
from warehouse_refresh.warehouse.sql.coercion import plain
from warehouse_refresh.warehouse.types import SqlType

_AS_TEXT = frozenset({"JSON", "GEOGRAPHY", "INTERVAL"})
"""Types that are sent as STRING and read by the statement: a parameter of BigQuery cannot have them inside an ARRAY."""


class _Kept(list[Any]):
    """A list of which a deep copy is the list itself. Google's client copies the settings of a job several times, and
    the values of many rows take longer to copy than to make."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Kept":
        return self


class Records:
    """A query parameter that is an ARRAY of STRUCTs, whose fields `f0`, `f1`, … have these types. The values' Python
    types are those of `warehouse.Row`."""

    def __init__(self, name: str, kinds: Sequence[SqlType], rows: Sequence[Sequence[Any]]) -> None:
        self._name, self._kinds, self._rows = name, kinds, rows

    def to_api_repr(self) -> dict[str, Any]:
        """What the client library puts into the request."""
        return {
            "name": self._name,
            "parameterType": {"type": "ARRAY", "arrayType": {"type": "STRUCT", "structTypes": _fields(self._kinds)}},
            "parameterValue": {"arrayValues": _Kept({"structValues": values(row, self._kinds)} for row in self._rows)},
        }


class Value:
    """A query parameter that is one value. Its type is a scalar or an ARRAY of scalars, without JSON and the like."""

    def __init__(self, name: str, kind: SqlType, value: Any) -> None:
        self._name, self._kind, self._value = name, plain(kind), value

    def to_api_repr(self) -> dict[str, Any]:
        """What the client library puts into the request."""
        return {
            "name": self._name,
            "parameterType": _type(self._kind),
            "parameterValue": _value(self._value, self._kind),
        }


def values(row: Sequence[Any], kinds: Sequence[SqlType]) -> dict[str, Any]:
    """The `structValues` of a row."""
    return {f"f{i}": _value(value, kind) for i, (value, kind) in enumerate(zip(row, kinds, strict=True))}


def stored(expression: str, kind: SqlType) -> str:
    """The SQL that turns the parameter's value `expression` into a value of the column's type."""
    if kind.element is not None:
        if stored("e", kind.element) == "e":
            return expression
        return f"ARRAY(SELECT {stored('e', kind.element)} FROM UNNEST({expression}) AS e WITH OFFSET AS o ORDER BY o)"
    if kind.name == "STRUCT":
        fields = (f"{stored(f'{expression}.f{i}', f.type)} AS {quoted(f.name)}" for i, f in enumerate(kind.fields))
        return f"IF({expression}.given, STRUCT({', '.join(fields)}), NULL)"
    if kind.name == "JSON":
        return f"PARSE_JSON({expression}, wide_number_mode => 'round')"
    if kind.name == "GEOGRAPHY":
        return f"ST_GEOGFROMTEXT({expression})"
    return f"CAST({expression} AS INTERVAL)" if kind.name == "INTERVAL" else expression


def _fields(kinds: Sequence[SqlType]) -> list[dict[str, Any]]:
    return [{"name": f"f{i}", "type": _type(kind)} for i, kind in enumerate(kinds)]


def _type(kind: SqlType) -> dict[str, Any]:
    if kind.element is not None:
        return {"type": "ARRAY", "arrayType": _type(kind.element)}
    if kind.name == "STRUCT":
        # A parameter's value is the same for NULL and for a STRUCT of NULLs: `given` tells them apart.
        given = {"name": "given", "type": {"type": "BOOL"}}
        return {"type": "STRUCT", "structTypes": [given, *_fields([field.type for field in kind.fields])]}
    return {"type": "STRING" if kind.name in _AS_TEXT else kind.name}


def _value(value: Any, kind: SqlType) -> dict[str, Any]:
    if kind.element is not None:
        return {"arrayValues": [_value(each, kind.element) for each in value or ()]}
    if kind.name == "STRUCT":
        kinds = [field.type for field in kind.fields]
        fields = values([(value or {}).get(field.name) for field in kind.fields], kinds)
        return {"structValues": {"given": {"value": "false" if value is None else "true"}, **fields}}
    return {"value": None if value is None else _text(value)}


def _text(value: Any) -> str:
    """A scalar as BigQuery's API reads it. Its Python type is one of those of `warehouse.Row`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat(" ")
    return value.isoformat() if isinstance(value, date | time) else str(value)
