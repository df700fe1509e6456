"""Comparing expected rows with those that came: the laws of it."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from warehouse_refresh.pipeline.testing.comparing import differences
from warehouse_refresh.warehouse.types import FLOAT64, INT64, JSON, STRING, Column, array_of, struct_of

COLUMNS = (
    Column("id", INT64),
    Column("x", FLOAT64),
    Column("tags", array_of(STRING)),
    Column("part", struct_of(Column("y", FLOAT64), Column("name", STRING))),
)
TOLERANCE = 1e-6
FLOATS = st.none() | st.sampled_from([0.0, 1.0, -2.5, math.nan, math.inf, 1e300])
NAMES = st.none() | st.sampled_from(["a", "b", ""])
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 2),
        FLOATS,
        st.lists(st.sampled_from(["a", "b"]), max_size=2),
        st.none() | st.fixed_dictionaries({"y": FLOATS, "name": NAMES}),
    ),
    max_size=8,
)


def differ(expected: list[Any], got: list[Any], *, in_order: bool = False, columns: Any = COLUMNS) -> list[Any]:
    return differences(columns, expected, got, TOLERANCE, in_order=in_order)


@given(ROWS)
def test_rows_are_the_same_as_themselves(rows: list[Any]) -> None:
    assert differ(rows, rows) == differ(rows, rows, in_order=True) == []


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_unless_asked(rows: list[Any], random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert differ(rows, shuffled) == []


@given(ROWS, ROWS)
def test_both_sides_count_the_same(one: list[Any], other: list[Any]) -> None:
    assert bool(differ(one, other)) == bool(differ(other, one))


@given(ROWS, st.data())
def test_a_row_more_or_less_is_found(rows: list[Any], data: st.DataObject) -> None:
    row = data.draw(ROWS.filter(bool))[0]
    [found] = differ(rows, [*rows, row])
    assert found.expected is None
    [found] = differ([*rows, row], rows)
    assert found.got is None


@given(ROWS.filter(bool), st.data())
def test_every_single_changed_cell_is_found(rows: list[Any], data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(rows) - 1))
    cell = data.draw(st.integers(0, 3))
    other = [7, 1.5, ["a", "b", "c"], {"y": 9.0, "name": "other"}][cell]
    changed = tuple(other if index == cell else value for index, value in enumerate(rows[row]))
    found = differ(rows, [*rows[:row], changed, *rows[row + 1 :]])
    assert found
    assert all(difference.wrong for difference in found if difference.expected and difference.got)
    [there] = differ(rows, [*rows[:row], changed, *rows[row + 1 :]], in_order=True)
    assert there.wrong == {cell}


@given(ROWS, st.floats(-0.9, 0.9))
def test_floats_may_lie_apart_by_the_tolerance(rows: list[Any], share: float) -> None:
    def moved(value: float | None) -> float | None:
        return value if value is None else value * (1 + share * TOLERANCE)

    got = [(a, moved(x), b, part and {**part, "y": moved(part["y"])}) for a, x, b, part in rows]
    assert differ(rows, got) == []


def test_rows_find_partners_though_closeness_is_not_transitive() -> None:
    """In the order of one column these rows have no partners; another pairing has."""
    columns = (Column("x", FLOAT64), Column("y", FLOAT64))
    expected = [(1.0, 1.0), (1.0000005, 2.0)]
    got = [(0.9999999, 2.0), (1.0000001, 1.0)]
    assert differ(expected, got, columns=columns) == []
    assert len(differ(expected, [(0.9999999, 2.0), (1.0000001, 3.0)], columns=columns)) == 1


def test_json_is_compared_by_its_value() -> None:
    columns = (Column("data", JSON),)
    assert differ([('{"a":1,"b":[2]}',)], [('{"b": [2], "a": 1}',)], columns=columns) == []
    assert len(differ([('{"a":1}',)], [('{"a":2}',)], columns=columns)) == 1


def test_a_null_array_is_an_empty_one() -> None:
    columns = (Column("tags", array_of(STRING)),)
    assert differ([([],)], [(None,)], columns=columns) == []
