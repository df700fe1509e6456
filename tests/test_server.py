"""Finding Prefect's server."""

import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.server import NoServer, start
from tests.conftest import ROOT, free_port


@contextmanager
def api_that_answers(status: int) -> Iterator[str]:
    """The URL of an API that gives every request this status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


def test_the_server_has_a_pause_between_looking_for_task_runs_to_store() -> None:
    """Prefect drops what is after the point: of half a second nothing is left, and the server is never idle."""
    with (ROOT / "prefect.toml").open("rb") as file:
        recorder = tomllib.load(file)["server"]["services"]["task_run_recorder"]
    assert int(recorder["flush_interval"]) >= 1


@contextmanager
def configured(url: str) -> Iterator[None]:
    """Prefect's settings say `url`, in the environment and in this process."""
    with pytest.MonkeyPatch.context() as patch, temporary_settings({PREFECT_API_URL: url}):
        patch.setenv("PREFECT_API_URL", url)
        yield


@pytest.mark.parametrize("status", [200, 401])
def test_a_configured_server_is_used_also_when_it_wants_a_key(status: int, capsys: pytest.CaptureFixture[str]) -> None:
    with api_that_answers(status) as url, configured(url):
        start()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("status", [500, 503])
def test_a_configured_server_that_is_broken_is_told(status: int) -> None:
    with api_that_answers(status) as url, configured(url), pytest.raises(NoServer, match=url):
        start()


def test_a_configured_server_that_is_not_there_is_told() -> None:
    url = f"http://127.0.0.1:{free_port()}/api"
    with configured(url), pytest.raises(NoServer, match=url):
        start()
