"""The flow in this process, recorded by the Prefect server that is configured."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled
from prefect.utilities.urls import url_for

from warehouse_refresh.flows.local.server import NoServer, configured_url
from warehouse_refresh.flows.local.settings import other_settings


@contextmanager
def configured_server() -> Iterator[str]:
    """Prefect talks to the configured server in the block, also if its own settings name none. Gives the address."""
    url = configured_url()
    if PREFECT_API_URL.value() == url:  # other settings take 30 ms to make
        yield url
    else:
        with temporary_settings({PREFECT_API_URL: url}):
            yield url


@contextmanager
def answering_server() -> Iterator[None]:
    """Prefect talks to the configured server in the block. Raises NoServer unless it answers."""
    with configured_server() as url:
        with other_settings(client={"max_retries": 0}), get_client(sync_client=True) as client:
            error = client.api_healthcheck()
        if error is not None:
            raise NoServer(f"no Prefect server answers at {url}: {error}; `refresh server` starts one here")
        yield


def run_recorded(
    refresh: Callable[..., Any],
    select: list[str],
    *,
    variables: Mapping[str, Any],
    env: str | None = None,
    **switches: bool,
) -> State[Any]:
    """Run the flow `refresh` in this process, and answer the flow run's last state. `variables` are values in JSON's
    types, by name, and `env` is the environment; the `switches` are the flow's parameters that are true or false.

    If somebody cancels the run just before its end, Prefect's server keeps it Cancelling and waits for a worker. There
    is none here, so the run is set to Cancelled.
    """
    # The flow sends heartbeats itself. Prefect's own are off: the end of a run would wait for their thread.
    with configured_server(), other_settings(flows={"heartbeat_frequency": None}):
        asked = {"select": select, "variables": dict(variables) or None, "env": env, **switches}
        state: State[Any] = refresh(**asked, return_state=True)
        run = state.state_details.flow_run_id
        return _cancelled(run) if state.is_cancelling() and run else state


def _cancelled(run: UUID) -> State[Any]:
    """Set the run to Cancelled, and answer this state."""
    state: State[Any] = Cancelled(message="the run was cancelled in Prefect, while its last tables were built")
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, state, force=True)
    return state


def address_of(state: State[Any]) -> str:
    """Where Prefect's UI shows the run that ended in `state`."""
    with configured_server():  # Prefect derives the UI's address from it
        return str(url_for("flow-run", obj_id=state.state_details.flow_run_id))
