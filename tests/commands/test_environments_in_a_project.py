"""Environments in a BigQuery project of their own: production's project gets what is promoted, and nothing else."""

import json
import re
from typing import Any
from urllib.request import urlopen

import pytest

from tests.commands.building import built, built_project
from tests.conftest import Write
from tests.emulator.proxy import Decide, Proxy, Refusal
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.builds import environment
from warehouse_refresh.warehouse.builds.projects import OtherProject, in_project
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName

FILES = {
    "db_init/raw.sql": "CREATE TABLE raw.items AS SELECT x, x * 10 AS y FROM UNNEST([1, 2, 3]) AS x",
    "res/tmp/a.sql": "SELECT x, y FROM raw.items",
    "res/tmp/a.toml": "[checks]\nunique = ['x']",
    "res/tmp/b.sql": "SELECT COUNT(*) AS n FROM raw.items",
    "res/functions/plus.sql": "CREATE FUNCTION tmp.plus(y INT64) AS (y + (SELECT n FROM tmp.b))",
    "res/final/c.sql": "SELECT x, tmp.plus(y) AS z FROM tmp.a",
    "res/final/v.sql": "CREATE VIEW final.v AS SELECT z FROM final.c CROSS JOIN tmp.b",
    "res/dependencies.toml": "[final]\nc = ['tmp.a', 'tmp.b']\nv = ['final.c', 'tmp.b']",
}


def rows(url: str, name: str) -> list[tuple[Any, ...]]:
    with connect(url) as warehouse:
        return sorted(warehouse.first_rows(TableName.parse(name), 100))


def in_another_region(production: str, dev: str) -> Decide:
    """What BigQuery answers to queries in production that read the environments' project, which is elsewhere: once the
    lease there is held, nothing else is asked."""
    held = []

    def decide(method: str, path: str) -> Refusal | None:
        if method == "PATCH" and f"/projects/{dev}/" in path:
            held.append(path)
        is_job = method == "POST" and f"/projects/{production}/jobs" in path
        return Refusal(404, "notFound", "Not found: the dataset in location EU") if held and is_job else None

    return decide


def test_production_gets_what_is_promoted_and_nothing_else(
    write: Write,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    bigquery_endpoint: str,
    bigquery_project: str,
    proxy: Proxy,
) -> None:
    url = f"bigquery://{bigquery_project}?endpoint={bigquery_endpoint}"
    there = in_project(url, dev := f"{bigquery_project}-dev")
    monkeypatch.setenv("WAREHOUSE_URL", url)
    monkeypatch.setenv("REFRESH_ENVIRONMENTS", f"project:{dev}")

    def jobs_of_production() -> list[Any]:
        with urlopen(f"{bigquery_endpoint}/emulator/jobs?project={bigquery_project}") as answer:
            return [job["jobReference"]["jobId"] for job in json.load(answer)]

    built_project(write, FILES, capsys)
    before = jobs_of_production()
    write({"res/tmp/a.sql": "SELECT x, IF(x = 2, 7, y) AS y FROM raw.items WHERE x < 3"})
    assert built(capsys, "--env", "alice", "changed+") == {"tmp.a", "final.c", "final.v"}
    assert (rows(url, "final.c"), rows(there, "alice_final.v")) == ([(1, 13), (2, 23), (3, 33)], [(10,), (13,)])
    assert built(capsys, "--env", "alice", "stale") == set()
    write({"res/tmp/b.sql": "SELECT ERROR('none') AS n FROM raw.items"})
    assert main(["build", "--env", "bob", "tmp.b"]) in (1, 2)  # the emulator runs a query to plan it
    write({"res/tmp/b.sql": FILES["res/tmp/b.sql"]})
    assert built(capsys, "--env", "bob", "tmp.b") == {"tmp.b"}
    capsys.readouterr()
    assert main(["env", "list"]) == 0
    assert [line.partition(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        "alice: 3 tables",
        "bob: 1 table",
    ]
    assert main(["env", "diff", "alice"]) == 0
    assert "  0 added, 1 removed, 1 changed by x\n" in capsys.readouterr().out
    assert main(["show", "tmp.a", "--env", "alice", "--csv"]) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == ["1,10", "2,7", "x,y"]
    with monkeypatch.context() as patch:
        patch.setenv("WAREHOUSE_URL", f"bigquery://{bigquery_project}?endpoint={proxy.url}")
        proxy.decide = in_another_region(bigquery_project, dev)
        assert main(["env", "promote", "alice", "--yes"]) == 2
    said = capsys.readouterr().err
    assert re.search(r"production cannot read alice_\w+\.\w: .*in location EU.*\. Nothing was published", said)
    assert jobs_of_production() == before

    assert main(["env", "promote", "alice", "--yes"]) == 0
    capsys.readouterr()
    assert rows(url, "final.v") == [(10,), (13,)]
    assert built(capsys, "stale") == set()
    monkeypatch.setattr(environment, "DAYS_KEPT", 0)
    assert main(["build", "--env", "bob", "tmp.b"]) == 0
    assert "the environment alice is dropped" in capsys.readouterr().out
    assert main(["env", "drop", "bob", "--yes"]) == 0
    with urlopen(f"{bigquery_endpoint}/bigquery/v2/projects/{dev}/datasets?all=true") as answer:
        left = {dataset["datasetReference"]["datasetId"] for dataset in json.load(answer)["datasets"]}
    assert left == {"_warehouse", "_warehouse_staged"}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("duckdb:///shop.duckdb", r'"project:shop" is for BigQuery.*write "prefix" or "file"'),
        ("bigquery://shop?location=EU", r"names production's own project"),
    ],
)
def test_a_project_of_its_own_is_another_one_on_bigquery(url: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=message):
        in_project(url, "shop")


def test_each_dataset_is_in_one_of_the_two_projects() -> None:
    production = OtherProject("shop", "alice_", is_production=True)
    environments = OtherProject("dev", "alice_", is_production=False)
    names = ["raw", "alice_tmp", "bob_tmp", "_warehouse", "_warehouse_staged"]
    assert list(filter(production.has, names)) == ["raw", "bob_tmp"]
    assert list(filter(environments.has, names)) == ["alice_tmp"]
