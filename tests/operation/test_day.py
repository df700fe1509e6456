"""What an operator lives through, with a real server, a real worker and real processes that are killed."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelling

from tests.conftest import ROOT, free_port
from tests.operation.installation import NAMES, Installation, installation, wait_for
from tests.warehouse.bigquery.test_stopping import jobs
from warehouse_refresh.flows.stale_runs import automations
from warehouse_refresh.pipeline.contract import SILENCE_MESSAGE, SILENT
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.duckdb.file import DuckDBFile
from warehouse_refresh.warehouse.names import TableName

OPEN = {"Pending", "Running"}
QUICK = "SELECT 1 AS id"
WRONG = "SELECT id, CAST(CONCAT('x', CAST(id AS STRING)) AS INT64) AS n FROM `tmp.first`"
RIGHT = "SELECT id, 7 AS n FROM `tmp.first`"
ENDLESS = (
    "SELECT id, (SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a, UNNEST(GENERATE_ARRAY(1, 1000000)) AS b"
    " WHERE MOD(a + b, 7) = 3) AS n FROM `tmp.first`"
)
PROJECT = {
    "res/tmp/first.sql": QUICK,
    "res/tmp/second.sql": WRONG,
    "res/final/end.sql": "SELECT id, n FROM `tmp.second`",
    "res/dependencies.toml": '[tmp]\nsecond = ["tmp.first"]\n[final]\nend = ["tmp.second"]\n',
}


@pytest.fixture
def installed(tmp_path: Path, prefect_home: Path) -> Iterator[Installation]:
    with installation(tmp_path, free_port(), prefect_home) as built:
        built.write(PROJECT)
        built.run("warehouse_refresh.commands.main", "deploy")
        built.start("worker", "prefect", "worker", "start", "--pool", NAMES.local_pool)
        yield built


def rows(installed: Installation, table: str) -> list[tuple[object, ...]]:
    with connect(f"duckdb:///{installed.folder}/.data/warehouse.duckdb") as warehouse:
        return warehouse.first_rows(TableName.parse(table), 10)


def names_in(installed: Installation, dataset: str) -> set[str]:
    """What stands in a schema of the file, under whatever name."""
    file = DuckDBFile(installed.folder / ".data/warehouse.duckdb", lambda _connection: None)
    with closing(file), file.cursor() as cursor:
        query = "SELECT table_name FROM duckdb_tables() WHERE schema_name = ?"
        return {name for (name,) in cursor.execute(query, [dataset]).fetchall()}


def test_an_operators_day(installed: Installation) -> None:
    _a_failed_run_is_told_and_its_retry_builds_the_rest(installed)
    installed.start("api", "warehouse_refresh.api")
    _a_cancelled_run_stops_and_leaves_its_tables(installed)
    _a_killed_process_leaves_its_place_to_the_next_run(installed)


def _a_failed_run_is_told_and_its_retry_builds_the_rest(installed: Installation) -> None:
    printed = installed.run("prefect", "deployment", "run", NAMES.deployment)
    run = _id_in(printed)
    failed = installed.ended(run)
    assert failed.state is not None
    assert failed.state.type == StateType.FAILED
    assert "failed: tmp.second: res/tmp/second.sql" in str(failed.state.message)
    assert installed.table_states(run) == [{"tmp.first": "built", "tmp.second": "failed", "final.end": "not run"}]
    [message] = wait_for(lambda: installed.messages)
    assert [entry["table"] for entry in message["failed"]] == ["tmp.second"]
    assert [entry["table"] for entry in message["not_run"]] == ["final.end"]
    assert f"/flow-run/{run}" in message["text"]

    installed.write({"res/tmp/second.sql": RIGHT})
    installed.run("prefect", "flow-run", "retry", str(run))
    wait_for(lambda: installed.flow_run(run).run_count == 2)
    again = installed.ended(run)
    assert again.state is not None
    assert again.state.is_completed()
    assert installed.table_states(run)[1] == {"tmp.first": "built before", "tmp.second": "built", "final.end": "built"}
    first, second = installed.artifacts(run, "refresh-graph")
    assert "started by: somebody, in Prefect's UI or on its command line\n" in first
    assert "attempt 2" in second
    assert re.findall("res [0-9a-f]{12}", first) != re.findall("res [0-9a-f]{12}", second)
    assert rows(installed, "final.end") == [(1, 7)]


def _a_cancelled_run_stops_and_leaves_its_tables(installed: Installation) -> None:
    installed.write({"res/tmp/second.sql": ENDLESS, "res/tmp/quick.sql": QUICK})
    select = 'select=["tmp.second+", "tmp.quick"]'
    run = _id_in(installed.run("prefect", "deployment", "run", NAMES.deployment, "-p", select))
    installed.until_building(run, "tmp.second")
    wait_for(lambda: installed.task_states(run).get("tmp.quick") == "Staged")
    installed.client.set_flow_run_state(run, Cancelling())
    cancelled = installed.ended(run)
    assert cancelled.state is not None
    assert cancelled.state.type == StateType.CANCELLED
    assert "tmp.first" not in installed.task_states(run), "it was not selected"
    wait_for(lambda: not OPEN & set(installed.task_states(run).values()))
    assert rows(installed, "tmp.second") == [(1, 7)], "the old table stands, whole"
    assert names_in(installed, "tmp") == {"first", "second"}, "what was staged is gone"
    (installed.folder / "res/tmp/quick.sql").unlink()


def _a_killed_process_leaves_its_place_to_the_next_run(installed: Installation) -> None:
    """The next one loads a table first: from the request to the rows."""
    run = installed.post_run()
    installed.until_building(run, "tmp.second")
    installed.write({"res/tmp/second.sql": RIGHT.replace("7", "8")})
    installed.write({"listed.csv": "id,price\n1,9.50\n", "res/raw/listed.toml": '[source]\nfile = "listed.csv"\n'})
    waiting = installed.post_run("?load=true")
    process = installed.flow_run(run).infrastructure_pid
    os.kill(int(str(process).rpartition(":")[2]), signal.SIGKILL)
    crashed = installed.ended(run)
    assert crashed.state is not None
    assert crashed.state.type == StateType.CRASHED
    wait_for(lambda: not OPEN & set(installed.task_states(run).values()))
    after = installed.ended(waiting)
    assert after.state is not None
    assert after.state.is_completed()
    assert rows(installed, "final.end") == [(1, 8)]
    assert installed.table_states(waiting)[0]["raw.listed"] == "built"
    assert rows(installed, "raw.listed") == [(1, Decimal("9.50"))]
    assert httpx.get(f"{installed.api}/run/{waiting}").json()["load"] is True
    assert "started by: the API, request " in installed.artifacts(waiting, "refresh-graph")[0]
    assert [message["run"]["state"] for message in installed.messages] == ["Failed", "Crashed"]
    assert wait_for(lambda: not installed.under_way())


@pytest.mark.slow
def test_a_machine_that_dies_leaves_its_place_to_the_next_run(installed: Installation) -> None:
    installed.write({"res/tmp/second.sql": ENDLESS})
    run = installed.trigger()
    installed.until_building(run, "tmp.second")
    waiting = installed.trigger()
    process = str(installed.flow_run(run).infrastructure_pid)
    installed.kill("worker")
    with suppress(ProcessLookupError):  # it is of the worker's process group, and may have died with it
        os.kill(int(process.rpartition(":")[2]), signal.SIGKILL)
    installed.write({"res/tmp/second.sql": RIGHT})
    installed.start("worker", "prefect", "worker", "start", "--pool", NAMES.local_pool)
    crashed = installed.ended(run)
    assert crashed.state is not None
    assert crashed.state.type == StateType.CRASHED
    assert (crashed.state.name, crashed.state.message) == (SILENT, SILENCE_MESSAGE)
    after = installed.ended(waiting)
    assert after.state is not None
    assert after.state.is_completed()


@pytest.mark.slow
def test_deploying_again_leaves_a_schedule_on_and_doctor_finds_nothing_missing(installed: Installation) -> None:
    client = installed.client
    deployment = client.read_deployment_by_name(NAMES.deployment)
    [schedule] = deployment.schedules
    assert not schedule.active
    client.update_deployment_schedule(deployment.id, schedule.id, active=True)
    client.update_deployment(deployment.id, DeploymentUpdate(concurrency_limit=1))  # as an earlier version had it
    installed.run("warehouse_refresh.commands.main", "deploy")
    [schedule] = client.read_deployment_by_name(NAMES.deployment).schedules
    assert schedule.active
    assert client.read_deployment_by_name(NAMES.deployment).global_concurrency_limit is None
    for automation in automations(NAMES, [NAMES.local_pool, NAMES.cloud_run_pool]):
        assert len(client.read_automations_by_name(automation.name)) == 1
    wait_for(lambda: client.read_workers_for_work_pool(NAMES.local_pool))
    told = installed.run("warehouse_refresh.commands.main", "doctor")
    assert told.endswith("nothing is missing\n")
    for line in (
        f"deployment         {NAMES.deployment}",
        f"work pool          {NAMES.local_pool}, one run at a time",
        "worker             1 online",
        "automation",
    ):
        assert f"ok       {line}" in told


@pytest.mark.slow
def test_the_deployment_refreshes_bigquery_records_cost_and_jobs_and_cancels_them(
    tmp_path: Path, prefect_home: Path, bigquery_url: str, bigquery_endpoint: str, bigquery_project: str
) -> None:
    with installation(tmp_path, free_port(), prefect_home) as installed:
        for name in ("res", "db_init"):
            shutil.copytree(ROOT / name, tmp_path / name)
        installed.environment["WAREHOUSE_URL"] = bigquery_url
        installed.run("warehouse_refresh.commands.main", "init")
        installed.run("warehouse_refresh.commands.main", "deploy")
        installed.start("worker", "prefect", "worker", "start", "--pool", NAMES.local_pool)
        run = installed.trigger(select=["+tmp.variants"])
        ended = installed.ended(run)
        assert ended.state is not None
        assert ended.state.is_completed(), ended.state.message
        [artifact] = installed.artifacts(run, "refresh")

        installed.write({"res/tmp/inventory_items.sql": "SELECT 1 AS id /* emulator: hold */"})
        cancelled = installed.trigger(select=["tmp.inventory_items"])
        wait_for(lambda: [job for job in jobs(bigquery_endpoint, bigquery_project) if job["status"]["state"] != "DONE"])
        installed.client.set_flow_run_state(cancelled, Cancelling())
        ended = installed.ended(cancelled)
        assert ended.state is not None
        assert ended.state.type == StateType.CANCELLED
        assert {job["status"]["state"] for job in jobs(bigquery_endpoint, bigquery_project)} == {"DONE"}
    tables = json.loads(artifact)
    assert {row["table"] for row in tables} >= {"tmp.variants", "tmp.inventory_items"}
    assert all(row["cost"] is not None and row["bytes"] is not None for row in tables)
    assert all(f"project={bigquery_project}" in row["job"] for row in tables)


def _id_in(printed: str) -> UUID:
    [found] = set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", printed))
    return UUID(found)
