"""Runs that die without a word are found by looking, against a real Prefect server."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Crashed, Pending, Running

from tests.api.prefect_parts import Deployment
from warehouse_refresh.api.runs import prefect_client
from warehouse_refresh.api.runs.lost_runs import ENDED, MOST_BEGINNINGS, Silence, end_silent_runs, schedule_lost_runs
from warehouse_refresh.pipeline.contract import DOUBT, LOST, SILENCE, SILENT, START_OF_A_CONTAINER


def look(deployment: Deployment, later: timedelta) -> None:
    """Look for lost runs as the API will after some time."""

    async def schedule() -> None:
        async with get_client() as client:
            found = await client.read_deployment(deployment.id)
            await schedule_lost_runs(client, found, datetime.now(UTC) + later)

    asyncio.run(schedule())


def listen(deployment: Deployment, silence: Silence, now: float) -> None:
    """Look for silent runs as the API does at some time."""

    async def end() -> None:
        async with get_client() as client:
            await end_silent_runs(client, await client.read_deployment(deployment.id), silence, now)

    asyncio.run(end())


def state_of(deployment: Deployment, run: str) -> str:
    state = deployment.run(run).state
    assert state is not None
    return str(state.name)


def test_a_run_that_no_worker_begins_is_scheduled_again(deployment: Deployment) -> None:
    run = str(deployment.prefect.create_flow_run_from_deployment(deployment.id).id)
    deployment.move(run, Pending())
    look(deployment, START_OF_A_CONTAINER)
    assert state_of(deployment, run) == "Pending"
    look(deployment, START_OF_A_CONTAINER + 2 * DOUBT)
    assert state_of(deployment, run) == "Scheduled"


def test_lost_runs_are_found_however_many_there_are(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_client, "PAGE", 2)
    runs = [str(deployment.prefect.create_flow_run_from_deployment(deployment.id).id) for _ in range(5)]
    for run in runs:
        deployment.move(run, Pending())
    look(deployment, START_OF_A_CONTAINER + 2 * DOUBT)
    assert {state_of(deployment, run) for run in runs} == {"Scheduled"}


@pytest.mark.parametrize("code", [-9, 1])
@pytest.mark.parametrize("ended", ENDED)
def test_a_run_whose_process_ends_before_it_begins_is_scheduled_again(
    deployment: Deployment, ended: str, code: int
) -> None:
    """It was killed, or the server was away when it asked for its run."""
    run = str(deployment.prefect.create_flow_run_from_deployment(deployment.id).id)
    deployment.move(run, Pending())
    deployment.move(run, Crashed(message=f"{ended}{code}. Out of memory"))
    look(deployment, timedelta(seconds=1))
    assert state_of(deployment, run) == "Scheduled"


def test_a_run_whose_process_ends_each_time_is_given_up_in_the_end(deployment: Deployment) -> None:
    run = str(deployment.prefect.create_flow_run_from_deployment(deployment.id).id)
    for _ in range(MOST_BEGINNINGS + 1):
        assert state_of(deployment, run) == "Scheduled"
        deployment.move(run, Pending())
        deployment.move(run, Crashed(message=f"{ENDED[0]}1. No module"))
        look(deployment, timedelta(seconds=1))
    assert state_of(deployment, run) == "Crashed"


def test_a_run_that_the_server_calls_lost_and_does_not_schedule_is_scheduled_again(deployment: Deployment) -> None:
    run = str(deployment.prefect.create_flow_run_from_deployment(deployment.id).id)
    deployment.move(run, Crashed(name=LOST))
    look(deployment, timedelta(0))
    assert state_of(deployment, run) == LOST
    look(deployment, 2 * DOUBT)
    assert state_of(deployment, run) == "Scheduled"


def test_a_run_that_has_begun_and_is_killed_is_left_alone(deployment: Deployment) -> None:
    killed = str(deployment.prefect.create_flow_run_from_deployment(deployment.id).id)
    deployment.move(killed, Running())
    deployment.move(killed, Crashed(message=f"{ENDED[0]}-9. Out of memory"))
    look(deployment, timedelta(seconds=1))
    assert state_of(deployment, killed) == "Crashed"


def test_a_run_that_is_not_heard_of_is_ended_and_one_that_is_goes_on(deployment: Deployment) -> None:
    heard, silent = (str(deployment.prefect.create_flow_run_from_deployment(deployment.id).id) for _ in range(2))
    for run in (heard, silent):
        deployment.move(run, Running())
    silence = Silence()
    for moment in (0.0, SILENCE.total_seconds(), SILENCE.total_seconds() + 1):
        deployment.prefect.update_flow_run(UUID(heard))
        listen(deployment, silence, moment)
    assert state_of(deployment, heard) == "Running"
    assert state_of(deployment, silent) == SILENT


def test_a_run_that_has_begun_is_left_alone(deployment: Deployment) -> None:
    run = str(deployment.prefect.create_flow_run_from_deployment(deployment.id).id)
    deployment.move(run, Running())
    look(deployment, 2 * START_OF_A_CONTAINER)
    assert state_of(deployment, run) == "Running"
