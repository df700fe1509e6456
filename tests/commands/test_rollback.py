"""`refresh rollback`: what it says, and what readers see afterwards. tests/engines/test_rollback.py has the engines."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

A, B = TableName("tmp", "a"), TableName("tmp", "b")


@pytest.fixture
def project(write: Write) -> Path:
    """Tables a, and b of it, that were published as 1 and then as 2; the first versions are kept."""
    write({"res/dependencies.toml": "[tmp]\nb = ['tmp.a']", "refresh.toml": "keep_previous = true"})
    folder = write({"res/tmp/a.sql": "SELECT 1 AS x", "res/tmp/b.sql": "SELECT x FROM tmp.a"})
    assert main(["build"]) == 0
    write({"res/tmp/a.sql": "SELECT 2 AS x"})
    assert main(["build"]) == 0
    return folder


def numbers() -> list[Any]:
    with connect(DEFAULT_URL) as warehouse:
        return [warehouse.first_rows(table, 1)[0][0] for table in (A, B)]


@pytest.mark.usefixtures("project")
def test_all_tables_of_the_last_refresh_are_rolled_back(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["rollback", "--yes"]) == 0
    assert numbers() == [1, 1]
    assert capsys.readouterr().out == "rolled back tmp.a\nrolled back tmp.b\n"


def test_a_table_that_was_new_is_said_to_be_gone(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"res/dependencies.toml": "", "res/tmp/a.sql": "SELECT 1 AS x"})
    assert main(["build"]) == 0
    write({"res/tmp/a.sql": "SELECT 2 AS x", "res/tmp/b.sql": "SELECT 2 AS x", "refresh.toml": "keep_previous = true"})
    assert main(["build"]) == 0
    capsys.readouterr()
    assert main(["rollback", "--yes"]) == 0
    assert capsys.readouterr().out == "rolled back tmp.a\ntmp.b is gone: it was new\n"
    assert main(["rollback", "tmp.b", "--yes"]) == 0
    assert capsys.readouterr().out == "rolled back tmp.b\n"


@pytest.mark.usefixtures("project")
def test_without_a_terminal_it_says_what_it_would_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollback", "tmp.a"]) == 2
    assert numbers() == [2, 2]
    err = capsys.readouterr().err
    assert "nothing was changed. tmp.a: to roll back what was published at 20" in err
    assert err.endswith("say `refresh rollback --yes`\nbuilt from them, and not rolled back: tmp.b\n")


@pytest.mark.usefixtures("project")
def test_the_previous_versions_are_no_tables_to_anybody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean"]) == 0
    assert main(["check", "--live"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.tables("tmp") == [A, B]
    assert "previous" not in capsys.readouterr().out


def test_without_the_setting_it_says_what_would_have_kept_them(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "refresh.toml").write_text("")
    assert main(["build"]) == 0
    assert main(["rollback", "--yes"]) == 1
    assert numbers() == [2, 2]
    reason = "its previous version was not kept: keep_previous = true in refresh.toml keeps it"
    assert capsys.readouterr().err == "".join(f"tmp.{name} stays as it is: {reason}\n" for name in "ab")


def test_tables_of_two_refreshes_are_rolled_back_one_by_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "res/tmp/a.sql").write_text("SELECT 3 AS x")
    assert main(["build", "tmp.a"]) == 0
    assert main(["rollback", "tmp.a", "tmp.b", "--yes"]) == 2
    assert "tmp.b and tmp.a were not published together: roll back one by one" in capsys.readouterr().err
    assert main(["rollback", "tmp.a", "--yes"]) == 0
    assert main(["rollback", "tmp.b", "--yes"]) == 0
    assert numbers() == [2, 1]


@pytest.mark.usefixtures("project")
def test_a_table_that_was_never_published_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollback", "tmp.c", "--yes"]) == 2
    assert "there is nothing to roll back: no publication of tmp.c is on record" in capsys.readouterr().err


def test_tables_that_are_published_one_by_one_are_kept_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRESH_PUBLISH", "each")
    (project / "res/tmp/a.sql").write_text("SELECT 3 AS x")
    assert main(["build"]) == 0
    assert main(["rollback", "tmp.a", "--yes"]) == 0
    assert numbers() == [2, 3]


@pytest.mark.usefixtures("project")
def test_a_refresh_after_it_builds_anew() -> None:
    assert main(["rollback", "--yes"]) == main(["build"]) == 0
    assert numbers() == [2, 2]
