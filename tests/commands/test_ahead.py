"""Many new scripts are read in a process of their own, and what it cannot do is done and told by the build."""

import io
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Write
from tests.processes import child
from warehouse_refresh.commands.building import ahead
from warehouse_refresh.commands.building.ahead import MANY, read_ahead
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.errors import Transient
from warehouse_refresh.warehouse.names import TableName

MAP = "[tmp]\n" + "".join(f'"t{number}" = ["tmp.t{number - 1}"]\n' for number in range(1, MANY, 2))
SCRIPTS = {
    **{f"res/tmp/t{number}.sql": f"SELECT {number} AS n" for number in range(0, MANY, 2)},
    **{f"res/tmp/t{number}.sql": f"SELECT n + 1 AS n FROM tmp.t{number - 1}" for number in range(1, MANY, 2)},
    "res/dependencies.toml": MAP,
}
BUILD = """
import sys
from warehouse_refresh.commands.main import main
code = main(["build"])
print("parser" if "sqlglot" in sys.modules else "no parser", code)
"""
HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def built(folder: Path) -> str:
    """The last line of a build in a process, which says whether it has read SQL, and its exit code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", BUILD]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_many_new_scripts_are_read_by_another_process_and_fewer_are_not(write: Write) -> None:
    folder = write(SCRIPTS)
    assert built(folder) == "no parser 0"
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.first_rows(TableName("tmp", f"t{MANY - 1}"), 2) == [(MANY - 1,)]
    (folder / ".data/scripts.json").unlink()
    (folder / "res/tmp/t0.sql").unlink()
    (folder / "res/tmp/t1.sql").unlink()
    (folder / "res/dependencies.toml").write_text(MAP.replace('"t1" = ["tmp.t0"]\n', ""))
    assert built(folder) == "parser 0"


def test_what_is_wrong_with_new_scripts_is_told_once(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    wrong = {
        "res/tmp/wrong.sql": "SELECT nothing AS n FROM tmp.t0",
        "res/dependencies.toml": f'{MAP}wrong = ["tmp.t0"]',
    }
    write({**SCRIPTS, **wrong})
    assert main(["build"]) == 2
    said = "".join(capfd.readouterr())
    assert said.startswith("error: res/tmp/wrong.sql:1:8: ")
    assert "1 problem; nothing was run" in said
    assert said.count("error:") == 1


@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/false"])
def test_a_build_reads_what_no_other_process_could(write: Write, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    folder = write(SCRIPTS)
    with monkeypatch.context() as while_it_fails:
        while_it_fails.setattr(sys, "executable", program)
        read_ahead(RefreshSettings(folder), [])
        assert not (folder / ".data/scripts.json").exists()
        assert main(["build"]) == 0
    assert (folder / ".data/scripts.json").exists()


def test_the_other_process_leaves_it_to_the_build_to_wait_for_the_file(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(SCRIPTS)
    (folder / ".data").mkdir()
    with child(HOLD, folder / ".data/warehouse.duckdb") as holder, monkeypatch.context() as asked:
        assert holder.hear() == "held"
        asked.setattr(ahead, "PATIENCE", 0.0)
        asked.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pickle.dumps((RefreshSettings(folder), [])))))
        asked.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
        with pytest.raises(Transient):
            ahead.read_all()
