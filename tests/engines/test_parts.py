"""What every engine promises of tables that are built by date."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from tests.engines.conftest import Connect
from warehouse_refresh.pipeline.checks.partitions import counts_text
from warehouse_refresh.pipeline.checks.queries import Subject
from warehouse_refresh.warehouse import BuildContext, TableBuild, Warehouse
from warehouse_refresh.warehouse.builds.parts import Interval, Parts, Point, Ranges, point_text, query_of
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import DATE, DATETIME, INT64, TIMESTAMP, Column, SqlType

EVENTS, TOTALS = TableName("tmp", "events"), TableName("tmp", "totals")
FILTERED = "SELECT id, day FROM raw.events WHERE day >= @start AND day < @end"
COUNTED = "SELECT COUNT(*) AS n, COUNT(DISTINCT day) AS days FROM tmp.events"


@pytest.fixture
def warehouse(connect: Connect) -> Iterator[Warehouse]:
    """A warehouse with one event on each of the first nine days of March."""
    with connect() as opened:
        opened.create_datasets(["raw", "tmp"])
        run(opened, "CREATE TABLE raw.events (id INT64, day DATE)")
        events = ", ".join(f"({number}, '2024-03-0{number}')" for number in range(1, 10))
        run(opened, f"INSERT INTO raw.events (id, day) VALUES {events}")
        yield opened


def run(warehouse: Warehouse, text: str) -> None:
    warehouse.run_script(parse_script(text))


def day(number: int) -> Interval:
    return Interval(date(2024, 3, number), date(2024, 3, number) + timedelta(days=1))


def events(*numbers: int, sql: str = FILTERED, whole: bool = False) -> TableBuild:
    return built_by(Parts("day", DATE, days := [day(number) for number in numbers], days, whole), sql)


def built_by(parts: Parts, sql: str = FILTERED) -> TableBuild:
    """The build as the pipeline plans it: its query has the bounds of some partition."""
    return TableBuild(EVENTS, query_of(parse_query(sql), day(1), parts), parts=parts)


def refreshed(warehouse: Warehouse, build: TableBuild, run_id: str) -> int | None:
    context = BuildContext(run_id)
    built = warehouse.stage(build, set(), context)
    warehouse.publish([build], context)
    return built.rows


def ids(warehouse: Warehouse) -> list[int]:
    return sorted(row[0] for row in warehouse.first_rows(EVENTS, 100))


def test_only_the_rows_of_the_parts_are_replaced(warehouse: Warehouse) -> None:
    assert refreshed(warehouse, events(1, 2, 3), "one") == 3
    run(warehouse, "INSERT INTO raw.events (id, day) VALUES (31, '2024-03-03'), (11, '2024-03-01')")
    assert refreshed(warehouse, events(3, 4), "two") == 5  # as many as the table then has
    assert ids(warehouse) == [1, 2, 3, 4, 31]
    assert [(one.interval, one.run) for one in warehouse.partitions(EVENTS)] == [
        *((day(number), "one") for number in (1, 2)),
        *((day(number), "two") for number in (3, 4)),
    ]


def test_one_query_computes_several_partitions(warehouse: Warehouse) -> None:
    refreshed(warehouse, events(1, 2, 3), "one")
    run(warehouse, "INSERT INTO raw.events (id, day) VALUES (31, '2024-03-03'), (41, '2024-03-04')")
    days = [day(number) for number in (3, 4, 6, 7)]
    batches = [Interval(day(3).start, day(4).end), Interval(day(6).start, day(7).end)]
    build = built_by(Parts("day", DATE, days, batches))
    refreshed(warehouse, build, "two")
    assert ids(warehouse) == [1, 2, 3, 4, 6, 7, 31, 41]
    assert [one.interval for one in warehouse.partitions(EVENTS)] == [day(number) for number in (1, 2, 3, 4, 6, 7)]
    late = built_by(Parts("day", DATE, days, batches), FILTERED.replace("<", "<="))
    with pytest.raises(SqlError, match=r"day is 2024-03-05, outside of 2024-03-03 up to 2024-03-05"):
        warehouse.stage(late, set(), BuildContext("three"))


@pytest.mark.parametrize(
    ("kind", "unit", "points"),
    [
        (DATE, "MONTH", [date(2024, month, 1) for month in (1, 2, 3, 4)]),
        (TIMESTAMP, "HOUR", [datetime(2024, 3, 1, hour, tzinfo=UTC) for hour in (21, 22, 23)]),
        (DATETIME, "DAY", [datetime(2024, 2, day) for day in (28, 29)]),  # noqa: DTZ001 (DATETIME has no zone)
    ],
)
def test_partitions_are_of_an_hour_a_day_or_a_month(
    warehouse: Warehouse, kind: SqlType, unit: str, points: list[Point]
) -> None:
    parts = Parts("day", kind, spans := [Interval(*pair) for pair in pairwise(points)], spans, unit=unit)
    rows = ", ".join(f"({number}, {kind} '{point_text(point)}')" for number, point in enumerate(points))
    run(warehouse, f"CREATE TABLE raw.moments (id INT64, day {kind})")
    run(warehouse, f"INSERT INTO raw.moments (id, day) VALUES {rows}")
    build = built_by(parts, FILTERED.replace("events", "moments"))
    for name in ("one", "two"):
        refreshed(warehouse, build, name)
        assert ids(warehouse) == list(range(len(spans)))
        assert [one.interval for one in warehouse.partitions(EVENTS)] == spans
    columns = (Column("id", INT64), Column("day", kind))
    counted = parse_query(counts_text(Subject(EVENTS, columns, where="id < 9"), parts))
    counts = warehouse.fetch(query_of(counted, Interval(points[0], points[1]), parts), None)
    # The emulator makes a DATETIME of DATE_TRUNC.
    assert [(f"{start:%Y-%m-%d %H}", count) for start, count in counts.rows] == [(f"{points[0]:%Y-%m-%d %H}", 1)]


def test_readers_see_nothing_before_the_publication_and_later_scripts_the_whole_table(
    warehouse: Warehouse,
) -> None:
    refreshed(warehouse, events(1, 2, 3), "one")
    run(warehouse, "INSERT INTO raw.events (id, day) VALUES (31, '2024-03-03')")
    context = BuildContext("two")
    warehouse.stage(events(3, 4), set(), context)
    assert ids(warehouse) == [1, 2, 3]
    assert warehouse.tables("tmp") == [EVENTS]
    assert warehouse.fetch(parse_query(COUNTED), None, {EVENTS}, context).rows == [(5, 4)]
    totals = TableBuild(TOTALS, parse_query(COUNTED))
    warehouse.stage(totals, {EVENTS}, context)
    warehouse.publish([events(3, 4), totals], context)
    assert warehouse.first_rows(TOTALS, 9) == [(5, 4)]
    assert ids(warehouse) == [1, 2, 3, 4, 31]


def test_what_is_not_published_is_dropped(warehouse: Warehouse, connect: Connect) -> None:
    refreshed(warehouse, events(1), "one")
    warehouse.stage(events(2), set(), BuildContext("two"))
    warehouse.discard(BuildContext("two"))
    warehouse.stage(events(3), set(), BuildContext("three"))
    warehouse.close()
    with connect() as again:
        again.recover("", lambda _line: None)
        assert again.staged(BuildContext("three")) == {}
        assert ids(again) == [1]
        assert [one.interval for one in again.partitions(EVENTS)] == [day(1)]


def test_what_a_run_stages_again_replaces_what_it_has_staged(warehouse: Warehouse) -> None:
    refreshed(warehouse, events(1), "one")
    context = BuildContext("two")
    warehouse.stage(events(1, 2), set(), context)
    warehouse.stage(events(2, 3), set(), context)
    warehouse.publish([events(2, 3)], context)
    assert ids(warehouse) == [1, 2, 3]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT id, day FROM raw.events WHERE @start < @end", "2024-03-0"),
        ("SELECT id, day FROM raw.events WHERE day >= @start AND day <= @end", "2024-03-05"),
        ("SELECT 1 AS id, IF(@start < @end, NULL, DATE '2024-01-01') AS day", "NULL"),
    ],
)
@pytest.mark.parametrize("published", [False, True])
def test_a_row_outside_of_its_part_is_an_error(warehouse: Warehouse, sql: str, value: str, published: bool) -> None:
    if published:
        refreshed(warehouse, events(1), "one")
    with pytest.raises(SqlError, match=rf"day is {value}.*outside of"):
        warehouse.stage(events(4, sql=sql), set(), BuildContext("two"))
    assert warehouse.tables("tmp") == ([EVENTS] if published else [])


def test_other_columns_than_the_table_has_are_an_error(warehouse: Warehouse) -> None:
    refreshed(warehouse, events(1), "one")
    wider = events(2, sql=FILTERED.replace("id,", "id, 1 AS more,"))
    with pytest.raises(SqlError, match=r"other columns than tmp\.events has: more"):
        warehouse.stage(wider, set(), BuildContext("two"))
    whole = replace(wider, parts=events(1, 2, whole=True).parts)
    refreshed(warehouse, whole, "two")
    assert sorted(warehouse.first_rows(EVENTS, 9)) == [(1, 1, date(2024, 3, 1)), (2, 1, date(2024, 3, 2))]


def test_a_table_built_in_another_way_has_no_records_any_more(warehouse: Warehouse) -> None:
    refreshed(warehouse, events(1, 2), "one")
    refreshed(warehouse, TableBuild(EVENTS, parse_query("SELECT id, day FROM raw.events")), "two")
    assert warehouse.partitions(EVENTS) == []
    refreshed(warehouse, events(1, 2, whole=True), "three")
    assert len(warehouse.partitions(EVENTS)) == 2
    warehouse.build(TableBuild(EVENTS, parse_query("SELECT id, day FROM raw.events")), BuildContext("four"))
    assert warehouse.partitions(EVENTS) == []
    refreshed(warehouse, events(1, 2, whole=True), "five")
    warehouse.drop(EVENTS)
    assert warehouse.partitions(EVENTS) == []


def merged(*numbers: int, sql: str = FILTERED, whole: bool = False) -> TableBuild:
    return built_by(Parts("day", DATE, days := [day(number) for number in numbers], days, whole, ("id",)), sql)


def states(warehouse: Warehouse) -> dict[int, int]:
    """The day of March that each id has."""
    found = warehouse.first_rows(EVENTS, 100)
    assert len({row[0] for row in found}) == len(found)
    return {number: day.day for number, day in sorted(found)}


def test_merged_rows_replace_those_with_the_same_key_and_the_latest_stays(warehouse: Warehouse) -> None:
    assert refreshed(warehouse, merged(1, 2, 3), "one") == 3
    run(warehouse, "INSERT INTO raw.events (id, day) VALUES (1, '2024-03-04'), (2, '2024-03-05'), (3, '2024-03-01')")
    context = BuildContext("two")
    assert warehouse.stage(merged(4, 5), set(), context).rows == 5
    counted = warehouse.fetch(parse_query(COUNTED), None, {EVENTS}, context)
    warehouse.publish([merged(4, 5)], context)
    assert counted.rows == warehouse.fetch(parse_query(COUNTED), None).rows == [(5, 3)]
    assert states(warehouse) == {1: 4, 2: 5, 3: 3, 4: 4, 5: 5}
    refreshed(warehouse, merged(1), "three")  # an older day again: nothing of it is the latest
    assert states(warehouse) == {1: 4, 2: 5, 3: 3, 4: 4, 5: 5}
    assert {one.key for one in warehouse.partitions(EVENTS)} == {("id",)}


@pytest.mark.parametrize("number", ["2", "NULL"])
def test_rows_that_cannot_be_merged_are_an_error(warehouse: Warehouse, number: str) -> None:
    refreshed(warehouse, merged(1), "one")
    run(warehouse, f"INSERT INTO raw.events (id, day) VALUES ({number}, '2024-03-02')")
    with pytest.raises(SqlError, match="cannot be merged by id: "):
        warehouse.stage(merged(1, 2), set(), BuildContext("two"))
    assert states(warehouse) == {1: 1}


def test_a_table_may_read_its_own_earlier_partitions(warehouse: Warehouse) -> None:
    """Each day has the sum of all ids so far: those of the day, and the sum of the day before."""
    before = "(SELECT MAX(id) FROM tmp.events WHERE day < @end)"
    sql = (
        f"SELECT SUM(id) + IFNULL({before}, 0) AS id, day FROM raw.events WHERE day >= @start AND day < @end GROUP BY 2"
    )
    own = (Column("id", INT64), Column("day", DATE))

    def sums(*numbers: int) -> TableBuild:
        days = [day(number) for number in numbers]
        return built_by(Parts("day", DATE, days, days, own=own), sql)

    assert refreshed(warehouse, sums(1, 2, 3), "one") == 3
    assert ids(warehouse) == [1, 3, 6]
    run(warehouse, "INSERT INTO raw.events (id, day) VALUES (10, '2024-03-02')")
    context = BuildContext("two")
    warehouse.stage(sums(2, 3, 4), set(), context)
    assert ids(warehouse) == [1, 3, 6]
    warehouse.publish([sums(2, 3, 4)], context)
    assert ids(warehouse) == [1, 13, 16, 20]
    assert warehouse.tables("tmp") == [EVENTS]
    refreshed(warehouse, sums(2), "three")  # what comes later is there, and not read
    assert ids(warehouse) == [1, 13, 16, 20]


def test_no_partition_at_all_makes_an_empty_table(warehouse: Warehouse) -> None:
    build = events(1, sql="SELECT COUNT(*) AS id, @start AS day FROM raw.events WHERE @start < @end")
    empty = Interval(date(2024, 3, 1), date(2024, 3, 1))
    refreshed(warehouse, replace(build, parts=Parts("day", DATE, (), (empty,))), "one")
    assert ids(warehouse) == []


def ranges(*starts: int, first: int = -10, whole: bool = False) -> TableBuild:
    found = [Interval(start, start + 10) for start in starts]
    return built_by(Parts("id", INT64, found, found, whole, unit=Ranges(first, 10)), BY_ID)


BY_ID = "SELECT id, note FROM raw.numbers WHERE id >= @start AND id < @end"


def test_partitions_are_ranges_of_ids(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.numbers (id INT64, note STRING)")
    run(warehouse, "INSERT INTO raw.numbers (id) VALUES (-20), (-3), (-1), (0), (9), (10), (29), (105)")
    refreshed(warehouse, ranges(-10, 0, 10, 20, 100), "one")
    assert ids(warehouse) == [-3, -1, 0, 9, 10, 29, 105]
    run(warehouse, "INSERT INTO raw.numbers (id) VALUES (-2), (5), (100), (33)")
    refreshed(warehouse, ranges(0, 100), "two")
    assert ids(warehouse) == [-3, -1, 0, 5, 9, 10, 29, 100, 105]
    refreshed(warehouse, ranges(-20, 30, first=-20), "three")  # an earlier start: the rest of the table stays
    assert ids(warehouse) == [-20, -3, -1, 0, 5, 9, 10, 29, 33, 100, 105]
    recorded = [(one.interval.start, one.run) for one in warehouse.partitions(EVENTS)]
    runs = {-20: "three", -10: "one", 0: "two", 10: "one", 20: "one", 30: "three", 100: "two"}
    assert recorded == list(runs.items())
    parts = ranges(-20, first=-20).parts
    assert parts is not None
    counted = parse_query(counts_text(Subject(EVENTS, (Column("id", INT64),)), parts))
    counts = warehouse.fetch(query_of(counted, Interval(-20, 20), parts), None)
    assert sorted(counts.rows) == [(-20, 1), (-10, 2), (0, 3), (10, 1)]
    with pytest.raises(SqlError, match="id is 10, outside of 0 up to 10"):
        warehouse.stage(
            replace(ranges(0), query=query_of(parse_query(BY_ID.replace("<", "<=")), Interval(0, 10), parts)),
            set(),
            BuildContext("four"),
        )
