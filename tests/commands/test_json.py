"""What `refresh build --json` and `refresh run --json` print."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main

SETTINGS = "[checks]\nunique = ['x']\nrow_count = { at_least = 1, severity = 'warning' }\n"
KEYS = {"table", "state", "rows", "partitions", "bytes", "cost", "seconds", "checks", "job", "failure", "error"}


@pytest.fixture
def project(write: Write) -> Path:
    write({"res/dependencies.toml": "[tmp]\nb = ['tmp.a']", "res/tmp/b.sql": "SELECT x FROM tmp.a"})
    return write({"res/tmp/a.sql": "SELECT x FROM UNNEST([1, 2]) AS x", "res/tmp/a.toml": SETTINGS})


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("project")
def test_a_build_prints_its_tables_and_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--json"]) == 0
    document = printed(capsys)
    assert (document["succeeded"], document["message"], document["prefect"]) == (
        True,
        "2 of 2 tables built and published, 2 checks passed",
        None,
    )
    assert all(set(row) == KEYS for row in document["tables"])
    assert {row["table"]: (row["state"], row["rows"]) for row in document["tables"]} == {
        "tmp.a": ("built", 2),
        "tmp.b": ("built", 2),
    }
    assert [(check["check"], check["result"]) for check in document["checks"]] == [
        ("unique x", "passed"),
        ("row_count", "passed"),
    ]


def test_what_blocks_a_table_stands_in_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "res/tmp/a.sql").write_text("SELECT x FROM UNNEST([1, 1]) AS x")
    assert main(["build", "--json"]) == 3
    document = printed(capsys)
    assert not document["succeeded"]
    assert [row["state"] for row in document["tables"]] == ["blocked", "not run"]
    assert document["tables"][0]["error"] == "2 of 2 rows of tmp.a have the same x as another row: 1"
    assert [check["result"] for check in document["checks"]] == ["failed", "passed"]


def test_the_owner_of_a_blocked_table_stands_beside_the_reason(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "res/tmp/a.toml").write_text(f"owner = 'shop@example.com'\n{SETTINGS}")
    (project / "res/tmp/b.toml").write_text("owner = 'other@example.com'")
    (project / "res/tmp/a.sql").write_text("SELECT x FROM UNNEST([1, 1]) AS x")
    assert main(["build", "--json"]) == 3
    blocked, not_run = printed(capsys)["tables"]
    assert blocked["error"] == "2 of 2 rows of tmp.a have the same x as another row: 1\n  owner: shop@example.com"
    assert not_run["error"] == "waits for tmp.a"


def test_a_refused_build_prints_no_document(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "res/tmp/a.sql").write_text("SELECT nothing")
    assert main(["build", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing was run" in err


def test_a_run_prints_the_same_and_where_prefect_shows_it(project: Path, prefect_server: str) -> None:
    command = [sys.executable, "-m", "warehouse_refresh.commands.main", "run", "--json"]
    environment = {**os.environ, "PREFECT_API_URL": prefect_server}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert document["message"] == "2 of 2 tables built and published, 2 checks passed"
    assert "/runs/flow-run/" in document["prefect"]
    assert all(set(row) == KEYS for row in document["tables"])
