"""`refresh serve`: everything with one command, and all of it gone after it, however it ends."""

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, free_port
from tests.operation.installation import ended, wait_for
from tests.terminal import Terminal, terminal
from warehouse_refresh.flows.local.background import FOLDER, running
from warehouse_refresh.flows.local.guard import API, GUARD, SERVER, WORKER
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

READY = "Ctrl-C stops everything."
ENDLESS = (
    "SELECT id, (SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a, UNNEST(GENERATE_ARRAY(1, 1000000)) AS b"
    " WHERE MOD(a + b, 7) = 3) AS n FROM `raw.products`"
)


class Served:
    """What is served in the working folder, on a terminal. No profile of Prefect's names a server, and then Prefect has
    a question."""

    def __init__(self, folder: Path, prefect_home: Path) -> None:
        self.prefect, self.api = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.database = prefect_home / "prefect.db"
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(prefect_home),
            "PREFECT_API_URL": f"{self.prefect}/api",
            "API_PORT": self.api.rpartition(":")[2],
            "PYTHONPATH": str(ROOT),
        }
        for name in ("prefect.yaml", "prefect.toml"):
            (folder / name).write_text((ROOT / name).read_text())
        subprocess.run(
            [sys.executable, "-m", "warehouse_refresh.commands.main", "init"], env=self.environment, check=True
        )

    def until_ready(self, on: Terminal) -> None:
        """Wait until everything runs."""
        wait_for(lambda: READY in on.text() or on.process.poll() is not None)
        assert READY in on.text(), on.text()

    def begin_endless_refresh(self) -> str:
        """Start a refresh that does not end, and answer its id once it builds."""
        Path("res/tmp/endless.sql").write_text(ENDLESS)
        run = str(httpx.post(f"{self.api}/run", timeout=60).json()["id"])
        wait_for(lambda: self._state_of_task("tmp.endless") == "Running")
        return run

    def _state_of_task(self, name: str) -> str | None:
        only = {"task_runs": {"name": {"any_": [name]}}}
        found = httpx.post(f"{self.prefect}/api/task_runs/filter", json=only, timeout=60).json()
        return str(found[0]["state_name"]) if found else None

    def recorded(self, query: str, *parameters: str) -> list[tuple[object, ...]]:
        """What Prefect's database says, once the server has ended."""
        database = sqlite3.connect(self.database)
        try:
            return database.execute(query, parameters).fetchall()
        finally:
            database.close()

    def expect_nothing_left(self, run: str) -> None:
        """No process, no port, and no run that seems to go on and keeps its place."""
        wait_for(lambda: not any(map(running, (API, WORKER, SERVER, GUARD))))
        for address in (self.prefect, self.api):
            with pytest.raises(httpx.ConnectError):
                httpx.get(address)
        assert self.recorded("SELECT state_type FROM flow_run WHERE id = ?", run) == [("CANCELLED",)]
        assert self.recorded("SELECT id FROM flow_run WHERE state_type IN ('RUNNING', 'PENDING')") == []


@pytest.fixture
def served(demonstration: Path, prefect_home: Path) -> Iterator[Served]:
    yield Served(demonstration, prefect_home)
    subprocess.run(
        [sys.executable, "-m", "warehouse_refresh.commands.main", "stop"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )


def test_one_command_starts_everything_and_ctrl_c_ends_it(served: Served) -> None:
    """Also the story of a first user: a row without an id, a refresh, and the row in final.products. Then another
    refresh, which is under way when the user has seen enough."""
    with terminal([sys.executable, "-m", "warehouse_refresh.commands.main", "serve"], served.environment) as screen:
        served.until_ready(screen)
        assert f"Prefect  {served.prefect}\nAPI      {served.api} " in screen.text()
        row = "name=banana%20lipstick&category_id=4&external_id=123&type=product"
        assert httpx.post(f"{served.api}/products?{row}", timeout=60).status_code == 201
        run = ended(served.api, httpx.post(f"{served.api}/run", headers={"Prefer": "wait=60"}, timeout=600))
        assert run["state"] == "Completed", run
        assert {table["state"] for table in run["tables"]} == {"built"}
        second = subprocess.run(
            [sys.executable, "-m", "warehouse_refresh.commands.main", "serve"],
            env=served.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == f"error: serve runs already: process {screen.process.pid}; `refresh stop` ends it\n"
        endless = served.begin_endless_refresh()
        screen.type("\x03")
        assert screen.ended() == 0
        assert screen.text().endswith("stopped\n")
    served.expect_nothing_left(endless)
    assert not (served.database.parent / "profiles.toml").exists(), "Prefect was left as it was"
    with connect(DEFAULT_URL) as warehouse:
        products = warehouse.first_rows(TableName("final", "products"), 1000)
    assert any("banana lipstick" in row for row in products)


@pytest.mark.slow
@pytest.mark.parametrize("end", [Terminal.hang_up, lambda screen: screen.process.kill()], ids=["closed", "killed"])
def test_nothing_is_left_of_a_serve_whose_terminal_is_closed_or_that_is_killed(
    served: Served, end: Callable[[Terminal], None]
) -> None:
    with terminal([sys.executable, "-m", "warehouse_refresh.commands.main", "serve"], served.environment) as screen:
        served.until_ready(screen)
        run = served.begin_endless_refresh()
        end(screen)
        screen.ended()
        served.expect_nothing_left(run)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_ctrl_c_of_the_worker_alone_cancels_its_run_and_leaves_the_server(served: Served) -> None:
    def run(*command: str) -> str:
        words = [sys.executable, "-m", *command]
        return subprocess.run(words, env=served.environment, capture_output=True, text=True, check=True).stdout

    run("warehouse_refresh.commands.main", "server")
    run("warehouse_refresh.commands.main", "deploy")
    api = subprocess.Popen([sys.executable, "-m", "warehouse_refresh.api"], env=served.environment)
    try:
        with terminal(
            [sys.executable, "-m", "warehouse_refresh.commands.main", "worker"], served.environment
        ) as screen:
            wait_for(lambda: "Ctrl-C stops the worker." in screen.text())
            wait_for(lambda: _answers(f"{served.api}/health/live"))
            run_id = served.begin_endless_refresh()
            screen.type("\x03")
            assert screen.ended() == 0
        assert httpx.get(f"{served.prefect}/api/flow_runs/{run_id}").json()["state"]["type"] == "CANCELLED"
    finally:
        api.terminate()
        api.wait()
    assert run("warehouse_refresh.commands.main", "stop").startswith("stopped the Prefect server on port ")
    served.expect_nothing_left(run_id)


def test_a_port_that_is_taken_is_told_before_anything_is_started(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        environment = {**served.environment, "API_PORT": str(port)}
        command = [sys.executable, "-m", "warehouse_refresh.commands.main", "serve"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: port {port} is taken by " in done.stderr
    assert done.stderr.endswith(f"End that, or choose another port for the API: API_PORT={port + 1}\n")
    assert not list(FOLDER.glob("serve-*.log"))
