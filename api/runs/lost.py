"""Runs that died without a word: the API has promised that runs start, and a dead one that seems to go on keeps the
next one waiting.

A run that was handed to a worker and did not begin, or was killed before it began, is scheduled again. One that runs
and is not heard of is Silent. Automations on Prefect's server see to most of this sooner. But they go by events, and a
server that is killed loses those that it has not dealt with: so the API looks at the records, too. The record of a run
that lives is updated every 10 s.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from api.problems import Problem
from api.runs.prefect_client import Prefect
from api.runs.requests import DOUBT, Runs
from pipeline.contract import LOST, SILENT, Names

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

SECONDS_BETWEEN_LOOKS = 30.0
LONGEST_SILENCE = 90.0
DIED = f"not heard of for {LONGEST_SILENCE:g} s: the process or its machine died, unless the run says that it lives"
START_OF_A_PROCESS = timedelta(minutes=2)
START_OF_A_CONTAINER = timedelta(minutes=15)  # an image is fetched first
LOOKS_BACK = timedelta(hours=6)
MOST_BEGINNINGS = 5  # of a run that is killed each time before it begins: there is no memory for it, say
# As a worker says it of a container and of a process; the number that follows is a signal's.
KILLED = ("Flow run infrastructure exited with non-zero status code -", "Process exited with status code: -")
WHY = "it was handed to a worker and did not begin: scheduled again"
logger = logging.getLogger("api.runs")


async def look_for_lost_runs(prefect: Prefect, runs: Runs) -> None:
    """Look again and again, until cancelled. While Prefect cannot be reached, nothing is lost: it is asked later."""
    silence = Silence()
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        try:
            async with prefect.client() as client:
                deployment = await runs.deployment(client)
                await schedule_lost_runs(client, deployment, datetime.now(UTC))
                await end_silent_runs(client, deployment, silence, time.monotonic())
        except Problem as problem:
            logger.debug("lost runs could not be looked for: %s", problem.detail)
            silence = Silence()  # while the server is away, nobody can be heard of
        except Exception:
            logger.exception("lost runs could not be looked for")


class Silence:
    """Which runs are not heard of, by this process's own clock: it stands still while the machine sleeps."""

    def __init__(self) -> None:
        self._heard: dict[UUID, tuple[object, float]] = {}

    def of(self, runs: "Sequence[FlowRun]", now: float) -> "list[FlowRun]":
        """Those of the runs under way whose records have stayed the same for too long, at the monotonic time `now`."""
        before = self._heard
        self._heard = {run.id: (run.updated, now) for run in runs}
        for run in runs:
            if run.id in before and before[run.id][0] == run.updated:
                self._heard[run.id] = before[run.id]
        return [run for run in runs if now - self._heard[run.id][1] > LONGEST_SILENCE]


async def end_silent_runs(
    client: "PrefectClient", deployment: "DeploymentResponse", silence: Silence, now: float
) -> None:
    """End the runs of the deployment's flow, in terminals too, that have been silent for too long at the time `now`."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    under_way = await client.read_flow_runs(
        flow_filter=filters.FlowFilter(id=filters.FlowFilterId(any_=[deployment.flow_id])),
        flow_run_filter=filters.FlowRunFilter(
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.RUNNING]))
        ),
    )
    for run in silence.of(under_way, now):
        logger.warning("run %s: %s", run.id, DIED)
        await client.set_flow_run_state(run.id, Crashed(name=SILENT, message=DIED))


async def schedule_lost_runs(client: "PrefectClient", deployment: "DeploymentResponse", now: datetime) -> None:
    """Schedule the deployment's runs again that have been Pending for too long at the moment `now`, or were killed."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort
    from prefect.states import Scheduled

    flow = await client.read_flow(deployment.flow_id)
    is_process = deployment.work_pool_name == Names(flow.name).local_pool
    patience = START_OF_A_PROCESS if is_process else START_OF_A_CONTAINER
    for run in await client.read_flow_runs(
        flow_run_filter=filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment.id]),
            state=filters.FlowRunFilterState(
                type=filters.FlowRunFilterStateType(any_=[StateType.PENDING, StateType.CRASHED])
            ),
        ),
        sort=FlowRunSort.ID_DESC,
    ):
        if run.run_count == 0 and _is_lost(run, now, patience) and not await _is_given_up(client, run):
            logger.warning("run %s: %s", run.id, WHY)
            await client.set_flow_run_state(run.id, Scheduled(message=WHY))


async def _is_given_up(client: "PrefectClient", run: "FlowRun") -> bool:
    """Whether the run has been killed, and scheduled again, as often as is worth it."""
    if run.state is None or not run.state.is_crashed() or run.state.name == LOST:
        return False
    states = await client.read_flow_run_states(run.id)
    return sum(state.message == WHY for state in states) >= MOST_BEGINNINGS


def _is_lost(run: "FlowRun", now: datetime, patience: timedelta) -> bool:
    if run.state is None:
        return False
    if run.state.is_pending():
        return now - run.state.timestamp > patience
    if run.state.name == LOST:  # and the server, which was to schedule it, was killed
        return now - run.state.timestamp > DOUBT
    return now - (run.created or now) < LOOKS_BACK and (run.state.message or "").startswith(KILLED)
