"""What a table's settings say reaches BigQuery and stays there over builds. What they say otherwise changes alone."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Proxy, Refusal
from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.building.storage import partition_of, required_edits
from warehouse_refresh.warehouse.bigquery.queries.edits import edited
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.errors import SqlError, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.storage import Partition, Storage

DAYS = TableName("tmp", "days")
TAG = "projects/p/locations/us/taxonomies/1/policyTags/2"
QUERY = "SELECT DATE '2026-01-01' AS day, 1 AS n, 'a' AS word"
ALL = Storage(
    Partition("day", "MONTH"),
    cluster_by=("n",),
    description="one a day",
    labels=(("team", "shop"),),
    partition_expiration_days=400,
    require_partition_filter=True,
    expires_after_days=30,
    column_descriptions=(("n", "the number"),),
    policy_tags=(("word", TAG),),
)


@pytest.fixture
def warehouse(proxy: Proxy, bigquery_project: str) -> Iterator[BigQueryWarehouse]:
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), QUICK) as opened:
        opened.create_datasets(["tmp"])
        yield opened


@pytest.fixture
def client(bigquery_endpoint: str, bigquery_project: str) -> Iterator[bigquery.Client]:
    options = ClientOptions(api_endpoint=bigquery_endpoint)
    with bigquery.Client(bigquery_project, AnonymousCredentials(), client_options=options) as opened:
        yield opened


def build(warehouse: BigQueryWarehouse, storage: Storage, run: str, query: str = QUERY) -> None:
    warehouse.build(TableBuild(DAYS, parse_query(query), storage=storage), BuildContext(run))


def changes(proxy: Proxy) -> list[dict[str, Any]]:
    """What was asked to be changed about the table itself."""
    return [request.body for request in proxy.recorded if request.method in ("PATCH", "PUT")]


def jobs(proxy: Proxy) -> list[dict[str, Any]]:
    sent = [request.body.get("configuration", {}) for request in proxy.recorded]
    return [settings["query"] for settings in sent if "query" in settings and not settings.get("dryRun")]


def stored(client: bigquery.Client) -> dict[str, Any]:
    table = client.get_table("tmp.days")
    fields = [field.to_api_repr() for field in table.schema]
    return {
        "description": table.description,
        "labels": table.labels,
        "clusters": table.clustering_fields,
        "filter": table.require_partition_filter,
        "partitions": table.time_partitioning.to_api_repr() if table.time_partitioning else None,
        "fields": {field["name"]: (field.get("description"), field.get("policyTags")) for field in fields},
    }


def test_what_is_said_is_there_after_the_first_build_and_stays_over_ten(
    warehouse: BigQueryWarehouse, client: bigquery.Client, proxy: Proxy
) -> None:
    build(warehouse, ALL, "first")
    [created] = [request.body for request in proxy.recorded if request.method == "POST" and "/tables" in request.path]
    assert created["timePartitioning"] == {"type": "MONTH", "field": "day", "expirationMs": str(400 * 86_400_000)}
    assert created["clustering"] == {"fields": ["n"]}
    assert created["schema"]["fields"][2]["policyTags"] == {"names": [TAG]}
    before = stored(client)
    assert before == {
        "description": "one a day",
        "labels": {"team": "shop"},
        "clusters": ["n"],
        "filter": True,
        "partitions": {"type": "MONTH", "field": "day", "expirationMs": str(400 * 86_400_000)},
        "fields": {"day": (None, None), "n": ("the number", None), "word": (None, {"names": [TAG]})},
    }
    proxy.recorded.clear()
    for number in range(10):
        build(warehouse, ALL, f"run {number}", QUERY.replace("1 AS", f"{number} AS"))
        assert stored(client) == before
    assert [set(change) for change in changes(proxy)] == [{"expirationTime"}] * 10
    assert {job["writeDisposition"] for job in jobs(proxy)} == {"WRITE_TRUNCATE_DATA"}


def test_a_table_expires_so_many_days_after_its_last_build(
    warehouse: BigQueryWarehouse, client: bigquery.Client
) -> None:
    for run in ("first", "second"):
        before = datetime.now(UTC)
        build(warehouse, Storage(expires_after_days=1.5), run)
        expires = client.get_table("tmp.days").expires
        assert expires is not None
        assert before - timedelta(seconds=1) <= expires - timedelta(days=1.5) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("changed", "sent"),
    [
        ({"description": "another"}, {"description": "another"}),
        ({"labels": (("team", "data"),)}, {"labels": {"team": "data"}}),
        ({"labels": (("more", "x"),)}, {"labels": {"team": "shop", "more": "x"}}),
        ({"cluster_by": ("word", "n")}, {"clustering": {"fields": ["word", "n"]}}),
        (
            {"partition_expiration_days": 2},
            {"timePartitioning": {"type": "MONTH", "field": "day", "expirationMs": str(2 * 86_400_000)}},
        ),
    ],
)
def test_what_is_said_otherwise_is_changed_and_nothing_else(
    warehouse: BigQueryWarehouse, proxy: Proxy, changed: dict[str, Any], sent: dict[str, Any]
) -> None:
    storage = dataclasses.replace(ALL, expires_after_days=None)
    build(warehouse, storage, "first")
    proxy.recorded.clear()
    build(warehouse, dataclasses.replace(storage, **changed), "second")
    assert changes(proxy) == [sent]
    assert jobs(proxy)[0]["writeDisposition"] == "WRITE_TRUNCATE_DATA"
    proxy.recorded.clear()
    build(warehouse, dataclasses.replace(storage, **changed), "third")
    assert changes(proxy) == []


def publish(warehouse: BigQueryWarehouse, storage: Storage, run: str, query: str = QUERY) -> None:
    one = TableBuild(DAYS, parse_query(query), storage=storage)
    warehouse.stage(one, (), BuildContext(run))
    warehouse.publish([one], BuildContext(run))


WITHOUT_TAGS = dataclasses.replace(ALL, policy_tags=())
WITH_REQUIRED = dataclasses.replace(WITHOUT_TAGS, required=("n",))


@pytest.mark.parametrize(
    ("storage", "times"),
    [
        (ALL, 10),
        (WITHOUT_TAGS, 3),
        (WITH_REQUIRED, 3),
        pytest.param(WITHOUT_TAGS, 10, marks=pytest.mark.slow),
        pytest.param(WITH_REQUIRED, 10, marks=pytest.mark.slow),
    ],
)
def test_what_is_said_and_what_was_set_by_hand_stays_over_all_publications(
    warehouse: BigQueryWarehouse, client: bigquery.Client, proxy: Proxy, storage: Storage, times: int
) -> None:
    publish(warehouse, storage, "first")
    table = client.get_table("tmp.days")
    table.labels = {**table.labels, "by": "hand"}
    table.schema = [*table.schema[:2], with_description(table.schema[2], "by hand")]
    client.update_table(table, ["labels", "schema"])
    before = stored(client)
    tags = {"names": [TAG]} if storage.policy_tags else None
    assert before == {
        "description": "one a day",
        "labels": {"team": "shop", "by": "hand"},
        "clusters": ["n"],
        "filter": True,
        "partitions": {"type": "MONTH", "field": "day", "expirationMs": str(400 * 86_400_000)},
        "fields": {"day": (None, None), "n": ("the number", None), "word": ("by hand", tags)},
    }
    proxy.recorded.clear()
    for number in range(times):
        publish(warehouse, storage, f"run {number}", QUERY.replace("1 AS", f"{number} AS"))
        assert stored(client) == before
        assert [row[1] for row in warehouse.first_rows(DAYS, 9)] == [number]
    assert "DROP" not in str(jobs(proxy))


def test_what_only_people_have_set_stays_over_ten_publications(
    warehouse: BigQueryWarehouse, client: bigquery.Client, proxy: Proxy
) -> None:
    kinds = {"day": "DATE", "n": "INT64", "word": "STRING"}
    schema = [bigquery.SchemaField(name, kind, description=f"the {name}") for name, kind in kinds.items()]
    table = bigquery.Table(f"{client.project}.tmp.days", schema)
    table.time_partitioning = bigquery.TimePartitioning("MONTH", "day", expiration_ms=400 * 86_400_000)
    table.clustering_fields, table.require_partition_filter = ["n"], True
    table.description, table.labels = "by hand", {"by": "hand"}
    table.expires = datetime(2100, 1, 1, tzinfo=UTC)
    client.create_table(table)
    before = stored(client)
    for number in range(10):
        publish(warehouse, Storage(), f"run {number}", QUERY.replace("1 AS", f"{number} AS"))
        assert stored(client) == before
        assert client.get_table("tmp.days").expires == table.expires
    assert "DROP" not in str(jobs(proxy))


def with_description(field: bigquery.SchemaField, text: str) -> bigquery.SchemaField:
    return bigquery.SchemaField.from_api_repr({**field.to_api_repr(), "description": text})


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in after.items() if before[key] != value}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"description": "another"}, {"description": "another"}),
        ({"labels": (("more", "x"),)}, {"labels": {"team": "shop", "more": "x"}}),
        ({"cluster_by": ("word", "n")}, {"clusters": ["word", "n"]}),
        (
            {"column_descriptions": (("n", "N"),)},
            {"fields": {"day": (None, None), "n": ("N", None), "word": (None, {"names": [TAG]})}},
        ),
    ],
)
def test_what_is_said_otherwise_is_published_and_nothing_else(
    warehouse: BigQueryWarehouse, client: bigquery.Client, changed: dict[str, Any], found: dict[str, Any]
) -> None:
    publish(warehouse, ALL, "first")
    before = stored(client)
    for run in ("second", "third"):
        publish(warehouse, dataclasses.replace(ALL, **changed), run)
        assert differences(before, stored(client)) == found


@pytest.mark.parametrize(
    "partition", [Partition("day", "MONTH"), Partition("day"), Partition("n", integers=(0, 100, 10)), None]
)
def test_partitions_and_clusters_of_a_table_with_required_columns_are_changed_together(
    warehouse: BigQueryWarehouse, client: bigquery.Client, proxy: Proxy, partition: Partition | None
) -> None:
    """Its staged table is made by CREATE TABLE, not by the settings of a job."""
    publish(warehouse, Storage(cluster_by=("n",), required=("n",), labels=(("by", "x"),)), "first")
    said = Storage(partition, cluster_by=("word",), required=("n",))
    publish(warehouse, said, "second", QUERY.replace("'a'", "'b'"))
    table = client.get_table("tmp.days")
    assert (partition_of(table), table.clustering_fields, table.labels) == (partition, ["word"], {"by": "x"})
    assert [field.mode for field in table.schema] == ["NULLABLE", "REQUIRED", "NULLABLE"]
    assert [row[2] for row in warehouse.first_rows(DAYS, 9)] == ["b"]
    proxy.recorded.clear()
    publish(warehouse, said, "third")
    assert "DROP" not in str(jobs(proxy))
    assert "clustering" not in str(changes(proxy))


def test_descriptions_and_policy_tags_of_columns_are_changed_alone(
    warehouse: BigQueryWarehouse, client: bigquery.Client, proxy: Proxy
) -> None:
    storage = dataclasses.replace(ALL, expires_after_days=None)
    build(warehouse, storage, "first")
    proxy.recorded.clear()
    said = dataclasses.replace(storage, column_descriptions=(("n", "N"), ("day", "D")), policy_tags=(("n", TAG),))
    build(warehouse, said, "second")
    assert [set(change) for change in changes(proxy)] == [{"schema"}]
    requests = [request.method for request in proxy.recorded if request.method in ("PATCH", "POST")]
    assert requests.index("PATCH") < len(requests) - 1, "the tag is there before the job writes values"
    assert stored(client)["fields"] == {
        "day": ("D", None),
        "n": ("N", {"names": [TAG]}),
        "word": (None, {"names": [TAG]}),
    }


def test_other_partitions_are_made_beside_the_table_and_put_in_its_place_by_one_job(
    warehouse: BigQueryWarehouse, client: bigquery.Client, proxy: Proxy
) -> None:
    build(warehouse, Storage(Partition("day")), "first")
    table = client.get_table("tmp.days")
    table.description, table.labels = "by hand", {"by": "hand"}
    client.update_table(table, ["description", "labels"])
    proxy.recorded.clear()
    storage = Storage(Partition("day", "MONTH"), labels=(("team", "shop"),))
    build(warehouse, storage, "second", QUERY.replace("'a'", "'b'"))
    first, second = jobs(proxy)
    assert first["destinationTable"]["datasetId"] == "_warehouse"
    assert first["timePartitioning"] == {"type": "MONTH", "field": "day"}
    statements = [part.strip().split(" `")[0] for part in second["query"].split(";")]
    assert statements == ["DROP TABLE IF EXISTS", "CREATE TABLE", "DROP TABLE"]
    assert [row[2] for row in warehouse.first_rows(DAYS, 9)] == ["b"]
    table = client.get_table("tmp.days")
    assert (table.description, table.labels) == ("by hand", {"by": "hand", "team": "shop"})
    assert warehouse.tables("_warehouse") == []
    proxy.recorded.clear()
    build(warehouse, storage, "third")
    assert [job["writeDisposition"] for job in jobs(proxy)] == ["WRITE_TRUNCATE_DATA"]


def test_ranges_of_integers_are_kept_and_changed(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    ranges = Storage(Partition("n", integers=(0, 100, 10)))
    build(warehouse, ranges, "first")
    build(warehouse, ranges, "second")
    assert [job.get("destinationTable", {}).get("tableId") for job in jobs(proxy)] == ["days", "days"]
    proxy.recorded.clear()
    build(warehouse, Storage(Partition("n", integers=(0, 200, 10))), "third")
    assert len(jobs(proxy)) == 2


def test_clusters_by_a_new_column_take_a_new_table(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    build(warehouse, Storage(cluster_by=("n",)), "first")
    proxy.recorded.clear()
    build(warehouse, Storage(cluster_by=("more",)), "second", f"{QUERY}, 2 AS more")
    assert len(jobs(proxy)) == 2
    proxy.recorded.clear()
    build(warehouse, Storage(cluster_by=("more",)), "third", f"{QUERY}, 2 AS more")
    assert [job["writeDisposition"] for job in jobs(proxy)] == ["WRITE_TRUNCATE_DATA"]


def test_a_plan_says_what_changes(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    def said(storage: Storage, *, is_view: bool = False) -> list[str]:
        return warehouse.storage_changes(TableBuild(DAYS, parse_query(QUERY), is_view, storage))

    assert said(ALL) == []
    build(warehouse, ALL, "first")
    proxy.recorded.clear()
    assert said(ALL) == said(Storage()) == said(ALL, is_view=True) == []
    assert said(dataclasses.replace(ALL, description="x", cluster_by=("word",), partition_expiration_days=1)) == [
        "changes: its description",
        "changes: its clusters, for rows that are written from then on",
        "changes: when its partitions expire",
    ]
    other = dataclasses.replace(ALL, partition=Partition("day"), cluster_by=("word",), labels=(("team", "data"),))
    [said_of_partitions, said_of_labels] = said(other)
    assert said_of_partitions.startswith(
        "changes: partitions: day (MONTH) becomes day (DAY); clusters by word; it is built beside the old"
    )
    assert said_of_labels == "changes: its labels"
    assert changes(proxy) == []


def test_a_query_that_fails_leaves_a_table_with_other_partitions(warehouse: BigQueryWarehouse) -> None:
    build(warehouse, Storage(Partition("day")), "first")
    with pytest.raises(WarehouseError):
        build(warehouse, Storage(Partition("day", "YEAR")), "second", f"{QUERY}, ERROR('no') AS x")
    assert [row[2] for row in warehouse.first_rows(DAYS, 9)] == ["a"]


def test_a_protected_table_does_not_get_other_partitions(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    build(warehouse, ALL, "first")
    proxy.recorded.clear()
    with pytest.raises(
        WarehouseError, match=r"policy tags on the column word, .* by day \(YEAR\), after day \(MONTH\)"
    ):
        build(warehouse, dataclasses.replace(ALL, partition=Partition("day", "YEAR")), "second")
    assert jobs(proxy) == []


def test_a_first_build_that_fails_leaves_no_table_for_its_policy_tags(
    warehouse: BigQueryWarehouse, proxy: Proxy
) -> None:
    refusal = Refusal(400, "invalidQuery", "division by zero")
    query = parse_query(QUERY)
    warehouse.plan(query, {})
    proxy.decide = lambda method, path: refusal if method == "POST" and "/jobs" in path else None
    with pytest.raises(SqlError, match="division by zero"):
        warehouse.build(TableBuild(DAYS, query, storage=ALL), BuildContext("first"))
    proxy.decide = lambda _method, _path: None
    assert warehouse.tables("tmp") == []


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("SELECT 1 AS x", "{} FROM (SELECT 1 AS x)"),
        ("-- a\nSELECT 1 AS x; -- b\n", "{} FROM (-- a\nSELECT 1 AS x); -- b\n"),
        ("\n  FROM t |> SELECT x -- (\n", "\n  {} FROM (FROM t |> SELECT x) -- (\n"),
        ("(SELECT ')' AS x)", "{} FROM ((SELECT ')' AS x))"),
    ],
)
def test_a_query_with_required_columns_keeps_its_lines(text: str, sent: str) -> None:
    found = TableBuild(DAYS, parse_query(text), storage=Storage(required=("x",)))
    replaced = 'SELECT * REPLACE (IFNULL(`x`, ERROR("x is REQUIRED, and the query gives NULL for it")) AS `x`)'
    assert edited(text, required_edits(found)) == sent.replace("{}", replaced)
