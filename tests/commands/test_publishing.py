"""What `refresh build` publishes, says and leaves behind."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.pipeline.refresh import start_refresh
from warehouse_refresh.pipeline.running.builder import Builder
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import DEFAULT_URL, BuildContext, connect
from warehouse_refresh.warehouse.names import TableName

A, V, B, C = (TableName("tmp", name) for name in "avbc")
MAP = '[tmp]\nv = ["tmp.a"]\nb = ["tmp.v"]\nc = ["tmp.b"]\n'
VIEW = "CREATE VIEW tmp.v AS\n"


@pytest.fixture
def project(write: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables a, b of a view of a, and c of b, which are published; their numbers are 1."""
    monkeypatch.delenv("REFRESH_PUBLISH", raising=False)
    folder = write({"res/dependencies.toml": MAP, "res/tmp/v.sql": f"{VIEW}SELECT x FROM tmp.a"})
    write({"res/tmp/a.sql": "SELECT 1 AS x", "res/tmp/b.sql": "SELECT x FROM tmp.v"})
    write({"res/tmp/c.sql": "SELECT x FROM tmp.b"})
    assert main(["build"]) == 0
    write({"res/tmp/a.sql": "SELECT 2 AS x"})
    return folder


def numbers() -> list[Any]:
    with connect(DEFAULT_URL) as warehouse:
        return [warehouse.first_rows(table, 1)[0][0] for table in (A, V, B, C)]


def names_in_the_file(folder: Path) -> set[str]:
    with duckdb.connect(folder / ".data/warehouse.duckdb") as connection:
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tmp'"
        return {name for (name,) in connection.execute(query).fetchall()}


def fail_check_of(table: TableName, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [CheckResult("row_count", Verdict.FAILED, f"{table} has 1 row", 1, 1, query="SELECT 1")]
    monkeypatch.setattr(Builder, "check", lambda _self, one: found if one == table else [])
    monkeypatch.setattr(Builder, "must_stage", lambda _self, one: one == table)


def test_what_a_check_blocks_stays_as_it_was_and_the_exit_code_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_check_of(B, monkeypatch)
    assert main(["build"]) == 3
    assert numbers() == [2, 2, 1, 1]
    printed = capsys.readouterr().out
    assert "✗ tmp.b  blocked   tmp.b has 1 row\n" in printed
    assert printed.endswith(
        "3 of 4 tables built, 2 published, 1 check failed\n"
        "blocked: tmp.b: tmp.b has 1 row\nnot run: tmp.c: waits for tmp.b\n"
    )
    assert names_in_the_file(project) == {"a", "v", "b", "c"}


@pytest.mark.parametrize(("publish", "found"), [("all", [1, 1, 1, 1]), ("each", [2, 2, 1, 1])])
def test_publishing_has_other_ways(
    project: Path, monkeypatch: pytest.MonkeyPatch, publish: str, found: list[int]
) -> None:
    monkeypatch.setenv("REFRESH_PUBLISH", publish)
    fail_check_of(B, monkeypatch)
    assert main(["build"]) == 3
    assert numbers() == found
    assert names_in_the_file(project) == {"a", "v", "b", "c"}
    monkeypatch.undo()
    monkeypatch.chdir(project)
    monkeypatch.setenv("REFRESH_PUBLISH", publish)
    assert main(["build"]) == 0
    assert numbers() == [2, 2, 2, 2]


@pytest.mark.usefixtures("project")
def test_a_script_that_fails_counts_more_than_a_check(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"res/tmp/d.sql": "SELECT CAST('x' AS INT64) AS x"})
    fail_check_of(B, monkeypatch)
    assert main(["build"]) == 1
    assert numbers() == [2, 2, 1, 1]


def test_a_view_between_two_chosen_tables_is_built_with_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--select", "tmp.a tmp.b"]) == 0
    assert numbers() == [2, 2, 2, 1]
    assert "3 of 3 tables built" in capsys.readouterr().out
    assert names_in_the_file(project) == {"a", "v", "b", "c"}


def test_a_refresh_that_is_interrupted_leaves_nothing_behind(project: Path) -> None:
    context = BuildContext("interrupted")

    def interrupted() -> None:
        with start_refresh(read_settings(), [], "the test", print) as refresh:
            work = refresh.work(context)
            assert work.stage(A, ()) is not None
            assert set(refresh.warehouse.staged(context)) == {A}
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names_in_the_file(project) == {"a", "v", "b", "c"}
    assert numbers() == [1, 1, 1, 1]


def test_what_a_killed_refresh_has_staged_is_no_leftover_and_is_gone_after_the_next(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with start_refresh(read_settings(), [], "the test", print) as refresh:
        refresh.work(BuildContext("killed")).stage(A, ())
    assert len(names_in_the_file(project)) == 5
    assert main(["clean", "--yes"]) == 0
    assert "staged" not in capsys.readouterr().out
    assert main(["build", "--select", "tmp.c"]) == 0
    assert names_in_the_file(project) == {"a", "v", "b", "c"}
