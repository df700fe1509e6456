"""GET /catalogue/state.json: how the tables stand, for the catalogue's pages."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.actions import ArtifactCreate
from prefect.states import Completed, Failed, Running

from tests.api.conftest import api_over, with_tables
from tests.api.prefect_parts import Deployment, deployed
from tests.conftest import Write
from warehouse_refresh.api.runs import history, live
from warehouse_refresh.api.runs.reports import tasks_of
from warehouse_refresh.api.shared import Shared
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.contract import ARTIFACT, CHECKS_ARTIFACT
from warehouse_refresh.warehouse import DEFAULT_URL

PATH = "/catalogue/state.json"


@pytest.fixture
def deployment(prefect_server: str) -> Iterator[Deployment]:
    with deployed(prefect_server) as it:
        yield it


@pytest.fixture
def url(write: Write) -> str:
    """A warehouse in which tmp.a is built, and tmp.b is not: it failed."""
    write({"res/dependencies.toml": '[tmp]\nb = ["tmp.a"]', "db_init/a.sql": "CREATE TABLE raw.products (id INT64)"})
    write({"res/tmp/a.sql": "SELECT id FROM raw.products", "res/tmp/b.sql": "SELECT ERROR('no') AS x FROM tmp.a"})
    write({"res/tmp/b.sql": "SELECT IF(COUNT(*) = 0, ERROR('no'), 1) AS x FROM tmp.a"})
    url = with_tables(DEFAULT_URL)
    assert main(["build"]) == 1
    return url


def record(deployment: Deployment, run: str, key: str, rows: list[dict[str, Any]]) -> None:
    """The artifact that a flow writes at its end."""
    artifact = ArtifactCreate(key=key, type="table", data=json.dumps(rows), flow_run_id=UUID(run))
    deployment.prefect.request("POST", "/artifacts/", json=artifact.model_dump(mode="json", exclude_unset=True))


def test_without_prefect_the_warehouse_says_how_tables_stand(url: str) -> None:
    with api_over(url, deployment="nobody/has-this") as api:
        answer = api.client.get(PATH)
        tables = answer.json()["tables"]
        assert set(tables["tmp.a"]) == {"published"}
        assert tables["tmp.b"]["is_failed"]
        same = api.client.get(PATH, headers={"If-None-Match": answer.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")


def test_a_tables_builds_and_checks_come_from_the_last_runs(url: str, deployment: Deployment) -> None:
    with api_over(url, deployment=deployment.name) as api:
        run = api.client.post("/run").json()["id"]
        deployment.move(run, Running())
        built = {
            "table": "tmp.a",
            "state": "built",
            "rows": 3,
            "seconds": 0.5,
            "bytes": 10**7,
            "cost": 0.0001,
            "job": "https://bigquery/secret",
        }
        failed = {"table": "tmp.b", "state": "failed", "failure": "query-failed", "error": "secret", "rows": None}
        record(deployment, run, ARTIFACT, [built, failed])
        check = {"table": "tmp.b", "check": "unique: x", "result": "failed", "broken": 1, "rows": 3}
        record(deployment, run, CHECKS_ARTIFACT, [{**check, "examples": "secret", "found": "secret"}])
        deployment.move(run, Failed())
        found = api.client.get(PATH)
        assert [(one["id"], one["state"]) for one in found.json()["runs"]] == [(run, "Failed")]
        last = found.json()["tables"]["tmp.b"]["last"]
        assert (last["state"], last["rows"]) == ("failed", None)
        assert "last" not in found.json()["tables"]["tmp.a"], "a later build, in a terminal, published it"
        one = api.client.get(PATH, params={"table": "tmp.b"})
        assert [(build["run"], build["failure"]) for build in one.json()["builds"]] == [(run, "query-failed")]
        assert one.json()["checks"] == [{name: check[name] for name in history.RESULT}]
        [of_a] = api.client.get(PATH, params={"table": "tmp.a"}).json()["builds"]
        assert (of_a["bytes"], of_a["cost"]) == (10**7, 0.0001)
        assert "secret" not in found.text + one.text + api.client.get(PATH, params={"table": "tmp.a"}).text
        assert api.client.get(f"/run/{run}").json()["tables"][0]["job"] == built["job"]


def test_all_who_ask_at_once_get_one_answer() -> None:
    asyncio.run(ask_at_once())


async def ask_at_once() -> None:
    asked: list[str] = []

    async def find(key: str) -> int:
        asked.append(key)
        if key == "wrong":
            raise ValueError(key)
        return len(asked)

    shared = Shared(find, 3600)
    assert [await shared.get("a"), await shared.get("a"), await shared.get("b")] == [1, 1, 2]
    for _ in range(2):
        with pytest.raises(ValueError, match="wrong"):
            await shared.get("wrong")
    assert asked == ["a", "b", "wrong"]
    old = Shared(find, 0)
    assert [await old.get("c"), await old.get("c")] == [4, 5]


def test_however_many_follow_a_run_prefect_is_asked_once(
    url: str, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[UUID] = []

    async def counted(client: Any, run: UUID) -> Any:
        asked.append(run)
        return await tasks_of(client, run)

    monkeypatch.setattr(live, "tasks_of", counted)
    monkeypatch.setattr(live, "SECONDS_BETWEEN_LOOKS", 3600)
    with api_over(url, deployment=deployment.name) as api:
        run = api.client.post("/run").json()["id"]
        deployment.move(run, Running())
        deployment.move(run, Completed())
        for _ in range(3):
            with api.client.stream("GET", f"/run/{run}", headers={"Accept": "text/event-stream"}) as answer:
                assert any(line.startswith("data: ") for line in answer.iter_lines())
    assert asked == [UUID(run)]
