"""`python -m flows.serve`: Prefect's server, a worker and the API on this machine, until Ctrl-C.

A server that answers already is used and left running. Whatever was started here is stopped in the end, the server
last; if one of the three ends by itself, so do the others.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from urllib.parse import urlsplit
from urllib.request import urlopen

from flows.pools import LOCAL_TYPE
from flows.server import configured_url
from flows.settings import read_settings
from pipeline.contract import names_of

PATIENCE_SECONDS = 120.0
STOP_SECONDS = 30.0
Process = subprocess.Popen[bytes]


class NotServed(Exception):
    """Something did not start or ended early; the message says what."""


def main() -> int:
    """Start everything, say where it is, and wait. Answers the exit code."""
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked_to_stop, _as_interrupt)
    try:
        with ExitStack() as running:
            _serve(running)
    except NotServed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped")
    return 0


def _serve(running: ExitStack) -> None:
    url = configured_url()
    environment = {**os.environ, "PREFECT_API_URL": url}
    processes = {}
    if not _is_up(f"{url}/health"):
        print("starting Prefect's server (about 20 s the first time)", flush=True)
        processes["Prefect's server"] = running.enter_context(_started(environment, *_server_command(url)))
        _wait_for(f"{url}/health", processes)
    _deploy(environment)
    address = f"http://{environment.get('API_HOST', '127.0.0.1')}:{environment.get('API_PORT', '8000')}"
    pool = names_of(read_settings().folder).local_pool
    processes["the worker"] = running.enter_context(
        _started(environment, "prefect", "worker", "start", "--type", LOCAL_TYPE, "--pool", pool, "--name", "serve")
    )
    processes["the API"] = running.enter_context(_started(environment, "api"))
    _wait_for(f"{address}/health/live", processes)
    print(f"\nPrefect  {url.removesuffix('/api')}\nAPI      {address}   pages {address}/schema")
    print(f"\nTry      curl -X POST {address}/run\nCtrl-C stops everything.", flush=True)
    while True:
        _check(processes)
        time.sleep(0.5)


def _server_command(url: str) -> list[str]:
    host, port = urlsplit(url).hostname, urlsplit(url).port
    if host not in {"127.0.0.1", "localhost"} or not port:
        raise NotServed(f"no Prefect server answers at {url}, where Prefect's settings say it is")
    return ["prefect", "server", "start", "--host", host, "--port", str(port)]


def _deploy(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "deploy"], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NotServed(f"`refresh deploy` failed:\n{done.stdout}{done.stderr}".rstrip())


@contextmanager
def _started(environment: Mapping[str, str], *command: str) -> Iterator[Process]:
    """Run a module of Python in a process group of its own, so that Ctrl-C reaches it only through us."""
    process = subprocess.Popen([sys.executable, "-m", *command], env=environment, start_new_session=True)  # noqa: S603 (our own words)
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: Process) -> None:
    """End the process and what it started: asked first, then made to."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_for(url: str, processes: Mapping[str, Process]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _is_up(url):
        _check(processes)
        if time.monotonic() > deadline:
            raise NotServed(f"{url} did not answer within {PATIENCE_SECONDS:g} s")
        time.sleep(0.1)


def _check(processes: Mapping[str, Process]) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            raise NotServed(f"{name} ended with exit code {process.returncode}; its last lines are above")


def _is_up(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 (an address of this machine)
            return bool(answer.status == 200)
    except OSError:
        return False


def _as_interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
