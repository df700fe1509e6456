"""The whole refresh of res/ on BigQuery: the same tables as on DuckDB, and the requests that it sends."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Write
from tests.emulator.proxy import Proxy, Recorded
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.refresh import plan_refresh
from warehouse_refresh.pipeline.running.builder import Builder
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.warehouse import BuildContext, Warehouse, connect
from warehouse_refresh.warehouse.bigquery.publishing import before, stager, tables
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.types import SqlType

ROOT = Path(__file__).parents[3]
TABLES = [TableName(path.parent.name, path.stem) for path in sorted(ROOT.glob("res/*/*.sql"))]
REQUESTS = 97
"""So many at most does a refresh of all of them send: see docs/benchmarks.md. Fewer is better: lower it then."""
OF_ALL = 20
"""So many more does one of many tables send, however many these are, but for a script for each eight."""
LISTED = [TableName("tmp", "variants")]
"""It has a REQUIRED column, which only CREATE TABLE makes."""


@pytest.fixture
def project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with the project's own scripts."""
    for name in ("res", "db_init"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)


def refresh(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", url)
    assert main(["init"]) == 0
    assert main(["build"]) == 0


def contents(warehouse: Warehouse, table: TableName) -> list[str]:
    """A table's rows, in an order that does not depend on the engine."""
    kinds = [column.type for column in warehouse.columns(table)]
    return sorted(repr(list(map(stored, row, kinds))) for row in warehouse.first_rows(table, 10_000))


def stored(value: Any, kind: SqlType) -> Any:
    """The value as BigQuery has it in a table, where an ARRAY is never NULL."""
    if kind.element is not None:
        return [stored(each, kind.element) for each in value or ()]
    if value is not None and kind.name == "STRUCT":
        return {field.name: stored(value[field.name], field.type) for field in kind.fields}
    return value


@pytest.mark.usefixtures("project_folder")
def test_a_refresh_on_bigquery_makes_the_tables_that_duckdb_makes(
    bigquery_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(TABLES) >= 8
    for url in (bigquery_url, "duckdb:///warehouse.duckdb"):
        refresh(url, monkeypatch)
    with connect(bigquery_url) as bigquery, connect("duckdb:///warehouse.duckdb") as duckdb:
        for table in [*TABLES, *duckdb.tables("raw")]:
            assert bigquery.columns(table) == duckdb.columns(table), table
            assert bigquery.row_count(table) == duckdb.row_count(table) > 0, table
            assert contents(bigquery, table) == contents(duckdb, table), table


@pytest.mark.usefixtures("project_folder")
def test_each_build_is_one_job_with_its_id_labels_destination_and_cap(
    proxy: Proxy, bigquery_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = f"location=EU&maximum_bytes_billed=1000000000&priority=batch&endpoint={proxy.url}"
    refresh(f"bigquery://{bigquery_project}?{settings}", monkeypatch)
    builds = {staged[1]: request.body for request in proxy.recorded if (staged := staged_by(request))}
    assert len([request for request in proxy.recorded if staged_by(request)]) == len(builds) == len(TABLES)
    runs = set()
    for table in TABLES:
        job = builds[table]
        configuration, reference = job["configuration"], job["jobReference"]
        assert reference["location"] == "EU"
        assert re.fullmatch(
            rf"refresh-[0-9a-f]{{32}}-{table.dataset}-{table.name.replace('_', '-')}-\w+-1", reference["jobId"]
        )
        assert configuration["labels"].pop("call")
        assert configuration["labels"].pop("lease")
        assert configuration["labels"].pop("table") == f"{table.dataset}_{table.name}"
        runs.add(configuration["labels"].pop("run"))
        assert configuration["labels"] == {}
        query = configuration["query"]
        text = (ROOT / "res" / table.dataset / f"{table.name}.sql").read_text()
        assert text.strip() in written(query["query"])
        assert query.get("writeDisposition") == (None if table in LISTED else "WRITE_TRUNCATE")
        assert query["maximumBytesBilled"] == "1000000000"
        assert query["priority"] == "BATCH"
        assert query["useLegacySql"] is False
    assert len(runs) == 1
    monkeypatch.setenv("WAREHOUSE_URL", f"bigquery://{bigquery_project}?location=EU&endpoint={proxy.url}")
    proxy.recorded.clear()
    assert main(["build"]) == 0
    assert len(counted(proxy)) <= REQUESTS


def test_of_many_tables_each_costs_two_requests(
    write: Write, proxy: Proxy, bigquery_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (tables, stager):  # as of more than 16 tables: one script publishes all of these, and one drops them
        monkeypatch.setattr(module, "_AT_ONCE", 1)
    monkeypatch.setattr(before, "_MANY", 1)
    monkeypatch.setenv("WAREHOUSE_URL", f"bigquery://{bigquery_project}?endpoint={proxy.url}")
    scripts = {f"res/tmp/t{number}.sql": f"SELECT {number} AS n" for number in range(6)}
    write({"res/dependencies.toml": "", **scripts})
    for _ in range(2):
        proxy.recorded.clear()
        assert main(["build"]) == 0
    assert len(counted(proxy)) <= 2 * 6 + OF_ALL


def counted(proxy: Proxy) -> list[str]:
    """The requests that a refresh sends however long it takes: without renewals of its lease and of its waits."""
    sent = [f"{request.method} {request.path}" for request in proxy.recorded]
    renewals = [text for text in sent if text.startswith("PATCH") and "/_warehouse/tables/refresh" in text]
    waits = {text for text in sent if "/queries/" in text}
    return [text for text in sent if text not in renewals and text not in waits] + [*waits, *renewals[:2]]


@pytest.mark.usefixtures("project_folder")
def test_a_refresh_reads_no_rows(proxy: Proxy, bigquery_project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", f"bigquery://{bigquery_project}?endpoint={proxy.url}")
    assert main(["init"]) == 0
    with connect(f"bigquery://{bigquery_project}?endpoint={proxy.url}") as warehouse:
        plan = plan_refresh(RefreshSettings(Path()), [], warehouse)
        warehouse.create_datasets(["tmp", "final"])
        build = Builder(plan.scripts, warehouse, BuildContext("run")).build
        proxy.recorded.clear()
        for table in plan.graph.order:
            build(table)
    assert len(proxy.recorded) >= 3 * len(TABLES)
    read = [request.path for request in proxy.recorded if re.search(r"/data\b|/queries\b", request.path)]
    assert not [path for path in read if "maxResults=0" not in path]  # those wait for a job's end


def staged_by(request: Recorded) -> tuple[str, TableName] | None:
    """The project and the table that the requested job stages, if it does."""
    query = request.body.get("configuration", {}).get("query", {})
    target = query.get("destinationTable", {})
    path = ".".join(f"`{target.get(key)}`" for key in ("projectId", "datasetId", "tableId"))
    text = path if target else query.get("query", "")  # CREATE TABLE names its own
    found = re.search(r"(?:TABLE |^)`([\w-]+)`\.`_warehouse_staged`\.`\w{12}_\w{16}_(\d+)_(\w+)`", text)
    if found is None:
        return None
    length = int(found[2])
    return found[1], TableName(found[3][:length], found[3][length + 1 :])


def written(sql: str) -> str:
    """The SQL with published tables in place of staged ones, as its script has it."""
    return re.sub(r"`[\w-]+`\.`_warehouse_staged`\.`\w{29}_\d+_([a-z]+)_(\w+)`( AS `\2`)?", r"`\1.\2`", sql)


def test_only_what_has_changed_is_dry_run(
    write: Write, proxy: Proxy, bigquery_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"bigquery://{bigquery_project}?endpoint={proxy.url}"
    monkeypatch.setenv("WAREHOUSE_URL", url)
    folder = write(
        {
            "db_init/items.sql": "CREATE TABLE raw.items (x INT64)",
            "res/tmp/a.sql": "SELECT x FROM raw.items",
            "res/tmp/b.sql": "SELECT x FROM tmp.a",
            "res/dependencies.toml": '[tmp]\nb = ["tmp.a"]\n',
        }
    )
    assert main(["init"]) == 0

    def dry_runs(command: str = "build") -> int:
        proxy.recorded.clear()
        assert main([command]) == 0
        return sum(bool(request.body.get("configuration", {}).get("dryRun")) for request in proxy.recorded)

    assert [dry_runs(), dry_runs("plan")] == [2, 2]
    (folder / "res/tmp/b.sql").write_text("SELECT x + 1 AS x FROM tmp.a")
    assert [dry_runs(), dry_runs()] == [1, 0]
    with connect(url) as warehouse:
        warehouse.run_script(parse_script("CREATE OR REPLACE TABLE raw.items (x STRING)"))
    assert main(["build"]) == 2  # b adds to what is a text now
