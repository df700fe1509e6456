"""Which partitions a table by date has, and which of them a refresh builds."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.pipeline.tables.partitions import due as dates
from warehouse_refresh.pipeline.tables.partitions.asked import span_of
from warehouse_refresh.pipeline.tables.partitions.due import (
    Why,
    due,
    ended,
    overlap,
    settled,
    stale,
    summary,
    with_later,
)
from warehouse_refresh.pipeline.tables.partitions.grain import ByDate, Grain, batches, place
from warehouse_refresh.pipeline.tables.partitions.planning import DuePartitions, of_all
from warehouse_refresh.warehouse import QueryPlan
from warehouse_refresh.warehouse.builds.parts import Interval, PartRecord, Point, Ranges, point_in, point_text
from warehouse_refresh.warehouse.names import TableName

NOW = datetime(2024, 3, 10, 7, 30, tzinfo=UTC)
BUILT = datetime(2024, 3, 10, tzinfo=UTC)
DAYS = st.dates(date(2023, 10, 1), date(2024, 3, 10))
TIMES = st.datetimes(datetime(2024, 2, 20), datetime(2024, 3, 10))  # noqa: DTZ001 (DATETIME has no zone)
STARTS = st.one_of(DAYS, TIMES, TIMES.map(lambda at: at.replace(tzinfo=UTC)))


@st.composite
def tables(draw: st.DrawFn) -> ByDate:
    """The settings of a table by date that begins before NOW."""
    start: Point = draw(STARTS)
    grains = list(Grain) if isinstance(start, datetime) else [Grain.DAY, Grain.MONTH]
    return ByDate(draw(st.sampled_from(grains)), "at", start, draw(st.integers(0, 5)), draw(st.integers(1, 9)))


def recorded(interval: Interval, at: datetime = BUILT, fingerprint: str = "now") -> PartRecord:
    return PartRecord("at", interval, fingerprint, "a run", at)


def day(number: int) -> Interval:
    return Interval(date(2024, 3, number), date(2024, 3, number + 1))


@given(tables())
def test_partitions_are_neighbours_from_the_start_to_now(by_date: ByDate) -> None:
    found = by_date.partitions(NOW)
    assert place(found[0].start) <= place(by_date.start) < place(found[0].end)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert all(by_date.grain.floor(one.start) == one.start for one in found)
    now = Interval(NOW, NOW + timedelta(microseconds=1))
    assert [one for one in found if overlap(one, now)] == found[-1:]


@given(tables())
def test_every_point_of_a_partition_is_in_the_one_that_begins_at_its_floor(by_date: ByDate) -> None:
    for one in by_date.partitions(NOW)[:50]:
        assert not isinstance(one.end, int)
        last = one.end - timedelta(days=1) if not isinstance(one.end, datetime) else one.end - timedelta(microseconds=1)
        assert by_date.grain.floor(last) == one.start


@given(tables(), st.data())
def test_batches_hold_the_same_points_in_the_same_order(by_date: ByDate, data: st.DataObject) -> None:
    partitions = [one for one in by_date.partitions(NOW)[-60:] if data.draw(st.booleans())]
    joined = batches(partitions, by_date.batch)
    parts = [
        [one for one in partitions if place(batch.start) <= place(one.start) and place(one.end) <= place(batch.end)]
        for batch in joined
    ]
    assert [one for part in parts for one in part] == partitions
    assert all(1 <= len(part) <= by_date.batch for part in parts)
    assert all(
        part[0].start == batch.start and part[-1].end == batch.end for part, batch in zip(parts, joined, strict=True)
    )
    assert all(one.end == other.start for part in parts for one, other in pairwise(part))


@given(tables(), st.data())
def test_what_is_missing_or_in_the_lookback_is_due_and_nothing_else(by_date: ByDate, data: st.DataObject) -> None:
    partitions = by_date.partitions(NOW)
    built = [one for one in partitions if data.draw(st.integers(0, 3))] if len(partitions) < 100 else partitions
    found = due(by_date, [recorded(one, NOW) for one in built], (), (), NOW)
    recent = partitions[-1 - by_date.lookback :]
    last = partitions.index(built[-1]) if built else 0  # a refresh before this one knew nothing that is later
    open_then = partitions[max(0, last - by_date.lookback) : last + 1]
    assert list(found) == [one for one in partitions if one not in built or one in recent or one in open_then]
    for one, why in found.items():
        assert why is (Why.MISSING if one not in built else Why.RECENT if one in recent else Why.UNFINISHED)


def test_what_was_published_before_it_had_ended_is_due() -> None:
    by_date = ByDate(Grain.DAY, "at", date(2024, 3, 7))
    built = [recorded(day(7), BUILT), recorded(day(8), NOW - timedelta(days=2)), recorded(day(9)), recorded(day(10))]
    assert due(by_date, built, (), (), NOW) == {day(8): Why.UNFINISHED, day(10): Why.RECENT}


@given(st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)))
def test_what_an_input_has_built_later_or_builds_now_is_due(
    newer: set[int], older: set[int], rebuilt: set[int]
) -> None:
    by_date = ByDate(Grain.DAY, "at", date(2024, 3, 1))
    built = [recorded(one) for one in by_date.partitions(NOW)]
    inputs = [recorded(day(number), BUILT + timedelta(seconds=1)) for number in newer]
    inputs += [recorded(day(number)) for number in older]  # published together with it
    found = due(by_date, built, inputs, [day(number) for number in rebuilt], NOW)
    assert found == {day(number): Why.INPUT for number in sorted(newer | rebuilt)} | {day(10): Why.RECENT}


def test_a_month_is_due_when_an_hour_of_it_is_built() -> None:
    by_date = ByDate(Grain.MONTH, "month", date(2024, 1, 1))
    hour = datetime(2024, 1, 31, 23, tzinfo=UTC)
    built = [recorded(one) for one in by_date.partitions(NOW)]
    found = due(by_date, built, (), [Interval(hour, hour + timedelta(hours=1))], NOW)
    assert [(one.start, why) for one, why in found.items()] == [
        (date(2024, 1, 1), Why.INPUT),
        (date(2024, 3, 1), Why.RECENT),
    ]


def test_a_table_that_begins_later_has_no_partitions() -> None:
    by_date = ByDate(Grain.DAY, "at", date(2024, 3, 11), lookback=2)
    assert by_date.partitions(NOW) == []
    assert due(by_date, (), (), (), NOW) == {}


def test_what_is_read_for_one_partition_is_read_for_each() -> None:
    found = DuePartitions(TableName("tmp", "a"), {day(1): Why.MISSING, day(2): Why.MISSING}, 9, whole=False, stale=())
    assert of_all(QueryPlan((), 100), found).bytes_processed == 200
    assert of_all(QueryPlan(()), found).bytes_processed is None


def test_a_table_that_reads_itself_is_built_again_from_the_first_due_partition_on() -> None:
    built = [recorded(day(number)) for number in (1, 2, 3, 4)]
    found = with_later({day(2): Why.INPUT, day(5): Why.MISSING}, built)
    assert list(found.items()) == [
        (day(2), Why.INPUT),
        (day(3), Why.EARLIER),
        (day(4), Why.EARLIER),
        (day(5), Why.MISSING),
    ]
    assert with_later({}, built) == {}
    cut_off = [recorded(day(1)), recorded(day(2), BUILT + timedelta(seconds=1)), recorded(day(3))]  # a backfill died
    assert with_later({}, cut_off) == {day(3): Why.EARLIER}


def test_partitions_of_an_older_script_are_stale() -> None:
    built = [recorded(day(1), fingerprint="before"), recorded(day(2))]
    assert stale([day(1), day(2), day(3)], built, "now") == [day(1)]


@pytest.mark.parametrize(
    ("reasons", "text"),
    [
        ({}, "0 of 10 partitions"),
        (
            {day(1): Why.MISSING, day(10): Why.RECENT},
            "2 of 10 partitions: 1 not built yet, 1 current or in the lookback",
        ),
    ],
)
def test_the_summary_counts_each_reason(reasons: dict[Interval, Why], text: str) -> None:
    assert summary(reasons, 10) == text


def test_a_partition_has_ended_once_its_last_moment_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [day(8), day(9), day(10)]
    for now in (NOW, BUILT):
        monkeypatch.setattr(dates, "now", lambda now=now: now)
        assert ended(days) == {day(8), day(9)}
    assert settled([recorded(one) for one in days]) == {day(8), day(9)}
    assert settled([recorded(day(9), BUILT - timedelta(seconds=1))]) == set()


def ids(start: int) -> Interval:
    return Interval(start, start + 10)


@given(st.integers(-100, 100), st.integers(1, 20), st.integers(-200, 300))
def test_ranges_are_neighbours_from_the_start_to_the_highest_id(start: int, step: int, highest: int) -> None:
    by_ids = ByDate(Ranges(start, step), "id", start)
    found = by_ids.partitions(NOW, highest)
    assert [number for one in found for number in range(*span(one))] == list(
        range(start, span(found[-1])[1] if found else start)
    )
    assert bool(found) == (highest >= start)
    assert [one for one in found if overlap(one, Interval(highest, highest + 1))] == found[-1:]
    assert all(by_ids.has(one) and by_ids.grain.floor(span(one)[1] - 1) == one.start for one in found)
    assert by_ids.partitions(NOW) == []


def span(one: Interval) -> tuple[int, int]:
    assert isinstance(one.start, int)
    assert isinstance(one.end, int)
    return one.start, one.end


def test_of_ranges_those_that_are_missing_recent_or_have_new_rows_are_due() -> None:
    by_ids = ByDate(Ranges(0, 10), "id", 0, lookback=1)
    built = [recorded(ids(start)) for start in (0, 10, 20, 30)]
    inputs = [recorded(Interval(12, 15), BUILT + timedelta(seconds=1)), recorded(day(1), NOW)]
    assert due(by_ids, built, inputs, [day(2)], NOW, 45) == {
        ids(10): Why.INPUT,
        ids(20): Why.UNFINISHED,
        ids(30): Why.RECENT,
        ids(40): Why.MISSING,
    }
    assert not by_ids.has(day(1))
    assert not by_ids.has(Interval(0, 20))
    assert not ByDate(Grain.DAY, "at", date(2024, 3, 1)).has(ids(0))


def test_a_range_has_ended_once_there_are_higher_ids() -> None:
    assert ended([ids(0), ids(10)], 19) == {ids(0)}
    assert ended([ids(0), ids(10)], 20) == {ids(0), ids(10)}
    earlier = BUILT - timedelta(days=1)
    built = [recorded(ids(0), earlier), recorded(ids(10), earlier), recorded(ids(20)), recorded(ids(30))]
    assert settled(built) == {ids(0), ids(20)}  # of the second one nobody knows: all later ones are newer


@pytest.mark.parametrize("point", [-10, 0, 1_000_000_000, 20240131, day(1).start, NOW, NOW.replace(tzinfo=None)])
def test_a_point_is_found_again_in_its_text(point: Point) -> None:
    assert point_in(point_text(point)) == point


def test_both_ends_of_a_range_are_in_it() -> None:
    assert span_of("-5", "9") == Interval(-5, 10)
    assert span_of("2024-03-01", "2024-03-02") == Interval(date(2024, 3, 1), date(2024, 3, 3))
    for first, last, message in (("10", "9", "ends before"), ("0", "2024-03-01", "a date and an id")):
        with pytest.raises(SettingError, match=message):
            span_of(first, last)
