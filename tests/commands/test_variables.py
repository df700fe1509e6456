"""Variables of the project in its scripts: checked, and given with --var."""

import json

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

A = TableName("tmp", "a")
PROJECT = {
    "refresh.toml": "[variables]\nday = 2026-01-31\nleast = 2\n",
    "res/tmp/a.sql": "SELECT @Day AS day, x\nFROM UNNEST([1, 2, 3]) AS x WHERE x >= @least",
    "res/dependencies.toml": "",
}


def built() -> list[str]:
    with connect(DEFAULT_URL) as warehouse:
        return sorted(f"{day} {x}" for day, x in warehouse.first_rows(A, 10))


def test_a_build_has_the_values_of_the_file_and_those_of_the_command_line_win(write: Write) -> None:
    write(PROJECT)
    assert main(["check", "--strict"]) == main(["build"]) == 0
    assert built() == ["2026-01-31 2", "2026-01-31 3"]
    assert main(["build", "--var", "DAY=2026-02-28", "--var", "least=3"]) == 0
    assert built() == ["2026-02-28 3"]
    assert main(["build"]) == 0
    assert built() == ["2026-01-31 2", "2026-01-31 3"]


def test_check_and_plan_know_the_types(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**PROJECT, "res/tmp/b.sql": "SELECT @day + 'a' AS x"})
    assert main(["check"]) == 2
    assert "res/tmp/b.sql:1" in capsys.readouterr().out
    write({"res/tmp/b.sql": "SELECT @least AS x"})
    assert main(["plan", "--json", "--var", "least=1"]) == 0
    tables = {table["table"]: table["columns"] for table in json.loads(capsys.readouterr().out)["tables"]}
    assert tables["tmp.b"] == [{"name": "x", "type": "INT64"}]


def test_an_unknown_variable_is_named_with_its_place_and_the_closest_name(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**PROJECT, "res/tmp/b.sql": "SELECT 1 AS x,\n  @leest AS y", "res/tmp/c.sql": "SELECT x FROM `tmp.b`"})
    write({"res/dependencies.toml": '[tmp]\nc = ["tmp.b"]\n'})
    assert main(["check"]) == 2
    assert capsys.readouterr().out == (
        "error: res/tmp/b.sql:2:3: there is no variable @leest\n"
        "  2 |   @leest AS y\n"
        "    |   ^^^^^^\n"
        "  help: did you mean least?\n\n"
        "not checked, since what they read is wrong or unknown: tmp.b, tmp.c\n\n"
        "3 scripts checked: 1 error\n"
    )
    assert main(["build"]) == 2
    assert "there is no variable @leest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CREATE VIEW tmp.b AS\nSELECT @least AS x", "a view cannot have variables"),
        ("CREATE TEMP FUNCTION f() AS (@least);\nSELECT f() AS x", "a function cannot read the variable @least"),
        ("SELECT @@time_zone AS x", "only BigQuery has the system variable @@time_zone"),
        ("SELECT ? AS x", "a parameter needs a name"),
    ],
)
def test_where_no_variable_can_be_it_is_refused(
    write: Write, capsys: pytest.CaptureFixture[str], text: str, reason: str
) -> None:
    write({**PROJECT, "res/tmp/b.sql": text})
    assert main(["build"]) == 2
    told = capsys.readouterr().err
    assert reason in told
    assert "res/tmp/b.sql:1:" in told or "res/tmp/b.sql:2:" in told


@pytest.mark.parametrize("command", [["build"], ["check"], ["plan"], ["query", "SELECT 1 AS x"]])
def test_a_variable_that_nobody_declared_cannot_be_given(
    write: Write, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write(PROJECT)
    assert main([*command, "--var", "leest=2"]) == 2
    assert "--var leest: there is no variable of this name; did you mean least?" in capsys.readouterr().err


def test_a_query_reads_variables_too(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(PROJECT)
    assert main(["query", "--csv", "--var", "least=7", "SELECT @least AS x, @day AS d"]) == 0
    assert capsys.readouterr().out == "x,d\n7,2026-01-31\n"
    assert main(["query", "SELECT @leest"]) == 2
    assert "there is no variable @leest" in capsys.readouterr().err
