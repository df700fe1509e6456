"""Find runs whose process or machine died, and schedule or end them: a dead run would keep the next one waiting.

A run that a worker took and did not begin, or whose process ended before it began, is scheduled again: the process was
killed, or could not reach Prefect's server. A running one whose record stays the same for too long is marked Silent:
the record of a live run changes every 10 s.

Automations on Prefect's server (flows/stale_runs.py) do most of this sooner. They go by events, and a server that is
killed loses the events that it has not handled. So the API reads the records, after the automations' time to act.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from warehouse_refresh.api.problems import ApiProblem
from warehouse_refresh.api.runs.prefect_client import Prefect, all_flow_runs, server_time
from warehouse_refresh.api.runs.run_queue import RunQueue
from warehouse_refresh.pipeline.contract import (
    DOUBT,
    LOST,
    SILENCE,
    SILENCE_MESSAGE,
    SILENT,
    START_OF_A_CONTAINER,
    START_OF_A_PROCESS,
    Names,
)

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

SECONDS_BETWEEN_LOOKS = 30.0
LOOKS_BACK = timedelta(hours=6)  # for runs whose processes ended before they began
MOST_BEGINNINGS = 5  # of a run whose process ends each time, for lack of memory or since it cannot be imported
# How the messages of a worker begin for a container and for a process; the exit code follows.
ENDED = ("Flow run infrastructure exited with non-zero status code ", "Process exited with status code: ")
AGAIN = "a worker took it and did not begin it: scheduled again"
logger = logging.getLogger("warehouse_refresh.api.runs")


async def look_for_lost_runs(prefect: Prefect, runs: RunQueue) -> None:
    """Look every 30 s, until cancelled. Nothing is decided while Prefect cannot be reached."""
    silence = Silence()
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        try:
            async with prefect.client() as client:
                deployment = await runs.deployment(client)
                await schedule_lost_runs(client, deployment, await server_time(client))
                await end_silent_runs(client, deployment, silence, time.monotonic())
        except ApiProblem as problem:
            logger.debug("cannot look for lost runs: %s", problem.detail)
            silence = Silence()  # start counting anew: while the server is away no heartbeat can arrive
        except Exception:
            logger.exception("cannot look for lost runs")


class Silence:
    """Measures how long each run's record has not changed, by this process's clock, which stops while the machine
    sleeps."""

    def __init__(self) -> None:
        self._heard: dict[UUID, tuple[object, float]] = {}

    def of(self, runs: "Sequence[FlowRun]", now: float) -> "list[FlowRun]":
        """Return those of the running `runs` that have been silent for too long at the monotonic time `now`."""
        before = self._heard
        self._heard = {run.id: (run.updated, now) for run in runs}
        for run in runs:
            if run.id in before and before[run.id][0] == run.updated:
                self._heard[run.id] = before[run.id]
        return [run for run in runs if now - self._heard[run.id][1] > SILENCE.total_seconds()]


async def end_silent_runs(
    client: "PrefectClient", deployment: "DeploymentResponse", silence: Silence, now: float
) -> None:
    """Mark the flow's silent runs, those started in terminals too, at the monotonic time `now`."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    running = await all_flow_runs(
        client,
        filters.FlowRunFilter(
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.RUNNING]))
        ),
        flow_filter=filters.FlowFilter(id=filters.FlowFilterId(any_=[deployment.flow_id])),
    )
    for run in silence.of(running, now):
        logger.warning("run %s: %s", run.id, SILENCE_MESSAGE)
        await client.set_flow_run_state(run.id, Crashed(name=SILENT, message=SILENCE_MESSAGE))


async def schedule_lost_runs(client: "PrefectClient", deployment: "DeploymentResponse", now: datetime) -> None:
    """Schedule the deployment's runs again whose process ended before they began, or that have been Pending for too
    long, at the moment `now` of the server's clock."""
    from prefect.states import Scheduled

    flow = await client.read_flow(deployment.flow_id)
    is_process = deployment.work_pool_name == Names(flow.name).local_pool
    patience = DOUBT + (START_OF_A_PROCESS if is_process else START_OF_A_CONTAINER)
    for condition in _not_begun(deployment.id, now):
        for run in await all_flow_runs(client, condition):
            if run.run_count == 0 and _is_lost(run, now, patience) and not await _is_given_up(client, run):
                logger.warning("run %s: %s", run.id, AGAIN)
                await client.set_flow_run_state(run.id, Scheduled(message=AGAIN))


def _not_begun(deployment: UUID, now: datetime) -> "list[FlowRunFilter]":
    """Return filters. Every lost run matches one of them; old crashed runs, of which there may be many, match none."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    ours = filters.FlowRunFilterDeploymentId(any_=[deployment])
    since = filters.FlowRunFilterExpectedStartTime.model_validate({"after_": now - LOOKS_BACK})
    pending, crashed = (filters.FlowRunFilterStateType(any_=[kind]) for kind in (StateType.PENDING, StateType.CRASHED))
    lost = filters.FlowRunFilterStateName(any_=[LOST])
    return [
        filters.FlowRunFilter(deployment_id=ours, state=filters.FlowRunFilterState(type=pending)),
        filters.FlowRunFilter(deployment_id=ours, state=filters.FlowRunFilterState(name=lost)),
        filters.FlowRunFilter(
            deployment_id=ours, state=filters.FlowRunFilterState(type=crashed), expected_start_time=since
        ),
    ]


async def _is_given_up(client: "PrefectClient", run: "FlowRun") -> bool:
    """Whether the run has been scheduled again often enough."""
    if run.state is None or not run.state.is_crashed() or run.state.name == LOST:
        return False
    states = await client.read_flow_run_states(run.id)
    return sum(state.message == AGAIN for state in states) >= MOST_BEGINNINGS


def _is_lost(run: "FlowRun", now: datetime, patience: timedelta) -> bool:
    if run.state is None:
        return False
    if run.state.is_pending():
        return now - run.state.timestamp > patience
    if run.state.name == LOST:  # the server was killed before it scheduled the run again
        return now - run.state.timestamp > DOUBT
    return now - (run.created or now) < LOOKS_BACK and (run.state.message or "").startswith(ENDED)
