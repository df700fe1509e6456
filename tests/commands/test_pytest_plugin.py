"""pytest collects the tests of scripts."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from tests.conftest import Write

PLUGIN = "warehouse_refresh.commands.project.pytest_plugin"
NOTHING_HEAVY = """
import sys
def pytest_sessionfinish():
    assert not {"duckdb", "sqlglot", "pydantic", "msgspec", "rich"} & set(sys.modules)
"""
FILES = {
    "db_init/raw.sql": "CREATE TABLE raw.orders (id INT64);",
    "res/raw/orders": "",
    "res/tmp/orders.sql": "SELECT id FROM `raw.orders`\n",
    "res/dependencies.toml": "[tmp]\n",
    "res/tmp/orders.test.toml": """["keeps it"]
given."raw.orders" = [{ id = 1 }]
expected = [{ id = 1 }]
["doubles it"]
given."raw.orders" = [{ id = 1 }]
expected = [{ id = 2 }]
""",
    "res/tmp/orders.tests/many/raw.orders.csv": "id\n7\n",
    "res/tmp/orders.tests/many/expected.csv": "id\n7\n",
}


def pytest_in(folder: Path) -> str:
    """What pytest prints that runs in a folder, in a process of its own and without other plugins."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-v", "-p", PLUGIN, "-p", "no:cacheprovider", "--rootdir", str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_pytest_runs_them_and_shows_the_rows_that_differ(write: Write) -> None:
    out = pytest_in(write(FILES))
    assert "res/tmp/orders.test.toml::keeps it PASSED" in out
    assert "res/tmp/orders.tests/many/expected.csv::many PASSED" in out
    assert "res/tmp/orders.test.toml::doubles it FAILED" in out
    assert "expected  [2]" in out
    assert "Traceback" not in out
    assert "1 failed, 2 passed" in out


def test_a_file_that_is_wrong_is_an_error_with_its_line(write: Write) -> None:
    out = pytest_in(write({**FILES, "res/tmp/orders.test.toml": '["it"]\nexpected = [{ idd = 1 }]\n'}))
    assert "res/tmp/orders.test.toml:2:15: tmp.orders has no column idd" in out
    assert "Traceback" not in out


def test_nothing_heavy_is_imported_without_such_files(folder: Path) -> None:
    (folder / "conftest.py").write_text(NOTHING_HEAVY)
    (folder / "test_it.py").write_text("def test_it():\n    pass\n")
    assert "1 passed" in pytest_in(folder)


def test_pytest_finds_the_plugin() -> None:
    assert [point.value for point in entry_points(group="pytest11", name="refresh")] == [PLUGIN]
