"""`refresh run`: the flow, in this process, recorded by Prefect's server."""

import os
from argparse import Namespace
from typing import Any

from flows.graph import Graph
from flows.output import show_rows, shown
from flows.preparation import prepare_refresh
from flows.server import NoServer, configured_url
from flows.settings import read_settings
from warehouse.url import connect


def run(options: Namespace) -> int:
    """Check, run the flow and show what happens, the first rows of the last table, and where Prefect shows the run.

    Answers the exit code. Raises Refused, NoServer and what else is the user's to mend.
    """
    settings = read_settings()
    with connect(settings.warehouse_url) as warehouse:
        graph = prepare_refresh(settings.folder, options.select, warehouse).graph
    state = _run_flow(graph, options)
    print(state.message)
    if state.is_completed():
        with connect(settings.warehouse_url) as warehouse:
            show_rows(warehouse, graph.order[-1])
    return 0 if state.is_completed() else 1


def _run_flow(graph: Graph, options: Namespace) -> Any:
    """Run the flow on the configured server, and print the run's address. Raises NoServer."""
    # The view shows what the flow's log says; the log itself goes to the server. To be set before Prefect is imported.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.refresh import refresh, reported_to

    with temporary_settings({PREFECT_API_URL: configured_url()}):
        _check_server()
        with shown(graph) as report, reported_to(report):
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
