"""Values that every engine must take and give back, with a text for each, written without the API's own code."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Good = tuple[Any, str]
"""What is read from the table, and the text that was sent."""

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def _as(values: st.SearchStrategy[Any], text: Callable[[Any], str]) -> st.SearchStrategy[Good]:
    return values.map(lambda value: (value, text(value)))


def _float_text(value: float) -> str:
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))


NUMERICS = st.integers(-(10**38) + 1, 10**38 - 1)
JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
TIMESTAMPS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS)  # noqa: DTZ001 (bounds are naive)
SCALARS: dict[str, st.SearchStrategy[Good]] = {
    "int64": _as(st.integers(-(2**63), 2**63 - 1), str),
    "float64": _as(st.floats(), _float_text),
    "numeric": NUMERICS.map(lambda unscaled: (_numeric_exact(unscaled), format(_numeric_exact(unscaled), "f"))),
    "bool": _as(st.booleans(), lambda value: "true" if value else "false"),
    "string": _as(TEXT, str),
    "bytes": _as(st.binary(min_size=1, max_size=20), lambda value: base64.b64encode(value).decode()),
    "date": _as(st.dates(), str),
    "time": _as(st.times(), lambda value: value.isoformat()),
    "datetime": _as(st.datetimes(), lambda value: value.isoformat()),
    "timestamp": TIMESTAMPS.map(lambda value: (value.astimezone(UTC), value.isoformat(timespec="microseconds"))),
    "json": _as(JSONS, json.dumps),
}


def _numeric_exact(unscaled: int) -> Decimal:
    digits = str(abs(unscaled)).rjust(10, "0")
    return Decimal(f"{'-' if unscaled < 0 else ''}{digits[:-9]}.{digits[-9:]}")


def same(column: str, stored: Any, value: Any) -> bool:
    """Whether what is stored is the value that was sent."""
    if isinstance(stored, list):
        return len(stored) == len(value) and all(map(same, [column] * len(value), stored, value))
    if column.startswith("json"):
        return bool((None if stored is None else json.loads(stored)) == value)  # BigQuery's client reads null as None
    return bool(stored == value or (stored != stored and value != value))
