"""The selectors `changed`, `stale`, `failed` and `git:…`: what is built again, what is not, and what `plan` says."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.commands.building import built, built_project
from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.refresh import start_refresh
from warehouse_refresh.pipeline.running.execution import Execution, run_here
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import DEFAULT_URL, Append, BuildContext, connect
from warehouse_refresh.warehouse.names import TableName

FILES = {
    "db_init/raw.sql": "CREATE TABLE raw.items AS SELECT 1 AS x; CREATE TABLE raw.others AS SELECT 1 AS x",
    "res/tmp/a.sql": "SELECT x FROM raw.items",
    "res/tmp/b.sql": "SELECT x FROM raw.others",
    "res/final/c.sql": "SELECT a.x FROM tmp.a JOIN tmp.b ON TRUE",
    "res/dependencies.toml": "[final]\nc = ['tmp.a', 'tmp.b']",
}


@pytest.fixture
def project(write: Write, capsys: pytest.CaptureFixture[str]) -> Path:
    """Tables a and b of raw tables, and c of both; all are built."""
    return built_project(write, FILES, capsys)


def why(capsys: pytest.CaptureFixture[str], table: str) -> str:
    assert main(["plan", "--json"]) == 0
    [row] = [row for row in json.loads(capsys.readouterr().out)["tables"] if row["table"] == table]
    return str(row["why"])


def post(table: str, x: int) -> None:
    with connect(DEFAULT_URL) as warehouse:
        warehouse.append(TableName.parse(table), [Append([{"x": x}])])


@pytest.mark.usefixtures("project")
def test_where_nothing_has_changed_nothing_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    for selector in ("changed", "changed+", "stale", "failed", "stale,tmp.*", "+stale"):
        assert built(capsys, selector) == set()
    assert main(["build", "stale"]) == 0
    assert "nothing to build: the selection names no table now" in capsys.readouterr().out
    assert built(capsys) == {"tmp.a", "tmp.b", "final.c"}


@pytest.mark.usefixtures("project")
def test_comments_and_layout_are_no_change_and_sql_is(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"res/tmp/a.sql": "-- all items\nSELECT\n  x\nFROM raw.items"})
    assert built(capsys, "stale") == set()
    write({"res/tmp/a.sql": "SELECT x + 1 AS x FROM raw.items"})
    assert "have changed since it was published" in why(capsys, "tmp.a")
    assert why(capsys, "final.c") == "tmp.a is stale"
    assert built(capsys, "changed") == {"tmp.a"}
    assert why(capsys, "final.c") == "tmp.a was published since"
    assert built(capsys, "changed") == set()
    assert built(capsys, "stale") == {"final.c"}


@pytest.mark.usefixtures("project")
def test_settings_and_functions_and_variables_count(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"res/tmp/a.toml": "description = 'All items.'\nowner = 'ann@shop.example'"})
    assert built(capsys, "changed") == {"tmp.a"}
    write({"res/tmp/a.toml": "description = 'All items.'\nowner = 'bob@shop.example'"})
    assert built(capsys, "changed") == set()
    write({"res/functions/f.sql": "CREATE FUNCTION tmp.f(x INT64) AS (x + 1)"})
    write({"res/tmp/b.sql": "SELECT tmp.f(x) AS x FROM raw.others WHERE x < @most", "refresh.toml": VARIABLES})
    assert built(capsys, "changed") == {"tmp.b"}
    assert built(capsys, "changed", "--var", "most=8") == {"tmp.b"}
    assert built(capsys, "changed") == {"tmp.b"}
    write({"res/functions/f.sql": "CREATE FUNCTION tmp.f(x INT64) AS (x + 2)"})
    assert built(capsys, "stale") == {"tmp.b", "final.c"}


VARIABLES = "[variables]\nmost = 9"


@pytest.mark.usefixtures("project")
def test_new_rows_make_stale_what_is_built_from_them(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    post("raw.items", 2)
    assert why(capsys, "tmp.a") == "raw.items has changed since"
    assert built(capsys, "changed+") == set()
    assert built(capsys, "stale") == {"tmp.a", "final.c"}
    write({"db_init/raw.sql": FILES["db_init/raw.sql"].replace("1 AS x", "5 AS x")})
    assert main(["init", "--replace", "--yes"]) == 0
    capsys.readouterr()
    assert built(capsys, "stale") == {"tmp.a", "tmp.b", "final.c"}


@pytest.mark.usefixtures("project")
def test_rows_that_come_while_it_builds_are_not_taken_for_seen(capsys: pytest.CaptureFixture[str]) -> None:
    with start_refresh(read_settings(), [], "a test", print) as refresh:
        refresh.warehouse.append(TableName("raw", "items"), [Append([{"x": 2}])])
        work = refresh.work(BuildContext("run"))
        run_here(refresh.plan.graph, Execution(refresh.plan.graph, work), 1)
    assert built(capsys, "stale") == {"tmp.a", "final.c"}
    assert built(capsys, "stale") == set()


@pytest.mark.usefixtures("project")
def test_of_what_an_earlier_attempt_has_staged_the_inputs_are_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    a = TableName("tmp", "a")
    with start_refresh(read_settings(), ["tmp.a"], "a test", print) as refresh:
        first = refresh.work(BuildContext("run"))
        first.stage(a, ())
        again = refresh.work(BuildContext("run", 2), refresh.warehouse.staged(BuildContext("run", 2)))
        run_here(refresh.plan.graph, Execution(refresh.plan.graph, again), 1)
    assert why(capsys, "tmp.a").startswith("it was published by a retry")
    assert built(capsys, "stale") == {"tmp.a", "final.c"}


@pytest.mark.usefixtures("project")
def test_what_cannot_be_known_counts_as_changed(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"res/tmp/a.sql": "SELECT x, CURRENT_TIMESTAMP() AS now FROM raw.items"})
    assert built(capsys) == {"tmp.a", "tmp.b", "final.c"}
    assert why(capsys, "tmp.a") == "CURRENT_TIMESTAMP may answer something else each time"
    assert built(capsys, "changed+") == set()
    assert built(capsys, "stale") == {"tmp.a", "final.c"}
    with connect(DEFAULT_URL) as warehouse:
        warehouse.drop(TableName("tmp", "b"))
    assert built(capsys, "changed") == {"tmp.b"}


@pytest.mark.usefixtures("project")
def test_what_failed_last_time_can_be_built_again(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"res/tmp/a.sql": "SELECT IF(x > 1, ERROR('no'), x) AS x FROM raw.items"})
    assert built(capsys) == {"tmp.a", "tmp.b", "final.c"}
    post("raw.items", 2)
    assert built(capsys, code=1) == {"tmp.a", "tmp.b", "final.c"}
    assert why(capsys, "tmp.a").endswith("; the last refresh of it failed")
    write({"res/tmp/a.sql": "SELECT x FROM raw.items"})
    assert built(capsys, "failed") == {"tmp.a", "final.c"}
    assert built(capsys, "failed") == set()


@pytest.mark.usefixtures("project")
def test_a_setting_says_what_is_built_when_nothing_is_named(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"refresh.toml": "select = 'stale not:final.c'"})
    assert built(capsys) == set()
    post("raw.items", 2)
    assert built(capsys, "--exclude", "tmp.b") == {"tmp.a"}
    assert built(capsys, "*") == {"tmp.a", "tmp.b", "final.c"}


@pytest.mark.usefixtures("project")
def test_plan_says_what_is_not_in_it_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    post("raw.items", 2)
    assert main(["plan", "stale"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["not in it: 1 table", "  tmp.b: nothing has changed since it was published"]
    assert "    why: raw.items has changed since" in lines


def test_files_that_git_sees_changed_select_their_tables(
    project: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@shop.example")
        subprocess.run(["git", *identity, *words], cwd=project, check=True, capture_output=True)

    assert main(["build", "git:main"]) == 2
    assert "git:main: " in capsys.readouterr().err
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "all")
    assert built(capsys, "git:main") == set()
    git("checkout", "-b", "work")
    write({"res/tmp/a.sql": "SELECT x AS y FROM raw.items", "res/final/c.sql": "SELECT y FROM tmp.a"})
    git("commit", "-am", "one")
    write({"res/tmp/b.toml": "owner = 'ann'", "res/tmp/new.sql": "SELECT 1 AS x"})
    assert built(capsys, "git:main") == {"tmp.a", "tmp.b", "tmp.new", "final.c"}
    assert built(capsys, "git:HEAD") == {"tmp.b", "tmp.new"}
    assert built(capsys, "git:main,changed") == set()
    assert main(["graph", "git:HEAD"]) == 0
    assert "tmp_new" in capsys.readouterr().out
    assert main(["build", "git:gone~2"]) == 2
    assert "fetch the whole history" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_only_who_looks_into_the_warehouse_knows_what_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "stale"]) == 2
    assert "known only to build, run and plan" in capsys.readouterr().err
