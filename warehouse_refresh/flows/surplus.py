"""End runs that are not needed: at most one run waits, whoever asked for it.

A schedule that is quicker than a refresh, or many people at once, would pile runs up. The run that is under way
prevents that, since nothing piles up without one. Of the runs that are due and wait, it keeps the first, and sets each
run that the first one makes unnecessary to Covered. That is a state of the type Completed; a tag names the run that is
kept, and the API answers with that one when it is asked for the other.

A run of a schedule never covers a run that somebody asked for: Prefect deletes runs of a schedule when the schedule or
the deployment changes.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import filters
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Completed, Running, Scheduled

from warehouse_refresh.flows.records import read_all, server_time
from warehouse_refresh.pipeline.contract import COVERED, COVERED_BY_TAG, beside_selection
from warehouse_refresh.pipeline.project.selectors import covers

_AT_ONCE = 40  # each takes five requests, and the next sign of life of the run that does this waits for them


def cover_surplus(client: SyncPrefectClient, deployment: UUID) -> None:
    """Of the deployment's runs that are due and wait, end those that another one builds all of; some of them, when they
    are many."""
    for run, other in islice(_surplus(_waiting(client, deployment)), _AT_ONCE):
        _cover(client, run, other)


def _surplus(waiting: Iterable[FlowRun]) -> Iterator[tuple[FlowRun, FlowRun]]:
    """Each run that an earlier one builds all of, and that one."""
    kept: list[FlowRun] = []
    for run in waiting:
        if other := next((other for other in kept if _covers(other, run)), None):
            yield run, other
        else:
            kept.append(run)


def _covers(other: FlowRun, run: FlowRun) -> bool:
    is_same = beside_selection(other.parameters) == beside_selection(run.parameters)
    return is_same and covers(_selection(other), _selection(run)) and (run.auto_scheduled or not other.auto_scheduled)


def _waiting(client: SyncPrefectClient, deployment: UUID) -> list[FlowRun]:
    """The runs that have not begun, though it is time: those of everything first, then those of people, then in the
    order in which they will begin. A retried run is left out: somebody wants it, and it builds less."""
    found = read_all(
        client.read_flow_runs,
        flow_run_filter=filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment]),
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
            expected_start_time=filters.FlowRunFilterExpectedStartTime.model_validate({"before_": server_time(client)}),
        ),
    )
    return sorted((run for run in found if not run.run_count), key=_order)


def _cover(client: SyncPrefectClient, run: FlowRun, other: FlowRun) -> None:
    tags = [tag for tag in run.tags if not tag.startswith(COVERED_BY_TAG)]  # of an earlier time, when it waited again
    client.update_flow_run(run.id, tags=[*tags, f"{COVERED_BY_TAG}{other.id}"])
    message = f"the run {other.name}, which starts later, builds all of it"
    client.set_flow_run_state(run.id, Completed(name=COVERED, message=message))
    covering, covered = client.read_flow_run(other.id), client.read_flow_run(run.id)
    if covered.run_count:  # it began before the request that ended it
        client.set_flow_run_state(run.id, Running(), force=True)
    elif not _still_covers(covering, covered):
        client.set_flow_run_state(run.id, Scheduled(), force=True)


def _still_covers(covering: FlowRun, covered: FlowRun) -> bool:
    """Whether `covering` waits, and builds all of `covered`. It may have begun before the last request that got the
    other; and the API may have made the other one of everything until it was ended."""
    waits = covering.state is not None and covering.state.is_scheduled()
    return waits and _covers(covering, covered)


def _order(run: FlowRun) -> tuple[object, ...]:
    return bool(_selection(run)), run.auto_scheduled, run.next_scheduled_start_time or run.expected_start_time, run.id


def _selection(run: FlowRun) -> Sequence[str]:
    return list(run.parameters.get("select") or [])
