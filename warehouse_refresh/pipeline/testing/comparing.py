"""Compare the rows that are expected with those that came.

Rows are a multiset unless their order matters. Values are equal as GoogleSQL has it, but NULL is equal to NULL and NaN
to NaN, and two FLOAT64 may lie apart by the tolerance.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from warehouse_refresh.warehouse.types import Column, SqlType
from warehouse_refresh.warehouse.values.json_text import canonical, parse_json

Values = tuple[Any, ...]
MOST_PAIRED = 200
"""Among so many rows it is looked for the one that is most like another one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is expected, the row that came in its place (None: no such row), and the columns, from 0 on, whose
    values differ. `at` is the row's place among those expected, from 0 on."""

    expected: Values | None
    got: Values | None
    wrong: frozenset[int] = frozenset()
    at: int = -1


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, its parts (all that must be the same, and the numbers that may lie apart), and its place, from 0 on."""

    values: Values
    exact: Values
    floats: tuple[float, ...]
    at: int = -1


def differences(
    columns: Sequence[Column],
    expected: Sequence[Values],
    got: Sequence[Values],
    tolerance: float,
    *,
    in_order: bool = False,
) -> list[Difference]:
    """What differs between the rows that are expected and those that came; nothing if they are the same. `tolerance` is
    a share of the larger number."""
    ours, theirs = _rows(columns, expected), _rows(columns, got)
    if in_order:
        pairs = zip_longest(ours, theirs)
        return [_difference(a, b, columns, tolerance) for a, b in pairs if not _same(a, b, tolerance)]
    left, other = _unmatched(ours, theirs, tolerance)
    return list(_paired(left, other, columns, tolerance))


def _rows(columns: Sequence[Column], rows: Sequence[Values]) -> list[_Row]:
    return [_row(columns, values, at) for at, values in enumerate(rows)]


def _row(columns: Sequence[Column], values: Values, at: int = -1) -> _Row:
    floats: list[float] = []
    exact = tuple(_exact(value, column.type, floats) for value, column in zip(values, columns, strict=True))
    return _Row(values, exact, tuple(floats), at)


def _exact(value: Any, kind: SqlType, floats: list[float]) -> Any:
    """The value in a form that can be hashed, without its FLOAT64, which are added to `floats`. A NULL array is an
    empty one, as in a table."""
    if kind.element is not None:
        return tuple(_exact(each, kind.element, floats) for each in value or ())
    if value is None:
        return None
    if kind.name == "STRUCT":
        parts = [value.get(field.name, each) for field, each in zip(kind.fields, value.values(), strict=True)]
        return tuple(_exact(part, field.type, floats) for part, field in zip(parts, kind.fields, strict=True))
    if kind.name == "FLOAT64":
        floats.append(float(value))
        return "FLOAT64"
    return _frozen(parse_json(value)) if kind.name == "JSON" else value


def _frozen(value: object) -> object:
    """A JSON value in a form that can be hashed; the order of an object's names does not matter."""
    if isinstance(value, dict):
        return frozenset((name, _frozen(each)) for name, each in value.items())
    return tuple(map(_frozen, value)) if isinstance(value, list) else canonical(value)


def _same(a: _Row | None, b: _Row | None, tolerance: float) -> bool:
    return a is not None and b is not None and a.exact == b.exact and _close(a.floats, b.floats, tolerance)


def _close(a: Sequence[float], b: Sequence[float], tolerance: float) -> bool:
    pairs = zip(a, b, strict=True)
    return all(math.isclose(x, y, rel_tol=tolerance) or (math.isnan(x) and math.isnan(y)) for x, y in pairs)


def _unmatched(ours: list[_Row], theirs: list[_Row], tolerance: float) -> tuple[list[_Row], list[_Row]]:
    """The rows on either side that have no partner, if as many as possible have one."""
    groups: dict[Values, tuple[list[_Row], list[_Row]]] = {}
    for row in ours:
        groups.setdefault(row.exact, ([], []))[0].append(row)
    for row in theirs:
        groups.setdefault(row.exact, ([], []))[1].append(row)
    left: list[_Row] = []
    other: list[_Row] = []
    for mine, its in groups.values():
        a, b = _unmatched_floats(mine, its, tolerance)
        left += a
        other += b
    return left, other


def _unmatched_floats(ours: list[_Row], theirs: list[_Row], tolerance: float) -> tuple[list[_Row], list[_Row]]:
    """The same for rows that differ at most in their FLOAT64. Closeness is not transitive, so this is a matching in a
    graph: https://en.wikipedia.org/wiki/Maximum_cardinality_matching"""
    ours, theirs = sorted(ours, key=_by_floats), sorted(theirs, key=_by_floats)
    if all(_close(a.floats, b.floats, tolerance) for a, b in zip(ours, theirs, strict=False)):
        return ours[len(theirs) :], theirs[len(ours) :]
    partner: dict[int, int] = {}  # of theirs, among ours
    for start in range(len(ours)):
        _find_partner(start, ours, theirs, tolerance, partner)
    matched = set(partner.values())
    left = [row for index, row in enumerate(ours) if index not in matched]
    return left, [row for index, row in enumerate(theirs) if index not in partner]


def _by_floats(row: _Row) -> tuple[tuple[bool, float], ...]:
    return tuple((math.isnan(number), 0.0 if math.isnan(number) else number) for number in row.floats)


def _find_partner(start: int, ours: list[_Row], theirs: list[_Row], tolerance: float, partner: dict[int, int]) -> None:
    """Give one of our rows a partner, if others can change theirs so that one is free."""
    came_from: dict[int, int] = {}
    waiting = deque([start])
    while waiting:
        mine = waiting.popleft()
        for its, row in enumerate(theirs):
            if its in came_from or not _close(ours[mine].floats, row.floats, tolerance):
                continue
            came_from[its] = mine
            if its not in partner:
                _change_partners(its, start, came_from, partner)
                return
            waiting.append(partner[its])


def _change_partners(free: int, start: int, came_from: dict[int, int], partner: dict[int, int]) -> None:
    its = free
    while True:
        mine = came_from[its]
        before = next((each for each, one in partner.items() if one == mine), None)
        partner[its] = mine
        if mine == start or before is None:
            return
        its = before


def _paired(left: list[_Row], other: list[_Row], columns: Sequence[Column], tolerance: float) -> Iterator[Difference]:
    """Each row that is expected beside the row that is most like it, if any of its values are the same."""
    free = other[:MOST_PAIRED]
    rest = other[MOST_PAIRED:]
    for row in left:
        found = max(free, key=lambda each: _alike(row, each, columns, tolerance), default=None)
        if found is not None and (_alike(row, found, columns, tolerance) or len(columns) == 1):
            free.remove(found)
            yield _difference(row, found, columns, tolerance)
        else:
            yield _difference(row, None, columns, tolerance)
    yield from (_difference(None, row, columns, tolerance) for row in [*free, *rest])


def _alike(a: _Row, b: _Row, columns: Sequence[Column], tolerance: float) -> int:
    return len(columns) - len(_wrong(a, b, columns, tolerance))


def _wrong(a: _Row, b: _Row, columns: Sequence[Column], tolerance: float) -> frozenset[int]:
    pairs = enumerate(zip(columns, a.values, b.values, strict=True))
    return frozenset(i for i, (one, x, y) in pairs if not _same(_row([one], (x,)), _row([one], (y,)), tolerance))


def _difference(a: _Row | None, b: _Row | None, columns: Sequence[Column], tolerance: float) -> Difference:
    if a is None or b is None:
        return Difference(a.values if a else None, b.values if b else None, at=a.at if a else -1)
    return Difference(a.values, b.values, _wrong(a, b, columns, tolerance), a.at)
