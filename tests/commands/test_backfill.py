"""`refresh backfill`: ranges of partitions, in steps, with all that is built from them."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.commands.test_by_date import BUILD, DAYS, EVENTS, PROJECT, SetClock, arrive, days, rows, today
from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.tables.partitions import steps
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.builds.parts import point_text
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

__all__ = ["today"]
TOTAL = TableName("final", "total")
WITH_TOTAL = {
    **PROJECT,
    "res/final/total.sql": "SELECT COUNT(*) AS n FROM `final.days`",
    "res/dependencies.toml": '[final]\ndays = ["tmp.events"]\ntotal = ["final.days"]\n',
}


@pytest.fixture
def project(write: Write, today: SetClock, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine days, each with an event; a step has two of them."""
    monkeypatch.setattr(steps, "PARTITIONS_AT_ONCE", 2)
    folder = write(WITH_TOTAL)
    assert main(["init"]) == 0
    today(9)
    arrive(*((day, day) for day in range(1, 10)))
    return folder


def backfill(first: int, last: int, *options: str) -> int:
    return main(["backfill", "tmp.events", "--from", f"2024-03-{first:02}", "--to", f"2024-03-{last:02}", *options])


def runs() -> dict[int, str]:
    """For each day of March that is recorded, the run that has built it."""
    with connect(DEFAULT_URL) as warehouse:
        return {int(point_text(record.interval.start)[-2:]): record.run for record in warehouse.partitions(EVENTS)}


@pytest.mark.usefixtures("project")
def test_a_range_is_built_in_steps_with_all_that_is_built_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert backfill(3, 7) == 0
    out = capsys.readouterr().out
    assert "5 of 5 partitions: 5 not built yet" in out
    assert re.findall(r"tmp.events .* (\d of 5 partitions)", out) == [f"{n} of 5 partitions" for n in (2, 4, 5)]
    print(out)
    assert re.search(r"✓ tmp.events +built +5 rows, 5 partitions built", out)
    assert "3 of 3 tables built" in out
    assert rows(DAYS) == days(*((day, 1) for day in range(3, 8)))
    assert rows(TOTAL) == [(5,)]
    assert len(set(runs().values())) == 3
    with connect(DEFAULT_URL) as warehouse:
        records, took = warehouse.records(), warehouse.durations()
    assert [len(took[table]) for table in (EVENTS, DAYS, TOTAL)] == [3, 3, 1]
    for table, read in ((DAYS, EVENTS), (TOTAL, DAYS)):
        assert (records[table].inputs or {})[read] == records[read].version
    assert main(["build"]) == 0
    assert rows(DAYS) == days(*((day, 1) for day in range(1, 10)))
    assert main(["backfill", "final.total", "--from", "2024-03-01", "--to", "2024-03-02"]) == 2
    assert "final.total is not built by date" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_what_is_recorded_is_not_built_again_unless_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert backfill(1, 4) == 0
    before = runs()
    arrive((11, 1))
    assert backfill(1, 5) == 0
    assert {day: run for day, run in runs().items() if day < 5} == before
    capsys.readouterr()
    assert backfill(1, 2, "--again") == 0
    again = re.search(r"go on with --again (\S+)", capsys.readouterr().out)
    assert again is not None
    assert rows(DAYS)[0][1] == 2
    assert runs()[3] == before[3]
    since = datetime.now(UTC).isoformat()
    assert backfill(1, 2, "--again", since) == 0
    after = runs()
    assert backfill(1, 2, "--again", since) == 0  # they are built since then
    assert runs() == after
    assert after[1] != before[1]


def test_a_step_that_fails_leaves_those_before_it_and_is_where_the_next_backfill_begins(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = project / "res/tmp/events.sql"
    good = script.read_text()
    script.write_text(good.replace("SELECT id", "SELECT id * DIV(5, IF(id = 5, 0, 5)) AS id"))
    assert backfill(1, 9) == 1
    out = capsys.readouterr().out
    assert "failed: tmp.events: res/tmp/events.sql:1:" in out
    assert "not run: final.days: waits for tmp.events" in out
    assert sorted(runs()) == [1, 2, 3, 4]
    assert [number for number, _ in rows(EVENTS)] == [1, 2, 3, 4]
    script.write_text(good.replace("SELECT id", "SELECT id * DIV(5, IF(id = 50, 0, 5)) AS id"))
    assert backfill(1, 9) == 0
    assert rows(DAYS) == days(*((day, 1) for day in range(1, 10)))


def test_partitions_of_an_older_script_are_built_by_a_backfill(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build"]) == 0
    script = project / "res/tmp/events.sql"
    script.write_text(script.read_text().replace("SELECT id", "SELECT id + 100 AS id"))
    assert main(["build"]) == 0
    capsys.readouterr()
    assert main(["plan"]) == 0
    out = capsys.readouterr().out
    assert "to build them: refresh backfill tmp.events --from 2024-03-01 --to 2024-03-07" in out
    assert backfill(1, 7, "--only") == 0
    assert "7 of 7 partitions: 7 built by an older version of the script" in capsys.readouterr().out
    assert [number for number, _ in rows(EVENTS)] == [*range(101, 110)]


def test_a_failed_check_blocks_its_step(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "res/tmp/events.toml").write_text(BUILD + '[checks]\nunique = ["id"]\nrow_count.at_most = 2\n')
    arrive((33, 4), (33, 4))
    assert backfill(1, 9) == 3
    out = capsys.readouterr().out
    assert "blocked: tmp.events: 2 of 6 rows of tmp.events have the same id as another row: 33" in out
    assert "1 of 2 partitions of tmp.events has a wrong number of rows: 2024-03-04 has 3 rows, and may have" in out
    assert "(with the partitions of 2024-03-03 up to 2024-03-05)" in out
    assert sorted(runs()) == [1, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tmp.event", "--from", "2024-03-01", "--to", "2024-03-02"], "did you mean tmp.events?"),
        (["tmp.events", "--from", "2024-03-02", "--to", "2024-03-01"], "ends before it starts"),
        (["tmp.events", "--from", "soon", "--to", "2024-03-01"], "'soon' is no date: write 2024-01-31"),
        (["tmp.events", "--from", "2023-03-02", "--to", "2023-03-03"], "tmp.events has no partitions from 2023-03-02"),
    ],
)
@pytest.mark.usefixtures("project")
def test_what_cannot_be_backfilled_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["backfill", *words]) == 2
    assert message in capsys.readouterr().err
    assert runs() == {}


def test_a_backfill_on_bigquery_says_its_price_first_and_checks_each_partition(
    write: Write,
    today: SetClock,
    bigquery_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write({**PROJECT, "res/tmp/events.toml": BUILD + "[checks]\nrow_count.at_least = 1\n"})
    monkeypatch.setenv("WAREHOUSE_URL", bigquery_url)
    today(4)
    assert main(["init"]) == 0
    seen = ", ".join(f"({day}, TIMESTAMP '2024-03-0{day} 10:00:00+00')" for day in (1, 3))
    with connect(bigquery_url) as warehouse:
        warehouse.run_script(parse_script(f"INSERT INTO raw.events (id, seen) VALUES {seen}"))
        assert backfill(1, 3, "--only") == 2
        assert "nothing was changed. this reads up to 96 B" in capsys.readouterr().err
        assert warehouse.tables("tmp") == []
        assert backfill(1, 3, "--yes") == 3
        out = capsys.readouterr().out
        assert "1 of 3 partitions of tmp.events has a wrong number of rows: 2024-03-02 has 0 rows, and must have" in out
        assert warehouse.tables("tmp") == []
        late = "(2, TIMESTAMP '2024-03-02 10:00:00+00')"
        warehouse.run_script(parse_script(f"INSERT INTO raw.events (id, seen) VALUES {late}"))
        assert backfill(1, 3, "--yes") == 0
        assert sorted(warehouse.first_rows(DAYS, 9)) == days((1, 1), (2, 1), (3, 1))
        assert [str(one.interval.start) for one in warehouse.partitions(EVENTS)] == [
            f"2024-03-0{day}" for day in (1, 2, 3)
        ]
