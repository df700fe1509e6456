"""Runs that were handed to a worker and never began: scheduled again, since the API has promised that they start.

Their worker died, or their process was killed before the flow began. An automation on Prefect's server sees to the
first sooner. But it goes by events, and a server that is killed loses those that it has not dealt with: so the API
looks at the records, too.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from api.prefect_client import Prefect
from api.problems import Problem
from api.runs import DOUBT, Runs
from pipeline.contract import LOST, Names

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

SECONDS_BETWEEN_LOOKS = 30.0
START_OF_A_PROCESS = timedelta(minutes=2)
START_OF_A_CONTAINER = timedelta(minutes=15)  # an image is fetched first
LOOKS_BACK = timedelta(hours=6)  # so that a run that is killed at each beginning does not begin for ever
# As a worker says it of a container and of a process; the number that follows is a signal's.
KILLED = ("Flow run infrastructure exited with non-zero status code -", "Process exited with status code: -")
WHY = "it was handed to a worker and did not begin: scheduled again"
logger = logging.getLogger("api.runs")


async def look_for_lost_runs(prefect: Prefect, runs: Runs) -> None:
    """Look again and again, until cancelled. While Prefect cannot be reached, nothing is lost: it is asked later."""
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        try:
            async with prefect.client() as client:
                await schedule_lost_runs(client, await runs.deployment(client), datetime.now(UTC))
        except Problem as problem:
            logger.debug("lost runs could not be looked for: %s", problem.detail)
        except Exception:
            logger.exception("lost runs could not be looked for")


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
        if run.run_count == 0 and _is_lost(run, now, patience):
            logger.warning("run %s: %s", run.id, WHY)
            await client.set_flow_run_state(run.id, Scheduled(message=WHY))


def _is_lost(run: "FlowRun", now: datetime, patience: timedelta) -> bool:
    if run.state is None:
        return False
    if run.state.is_pending():
        return now - run.state.timestamp > patience
    if run.state.name == LOST:  # and the server, which was to schedule it, was killed
        return now - run.state.timestamp > DOUBT
    return now - (run.created or now) < LOOKS_BACK and (run.state.message or "").startswith(KILLED)
