"""`refresh clean`: what no script builds any more, and nothing else, is dropped."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.commands.test_cli import GOOD, refresh
from tests.conftest import ROOT, Write
from tests.operation.installation import wait_for
from tests.terminal import terminal
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.findings import warehouse_findings
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.warehouse import DEFAULT_URL, BuildContext, TableBuild, Warehouse, connect
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

PROJECT = {
    **GOOD,
    "res/tmp/source": "",
    "res/tmp/year_2024": "",
    "res/tmp/d.sql": "SELECT COUNT(*) AS n FROM `tmp.year_*`",
    "db_init/made.sql": "CREATE OR REPLACE TABLE tmp.made (id INT64) AS SELECT 1",
}
OLD, GONE = TableName("tmp", "old"), TableName("tmp", "gone")
SAID = "built by no script any more, and still there: tmp.gone, tmp.old (`refresh clean` drops them)"


@pytest.fixture(params=["duckdb", "bigquery"])
def url(request: pytest.FixtureRequest, write: Write, monkeypatch: pytest.MonkeyPatch) -> str:
    """A warehouse with all that a project may have beside the tables of its scripts."""
    write(PROJECT)
    url = str(request.getfixturevalue("bigquery_url")) if request.param == "bigquery" else DEFAULT_URL
    monkeypatch.setenv("WAREHOUSE_URL", url)
    assert main(["init"]) == 0
    with connect(url) as warehouse:
        warehouse.create_datasets(["reports"])
        warehouse.run_script(parse_script("; ".join(f"CREATE TABLE {table} AS SELECT 1 AS id" for table in KEPT[:4])))
        built(warehouse, OLD, "SELECT 1 AS id")
        built(warehouse, GONE, "SELECT id FROM `tmp.old`", is_view=True)
        built(warehouse, TableName("reports", "of_old"), "SELECT id FROM `tmp.old`", is_view=True)
    assert main(["build"]) == 0
    return url


KEPT = ["tmp.source", "tmp.year_2025", "raw.unknown", "reports.mine", "tmp.made"]


def built(warehouse: Warehouse, table: TableName, sql: str, *, is_view: bool = False) -> None:
    warehouse.build(TableBuild(table, parse_query(sql), is_view), BuildContext(f"run of {table}"))


def everything(url: str) -> set[str]:
    with connect(url) as warehouse:
        datasets = ["raw", "tmp", "final", "reports", OWN_DATASET]
        return {str(table) for dataset in datasets for table in warehouse.tables(dataset)}


def test_it_drops_what_no_script_builds_and_nothing_else(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(url)
    capsys.readouterr()
    assert main(["clean", "--yes"]) == 0
    assert capsys.readouterr().out == (
        "reports.of_old reads tmp.old, and cannot be read without it\ndropped tmp.gone\ndropped tmp.old\n"
    )
    assert before - everything(url) == {"tmp.gone", "tmp.old"}
    assert set(KEPT) <= everything(url)
    assert main(["clean", "--yes"]) == 0
    assert capsys.readouterr().out == "nothing is left over: a script builds each table\n"
    assert main(["build"]) == 0


def test_check_live_and_plan_and_doctor_name_what_is_left_over(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    for command in (["check", "--live"], ["plan"]):
        assert main(command) == 0
        assert SAID in capsys.readouterr().out
    with connect(url) as warehouse:
        found = [str(finding) for finding in warehouse_findings(warehouse, read_project(Path()))]
    assert any("built by no script any more: tmp.gone, tmp.old" in finding for finding in found)
    assert main(["check"]) == 0
    assert "tmp.gone" not in capsys.readouterr().out


@pytest.mark.parametrize("url", ["duckdb"], indirect=True)
def test_without_a_terminal_it_wants_yes(url: str) -> None:
    before = everything(url)
    done = refresh("clean")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: nothing was changed. No script builds tmp.gone, tmp.old any more; to drop what is left over, say"
        " `refresh clean --yes`\nreports.of_old reads tmp.old, and cannot be read without it\n"
    )
    assert everything(url) == before


@pytest.mark.parametrize("url", ["duckdb"], indirect=True)
@pytest.mark.parametrize(("typed", "code", "dropped"), [("y\n", 0, {"tmp.gone", "tmp.old"}), ("\n", 2, set())])
def test_on_a_terminal_it_asks(url: str, typed: str, code: int, dropped: set[str]) -> None:
    before = everything(url)
    command = [sys.executable, "-m", "warehouse_refresh.commands.main", "clean"]
    with terminal(command, {**os.environ, "PYTHONPATH": str(ROOT)}, Path.cwd()) as screen:
        wait_for(lambda: "Go on? [y/N] " in screen.text() or screen.process.poll() is not None)
        assert screen.text() == (
            "no script builds these any more, and they are dropped:\n  tmp.gone\n  tmp.old\n"
            "reports.of_old reads tmp.old, and cannot be read without it\nGo on? [y/N] "
        )
        screen.type(typed)
        assert screen.ended() == code, screen.text()
    assert before - everything(url) == dropped


@pytest.mark.parametrize("url", ["duckdb"], indirect=True)
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("res/tmp/x.sql", "SELECT (1"),
        ("db_init/old.sql", "CREATE TABLE tmp.old (id"),
        ("res/dependencies.toml", "["),
    ],
)
def test_a_project_with_errors_drops_nothing(
    url: str, path: str, text: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(url)
    write({path: text})
    assert main(["clean", "--yes"]) == 2
    assert path in capsys.readouterr().err
    assert everything(url) == before


@pytest.mark.parametrize("url", ["duckdb"], indirect=True)
def test_it_waits_for_a_refresh_and_looks_again(url: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    lines: list[str] = []

    def waits() -> bool:
        lines.append(capsys.readouterr().out)
        return any("another refresh is under way" in line for line in lines)

    with connect(url) as other, ThreadPoolExecutor(1) as pool:
        with other.refresh_lock("`refresh run`", pytest.fail):
            cleaning = pool.submit(main, ["clean", "--yes"])
            wait_for(waits)
            write({"res/tmp/old.sql": "SELECT 1 AS id"})
            assert str(OLD) in everything(url)
        assert cleaning.result(60) == 0
    assert everything(url) >= {"tmp.old"}
    assert "tmp.gone" not in everything(url)


@pytest.mark.parametrize("url", ["duckdb"], indirect=True)
def test_names_that_differ_by_case_are_one(url: str, write: Write) -> None:
    write({"res/tmp/OLD.sql": "SELECT 1 AS id", "res/tmp/Gone.sql": "SELECT 1 AS id"})
    before = everything(url)
    assert main(["clean", "--yes"]) == 0
    assert everything(url) == before
