"""Finding Prefect's server."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.conftest import ROOT, free_port
from tests.terminal import terminal
from warehouse_refresh.flows.local.server import NoServer, answers, start


@contextmanager
def api_that_answers(status: int, body: bytes = b"true") -> Iterator[str]:
    """The URL of an API that gives every request this status and body, as Prefect's says that all is well."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
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


@pytest.mark.parametrize(("status", "body"), [(500, b"true"), (404, b""), (200, b"<html>another program</html>")])
@pytest.mark.usefixtures("folder")
def test_a_port_that_another_program_has_is_told_with_its_name_and_how_to_choose_another(
    status: int, body: bytes
) -> None:
    with api_that_answers(status, body) as url, configured(url), pytest.raises(NoServer) as raised:
        start()
    port = int(url.split(":")[2].removesuffix("/api"))
    assert f"no Prefect server answers at {url}: port {port} is taken by " in str(raised.value)
    if shutil.which("lsof"):
        assert f"process {os.getpid()} (" in str(raised.value)
    assert f"`export PREFECT_API_URL=http://127.0.0.1:{port + 100}/api`" in str(raised.value)


@pytest.mark.usefixtures("folder")
def test_a_program_that_does_not_speak_http_is_told_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            while True:
                with suppress(OSError), listener.accept()[0] as connection:
                    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                    continue
                return

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        with configured(url), pytest.raises(NoServer, match="is taken by"):
            start()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.usefixtures("folder")
def test_a_server_that_is_slow_is_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked four times before it answers."""
    monkeypatch.setattr("warehouse_refresh.flows.local.server.ANSWER_SECONDS", 0.2)
    asked: list[str] = []
    given_up = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if len(asked) < 5:
                given_up.wait()
            with suppress(OSError):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"true")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with configured(f"http://127.0.0.1:{server.server_port}/api"):
            start()
        given_up.set()
        server.shutdown()
        thread.join()
    assert "which has not answered so far; waiting for it" in capsys.readouterr().out


def test_a_configured_server_elsewhere_that_is_not_there_is_told() -> None:
    url = "http://prefect.invalid:4200/api"
    with configured(url), pytest.raises(NoServer, match=url):
        start()


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # it is left to itself
@pytest.mark.usefixtures("folder")
def test_a_server_that_ends_at_once_is_told_with_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [sys.executable, "-c", "print('no luck today')"]
    monkeypatch.setattr("warehouse_refresh.flows.local.server.server_command", lambda _: words)
    port = free_port()
    with configured(f"http://127.0.0.1:{port}/api"), pytest.raises(NoServer) as raised:
        start()
    assert f"ended. Its output is in .data/prefect-server-{port}.log, which ends with:\n" in str(raised.value)
    assert str(raised.value).endswith("no luck today")


def test_a_server_is_started_on_a_terminal_after_a_reboot_and_no_profile_is_touched(folder: Path) -> None:
    """The profiles are such that Prefect would switch the active one; its own pid file names a process that is another
    program by now. The port is another than Prefect's own, as when that one is taken."""
    url = f"http://127.0.0.1:{free_port()}/api"
    home = folder / "prefect"
    home.mkdir()
    profiles = f'active = "mine"\n\n[profiles.mine]\n\n[profiles.other]\nPREFECT_API_URL = "{url}"\n'
    (home / "profiles.toml").write_text(profiles)
    (home / "server.pid").write_text(str(os.getpid()))
    environment = {**os.environ, "PREFECT_HOME": str(home), "PREFECT_API_URL": url, "PYTHONPATH": str(ROOT)}
    try:
        with terminal([sys.executable, "-m", "warehouse_refresh.commands.main", "server"], environment) as first:
            assert first.ended() == 0, first.text()
            assert first.text() == f"starting a Prefect server at {url[:-4]}, which takes a few seconds\n"
        assert answers(url)
        again = subprocess.run(
            [sys.executable, "-m", "warehouse_refresh.commands.main", "server"], env=environment, capture_output=True
        )
        assert (again.returncode, again.stdout, again.stderr) == (0, b"", b"")
        assert (home / "profiles.toml").read_text() == profiles
    finally:
        stopped = subprocess.run(
            [sys.executable, "-m", "warehouse_refresh.commands.main", "stop"],
            env=environment,
            capture_output=True,
            text=True,
        )
    assert stopped.stdout == f"stopped the Prefect server on port {url.split(':')[2][:-4]}\n"
    assert not answers(url)
