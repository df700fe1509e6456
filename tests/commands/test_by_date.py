"""Tables that are built by date, from their settings to their rows."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.tables.partitions import due, pruning
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

EVENTS, DAYS = TableName("tmp", "events"), TableName("final", "days")
BUILD = '[build]\nby = "day"\ncolumn = "day"\nstart = "2024-03-01"\nlookback = 1\n'
COUNTED = "SELECT day, COUNT(*) AS n FROM `tmp.events` WHERE day >= @start AND day < @end GROUP BY day"
PROJECT = {
    "db_init/raw.sql": "CREATE TABLE raw.events (id INT64, seen TIMESTAMP)",
    "res/raw/events": "",
    "res/tmp/events.sql": "SELECT id, DATE(seen) AS day FROM `raw.events`"
    " WHERE DATE(seen) >= @start AND DATE(seen) < @end",
    "res/tmp/events.toml": BUILD,
    "res/final/days.sql": COUNTED,
    "res/final/days.toml": BUILD.replace("lookback = 1", "lookback = 0"),
    "res/dependencies.toml": '[final]\ndays = ["tmp.events"]\n',
}
SetClock = Callable[[int], None]


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets the clock to noon on a day of March 2024."""

    def set_clock(day: int) -> None:
        monkeypatch.setattr(due, "now", lambda: datetime(2024, 3, day, 12, tzinfo=UTC))

    return set_clock


def arrive(*rows: tuple[int, int]) -> None:
    """Store raw events, each an id and a day of March."""
    values = ", ".join(f"({number}, TIMESTAMP '2024-03-{day:02} 10:00:00+00')" for number, day in rows)
    with connect(DEFAULT_URL) as warehouse:
        warehouse.run_script(parse_script(f"INSERT INTO raw.events (id, seen) VALUES {values}"))


def rows(table: TableName) -> list[tuple[Any, ...]]:
    with connect(DEFAULT_URL) as warehouse:
        return sorted(warehouse.first_rows(table, 1000))


def days(*counts: tuple[int, int]) -> list[tuple[date, int]]:
    return [(date(2024, 3, day), count) for day, count in counts]


def test_a_refresh_builds_what_is_missing_and_what_may_have_late_rows(write: Write, today: SetClock) -> None:
    write(PROJECT)
    assert main(["check", "--strict"]) == main(["init"]) == 0
    today(3)
    arrive((1, 1), (2, 2), (3, 3))
    assert main(["build"]) == 0
    assert rows(DAYS) == days((1, 1), (2, 1), (3, 1))
    today(4)
    arrive((4, 4), (33, 3), (11, 1))  # that of the first day comes later than the lookback
    assert main(["build"]) == 0
    assert rows(DAYS) == days((1, 1), (2, 1), (3, 2), (4, 1))
    assert [number for number, _ in rows(EVENTS)] == [1, 2, 3, 4, 33]


def test_rows_of_a_day_that_come_after_its_refresh_are_not_left_out(write: Write, today: SetClock) -> None:
    """No refresh runs on the next days, so that it is not in the lookback any more."""
    write(PROJECT)
    assert main(["init"]) == 0
    today(1)
    arrive((1, 1))
    assert main(["build"]) == 0
    arrive((2, 1), (3, 2))
    today(4)
    assert main(["build"]) == 0
    assert rows(DAYS) == days((1, 2), (2, 1))


def test_a_failed_table_keeps_its_rows_and_records_nothing(write: Write, today: SetClock) -> None:
    folder = write(PROJECT)
    assert main(["init"]) == 0
    today(1)
    arrive((1, 1))
    assert main(["build"]) == 0
    script = folder / "res/tmp/events.sql"
    good = script.read_text()
    script.write_text(good.replace("SELECT id", "SELECT DIV(id, id - 2) AS id"))
    today(2)
    arrive((2, 2))
    assert main(["build"]) == 1
    assert rows(DAYS) == days((1, 1))
    script.write_text(good)
    assert main(["build"]) == 0
    assert rows(DAYS) == days((1, 1), (2, 1))


def test_the_plan_says_which_partitions_are_built_and_why(
    write: Write, today: SetClock, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(PROJECT)
    assert main(["init"]) == 0
    today(3)
    assert main(["plan"]) == 0
    assert "3 of 3 partitions: 3 not built yet" in capsys.readouterr().out
    assert main(["plan", "--json", "tmp.events"]) == 0
    [table] = json.loads(capsys.readouterr().out)["tables"]
    first = {"start": "2024-03-01", "end": "2024-03-02", "why": "not built yet"}
    assert table["partitions"]["build"][0] == first
    assert (table["partitions"]["of"], table["partitions"]["stale"]) == (3, [])
    assert main(["build"]) == 0
    today(4)
    script = folder / "res/tmp/events.sql"
    script.write_text(f"{script.read_text()} AND TRUE")
    assert main(["plan"]) == 0
    out = capsys.readouterr().out
    assert "3 of 4 partitions: 1 not built yet, 1 current or in the lookback, 1 current or in the lookback when" in out
    assert "1 partition was built by an older version of the script, and stay: from 2024-03-01 on" in out
    assert "when last built, 1 a table that it is built from has new rows for it" in out


def test_other_partitions_need_a_full_build(write: Write, today: SetClock, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(PROJECT)
    assert main(["init"]) == 0
    today(3)
    arrive((1, 1), (2, 2), (3, 3))
    assert main(["build"]) == 0
    (folder / "res/tmp/events.toml").write_text(BUILD.replace("03-01", "03-02"))
    assert main(["plan"]) == 0
    words = "its column, its key, its partitions or their start have changed since it was built"
    assert f"{words}: build all of it with `refresh build --full tmp.events`" in capsys.readouterr().out
    assert main(["build"]) == 2
    err = capsys.readouterr().err
    assert f"res/tmp/events.toml:1:2: tmp.events: {words}" in err
    assert "refresh build --full tmp.events" in err
    assert [number for number, _ in rows(EVENTS)] == [1, 2, 3]
    assert main(["plan", "--full", "tmp.events"]) == 0
    assert "2 of 2 partitions: 2 to be built anew, with the whole table" in capsys.readouterr().out
    assert main(["build", "--full", "tmp.events"]) == main(["build"]) == 0
    assert [number for number, _ in rows(EVENTS)] == [2, 3]


def test_a_full_build_takes_rows_in_that_came_too_late_and_other_columns(write: Write, today: SetClock) -> None:
    folder = write(PROJECT)
    assert main(["init"]) == 0
    today(9)
    arrive((1, 1), (9, 9))
    assert main(["build"]) == 0
    arrive((11, 1))
    script = folder / "res/tmp/events.sql"
    script.write_text(script.read_text().replace("SELECT id", "SELECT id, 'new' AS kind"))
    assert main(["build"]) == 1
    assert main(["build", "--full"]) == 0
    assert rows(DAYS) == days((1, 2), (9, 1))
    assert [one[1] for one in rows(EVENTS)] == ["new"] * 3


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        ("res/tmp/events.toml", '"day"\nc', '"week"\nc', 'it takes "hour" or "day" or "month"'),
        ("res/tmp/events.toml", "2024-03-01", "soon", "start is 'soon', which is no date"),
        ("res/tmp/events.toml", 'by = "day"', 'by = "hour"', "partitions of an hour need a time"),
        ("res/tmp/events.toml", 'column = "day"', 'column = "dy"', "has no column dy"),
        ("res/tmp/events.toml", "lookback = 1", 'mode = "merge"', "rows are merged by a key"),
        ("res/tmp/events.toml", "lookback = 1", 'mode = "merge"\nkey = ["it"]', "has no column it"),
        ("res/tmp/events.toml", 'column = "day"', 'column = "id"', "id is of the type INT64, and start is a DATE"),
        ("res/tmp/events.sql", " AND DATE(seen) < @end", "", "its script does not read @end"),
        (
            "res/tmp/events.sql",
            "SELECT id",
            "CREATE VIEW tmp.events AS SELECT id",
            "the script makes tmp.events a view",
        ),
        ("res/tmp/events.toml", BUILD, "", "tables that are built by date have it: docs/by-date.md"),
    ],
)
def test_what_cannot_be_built_by_date_is_a_problem(
    write: Write, capsys: pytest.CaptureFixture[str], path: str, old: str, new: str, message: str
) -> None:
    write({**PROJECT, path: PROJECT[path].replace(old, new)})
    assert main(["check"]) == 2
    out, err = capsys.readouterr()
    assert message in out + err
    assert f": {2 if new == '' and path.endswith('.toml') else 1} error" in out  # @start and @end are one each


def test_rows_are_merged_by_their_key(write: Write, today: SetClock, capsys: pytest.CaptureFixture[str]) -> None:
    merge = BUILD + 'mode = "merge"\nkey = ["id"]\n'
    folder = write({**PROJECT, "res/tmp/events.toml": merge})
    assert main(["check", "--strict"]) == main(["init"]) == 0
    today(2)
    arrive((1, 1), (2, 2))
    assert main(["build"]) == 0
    today(3)
    arrive((1, 3))
    assert main(["build"]) == 0
    assert rows(EVENTS) == [(1, date(2024, 3, 3)), (2, date(2024, 3, 2))]
    (folder / "res/tmp/events.toml").write_text(BUILD)
    assert main(["plan"]) == 0
    assert "its column, its key, its partitions or their start have changed" in capsys.readouterr().out


ITSELF = {
    **PROJECT,
    "res/final/days.sql": "SELECT day, COUNT(*) + IFNULL((SELECT MAX(n) FROM `final.days`), 0) AS n FROM `tmp.events`"
    " WHERE day >= @start AND day < @end GROUP BY day",
    "res/final/days.toml": 'columns.n = { type = "INT64" }\n'
    + BUILD.replace("lookback = 1", "lookback = 0\nreads_itself = true"),
}


def test_a_table_that_reads_itself_is_built_again_from_the_first_partition_that_changes(
    write: Write, today: SetClock, capsys: pytest.CaptureFixture[str]
) -> None:
    write(ITSELF)
    assert main(["check", "--strict"]) == main(["init"]) == 0
    today(3)
    arrive((1, 1), (2, 2), (3, 3))
    assert main(["build"]) == main(["build"]) == 0
    assert rows(DAYS) == days((1, 1), (2, 2), (3, 3))
    arrive((22, 2))
    assert main(["build", "tmp.events"]) == 0
    today(4)
    arrive((4, 4))
    assert main(["plan"]) == 0
    assert "3 of 4 partitions: 1 not built yet" in (out := capsys.readouterr().out), out
    assert main(["build"]) == 0
    assert rows(DAYS) == days((1, 1), (2, 3), (3, 4), (4, 5))
    arrive((222, 2))
    assert main(["backfill", "tmp.events", "--from", "2024-03-02", "--to", "2024-03-02", "--again"]) == 0
    assert rows(DAYS) == days((1, 1), (2, 4), (3, 5), (4, 6))
    capsys.readouterr()
    for command in (["graph"], ["graph", "--datasets"], ["docs"], ["sync"], ["show", "final.days"]):
        assert main(command) == 0, command
    assert "final_days --> final_days" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        ("res/final/days.sql", "(SELECT MAX(n) FROM `final.days`)", "0", "the script of final.days does not read it"),
        ("res/final/days.toml", 'columns.n = { type = "INT64" }', "", "nothing says which columns it has"),
        ("res/final/days.toml", "lookback = 0", "batch = 2", "is built one partition after the other"),
        ("res/final/days.toml", "reads_itself = true", "", "may read its earlier partitions: docs/by-date.md"),
    ],
)
def test_what_cannot_be_built_from_itself_is_a_problem(
    write: Write, capsys: pytest.CaptureFixture[str], path: str, old: str, new: str, message: str
) -> None:
    write({**ITSELF, path: ITSELF[path].replace(old, new)})
    assert main(["check"]) == 2
    assert message in (out := capsys.readouterr().out)
    assert ": 1 error" in out


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("late"), st.integers(0, 1)),
        st.tuples(st.just("day"), st.integers(1, 2)),
        st.tuples(st.just("build"), st.sampled_from(["", "tmp.events", "final.days"])),
    ),
    min_size=3,
    max_size=10,
)


@pytest.mark.parametrize("examples", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_any_order_of_rows_and_refreshes_gives_one_full_build(write: Write, today: SetClock, examples: int) -> None:
    """Late rows come within the lookback, and events are refreshed on each day. `tests/pipeline/test_equal_by_date.py`
    goes on from here, without the command line."""
    folder = write(PROJECT)

    @given(STEPS)
    @settings(max_examples=examples, deadline=None, derandomize=True)
    def as_counted(steps: list[tuple[str, Any]]) -> None:
        each_day_has_its_rows(folder, today, steps)

    as_counted()


def each_day_has_its_rows(folder: Path, today: SetClock, steps: list[tuple[str, Any]]) -> None:
    """Take the steps in an empty warehouse, and compare the tables with the rows that arrived."""
    (folder / ".data/warehouse.duckdb").unlink(missing_ok=True)
    assert main(["init"]) == 0
    now, arrived = 1, [(0, 1)]
    arrive((0, 1))
    today(now)
    assert main(["build"]) == 0
    for what, value in [*steps, ("build", "")]:
        if what == "late":
            arrived.append((len(arrived), max(1, now - value)))
            arrive(arrived[-1])
        elif what == "day":
            for _ in range(value):
                assert main(["build"]) == 0
                now += 1
                today(now)
        else:
            assert main(["build", *filter(None, [value])]) == 0
    counts = [(day, sum(on == day for _, on in arrived)) for day in range(1, now + 1)]
    assert rows(DAYS) == days(*(one for one in counts if one[1]))
    assert [number for number, _ in rows(EVENTS)] == sorted(number for number, _ in arrived)


def test_checks_look_at_the_partitions_that_are_built(
    write: Write, today: SetClock, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = '[checks]\nnot_null = ["id"]\nunique = [["id", "day"]]\nrow_count = { at_least = 2, or_none = true }\n'
    folder = write({**PROJECT, "res/tmp/events.toml": f"{BUILD}{checks}"})
    assert main(["check", "--strict"]) == main(["init"]) == 0
    today(4)
    arrive((1, 1), (2, 1), (3, 3), (4, 4))
    assert main(["build", "tmp.events"]) == 3
    wrong = "1 of 4 partitions of tmp.events has a wrong number of rows: 2024-03-03 has 1 row, and must have at least 2"
    assert f"{wrong} or none\n" in capsys.readouterr().out  # the second has none, and the fourth has not ended
    arrive((5, 3))
    assert main(["build", "tmp.events"]) == main(["check", "--live"]) == 0
    with connect(DEFAULT_URL) as warehouse:  # a row that was never checked, before the lookback
        warehouse.run_script(parse_script("INSERT INTO tmp.events (id, day) VALUES (NULL, DATE '2024-03-02')"))
    assert main(["build", "tmp.events"]) == 0
    capsys.readouterr()
    assert main(["check", "--live"]) == 3
    out = capsys.readouterr().out
    assert "1 of 6 rows of tmp.events has no id" in out
    assert "1 of 4 partitions of tmp.events has a wrong number of rows: 2024-03-02 has 1 row" in out
    arrive((6, 4), (6, 4))
    assert main(["build", "tmp.events"]) == 3
    assert "2 of 5 new rows of tmp.events have the same id and day as another row" in capsys.readouterr().out
    toml = folder / "res/tmp/events.toml"
    toml.write_text(f"{BUILD}[checks]\nrow_count.change_at_most = 0.1\n")
    assert main(["build", "tmp.events"]) == 3
    wrong = "2024-03-04 has 3 rows, and the published one 1: it may change by at most 10 %"
    assert wrong in capsys.readouterr().out


def test_a_script_that_reads_all_partitions_of_its_inputs_is_a_warning(
    write: Write,
    today: SetClock,
    bigquery_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = write(PROJECT)
    monkeypatch.setenv("WAREHOUSE_URL", bigquery_url)
    monkeypatch.setattr(pruning, "ALLOWED", 0)
    today(2)
    assert main(["init"]) == 0
    with connect(bigquery_url) as warehouse:
        warehouse.run_script(parse_script("INSERT INTO raw.events (id, seen) VALUES (1, '2024-03-01 10:00:00+00')"))
    assert main(["build", "tmp.events"]) == 0
    capsys.readouterr()
    assert main(["check", "--live"]) == 0
    out = capsys.readouterr().out
    message = "reads 16 B whatever @start and @end are, and 16 B for all partitions at once"
    assert f"res/tmp/events.sql:1:1: each query for partitions of tmp.events {message}" in out  # raw.events has none
    assert "2 scripts checked: 1 warning" in out
    script = folder / "res/final/days.sql"
    script.write_text(COUNTED.replace("day >=", "DATE_ADD(day, INTERVAL 0 DAY) >=").replace("day <", "DATE(day) <"))
    assert main(["check", "--live", "--strict"]) == 1
    assert f"res/final/days.sql:1:1: each query for partitions of final.days {message}" in capsys.readouterr().out
