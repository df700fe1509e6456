"""The OpenAPI document tells the truth: schemathesis tries what it says and what it rules out, with all checks."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import Served, api_over, raw_tables
from tests.api.prefect_parts import deployed
from tests.conftest import ROOT

HERE = Path(__file__).parent
TOKEN = "banana"


@pytest.fixture
def api(tmp_path: Path, prefect_server: str) -> Iterator[Served]:
    """An API that asks for a token, with a deployment to ask for."""
    url = raw_tables(tmp_path / "w.duckdb")
    settings = {"token": TOKEN, "max_wait_seconds": 0.1}
    with deployed(prefect_server) as deployment, api_over(url, deployment=deployment.name, **settings) as it:
        yield it


def _cases(api: Served, folder: Path, rows_in: str, phases: str, examples: int) -> int:
    """Run these phases of schemathesis with so many examples for each operation; returns how many cases it made.

    `rows_in` says where rows are sent: "query" tries every operation, "body" only those that take a body.
    """
    command = ["schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run"]
    options = ["--checks", "all", "--mode", "all", "--phases", phases, "--max-examples", examples, "--no-color"]
    only = ["--include-operation-id-regex", "^append_"] if rows_in == "body" else []
    reach = ["--seed", 1, "--header", f"Authorization: Bearer {TOKEN}", f"{api.url}/schema/openapi.json"]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks", "REFRESH_ROWS_IN": rows_in}
    ran = subprocess.run(
        [sys.executable, "-m", *map(str, [*command, *options, *only, *reach])],
        env={**os.environ, **hooks, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [generated] = re.findall(r"([\d,]+) generated", ran.stdout)
    return int(generated.replace(",", ""))


@pytest.mark.parametrize("rows_in", ["query", "body"])
def test_hundreds_of_cases_find_nothing(rows_in: str, api: Served, tmp_path: Path) -> None:
    assert _cases(api, tmp_path, rows_in, "coverage,fuzzing", 3) >= 500


@pytest.mark.slow
def test_10000_cases_find_nothing(api: Served, tmp_path: Path) -> None:
    in_query = _cases(api, tmp_path, "query", "coverage,fuzzing", 1_000)
    in_body = _cases(api, tmp_path, "body", "coverage,fuzzing", 1_000)
    assert in_query + in_body + _cases(api, tmp_path, "query", "stateful", 50) >= 10_000
