"""Processes in the background: who is taken for one, and their end."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Pending, Running

from tests.conftest import ROOT
from tests.operation.installation import wait_for
from warehouse_refresh.flows.local import background
from warehouse_refresh.flows.local.guard import API, GUARD, NO_NEED, SERVER, WORKER, worker_name
from warehouse_refresh.flows.local.server import server_environment

ENDLESS = "import signal; print('ready', flush=True); signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {ENDLESS}"
PARENT = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {ENDLESS!r}]); {ENDLESS}"


@pytest.fixture
def processes(folder: Path) -> Iterator[list[background.Process]]:
    """Those that the test started; killed in the end."""
    assert folder == Path.cwd()
    started: list[background.Process] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def started(processes: list[background.Process], name: str, code: str) -> background.Process:
    processes.append(background.start(name, [sys.executable, "-c", code], server_environment("")))
    wait_for(lambda: background.last_lines(name).startswith("ready"))
    return processes[-1]


def test_a_process_is_running_until_it_has_ended(processes: list[background.Process]) -> None:
    assert background.running("it") is None
    process = started(processes, "it", ENDLESS)
    assert background.running("it") == process.pid
    with pytest.raises(background.AlreadyRunning, match=f"it runs already: process {process.pid}"):
        started(processes, "it", ENDLESS)
    assert background.stop("it")
    assert process.wait() != 0
    assert background.running("it") is None
    assert not background.stop("it")


def test_one_that_does_not_end_when_asked_is_made_to(processes: list[background.Process]) -> None:
    process = started(processes, "it", STUBBORN)
    assert background.stop("it", patience=0)
    assert process.wait() == -9


def test_what_it_started_ends_with_it(processes: list[background.Process]) -> None:
    process = started(processes, "it", PARENT)
    background.stop("it")
    process.wait()
    wait_for(lambda: not _group_lives(process.pid))


def _group_lives(group: int) -> bool:
    found = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return any(line.split()[0] == str(group) and "Z" not in line.split()[1] for line in found.splitlines())


def test_another_program_that_has_the_number_by_now_is_left_alone(processes: list[background.Process]) -> None:
    """As after a reboot: the file is there, and its process is somebody else's."""
    other = started(processes, "other", ENDLESS)
    (background.FOLDER / "it.pid").write_text(str(other.pid))
    assert background.running("it") is None
    assert not background.stop("it")
    assert other.poll() is None


def test_when_serve_is_killed_its_guard_ends_the_parts_and_the_runs(
    processes: list[background.Process], prefect_api: str
) -> None:
    """With other processes in the parts' place, and runs that another worker or nobody has, which go on."""
    for part in (API, WORKER, SERVER):
        started(processes, part, ENDLESS)
    runs = [_run(state, worker) for worker in (worker_name(), "another") for state in _states()]
    environment = {**server_environment(prefect_api), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "warehouse_refresh.flows.local.guard"]
    guard = background.start(GUARD, command, environment, stdin=subprocess.PIPE)
    assert guard.stdin is not None
    guard.stdin.close()
    assert guard.wait() == 0, background.last_lines(GUARD)
    assert [background.running(part) for part in (API, WORKER, SERVER)] == [None] * 3
    with get_client(sync_client=True) as client:
        states = [state.type.value for run in runs if (state := client.read_flow_run(run.id).state)]
        for run in runs:
            client.delete_flow_run(run.id)
    assert states == ["CANCELLED", "SCHEDULED", "RUNNING", "PENDING"]


def test_a_guard_that_is_not_needed_ends_nothing(processes: list[background.Process]) -> None:
    api = started(processes, API, ENDLESS)
    command = [sys.executable, "-m", "warehouse_refresh.flows.local.guard"]
    environment = {**server_environment(""), "PYTHONPATH": str(ROOT)}
    guard = background.start(GUARD, command, environment, stdin=subprocess.PIPE)
    guard.communicate(NO_NEED)
    assert api.poll() is None


def _states() -> tuple[State[Any], State[Any]]:
    return Running(), Pending()


@flow
def _nothing() -> None:
    """A flow to have runs of."""


def _run(state: State[Any], worker: str) -> FlowRun:
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(_nothing, state=state)
        client.update_flow_run_labels(run.id, {"prefect.worker.name": worker})
    return run
