"""`--env`, `refresh env` and `refresh diff`: production holds nothing of an environment that was not promoted."""

import re
import shlex
import shutil
import subprocess
import sys
from argparse import Namespace
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from tests.commands.building import built, built_project
from tests.conftest import ROOT, Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.commands.terminal import question
from warehouse_refresh.commands.terminal.question import NotConfirmed, ask_for_production
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import DEFAULT_URL, Append, connect
from warehouse_refresh.warehouse.builds import environment
from warehouse_refresh.warehouse.names import TableName

FILES = {
    "db_init/raw.sql": "CREATE TABLE raw.items AS SELECT x, x * 10 AS y FROM UNNEST([1, 2, 3]) AS x",
    "res/tmp/a.sql": "SELECT x, y FROM raw.items",
    "res/tmp/a.toml": "[checks]\nunique = ['x']",
    "res/tmp/b.sql": "SELECT COUNT(*) AS n FROM raw.items",
    "res/final/c.sql": "SELECT x, y + n AS z FROM tmp.a CROSS JOIN tmp.b",
    "res/checks/large.sql": "SELECT x FROM tmp.a WHERE y > 1000",
    "res/dependencies.toml": "[final]\nc = ['tmp.a', 'tmp.b']",
}


@pytest.fixture
def project(write: Write, capsys: pytest.CaptureFixture[str]) -> Path:
    """Tables a and b of raw rows, and c of both; all are built in production."""
    return built_project(write, FILES, capsys)


@pytest.fixture(params=["prefix", "file"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL where the environment of alice is: in production's file, or in one of its own."""
    monkeypatch.setenv("REFRESH_ENVIRONMENTS", request.param)
    return DEFAULT_URL if request.param == "prefix" else DEFAULT_URL.replace(".duckdb", ".env-alice.duckdb")


def rows(name: str, url: str = DEFAULT_URL) -> list[tuple[Any, ...]]:
    with connect(url) as warehouse:
        return sorted(warehouse.first_rows(TableName.parse(name), 100))


TEST = """
["one more"]
given."raw.items" = [{ x = 1, y = 1 }]
expected = [{ x = 1, y = 2 }]
"""
OLD = [(1, 13), (2, 23), (3, 33)]


@pytest.mark.usefixtures("project")
def test_a_change_is_built_compared_and_promoted_without_building_it_again(
    place: str, write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"res/tmp/a.sql": "SELECT x, IF(x = 2, 7, y) AS y FROM raw.items WHERE x < 3"})
    assert built(capsys, "--env", "alice", "changed+") == {"tmp.a", "final.c"}
    assert (rows("final.c"), rows("alice_final.c", place)) == (OLD, [(1, 13), (2, 10)])
    monkeypatch.setenv("REFRESH_ENV", "alice")
    assert built(capsys, "stale") == set()
    monkeypatch.delenv("REFRESH_ENV")
    assert main(["diff", "tmp.a", "--env", "alice"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tmp.a: 3 rows before, 2 after",
        "  0 added, 1 removed, 1 changed by x",
        "    y: 1 (33.3% of the rows before)",
        "  ~ 2 y: 20 -> 7",
        "  - 3",
    ]
    assert main(["env", "diff", "alice", "--markdown"]) == 0
    comment = capsys.readouterr().out
    assert "| `tmp.a` | 3 | 2 | 0 | 1 | 1 | y: 1 changed |" in comment
    assert "tmp.b" not in comment  # neither changed nor touched
    drawn = comment.partition("```mermaid\n")[2].partition("\n```")[0].splitlines()
    assert [line.strip() for line in drawn[:4]] == [
        "flowchart LR",
        'tmp_a["tmp.a"]',
        'final_c["final.c"]',
        "tmp_a --> final_c",
    ]
    assert drawn[-1].strip() == "class tmp_a,final_c changed"
    assert main(["env", "list"]) == 0
    assert capsys.readouterr().out.startswith("alice: 2 tables, built last at 20")
    assert main(["env", "promote", "alice"]) == 2
    assert "say `refresh env promote alice --yes`" in capsys.readouterr().err
    with duckdb.connect(place.removeprefix("duckdb:///")) as file:  # a mark that only a copy has
        file.execute("UPDATE alice_final.c SET z = 99 WHERE x = 2")
    assert main(["env", "promote", "alice", "--yes"]) == 0
    assert rows("final.c") == [(1, 13), (2, 99)]
    capsys.readouterr()
    assert built(capsys, "stale") == set()
    assert main(["env", "drop", "alice", "--yes"]) == 0
    assert main(["env", "diff", "alice"]) == 2
    assert "there is no environment alice; there is none" in capsys.readouterr().err
    assert main(["rollback", "--yes"]) == 1  # nothing of it was kept
    assert "alice" not in capsys.readouterr().err


@pytest.mark.usefixtures("project", "place")
def test_what_has_changed_since_is_built_again_when_it_is_promoted(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({"res/tmp/a.sql": "SELECT x, y + 1 AS y FROM raw.items"})
    assert built(capsys, "--env", "alice", "changed+") == {"tmp.a", "final.c"}
    with connect(DEFAULT_URL) as warehouse:
        warehouse.append(TableName("raw", "items"), [Append([{"x": 4, "y": 40}])])
    assert main(["env", "promote", "alice", "--yes"]) == 0
    assert [x for x, _ in rows("final.c")] == [1, 2, 3, 4]


@pytest.mark.usefixtures("project")
def test_checks_and_failures_of_an_environment_stay_in_it(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"res/tmp/a.sql": "SELECT 1 AS x, y FROM raw.items"})
    assert built(capsys, "--env", "alice", "changed+", code=3) == {"tmp.a", "final.c"}
    assert built(capsys, "--env", "alice", "failed", code=3) == {"tmp.a", "final.c"}
    assert built(capsys, "failed") == set()
    write({"res/tmp/a.sql": "SELECT x, y * 1000 AS y FROM raw.items"})
    assert main(["build", "--env", "alice", "changed+"]) == 3
    assert "checks/large" in capsys.readouterr().out
    assert rows("final.c") == OLD


@pytest.mark.usefixtures("project", "place")
def test_an_environment_that_nobody_builds_in_expires(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    built(capsys, "--env", "alice", "tmp.b")
    built(capsys, "--env", "bob", "tmp.b")
    monkeypatch.setattr(environment, "DAYS_KEPT", 0)
    assert main(["build", "--env", "bob", "tmp.b"]) == 0
    assert "the environment alice is dropped" in capsys.readouterr().out
    assert main(["env", "list"]) == 0
    assert capsys.readouterr().out.startswith("bob: 1 table,")


@pytest.mark.usefixtures("project")
def test_tables_without_keys_are_compared_by_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "final.c", "--with", "tmp.a"]) == 0
    assert capsys.readouterr().out.splitlines()[:5] == [
        "final.c: 3 rows before, 3 after",
        "  new column y INT64",
        "  no column z any more",
        "  0 added, 0 removed, 0 changed",
    ]
    assert main(["diff", "tmp.b", "--with", "tmp.b", "--key", "n"]) == 0
    assert capsys.readouterr().out == "tmp.b: the same 1 row\n"
    assert main(["diff", "tmp.b"]) == 2
    assert main(["diff", "tmp.b", "--with", "tmp.a", "--key", "gone"]) == 2


@pytest.mark.usefixtures("project", "place")
def test_what_an_environment_has_is_shown_and_what_not_is_said(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({"res/tmp/b.sql": "SELECT 7 AS n"})
    assert main(["diff", "tmp.b", "--env", "nobody"]) == 2
    assert "there is no environment nobody; there is none" in capsys.readouterr().err
    built(capsys, "--env", "alice", "tmp.b")
    assert main(["diff", "tmp.b", "--env", "alcie"]) == 2
    assert "there is no environment alcie; did you mean alice?" in capsys.readouterr().err
    assert main(["diff", "tmp.a", "--env", "alice"]) == 2
    assert "alice has not built tmp.a, but tmp.b" in capsys.readouterr().err
    for words, shown in ((["tmp.b"], "n\n3\n"), (["tmp.b", "--env", "alice"], "n\n7\n")):
        assert main(["show", *words, "--csv"]) == 0
        assert capsys.readouterr().out == shown
    assert main(["show", "tmp.a", "--env", "alice", "--limit", "1", "--csv"]) == 0  # production's


@pytest.mark.usefixtures("place")
def test_an_environment_leaves_nothing_behind(project: Path) -> None:
    assert main(["plan", "--env", "alice"]) == 0
    assert not list(project.rglob("*.env-alice*"))
    assert main(["build", "--env", "alice", "tmp.*"]) == 0
    assert main(["env", "drop", "alice", "--yes"]) == 0
    with duckdb.connect(project / ".data/warehouse.duckdb") as file:
        assert not file.execute("SELECT 1 FROM duckdb_schemas() WHERE schema_name LIKE 'alice%'").fetchall()


def test_a_table_is_compared_with_the_one_of_another_warehouse(
    project: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(project / ".data/warehouse.duckdb", project / "before.duckdb")
    write({"res/tmp/a.sql": "SELECT x, IF(x = 2, 7, y) AS y, JSON '{}' AS j FROM raw.items"})
    assert built(capsys) == {"tmp.a", "tmp.b", "final.c"}
    assert main(["diff", "tmp.a", "--from", "before.duckdb"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tmp.a: 3 rows before, 3 after",
        "  new column j JSON",
        "  0 added, 0 removed, 1 changed by x",
        "    y: 1 (33.3% of the rows before)",
        "  ~ 2 y: 20 -> 7",
    ]
    shutil.copy(project / ".data/warehouse.duckdb", project / "now.duckdb")
    assert main(["diff", "tmp.a", "--from", "duckdb:///now.duckdb"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "tmp.a: the same 3 rows\n",
        "tmp.a: j cannot be copied, and not be compared\n",
    )
    assert main(["diff", "tmp.a", "--from", "nothing.duckdb"]) == 2
    assert not (project / "nothing.duckdb").exists()
    with connect(DEFAULT_URL) as warehouse:
        assert not [table for table in warehouse.tables("_warehouse") if "diff" in table.name]


@pytest.mark.usefixtures("project")
def test_production_can_be_guarded(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"refresh.toml": "guard_production = true"})
    assert main(["build"]) == 2
    assert "Say --production, or --env NAME" in capsys.readouterr().err
    assert built(capsys, "--production") == {"tmp.a", "tmp.b", "final.c"}
    assert built(capsys, "--env", "alice", "tmp.b") == {"tmp.b"}
    assert main(["build", "--env", "Not a name"]) == 2
    assert "write a name of small letters" in capsys.readouterr().err


@pytest.mark.parametrize(("guard", "is_asked"), [("", True), ("true", True), ("false", False)])
def test_whoever_sits_at_a_terminal_is_asked_before_production_is_built_on_bigquery(
    guard: str, is_asked: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read_settings({"WAREHOUSE_URL": "bigquery://shop", "REFRESH_GUARD_PRODUCTION": guard})
    options = Namespace(production=False)
    monkeypatch.setattr(question, "somebody_is_there", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    with pytest.raises(NotConfirmed) if is_asked else nullcontext():
        ask_for_production(settings, options)
    assert ("this builds in production: bigquery://shop" in capsys.readouterr().out) == is_asked
    ask_for_production(replace(settings, environment="alice"), options)
    ask_for_production(settings, Namespace(production=True))
    if guard != "true":
        ask_for_production(replace(settings, warehouse_url=DEFAULT_URL), options)
        monkeypatch.setattr(question, "somebody_is_there", lambda: False)
        ask_for_production(settings, options)  # CI


def workflow() -> str:
    """The page's workflow for GitHub Actions."""
    page = (ROOT / "docs/environments.md").read_text()
    [found] = re.findall(r"```yaml\n(name: .*?)```", page, re.DOTALL)
    return str(found)


def steps() -> list[dict[str, str]]:
    """The steps of its only job."""
    [job] = yaml.safe_load(workflow())["jobs"].values()
    return list(job["steps"])


@pytest.mark.usefixtures("project")
def test_the_commands_of_the_pages_workflow_work(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"res/tmp/a.sql": "SELECT x, y + 1 AS y FROM raw.items", "res/tmp/a.test.toml": TEST})
    commands = [step["run"].removeprefix(".venv/bin/refresh ") for step in steps() if "refresh" in step.get("run", "")]
    assert [command.split()[0] for command in commands] == ["check", "test", "build", "env", "env"]
    for command in commands:
        words = shlex.split(command.partition(" >")[0].replace("${{ github.event.number }}", "17"))
        assert main(words) == 0, words
    assert rows("final.c") == OLD
    assert "| `tmp.a` | 3 | 3 | 0 | 0 | 3 |" in capsys.readouterr().out


@pytest.mark.slow
def test_the_steps_of_the_pages_workflow_run_in_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a runner does it: each step in bash, in a checkout of its own. The environment of Python is this one's."""
    clone, summary = tmp_path / "clone", tmp_path / "summary.md"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, tracked.split("\0")):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name, follow_symlinks=False)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    monkeypatch.setenv("WAREHOUSE_URL", f"duckdb:///{tmp_path / 'production.duckdb'}")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    def run(command: str) -> None:
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", command], cwd=clone, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    run(".venv/bin/refresh init && .venv/bin/refresh build")
    script = clone / "res/tmp/variants.sql"
    script.write_text(
        script.read_text().replace("IFNULL(inventory_items.stock, 0)", "IFNULL(inventory_items.stock, -1)")
    )
    (clone / "res/tmp/variants.test.toml").unlink()
    for step in steps():
        assert ("run" in step) != ("uses" in step)
        if "run" in step:
            run(step["run"].replace("${{ github.event.number }}", "17"))
    assert "| `tmp.variants` |" in summary.read_text()
    assert "```mermaid" in summary.read_text()
    with connect(f"duckdb:///{tmp_path / 'production.duckdb'}") as warehouse:
        assert not warehouse.tables("pr_17_tmp")


@pytest.mark.slow
def test_the_pages_workflow_is_one_that_github_takes(tmp_path: Path) -> None:
    (tmp_path / "warehouse.yml").write_text(workflow())
    command = ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(tmp_path / "warehouse.yml")]
    done = subprocess.run([Path(sys.executable).with_name(command[0]), *command[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
