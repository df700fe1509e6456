"""A whole installation on one machine: a project's folder, a Prefect server, deployments, a worker, a webhook."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.conftest import ROOT, free_port
from warehouse_refresh.pipeline.contract import ARTIFACT, SETTING, Names

NAMES = Names("shop")
PATIENCE = 600.0
T = TypeVar("T")


def wait_for(look: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """What `look` answers as soon as it is something."""
    deadline = time.monotonic() + patience
    while not (seen := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return seen


def ended(api: str, answer: httpx.Response) -> Any:
    """What the API says of the run that it answered with, once that has ended, which may take longer than it waits."""

    def look() -> Any:
        run = httpx.get(f"{api}/run/{answer.json()['id']}", timeout=600).json()
        return run if run["ended"] else None

    assert answer.status_code in (200, 202), answer.text
    return wait_for(look)


class Installation:
    """Everything that runs; `messages` is what the webhook was sent."""

    def __init__(self, folder: Path, port: int, prefect_home: Path) -> None:
        self.folder, self.port = folder, port
        self.url = f"http://127.0.0.1:{port}/api"
        self.api = f"http://127.0.0.1:{free_port()}"
        self.messages: list[dict[str, Any]] = []
        self.client: SyncPrefectClient
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {**os.environ, "PREFECT_API_URL": self.url, "PREFECT_HOME": str(prefect_home)}
        self.environment[SETTING] = NAMES.project
        self.environment["API_PORT"] = self.api.rpartition(":")[2]

    def write(self, files: dict[str, str]) -> None:
        """Write files of the project, texts by path."""
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8")

    def run(self, *command: str) -> str:
        """What a command prints, run as a user would; it must succeed."""
        words = [sys.executable, "-m", *command]
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str, *command: str) -> int:
        """Start something that stays, in a process group of its own; answer its id."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """Kill it and all that it started, as when a machine dies."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_all(self) -> None:
        for name in list(self._processes):
            self.kill(name)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def trigger(self, **parameters: Any) -> UUID:
        """Ask for a refresh, as the UI and the API do."""
        deployment = self.client.read_deployment_by_name(NAMES.deployment)
        return self.client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id

    def post_run(self, query: str = "") -> UUID:
        """Ask for a refresh with `POST /run`, as a service does."""
        wait_for(lambda: _answers(f"{self.api}/health/live"))
        answer = httpx.post(f"{self.api}/run{query}", timeout=60)
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    def flow_run(self, run: UUID) -> FlowRun:
        return self.client.read_flow_run(run)

    def ended(self, run: UUID) -> FlowRun:
        """The run, once it has ended."""

        def look() -> FlowRun | None:
            seen = self.flow_run(run)
            return seen if seen.state and seen.state.is_final() else None

        return wait_for(look)

    def until_building(self, run: UUID, table: str) -> None:
        """Wait until the run builds the table."""
        wait_for(lambda: self.task_states(run).get(table) == "Running")

    def task_states(self, run: UUID) -> dict[str, str]:
        found = self.client.read_task_runs(
            flow_run_filter=filters.FlowRunFilter(id=filters.FlowRunFilterId(any_=[run]))
        )
        return {str(task.name): str(task.state.name) for task in found if task.state}

    def table_states(self, run: UUID) -> list[dict[str, str]]:
        """What the run's artifacts say became of each table, one dict for each attempt, the first attempt first."""
        return [
            {row["table"]: row["state"] for row in json.loads(str(artifact))}
            for artifact in self.artifacts(run, ARTIFACT)
        ]

    def artifacts(self, run: UUID, key: str) -> list[Any]:
        found = self.client.read_artifacts(
            artifact_filter=filters.ArtifactFilter(
                key=filters.ArtifactFilterKey(any_=[key]),
                flow_run_id=filters.ArtifactFilterFlowRunId(any_=[run]),
            )
        )
        return [artifact.data for artifact in sorted(found, key=lambda artifact: str(artifact.created))]

    def under_way(self) -> list[FlowRun]:
        """The runs that take the work pool's only place."""
        types = [StateType.RUNNING, StateType.PENDING]
        state = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=types))
        return self.client.read_flow_runs(flow_run_filter=filters.FlowRunFilter(state=state))


@contextmanager
def installation(folder: Path, port: int, prefect_home: Path) -> Iterator[Installation]:
    """A server on `port`, the deployments as `refresh deploy` makes them, and a worker, all in `folder`."""
    for name in ("prefect.yaml", "prefect.toml"):
        shutil.copy(ROOT / name, folder / name)
    with ExitStack() as stack:
        built = Installation(folder, port, prefect_home)
        built.environment["REFRESH_WEBHOOK_URL"] = stack.enter_context(webhook(built.messages))
        stack.callback(built.kill_all)
        built.start("server", "prefect", "server", "start", "--port", str(port))
        wait_for(lambda: _answers(f"{built.url}/health"))
        stack.enter_context(temporary_settings({PREFECT_API_URL: built.url}))
        built.client = stack.enter_context(get_client(sync_client=True))
        yield built


def is_up(installed: Installation) -> bool:
    """Whether the server answers."""
    return _answers(f"{installed.url}/health")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def webhook(messages: list[dict[str, Any]]) -> Iterator[str]:
    """A server that puts what is posted to it into `messages`, and its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Webhook, messages))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/secret"
    server.shutdown()
    thread.join()
    server.server_close()


class _Webhook(BaseHTTPRequestHandler):
    def __init__(self, messages: list[dict[str, Any]], *arguments: Any) -> None:
        self._messages = messages
        super().__init__(*arguments)

    def do_POST(self) -> None:
        self._messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
