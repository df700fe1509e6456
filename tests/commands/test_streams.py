"""Whatever becomes of the output: the work is done, and the exit code is the work's."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.test_cli import GOOD
from tests.conftest import ROOT, Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.commands.terminal.output import shown
from warehouse_refresh.pipeline.outcomes import State
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.pipeline.running.execution import TableRun
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

COMMAND = [sys.executable, "-m", "warehouse_refresh.commands.main"]
FULL = "the output could not be written, and the rest of it is lost: No space left on device\n"
GONE = "the output could not be written, and the rest of it is lost: Broken pipe\n"
TABLES = [TableName.parse(name) for name in ("final.b", "tmp.a", "tmp.c")]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def ended(redirected: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command, run by a shell with this after it: the pipes and redirections that people write."""
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirected}', "bash", *COMMAND, *arguments],
        env=environment(**more),
        capture_output=True,
        encoding="latin-1",
        timeout=600,
        check=False,
    )


def built() -> list[TableName]:
    with connect(DEFAULT_URL) as warehouse:
        return sorted([*warehouse.tables("tmp"), *warehouse.tables("final")])


@pytest.fixture
def project(write: Write) -> Path:
    folder = write(GOOD)
    assert main(["init"]) == 0
    return folder


@pytest.mark.parametrize(
    ("redirected", "complaint"),
    [
        ("> /dev/full", FULL),
        (">&-", ""),
        ("2>&-", ""),
        ("<&- >&- 2>&-", ""),
        ("| true; exit ${PIPESTATUS[0]}", GONE),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_build_goes_on_to_its_end_wherever_its_output_goes(redirected: str, complaint: str) -> None:
    done = ended(redirected, "build")
    assert (done.returncode, done.stderr) == (0, complaint)
    assert built() == TABLES


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.usefixtures("project")
def test_a_character_that_the_output_does_not_know_is_replaced(encoding: str) -> None:
    done = ended("", "build", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("+ ") == 3
    assert built() == TABLES


def test_the_exit_code_of_a_build_that_fails_is_one_wherever_its_output_goes(project: Path) -> None:
    (project / "res/tmp/c.sql").write_text("SELECT CAST('x' AS INT64) AS x")
    done = ended("> /dev/full", "build", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, FULL)


@pytest.mark.usefixtures("project")
def test_on_a_terminal_without_the_characters_and_narrow_a_build_is_done() -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "build"], env=environment(PYTHONIOENCODING="ascii", COLUMNS="1"), stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        text = b"".join(iter(lambda: _read(master), b"")).decode("ascii")
    os.close(master)
    assert process.returncode == 0
    assert "3 of 3 tables built" in text
    assert built() == TABLES


@pytest.mark.usefixtures("project")
def test_a_terminal_that_is_closed_in_the_middle_does_not_end_the_build() -> None:
    """Without the signal that a shell's jobs get; that one does end it."""
    master, slave = pty.openpty()
    with subprocess.Popen([*COMMAND, "build"], env=environment(), stdout=slave, stderr=slave) as process:
        os.close(slave)
        os.close(master)
    assert process.returncode == 0
    assert built() == TABLES


def _read(master: int) -> bytes:
    try:
        return os.read(master, 4096)
    except OSError:  # Linux's way to say that the other side is closed
        return b""


@pytest.mark.parametrize("arguments", [["check"], ["plan"], ["--help"]])
@pytest.mark.usefixtures("project")
def test_a_report_whose_reader_has_seen_enough_ends_quietly(arguments: list[str]) -> None:
    done = ended("| true; exit ${PIPESTATUS[0]}", *arguments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["check", "graph"])
@pytest.mark.usefixtures("project")
def test_a_report_that_cannot_be_written_is_a_failure(command: str) -> None:
    done = ended("> /dev/full", command)
    assert (done.returncode, done.stderr) == (2, FULL)


@pytest.mark.usefixtures("project")
def test_a_run_through_prefect_goes_on_to_its_end_without_its_output(prefect_server: str) -> None:
    """Prefect's own log, which cannot be written either, does not decide over it."""
    done = ended(
        "2> /dev/full | true; exit ${PIPESTATUS[0]}",
        "run",
        PREFECT_API_URL=prefect_server,
        PYTHONIOENCODING="ascii",
        PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL="INFO",
    )
    assert done.returncode == 0
    assert built() == TABLES


def test_a_fault_of_the_report_does_not_decide_over_the_table(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("no line today")

    monkeypatch.setattr("warehouse_refresh.commands.terminal.lines.line_of", broken)
    with shown(read_project(project).graph) as report:
        report(TableRun(TABLES[0], State.NOT_RUN))
    assert "final.b cannot be shown: this is a bug" in caplog.text
