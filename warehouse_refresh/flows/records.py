"""Read from Prefect's server what it has recorded of flow runs and task runs."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
import tenacity
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.context import FlowRunContext

from warehouse_refresh.pipeline.contract import BLOCKED, STAGED

Run = TypeVar("Run", FlowRun, TaskRun)

PAGE = 200  # the most that Prefect's API returns at once
_NEARLY_RIGHT = timedelta(seconds=5)
_LAST_STATES = ["Completed", STAGED, "Failed", BLOCKED, "Crashed", "Cancelled", "NotReady"]
_PATIENCE_SECONDS = 30


def this_flow_run() -> FlowRun:
    """The flow run that the calling code is part of. Raises RuntimeError outside of one."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("not called from within a flow run")
    return context.flow_run


def read_all(read: Callable[..., list[Run]], **conditions: Any) -> list[Run]:
    """All runs that `read`, a method of Prefect's client, finds under the `conditions`. It reads them page by page.

    A run that changes meanwhile moves the others: a run may be missing. Whoever calls this looks again later.
    """
    runs: dict[UUID, Run] = {}
    offset = 0
    while page := read(**conditions, limit=PAGE, offset=offset):
        runs.update({run.id: run for run in page})
        offset += len(page)
        if len(page) < PAGE:
            break
    return list(runs.values())


def server_time(client: SyncPrefectClient) -> datetime:
    """The time by the server's clock. The server's times are compared with it, since this machine's clock may be
    minutes off.

    The server says whole seconds, and may be two of them late. So this machine's clock counts if it is nearly right.
    """
    said = parsedate_to_datetime(client.request("GET", "/health").headers["date"])
    here = datetime.now(UTC)
    return here if abs(said - here) < _NEARLY_RIGHT else said


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


def wait_until_recorded(flow_run: FlowRun, count: int) -> None:
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
        while client.request("POST", "/task_runs/count", json=wanted).json() < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Prefect's server has not stored all task runs after {_PATIENCE_SECONDS} s")
            time.sleep(wait)
            wait = min(wait * 1.5, 0.2)  # to ask is work for the server, too
