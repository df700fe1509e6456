"""End what `refresh serve` started: the API, then the worker with its run, then Prefect's server.

`python -m flows.local.guard` is the guard that serve starts beside the three. It waits for the end of its input, which
comes with the end of serve, and does all this if serve was killed and could not.
"""

import os
import socket
import sys
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_refresh.flows.local import background

if TYPE_CHECKING:
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import FlowRun, State

GUARD, API, WORKER, SERVER = "serve-guard", "serve-api", "serve-worker", "serve-prefect"
NO_NEED = b"ended"
"""serve sends this to the guard after it has ended everything itself."""
WORKER_SECONDS = 60.0
"""The worker gives the process of a run half a minute to end."""


def worker_name() -> str:
    """The name of the worker that serve starts in this folder of this machine; no other worker has it."""
    return _worker_in(Path.cwd())


@cache  # a laptop's host name may change while it is served
def _worker_in(folder: Path) -> str:
    return f"serve-{socket.gethostname()}-{zlib.crc32(bytes(folder)):08x}"


def end_all(url: str) -> bool:
    """End what serve started in this folder and is still running. Returns whether there was anything. `url` is
    Prefect's API."""
    ended = background.stop(API)
    if background.stop(WORKER, WORKER_SECONDS):
        end_runs(url)
        ended = True
    return background.stop(SERVER) or ended


def end_runs(url: str) -> None:
    """Set the runs of serve's worker, which has ended, to their last states, so that they do not keep others waiting: a
    run that was under way is Cancelled; a run that had not started is Scheduled again, since somebody asked for it."""
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    from warehouse_refresh.flows.records import read_all

    settings = {PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: 0}
    try:
        with temporary_settings(settings), get_client(sync_client=True) as client:
            for run in read_all(client.read_flow_runs, flow_run_filter=_under_way()):
                if run.labels.get("prefect.worker.name") == worker_name():
                    client.set_flow_run_state(run.id, _end_of(run), force=True)
    except (httpx.HTTPError, PrefectException) as error:
        print(f"runs that were under way could not be ended: {error}", file=sys.stderr)


def _under_way() -> "FlowRunFilter":
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    types = [StateType.RUNNING, StateType.CANCELLING, StateType.PENDING]
    return filters.FlowRunFilter(state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=types)))


def _end_of(run: "FlowRun") -> "State[None]":
    from prefect.states import Cancelled, Scheduled

    if run.state is not None and run.state.is_pending():
        return Scheduled(message="its worker was stopped before it started")
    return Cancelled(message="its worker was stopped")


def _guard() -> None:
    worker_name()
    if sys.stdin.buffer.read() != NO_NEED:
        end_all(os.environ["PREFECT_API_URL"])


if __name__ == "__main__":
    _guard()
