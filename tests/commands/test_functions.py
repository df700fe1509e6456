"""Functions as files under res/: checked, and known to the scripts that call them."""

from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

PROJECT = {
    "db_init/items.sql": "CREATE OR REPLACE TABLE raw.items AS SELECT 5 AS id",
    "res/raw/items": "",
    "res/functions/net.sql": "CREATE FUNCTION shop.net(x INT64) AS (\n  x - 1 -- without tax\n);",
    "res/tmp/sums/most.sql": "CREATE OR REPLACE FUNCTION most() AS ((SELECT MAX(shop.net(id)) FROM `tmp.b`))",
    "res/tmp/a.sql": "SELECT tmp.most() AS x, `shop.net`(2) AS y",
    "res/tmp/b.sql": "SELECT id FROM `raw.items`",
    "res/dependencies.toml": '[tmp]\na = ["tmp.b"]\n',
}
A = TableName("tmp", "a")


def problems(capsys: pytest.CaptureFixture[str], files: dict[str, str], write: Write) -> str:
    write({**PROJECT, **files})
    main(["check"])
    return capsys.readouterr().out


@pytest.mark.parametrize("engine", ["duckdb", "bigquery"])
def test_scripts_call_functions_of_the_project(
    engine: str, write: Write, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(PROJECT)
    url = str(request.getfixturevalue("bigquery_url")) if engine == "bigquery" else DEFAULT_URL
    monkeypatch.setenv("WAREHOUSE_URL", url)
    assert main(["init"]) == main(["check", "--strict"]) == main(["plan"]) == 0
    assert main(["check", "--live"]) == main(["build"]) == main(["sync", "--check"]) == main(["build"]) == 0
    with connect(url) as warehouse:
        assert warehouse.first_rows(A, 10) == [(4, 1)]
        assert warehouse.tables("tmp") == [A, TableName("tmp", "b")]


def test_a_query_on_the_command_line_calls_them_too(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(PROJECT)
    assert main(["query", "--csv", "SELECT shop.net(3) AS x"]) == 0
    assert capsys.readouterr().out == "x\n2\n"


def test_what_a_function_reads_must_be_in_the_map(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    told = problems(capsys, {"res/dependencies.toml": ""}, write)
    assert "res/tmp/a.sql:1:8: tmp.a reads tmp.b, but dependencies.toml does not list it" in told
    assert main(["sync"]) == 0
    assert Path("res/dependencies.toml").read_text().endswith('[tmp]\na = ["tmp.b"]\n')


def test_an_error_in_a_function_is_reported_once_in_its_file(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"res/functions/net.sql": "CREATE FUNCTION shop.net(x INT64) AS (\n  x - nope)"}
    told = problems(capsys, {**wrong, "res/tmp/c.sql": "SELECT shop.net(1) AS x"}, write)
    assert told.startswith("error: res/functions/net.sql:2:7: there is no column nope\n")
    assert told.count("error:") == 1
    assert "not checked, since what they read is wrong or unknown: tmp.a, tmp.c" in told


def test_another_language_is_said_once(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    js = "CREATE FUNCTION shop.net(x INT64)\nRETURNS INT64 LANGUAGE js AS r'''return x;\n'''"
    told = problems(capsys, {"res/functions/net.sql": js, "res/tmp/c.sql": "SELECT shop.net(1) AS x"}, write)
    assert told.startswith("warning: res/functions/net.sql:2:15: only BigQuery has functions in another language\n")
    assert told.count("warning:") == 1
    assert main(["build"]) == 2


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("res/tmp/f.sql", "CREATE FUNCTION tmp.g() AS (1)", "creates the function tmp.g, and its file makes it tmp.f"),
        (
            "res/tmp/f.sql",
            "CREATE FUNCTION shop.f() AS (1)",
            "creates the function shop.f",
        ),
        ("res/tmp/f.sql", "CREATE FUNCTION tmp.f() AS (tmp.f())", "call each other in a circle: tmp.f -> tmp.f"),
        ("res/tmp/f.sql", "CREATE FUNCTION tmp.f(x INT64) RETURNS INT64", "the function has no body"),
        ("res/tmp/f.sql", "CREATE FUNCTION tmp.f() AS (1); SELECT 1", "the file creates more than a function"),
        ("res/tmp/f.sql", "CREATE FUNCTION tmp.f() AS (@x)", "a function cannot read the variable @x"),
        (
            "res/tmp/f.sql",
            "CREATE TABLE FUNCTION tmp.f() AS SELECT 1 AS x",
            "CREATE TABLE FUNCTION in a script is not supported",
        ),
        ("res/shop/net.sql", "CREATE FUNCTION shop.net() AS (1)", "the function shop.net is also created by"),
    ],
)
def test_a_file_that_creates_no_function_of_its_name_is_refused(
    write: Write, capsys: pytest.CaptureFixture[str], path: str, text: str, reason: str
) -> None:
    told = problems(capsys, {path: text}, write)
    assert reason in told
    assert f"error: {path}" in told


def test_create_schema_before_a_function_is_as_if_it_were_not_there(write: Write) -> None:
    written = "CREATE SCHEMA IF NOT EXISTS shop;\nCREATE FUNCTION shop.net(x INT64) AS (x + 1)"
    write({"res/functions/net.sql": written, "res/tmp/c.sql": "SELECT shop.net(1) AS x", "res/dependencies.toml": ""})
    assert main(["build"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.first_rows(TableName("tmp", "c"), 10) == [(2,)]


def test_a_function_that_nobody_has_read_before_is_read_once(write: Write) -> None:
    """The second process knows the functions from its notes."""
    write(PROJECT)
    assert main(["init"]) == main(["build"]) == main(["build"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.first_rows(A, 10) == [(4, 1)]


def test_a_function_that_no_selected_script_calls_stops_no_refresh(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    javascript = 'CREATE FUNCTION tmp.js(s STRING) RETURNS STRING LANGUAGE js AS "return s"'
    write({"res/functions/js.sql": javascript, "res/tmp/a.sql": "SELECT 1 AS x", "res/dependencies.toml": ""})
    assert main(["build"]) == 0
    write({"res/tmp/b.sql": "SELECT tmp.js('a') AS x", "res/tmp/wrong.sql": "CREATE FUNCTION tmp.wrong() AS (nothing)"})
    capsys.readouterr()
    assert main(["build"]) == 2
    said = capsys.readouterr().err
    assert "only BigQuery has functions in another language" in said
    assert "there is no column nothing" in said
    assert main(["build", "--exclude", "tmp.b"]) == 0
    assert main(["check"]) == 2
