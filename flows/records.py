"""Read from Prefect's server what it has recorded of the flow run that is under way."""

import time
from collections.abc import Callable, Iterator
from uuid import UUID

import httpx
import tenacity
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType, TaskRun
from prefect.context import FlowRunContext

from warehouse.names import TableName

_PAGE = 200
_LAST_STATES = ["Completed", "Failed", "Crashed", "Cancelled", "NotReady"]
_PATIENCE_SECONDS = 30


def this_flow_run() -> FlowRun:
    """The flow run that the calling code is part of. Raises RuntimeError outside of one."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("not called from within a flow run")
    return context.flow_run


def completed_tables(flow_run: FlowRun) -> set[TableName]:
    """The tables that earlier attempts of this flow run have built; none in its first attempt.

    This reads Prefect's records, not results in files, since the next attempt may run on another machine.
    """
    if flow_run.run_count <= 1:
        return set()
    return {TableName.parse(task_run.name) for task_run in _completed_task_runs(flow_run.id)}


def _completed_task_runs(flow_run_id: UUID) -> Iterator[TaskRun]:
    with get_client(sync_client=True) as client:
        offset = 0
        while page := client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])),
            task_run_filter=TaskRunFilter(
                state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.COMPLETED]))
            ),
            limit=_PAGE,
            offset=offset,
        ):
            yield from page
            offset += len(page)


def patiently(record: Callable[[], None], patience: float) -> None:
    """Call `record`; again, while Prefect's server is away, for up to `patience` seconds. Raises what it raises."""
    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(httpx.TransportError),
        wait=tenacity.wait_fixed(2),
        stop=tenacity.stop_after_delay(patience),
        reraise=True,
    ):
        with attempt:
            record()


def wait_until_recorded(flow_run: FlowRun, tables: int) -> None:
    """Wait until the server has that many task runs of this flow run in their last state. Raises TimeoutError.

    The server takes task runs from a stream of events, and stores those of up to a second together. A run that has
    ended must have all of them, for those who look at it or retry it.
    """
    wanted = {
        "flow_runs": {"id": {"any_": [str(flow_run.id)]}},
        "task_runs": {"state": {"name": {"any_": _LAST_STATES}}},
    }
    deadline = time.monotonic() + _PATIENCE_SECONDS
    wait = 0.02
    with get_client(sync_client=True) as client:
        while client.request("POST", "/task_runs/count", json=wanted).json() < tables:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Prefect's server has not stored all task runs after {_PATIENCE_SECONDS} s")
            time.sleep(wait)
            wait = min(wait * 1.5, 0.2)  # to ask is work for the server, too
