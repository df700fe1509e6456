"""A Prefect server of its own for a measurement: on a free port, with a home that is thrown away."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 180


@contextmanager
def prefect_server() -> Iterator[dict[str, str]]:
    """Run a server during the `with` block; gives the environment in which Prefect finds it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-prefect-", ignore_cleanup_errors=True) as home:
        port = _free_port()
        url = f"http://127.0.0.1:{port}/api"
        environment = {"PREFECT_HOME": home, "PREFECT_API_URL": url}
        command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
        with (Path(home) / "server.log").open("w") as log:
            server = subprocess.Popen(
                command, cwd=PROJECT, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
            )
            try:
                _wait_for(f"{url}/health", server)
                yield environment
            finally:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the Prefect server did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
