"""A refresh that is told to stop leaves no job behind that goes on billing."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from typing import Any

import pytest

from tests.conftest import Write
from tests.emulator.proxy import Proxy, Recorded

AS_A_WORKER_DOES = """
from prefect.utilities.engine import capture_sigterm
from warehouse_refresh.flows.refresh import refresh
with capture_sigterm():  # as `python -m prefect.engine` does, the process of a flow run that a worker starts
    refresh()
"""


def jobs(endpoint: str, project: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{endpoint}/emulator/jobs?project={project}", timeout=600) as answer:
        return list(json.load(answer))


def is_of_lease(request: Recorded) -> bool:
    return request.method == "PATCH" and "/tables/refresh" in request.path


def cancelled_before_others_may_begin(proxy: Proxy) -> set[str]:
    """The ids of the jobs that were cancelled before the lease was given back, which is the last that is written."""
    lease = [at for at, request in enumerate(proxy.recorded) if is_of_lease(request)]
    cancels = [request.path for request in proxy.recorded[: lease[-1]] if "/cancel" in request.path]
    return {path.partition("/cancel")[0].rpartition("/")[2] for path in cancels}


@pytest.mark.parametrize(
    ("command", "how"),
    [
        (["-m", "warehouse_refresh.commands.main", "build"], signal.SIGINT),
        (["-m", "warehouse_refresh.commands.main", "build", "--in-order"], signal.SIGTERM),
        (["-m", "warehouse_refresh.commands.main", "run"], signal.SIGTERM),
        (["-c", AS_A_WORKER_DOES], signal.SIGTERM),
    ],
    ids=["build", "build in order", "run", "worker"],
)
def test_stopping_the_process_cancels_its_jobs(
    write: Write,
    proxy: Proxy,
    bigquery_endpoint: str,
    bigquery_project: str,
    prefect_server: str,
    command: list[str],
    how: signal.Signals,
) -> None:
    folder = write(
        {
            "res/tmp/one.sql": "SELECT 1 AS n /* emulator: hold */",
            "res/tmp/two.sql": "SELECT 2 AS n /* emulator: hold */",
            "res/dependencies.toml": "",
        }
    )
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env={
            **os.environ,
            "WAREHOUSE_URL": f"bigquery://{bigquery_project}?endpoint={proxy.url}",
            "PREFECT_API_URL": prefect_server,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wanted, deadline = (1 if "--in-order" in command else 2), time.monotonic() + 600
    while len(jobs(bigquery_endpoint, bigquery_project)) < wanted:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(how)
    said, _ = process.communicate(timeout=600)
    left = jobs(bigquery_endpoint, bigquery_project)
    assert [job["status"]["state"] for job in left] == ["DONE"] * wanted
    assert {job["status"]["errorResult"]["reason"] for job in left} == {"stopped"}
    assert cancelled_before_others_may_begin(proxy) == {job["jobReference"]["jobId"] for job in left}
    flow_runs = {job["configuration"]["labels"].get("flow_run") for job in left}
    assert (None in flow_runs) == ("build" in command)
    if "warehouse_refresh.commands.main" in command:
        assert process.returncode == 130
        assert "Traceback" not in said
