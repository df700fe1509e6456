"""Prefect's server, a worker and the API on this machine, until Ctrl-C; or the worker alone.

A server that answers already is used and left running. Whatever was started here is ended in the end, however that
comes: Ctrl-C, SIGTERM, a closed terminal, the end of one of the three; if this process is killed, a guard does it
(`guard.py`).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, Self, TextIO
from urllib.request import urlopen

from warehouse_refresh.flows.local import background, server
from warehouse_refresh.flows.local.guard import API, GUARD, NO_NEED, SERVER, WORKER, end_all, end_runs, worker_name
from warehouse_refresh.flows.local.ports import taken
from warehouse_refresh.flows.pools import LOCAL_TYPE
from warehouse_refresh.pipeline.contract import names_of
from warehouse_refresh.pipeline.settings import read_settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

NAME = "serve"
PATIENCE_SECONDS = 300.0
"""How many seconds a part may take to start on a busy machine. A part that ends is noticed at once."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NotServed(Exception):
    """A part did not start or ended early; the message says which one."""


def serve(*, only_worker: bool = False) -> None:
    """Start everything, or the worker alone, say where it is, and wait until it is interrupted.

    Raises KeyboardInterrupt in the end; AlreadyRunning if this folder is served already, NotServed if a part does not
    start or ends early, or a file of `.data/` cannot be written, NoServer, SettingError, ProjectNameError.
    """
    _on_signals(_interrupt)
    try:
        with background.held(NAME):
            (_serve_worker if only_worker else _serve)(server.configured_url())
    except OSError as error:
        raise NotServed(str(error)) from error


class Parts:
    """The parts that this process started, and their output."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._processes: dict[str, background.Process] = {}
        self._logs: list[TextIO] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """All have been ended by now; but if somebody took their files away, nobody knew of them."""
        for process in self._processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for log in self._logs:
            sys.stdout.write(log.read())
            log.close()

    def start(self, name: str, command: list[str]) -> None:
        """Start a part."""
        self._processes[name] = background.start(name, command, self._environment)
        self._logs.append(background.log_of(name).open(encoding="utf-8", errors="replace"))

    def look(self) -> None:
        """Print the new output of the parts. Raises NotServed if one has ended."""
        codes = {name: process.poll() for name, process in self._processes.items()}
        for log in self._logs:
            sys.stdout.write(log.read())
        sys.stdout.flush()
        for name, code in codes.items():
            if code is not None:
                log_file = background.log_of(name)
                raise NotServed(f"{name} ended with exit code {code}; its last lines are above, all are in {log_file}")

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until `condition` holds, and watch the parts meanwhile. Raises NotServed."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            self.look()
            if time.monotonic() > deadline:
                raise NotServed(f"{what} did not answer within {PATIENCE_SECONDS:g} s")
            time.sleep(0.1)

    def watch(self) -> NoReturn:
        """Watch the parts until one ends. Raises NotServed."""
        while True:
            self.look()
            time.sleep(0.5)


def _serve(url: str) -> None:
    host, port = os.environ.get("API_HOST") or "127.0.0.1", os.environ.get("API_PORT") or "8000"
    address = f"http://{host}:{port}"
    environment = {**server.server_environment(url), "PYTHONUNBUFFERED": "1"}
    _clear_up(url)
    _refuse_taken_port(host, port)
    server_is_there = server.answers_or_is_waited_for(url)
    with Parts(environment) as parts, _guarded(url, environment):
        if not server_is_there:
            print("starting Prefect's server (about 20 s the first time)", flush=True)
            parts.start(SERVER, server.server_command(url))
            parts.wait_until(lambda: server.answers(url), f"Prefect's server at {url}")
        _deploy(environment)
        end_runs(url)
        _start_worker(parts, url)
        parts.start(API, [sys.executable, "-m", "warehouse_refresh.api"])
        parts.wait_until(lambda: _is_up(f"{address}/health/live"), f"the API at {address}")
        print(f"\nPrefect  {url.removesuffix('/api')}\nAPI      {address}   pages {address}/schema")
        print(f"\nTry      curl -X POST {address}/run\nCtrl-C stops everything.", flush=True)
        parts.watch()


def _serve_worker(url: str) -> None:
    environment = {**server.server_environment(url), "PYTHONUNBUFFERED": "1"}
    if not server.answers(url):
        raise server.NoServer(f"no Prefect server answers at {url}; `refresh server` starts one here")
    _clear_up(url)
    with Parts(environment) as parts, _guarded(url, environment):
        end_runs(url)
        _start_worker(parts, url)
        print(f"Prefect  {url.removesuffix('/api')}\nCtrl-C stops the worker.", flush=True)
        parts.watch()


def _clear_up(url: str) -> None:
    """End what an earlier serve that was killed has left running, or wait until its guard has done so."""
    if background.running(GUARD):
        print("an earlier `refresh serve` or `refresh worker` is still being ended; waiting for that", flush=True)
        background.wait_until(lambda: background.running(GUARD) is None, PATIENCE_SECONDS)
    if end_all(url):
        print("ended what an earlier `refresh serve` or `refresh worker` had left running", flush=True)


def _refuse_taken_port(host: str, port: str) -> None:
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise NotServed(f"API_PORT is {port!r}: write the number of a port, such as 8000")
    if why := taken(host, int(port)):
        raise NotServed(f"port {port} {why}. End that, or choose another port for the API: API_PORT={int(port) + 1}")


@contextmanager
def _guarded(url: str, environment: dict[str, str]) -> Iterator[None]:
    """End at the end of the `with` block what was started in it. If this process is killed, a guard ends it."""
    command = [sys.executable, "-m", "warehouse_refresh.flows.local.guard"]
    guard = background.start(GUARD, command, environment, stdin=subprocess.PIPE)
    try:
        yield
    finally:
        _on_signals(signal.SIG_IGN)
        print("\nstopping; a refresh that is under way is cancelled", flush=True)
        end_all(url)
        guard.communicate(NO_NEED)


def _deploy(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "warehouse_refresh.commands.main", "deploy"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 (our own words)
    if done.returncode != 0:
        raise NotServed(f"`refresh deploy` failed:\n{done.stdout}{done.stderr}".rstrip())


def _start_worker(parts: Parts, url: str) -> None:
    """Start the worker, and wait until Prefect's server has heard of it."""
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    pool = names_of(read_settings().folder).local_pool
    words = ["worker", "start", "--type", LOCAL_TYPE, "--pool", pool, "--name", worker_name()]
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        before = _heartbeat(client, pool)

        def is_heard_of() -> bool:
            with suppress(httpx.HTTPError):  # if the server has ended, the wait ends too
                return _heartbeat(client, pool) != before
            return False

        parts.start(WORKER, [sys.executable, "-m", "prefect", "--no-prompt", *words])
        parts.wait_until(is_heard_of, "the worker")


def _heartbeat(client: "SyncPrefectClient", pool: str) -> datetime | None:
    """When the server last received a heartbeat of this folder's worker; None if never."""
    from prefect.exceptions import ObjectNotFound

    try:
        workers = client.read_workers_for_work_pool(pool)
    except ObjectNotFound:  # the worker makes its pool
        return None
    return next((worker.last_heartbeat_time for worker in workers if worker.name == worker_name()), None)


def _is_up(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 (an address of this machine)
            return bool(answer.status == 200)
    except OSError:
        return False


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """Handle Ctrl-C, SIGTERM and the end of the terminal; after `nohup` the last one does nothing."""
    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
