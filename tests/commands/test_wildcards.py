"""Wildcard tables on DuckDB: `events_*` is all tables whose names begin so."""

import json
from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.sql.parser import parse_script

SESSIONS = """DECLARE first DATE DEFAULT DATE '2026-01-02';
SELECT _TABLE_SUFFIX AS day, e.user, e.extra
FROM `raw.events_*` AS e
WHERE _TABLE_SUFFIX >= FORMAT_DATE('%Y%m%d', first)
"""
FILES = {
    "db_init/events.sql": """
        CREATE TABLE raw.events_20260101 (user STRING) AS SELECT 'a';
        CREATE TABLE raw.events_20260102 (user STRING) AS SELECT 'b';
        CREATE TABLE raw.events_20260103 (extra INT64, user STRING) AS SELECT 7, 'c';
        CREATE TABLE raw.event (user STRING) AS SELECT 'no event of a day';""",
    "res/tmp/sessions.sql": SESSIONS,
    "res/dependencies.toml": "",
}


def answer(capsys: pytest.CaptureFixture[str], sql: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["query", sql, "--json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_an_unknown_wildcard_table_says_how_to_declare_one_of_its_tables(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**FILES, "res/raw/clicks": "", "res/tmp/sessions.sql": "SELECT id FROM `raw.visits_*`"})
    assert main(["check"]) == 2
    assert "add an empty file for one of its tables, such as res/raw/visits_1" in capsys.readouterr().out


def test_all_matching_tables_are_read_with_the_columns_of_the_last(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(FILES)
    for command in (["check", "--strict"], ["init"], ["build"], ["build"]):
        assert main(command) == 0, capsys.readouterr()
    assert answer(capsys, "SELECT * FROM tmp.sessions ORDER BY day") == [
        {"day": "20260102", "user": "b", "extra": None},
        {"day": "20260103", "user": "c", "extra": 7},
    ]


def test_a_table_that_comes_later_is_read_too(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(FILES)
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        warehouse.run_script(
            parse_script("CREATE TABLE raw.events_20260104 (extra INT64, user STRING) AS SELECT 8, 'd'")
        )
    assert main(["build"]) == 0
    assert [row["user"] for row in answer(capsys, "SELECT user FROM tmp.sessions ORDER BY user")] == ["b", "c", "d"]


def test_a_wildcard_reads_each_script_that_builds_a_matching_table(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(
        {
            "res/tmp/part_a.sql": "SELECT 1 AS x",
            "res/tmp/part_b.sql": "SELECT 2 AS x",
            "res/tmp/whole.sql": "SELECT *, _TABLE_SUFFIX AS part FROM `tmp.part_*`",
            "res/dependencies.toml": "",
        }
    )
    assert main(["check"]) == 2
    assert "tmp.whole reads tmp.part_a, but dependencies.toml does not list it" in capsys.readouterr().out
    assert main(["sync"]) == 0
    assert 'whole = ["tmp.part_a", "tmp.part_b"]' in (folder / "res/dependencies.toml").read_text()
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    assert answer(capsys, "SELECT * FROM tmp.whole ORDER BY x") == [{"x": 1, "part": "a"}, {"x": 2, "part": "b"}]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"res/tmp/x.sql": "SELECT 1 AS x FROM `raw.visits_*`"}, "tmp.x reads raw.visits_*, which does not exist"),
        (
            {"db_init/more.sql": "CREATE TABLE raw.events_20260105 (user INT64) AS SELECT 1"},
            "user, which is STRING in raw.events_20260101 and INT64 in another",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(
    write: Write, capsys: pytest.CaptureFixture[str], files: dict[str, str], message: str
) -> None:
    write({**FILES, **files})
    assert main(["init"]) == 0
    assert main(["build"]) == 2
    assert message in capsys.readouterr().err


def test_without_a_warehouse_an_unknown_wildcard_is_a_warning(
    folder: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    del folder
    write({"res/tmp/x.sql": "SELECT 1 AS x FROM `shop.visits_*`", "res/dependencies.toml": ""})
    assert main(["check"]) == 0
    assert "the columns of shop.visits_* are not known" in capsys.readouterr().out
