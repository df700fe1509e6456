"""Runs that lose their worker, their process, their server or their machine, or are not heard of for a while."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelling

from tests.conftest import free_port
from tests.operation.installation import NAMES, Installation, installation, is_up, wait_for
from tests.operation.test_day import PROJECT, RIGHT
from warehouse_refresh.flows import stale_runs
from warehouse_refresh.flows.deploy import save_automation
from warehouse_refresh.flows.stale_runs import automations
from warehouse_refresh.pipeline.contract import LOST, SILENT
from warehouse_refresh.warehouse import connect

pytestmark = pytest.mark.slow

PATIENCE = timedelta(seconds=45)
SERVER = ("prefect", "server", "start", "--port")
WORKER = ("prefect", "worker", "start", "--pool", NAMES.local_pool)


@pytest.fixture
def installed(tmp_path: Path, prefect_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """An installation without a worker, whose server loses patience sooner."""
    with installation(tmp_path, free_port(), prefect_home) as built:
        built.write({**PROJECT, "res/tmp/second.sql": RIGHT})
        built.run("warehouse_refresh.commands.main", "deploy")
        for name in ("START_OF_A_PROCESS", "SILENCE"):
            monkeypatch.setattr(stale_runs, name, PATIENCE)
        for automation in automations(NAMES, [NAMES.local_pool, NAMES.cloud_run_pool]):
            save_automation(built.client, automation)
        yield built


def state_of(installed: Installation, run: UUID) -> str:
    state = installed.flow_run(run).state
    return str(state.name) if state else ""


def states_of(installed: Installation, run: UUID) -> list[str]:
    return [str(state.name) for state in installed.client.read_flow_run_states(run)]


@contextmanager
def held(installed: Installation) -> Iterator[None]:
    """The warehouse is another refresh's, so that a run is under way and does nothing."""
    with connect(f"duckdb:///{installed.folder}/.data/warehouse.duckdb").refresh_lock("the test", pytest.fail):
        yield


def is_waiting(installed: Installation, run: UUID) -> bool:
    of_this_run = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))
    return any(
        "another refresh is under way (the test)" in log.message for log in installed.client.read_logs(of_this_run)
    )


def pass_by(duration: timedelta) -> None:
    """Let time go by, as it does while a server is away: there is nothing to look at."""
    time.sleep(duration.total_seconds())


def test_a_run_whose_worker_dies_before_it_begins_is_done_by_the_next_worker(installed: Installation) -> None:
    run = installed.trigger()
    installed.start("worker", *WORKER)
    wait_for(lambda: state_of(installed, run) in ("Pending", "Submitting"))
    installed.kill("worker")
    assert state_of(installed, run) in ("Pending", "Submitting")
    wait_for(lambda: LOST in states_of(installed, run))
    wait_for(lambda: state_of(installed, run) in ("Scheduled", "Late"))
    installed.start("worker", *WORKER)
    wait_for(lambda: state_of(installed, run) == "Completed")


def test_a_run_that_lives_goes_on_though_the_server_was_away(installed: Installation) -> None:
    installed.start("worker", *WORKER)
    with held(installed):
        run = installed.trigger()
        wait_for(lambda: is_waiting(installed, run))
        installed.kill("server")
        pass_by(PATIENCE)
        installed.start("server", *SERVER, str(installed.port))
        wait_for(lambda: is_up(installed))
        wait_for(lambda: states_of(installed, run)[-2:] == [SILENT, "Running"])
    wait_for(lambda: state_of(installed, run) == "Completed")


def test_a_run_that_ends_while_the_server_is_away_tells_it_later(installed: Installation) -> None:
    installed.start("worker", *WORKER)
    with held(installed):
        run = installed.trigger()
        wait_for(lambda: is_waiting(installed, run))
        installed.kill("server")
    with connect(f"duckdb:///{installed.folder}/.data/warehouse.duckdb") as warehouse:
        wait_for(lambda: warehouse.tables("final"))
    pass_by(PATIENCE)
    installed.start("server", *SERVER, str(installed.port))
    wait_for(lambda: is_up(installed))
    wait_for(lambda: state_of(installed, run) == "Completed")


def test_a_run_that_is_cancelled_while_it_starts_ends_cancelled_and_the_next_one_begins(
    installed: Installation,
) -> None:
    installed.start("worker", *WORKER)
    run = installed.trigger()
    wait_for(lambda: state_of(installed, run) in ("Pending", "Submitting"))
    installed.client.set_flow_run_state(run, Cancelling())
    following = installed.trigger()
    assert installed.ended(run).state_type == StateType.CANCELLED
    wait_for(lambda: state_of(installed, following) == "Completed")


def test_a_run_that_is_deleted_under_way_stops(installed: Installation) -> None:
    installed.start("worker", *WORKER)
    with held(installed):
        run = installed.trigger()
        wait_for(lambda: is_waiting(installed, run))
        process = int(str(installed.flow_run(run).infrastructure_pid).rpartition(":")[2])
        installed.client.delete_flow_run(run)
        wait_for(lambda: not Path(f"/proc/{process}").exists())


def test_a_run_that_dies_with_its_worker_is_ended_and_the_next_one_begins(installed: Installation) -> None:
    installed.start("worker", *WORKER)
    with held(installed):
        run = installed.trigger()
        wait_for(lambda: is_waiting(installed, run))
        process = int(str(installed.flow_run(run).infrastructure_pid).rpartition(":")[2])
        waiting = installed.trigger()
        installed.kill("worker")
        with suppress(ProcessLookupError):  # it is of the worker's process group, and may have died with it
            os.kill(process, signal.SIGKILL)
    installed.start("worker", *WORKER)
    dead = installed.ended(run)
    assert dead.state is not None
    assert (dead.state.type, dead.state.name) == (StateType.CRASHED, SILENT)
    assert installed.ended(waiting).state_type == StateType.COMPLETED
