"""`refresh run`: the flow, in this process, recorded by Prefect's server."""

import os
from argparse import Namespace
from typing import Any

from flows.imports import kept
from flows.output import show_rows, shown
from flows.preparation import Ready, ready
from flows.server import NoServer, configured_url
from flows.settings import read_settings


def run(options: Namespace) -> int:
    """Check, run the flow and show what happens, the first rows of the last table, and where Prefect shows the run.

    Answers the exit code. Raises Refused, NoServer and what else is the user's to mend.
    """
    with ready(read_settings(), options.select, "`refresh run`", print) as here:
        state = _run_flow(here, options)
        print(state.message)
        if state.is_completed():
            show_rows(here.warehouse, here.prepared.graph.order[-1])
    return 0 if state.is_completed() else 1


def _run_flow(here: Ready, options: Namespace) -> Any:
    """Run the flow on the configured server, and print the run's address. Raises NoServer."""
    # The view shows what the flow's log says; the log itself goes to the server. To be set before Prefect is imported.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    with kept():
        from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        from flows.refresh import here_and_now, refresh

    # Prefect's own heartbeats are off: the flow sends some itself, and its end need not wait for Prefect's.
    with temporary_settings({PREFECT_API_URL: configured_url(), PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        _check_server()
        with shown(here.prepared.graph) as report, here_and_now(here, report):
            state = refresh(select=options.select, in_order=options.in_order, return_state=True)
        _print_address(state)
    return state


def _check_server() -> None:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
        error = client.api_healthcheck()
    if error is not None:
        raise NoServer(f"no Prefect server answers at {configured_url()}: {error}; `make server` starts one here")


def _print_address(state: Any) -> None:
    from prefect.utilities.urls import url_for

    address = url_for("flow-run", obj_id=state.state_details.flow_run_id, default_base_url=configured_url())
    print(f"in Prefect: {address}")
