"""What is read from Prefect's server: all of it, and its clock."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.api.prefect_parts import Deployment, deployed
from warehouse_refresh.flows import records
from warehouse_refresh.flows.records import read_all, server_time

FAST = (datetime.now(UTC) + timedelta(minutes=5)).replace(microsecond=0)


class FastClock(BaseHTTPRequestHandler):
    """Stands in for a Prefect server on another machine, whose clock is fast: ours runs on this one."""

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002 (http.server names it)
        return format_datetime(FAST, usegmt=True)

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def deployment(prefect_server: str) -> Iterator[Deployment]:
    with deployed(prefect_server) as it:
        yield it


@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_all_runs_are_read_whatever_a_page_holds(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(records, "PAGE", page)
    made = {deployment.prefect.create_flow_run_from_deployment(deployment.id).id for _ in range(3)}
    found = read_all(deployment.prefect.read_flow_runs, flow_run_filter=deployment.only_its_runs())
    assert len(found) == len(made)
    assert {run.id for run in found} == made


def test_the_servers_time_is_the_servers_and_not_this_machines(deployment: Deployment) -> None:
    state = deployment.prefect.create_flow_run_from_deployment(deployment.id).state
    assert state is not None
    assert abs(server_time(deployment.prefect) - state.timestamp) < timedelta(minutes=2)
    server = HTTPServer(("127.0.0.1", 0), FastClock)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/api"
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            assert server_time(client) == FAST
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
