"""Ask Prefect for a refresh. After every accepted request a refresh starts. At most one run of the API waits, and
further requests share it.

A run that still waits when a request looks starts later than that request, and so serves it. Otherwise the API creates
a run, with an idempotency key that contains the id of its last run. So requests at the same instant, in whatever
process, create one run between them. Requests with other values of variables, and those that load raw tables, get a run
of their own. See docs/api.md.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from warehouse_refresh.api.idempotency import claimed
from warehouse_refresh.api.problems import ApiProblem, retry_after
from warehouse_refresh.api.runs.idempotency import RunKey, forget, keep, run_key, run_of
from warehouse_refresh.api.runs.prefect_client import Prefect, all_flow_runs, unavailable
from warehouse_refresh.pipeline.contract import (
    API_TAG,
    COVERED,
    COVERED_BY_TAG,
    DOUBT,
    LOST,
    REQUEST_TAG,
    SILENT,
    START_OF_A_CONTAINER,
    beside_selection,
)
from warehouse_refresh.pipeline.project.selectors import covers

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

WAITING = frozenset({"Scheduled", "Late", "AwaitingConcurrencySlot"})
DUE_WITHIN = timedelta(seconds=5)
LONGEST_ASK = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The refresh that a request asks for: the tables that `select` names (empty: all), built with these values of
    variables, the text of a JSON object with sorted names. With `load`, raw tables that come from a database are loaded
    first."""

    select: tuple[str, ...] = ()
    variables: str = "{}"
    load: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of a run. What is not asked for is left out: an old deployment does not accept it."""
        asked = {"variables": json.loads(self.variables), "load": self.load}
        return {"select": list(self.select), **{name: value for name, value in asked.items() if value}}


class RunQueue:
    """Runs of one deployment, `flow/deployment`."""

    def __init__(self, prefect: Prefect, deployment: str) -> None:
        self._prefect, self._name = prefect, deployment
        self._keys_in_use = set[str]()
        self._own_flows = set[UUID]()
        self._one_at_a_time = asyncio.Lock()
        self._asked: dict[Wanted, str] = {}
        self._next_look: asyncio.Task[dict[Wanted, FlowRun]] | None = None

    @property
    def flow(self) -> str:
        """The name of the deployment's flow."""
        return self._name.partition("/")[0]

    async def ask(self, wanted: Wanted, key: str | None, request: str) -> "FlowRun":
        """A run that starts after this call and builds at least the wanted tables.

        `request` is the request's id, which a new run gets as a tag. Raises ApiProblem, after LONGEST_ASK seconds at
        the latest.
        """
        try:
            async with asyncio.timeout(LONGEST_ASK):
                return await (self._look_for(wanted, request) if key is None else self._of_key(key, wanted, request))
        except TimeoutError:
            raise unavailable(f"Prefect's API did not answer within {LONGEST_ASK:g} s.") from None

    async def _of_key(self, key: str, wanted: Wanted, request: str) -> "FlowRun":
        with claimed(key, self._keys_in_use):
            async with self._prefect.client() as client:
                deployment = await self.deployment(client)
                known = run_key(deployment.id, key, wanted.select, wanted.variables, load=wanted.load)
                if asked_before := await self._asked_before(client, known):
                    return asked_before
            run = await self._look_for(wanted, request)
            async with self._prefect.client() as client:
                kept = await keep(client, known, run.id)
            return run if kept == run.id else await self.get(kept)

    async def _asked_before(self, client: "PrefectClient", key: RunKey) -> "FlowRun | None":
        """The run that the key got before. A run that has been deleted since is forgotten with its key."""
        from prefect.exceptions import ObjectNotFound

        if (run := await run_of(client, key)) is None:
            return None
        try:
            return await _serving(client, run)
        except ObjectNotFound:
            await forget(client, key.name)
            return None

    async def _look_for(self, wanted: Wanted, request: str) -> "FlowRun":
        """Join the next look at Prefect, which serves all requests that come before it begins."""
        self._asked.setdefault(wanted, request)
        if self._next_look is None:
            self._next_look = asyncio.create_task(self._look())
            self._next_look.add_done_callback(_take_exception)
        return (await asyncio.shield(self._next_look))[wanted]

    async def _look(self) -> "dict[Wanted, FlowRun]":
        async with self._one_at_a_time:
            asked, self._asked, self._next_look = self._asked, {}, None
            async with self._prefect.client() as client:
                deployment = await self.deployment(client)
                return {
                    wanted: await _coalesce(client, deployment, wanted, request) for wanted, request in asked.items()
                }

    async def get(self, identity: UUID) -> "FlowRun":
        """Return the run with that id, or the run that covers it. Raises ApiProblem for a run of another flow."""
        from prefect.exceptions import ObjectNotFound

        async with self._prefect.client() as client:
            try:
                run = await _serving(client, identity)
                if run.flow_id not in self._own_flows:
                    flow = await client.read_flow(run.flow_id)
                    if flow.name != self.flow:
                        raise _unknown(identity)
                    self._own_flows.add(run.flow_id)
            except ObjectNotFound:
                raise _unknown(identity) from None
        return run

    async def deployment(self, client: "PrefectClient") -> "DeploymentResponse":
        """The deployment. Raises ApiProblem when Prefect has none of that name."""
        from prefect.exceptions import ObjectNotFound

        try:
            return await client.read_deployment_by_name(self._name)
        except ObjectNotFound:
            detail = f"Prefect has no deployment {self._name}; deploy it, or set API_DEPLOYMENT."
            raise ApiProblem("deployment-missing", detail, headers=retry_after(30)) from None

    async def check(self) -> None:
        """Raise ApiProblem unless a run could be asked for."""
        async with self._prefect.client() as client:
            await self.deployment(client)


async def _serving(client: "PrefectClient", identity: UUID) -> "FlowRun":
    """The run with that id, or the run that covers it. Raises ObjectNotFound."""
    run = await client.read_flow_run(identity)
    if run.state is None or run.state.name != COVERED:
        return run
    [*_, other] = (tag.removeprefix(COVERED_BY_TAG) for tag in run.tags if tag.startswith(COVERED_BY_TAG))
    return await _serving(client, UUID(other))


def is_in_doubt(run: "FlowRun") -> bool:
    """Whether a run that Prefect has ended may soon report that it is alive, or is about to be scheduled again."""
    state = run.state
    return state is not None and state.name in (SILENT, LOST) and datetime.now(UTC) - state.timestamp < DOUBT


async def _coalesce(
    client: "PrefectClient", deployment: "DeploymentResponse", wanted: Wanted, request: str
) -> "FlowRun":
    last = await _newest(client, deployment)
    for run in [last] if last and _serves(last, wanted) else await _others_waiting(client, deployment):
        if _serves(run, wanted):
            return run
    while True:
        if last and _has_values(last, wanted) and await _widened(client, last):
            return last
        last = await client.create_flow_run_from_deployment(
            deployment.id,
            parameters=wanted.parameters,
            tags=[API_TAG, f"{REQUEST_TAG}{request}"],
            idempotency_key=f"api after {last.id}" if last else f"api first of {deployment.id}",
        )
        if _serves(last, wanted):
            return last


async def _newest(client: "PrefectClient", deployment: "DeploymentResponse") -> "FlowRun | None":
    """The last run that the API made. It may be an earlier one, if that was scheduled again since: the chain leads from
    each to the last, with a request for each run in between."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.sorting import FlowRunSort

    runs = await client.read_flow_runs(
        flow_run_filter=filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment.id]),
            tags=filters.FlowRunFilterTags(all_=[API_TAG]),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,  # not by id: Prefect 3.9 gives flow runs random ones
        limit=1,
    )
    return runs[0] if runs else None


async def _others_waiting(client: "PrefectClient", deployment: "DeploymentResponse") -> "list[FlowRun]":
    """Runs that a person has asked for, and that are due.

    Not those of a schedule: Prefect deletes them when the schedule or the deployment changes.
    """
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    found = await all_flow_runs(
        client,
        filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment.id]),
            state=filters.FlowRunFilterState(
                type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
            ),
            expected_start_time=filters.FlowRunFilterExpectedStartTime.model_validate(
                {"before_": datetime.now(UTC) + DUE_WITHIN}
            ),
        ),
    )
    return [run for run in found if not run.auto_scheduled]


def _waits(run: "FlowRun") -> bool:
    """Whether the run has not started yet, so that it will read all rows that are stored now. A retried run (run_count
    above 0) does not count: it builds only the tables that had not completed."""
    if run.state is None or run.run_count:
        return False
    if run.state.is_pending():
        return datetime.now(UTC) - run.state.timestamp < START_OF_A_CONTAINER
    return run.state.name in WAITING


def _serves(run: "FlowRun", wanted: Wanted) -> bool:
    """Whether the run waits and will build the wanted tables with the wanted values."""
    return _waits(run) and _has_values(run, wanted) and covers(run.parameters.get("select") or [], wanted.select)


def _has_values(run: "FlowRun", wanted: Wanted) -> bool:
    """Whether the run has the same values of variables, and does nothing else, such as a backfill."""
    return beside_selection(run.parameters) == beside_selection(wanted.parameters)


async def _widened(client: "PrefectClient", run: "FlowRun") -> bool:
    """Change a waiting run of the API so that it refreshes all tables; False if it may have started before the change.

    A union of the two selections would cost less, but one client's mistake in its own would fail the other's refresh.
    """
    if not _waits(run) or run.state is None or not run.state.is_scheduled():
        return False
    run.parameters = {**run.parameters, "select": []}
    (await client.update_flow_run(run.id, parameters=run.parameters)).raise_for_status()
    run.state = (await client.read_flow_run(run.id)).state
    return run.state is not None and run.state.is_scheduled()


def _take_exception(look: "asyncio.Task[dict[Wanted, FlowRun]]") -> None:
    """Read the task's exception: if nobody waits for the task any more, asyncio would log it."""
    if not look.cancelled():
        look.exception()


def _unknown(identity: UUID) -> ApiProblem:
    return ApiProblem("unknown-run", f"there is no run {identity}")
