"""Scripts that name tables without a dataset, which `[datasets] default` in refresh.toml gives them."""

import json
from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main

FILES = {
    "db_init/events.sql": "CREATE TABLE raw.events (id INT64, day DATE) AS SELECT 1, DATE '2026-01-31'",
    "res/tmp/days.sql": "SELECT id, events.day FROM events",
    "res/final/days.sql": "CREATE VIEW final.days AS SELECT d.id FROM tmp.days AS d JOIN `events` USING (id)",
}
DEFAULT = {"refresh.toml": '[datasets]\ndefault = "raw"\n'}


def test_without_the_setting_the_error_names_it(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(FILES)
    assert main(["check"]) == 2
    found = capsys.readouterr().out
    assert "res/tmp/days.sql:1:28: events is neither a WITH query nor a table with its dataset" in found
    assert "help: write `dataset.events`, or name the dataset in refresh.toml: [datasets] default" in found


def test_the_default_dataset_holds_for_every_command(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**FILES, **DEFAULT})
    for command in (["sync"], ["init"], ["check", "--strict"], ["build"], ["build"]):
        assert main(command) == 0, capsys.readouterr()
    assert Path("res/dependencies.toml").read_text().endswith('[final]\ndays = ["tmp.days"]\n')
    capsys.readouterr()
    assert main(["show", "final.days", "--csv"]) == 0
    assert main(["query", "SELECT day FROM events", "--csv"]) == 0
    assert capsys.readouterr().out == "id\n1\nday\n2026-01-31\n"
    assert main(["graph", "--columns", "tmp.days"]) == 0
    assert "tmp.days.day\n└─ raw.events.day" in capsys.readouterr().out
    assert main(["graph", "--readers", "raw.events.day"]) == 0
    assert "without raw.events.day: 1 script cannot run" in capsys.readouterr().out


def test_what_is_wrong_keeps_its_place(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**FILES, **DEFAULT, "res/tmp/days.sql": "SELECT id,\n  nothing FROM events JOIN evnts USING (id)"})
    assert main(["check", "--json"]) == 2
    found = {problem["reason"]: problem for problem in json.loads(capsys.readouterr().out)["problems"]}
    [reason] = [reason for reason in found if "evnts" in reason]
    assert reason == "tmp.days reads raw.evnts, which is neither a script nor a source"
    assert (found[reason]["line"], found[reason]["column"]) == (2, 28)


def test_what_stands_before_the_query_reads_the_default_dataset(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """DECLARE last DATE DEFAULT (SELECT MAX(day) FROM events);
    CREATE TEMP FUNCTION since(x DATE) AS ((SELECT COUNT(*) FROM events WHERE day >= x));
    SELECT last, since(last) AS more"""
    write({**FILES, **DEFAULT, "res/tmp/days.sql": text, "res/final/days.sql": "SELECT * FROM tmp.days"})
    for command in (["sync"], ["init"], ["check"], ["build"]):
        assert main(command) == 0, capsys.readouterr()
    capsys.readouterr()
    assert main(["show", "final.days", "--csv"]) == 0
    assert capsys.readouterr().out == "last,more\n2026-01-31,1\n"


def test_a_star_stands_for_the_script_s_own_dataset(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    own = {"refresh.toml": '[datasets]\ndefault = "*"\n', "res/tmp/last.sql": "SELECT MAX(day) AS day FROM days"}
    write({**FILES, **own, "res/tmp/days.sql": "SELECT * FROM raw.events", "res/final/days.sql": "SELECT 1 AS id"})
    for command in (["sync"], ["init"], ["check"], ["build"]):
        assert main(command) == 0, capsys.readouterr()
    assert Path("res/dependencies.toml").read_text().endswith('[tmp]\nlast = ["tmp.days"]\n')


def test_another_default_is_another_query(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """What was found out about the script before is not used again."""
    other = {"db_init/other.sql": "CREATE TABLE other.events (id STRING, day DATE) AS SELECT 'x', NULL"}
    write({**FILES, **DEFAULT, **other, "res/final/days.sql": "SELECT * FROM tmp.days"})
    for command in (["sync"], ["init"], ["build"]):
        assert main(command) == 0, capsys.readouterr()
    write({"refresh.toml": '[datasets]\ndefault = "other"\n'})
    assert main(["build"]) == 0
    capsys.readouterr()
    assert main(["show", "final.days", "--csv"]) == 0
    assert capsys.readouterr().out == "id,day\nx,\n"
