"""GET /run, and GET /run/<id> as a stream of events."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Completed, Running
from pydantic import SecretStr

from tests.api.conftest import Served, api_over, raw_tables
from tests.api.prefect_parts import Deployment
from tests.waiting import wait_until


@pytest.fixture
def api(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with api_over(raw_tables(tmp_path_factory.mktemp("w") / "w.duckdb"), deployment=deployment.name) as it:
        yield it


def add_table(deployment: Deployment, run: str, table: str, *states: State[None]) -> None:
    """A task run of the run, which goes through these states."""
    task = {"name": table, "flow_run_id": run, "task_key": "build", "dynamic_key": table}
    answer = deployment.prefect.request("POST", "/task_runs/", json=task)
    for state in states:
        deployment.prefect.set_task_run_state(UUID(answer.json()["id"]), state, force=True)


def test_the_last_runs_are_those_of_the_flow_that_are_due(api: Served, deployment: Deployment) -> None:
    first = api.client.post("/run?select=tmp.variants").json()["id"]
    deployment.move(first, Running())
    second = api.client.post("/run").json()["id"]
    shown = api.client.get("/run").json()["runs"]
    assert [(run["id"], run["select"]) for run in shown] == [(second, []), (first, ["tmp.variants"])]


def test_events_follow_a_run_to_its_end(api: Served, deployment: Deployment) -> None:
    run = api.client.post("/run").json()["id"]
    found = []
    with api.client.stream("GET", f"/run/{run}", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                if len(found) == 1:
                    deployment.move(run, Running())
                    add_table(deployment, run, "tmp.a", Running(), Completed(message="25 rows in 1 s"))
                    deployment.move(run, Completed())
    assert (found[0]["state"], found[0]["tables"]) == ("Scheduled", [])
    [table] = found[-1]["tables"]
    assert (found[-1]["state"], table["table"], table["state"], table["rows"]) == ("Completed", "tmp.a", "built", 25)
    assert table["started"] <= table["ended"]


def test_who_stops_looking_leaves_no_error(api: Served, caplog: pytest.LogCaptureFixture) -> None:
    run = api.client.post("/run").json()["id"]
    caplog.set_level("INFO", "warehouse_refresh.api")
    with api.client.stream("GET", f"/run/{run}", headers={"Accept": "text/event-stream"}) as answer:
        next(answer.iter_lines())
    wait_until(
        lambda: any(record.getMessage().startswith('GET "/run/') for record in caplog.records)
    )  # the line of the access log
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_runs_need_the_token_and_unknown_ones_are_a_problem(
    api: Served, deployment: Deployment, tmp_path: Path
) -> None:
    unknown = api.client.get(f"/run/{deployment.id}", headers={"Accept": "text/event-stream"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-run")
    with api_over(f"duckdb:///{tmp_path}/w.duckdb", deployment=deployment.name, token=SecretStr("secret")) as closed:
        assert closed.client.get("/run").status_code == 401
