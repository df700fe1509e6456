"""A build replaces a table's rows, and leaves what people have set on it: descriptions, labels, who may see what."""

import json
import urllib.request
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Proxy, Refusal
from warehouse_refresh.warehouse import BuildContext, Built, TableBuild
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.building.storage import layout_sql
from warehouse_refresh.warehouse.bigquery.publishing import tables
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.errors import NotAllowed, Place, SqlError, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.storage import Partition, Storage

OUT = TableName("tmp", "out")
TAG = "projects/p/locations/us/taxonomies/1/policyTags/2"
FIRST = "SELECT 1 AS n, 'a' AS word, STRUCT(1 AS x) AS pair"
OTHER = "SELECT 2 AS n, STRUCT(2 AS x, 3 AS y) AS pair, 4 AS more"


class InTwoSteps(BigQueryWarehouse):
    """Builds each table beside the old one, and publishes it."""

    def build(self, build: TableBuild, context: BuildContext) -> Built:
        built = self.stage(build, (), context)
        self.publish([build], context)
        return built


class OfMany(InTwoSteps):
    """Builds each table as one of many."""

    def stage(self, build: TableBuild, staged: Collection[TableName], context: BuildContext) -> Built:
        others = [TableName("tmp", f"other{number}") for number in range(16)]
        return super().stage(build, staged, replace(context, tables=(build.table, *others)))


IN_ONE_STEP = pytest.mark.parametrize("warehouse", [BigQueryWarehouse], indirect=True)
"""For tests of the jobs that a build sends."""


@pytest.fixture(params=[BigQueryWarehouse, InTwoSteps, OfMany])
def warehouse(proxy: Proxy, bigquery_project: str, request: pytest.FixtureRequest) -> Iterator[BigQueryWarehouse]:
    with request.param(BigQuerySettings(bigquery_project, endpoint=proxy.url), QUICK) as opened:
        opened.create_datasets(["tmp"])
        opened.build(TableBuild(OUT, parse_query(FIRST)), BuildContext("first"))
        proxy.recorded.clear()
        yield opened


@pytest.fixture
def client(bigquery_endpoint: str, bigquery_project: str) -> Iterator[bigquery.Client]:
    """Somebody else, who sets things on tables."""
    options = ClientOptions(api_endpoint=bigquery_endpoint)
    with bigquery.Client(bigquery_project, AnonymousCredentials(), client_options=options) as opened:
        yield opened


def describe(client: bigquery.Client, tags: tuple[str, ...] = ()) -> None:
    """Set descriptions and labels, and policy tags on some columns."""
    table = client.get_table("tmp.out")
    resources = [{**field.to_api_repr(), "description": f"the {field.name}"} for field in table.schema]
    for resource in resources:
        if resource["name"] in tags:
            resource["policyTags"] = {"names": [TAG]}
        for inner in resource.get("fields", []):
            inner["description"] = f"the {inner['name']} of the {resource['name']}"
    table.schema = [bigquery.SchemaField.from_api_repr(resource) for resource in resources]
    table.description, table.labels = "what is out", {"team": "data"}
    client.update_table(table, ["schema", "description", "labels"])


def restrict(endpoint: str, project: str) -> None:
    """Set a row access policy."""
    path = f"projects/{project}/datasets/tmp/tables/out/rowAccessPolicies"
    reference = {"projectId": project, "datasetId": "tmp", "tableId": "out", "policyId": "few"}
    body = {"rowAccessPolicyReference": reference, "filterPredicate": "n > 1", "grantees": ["user:a@example.com"]}
    request = urllib.request.Request(
        f"{endpoint}/bigquery/v2/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=600).close()


def policies(endpoint: str, project: str) -> list[str]:
    url = f"{endpoint}/bigquery/v2/projects/{project}/datasets/tmp/tables/out/rowAccessPolicies"
    with urllib.request.urlopen(url, timeout=600) as answer:
        found = json.load(answer)["rowAccessPolicies"]
    return [policy["rowAccessPolicyReference"]["policyId"] for policy in found]


def set_on(client: bigquery.Client) -> dict[str, Any]:
    """What people have set on the table."""
    table = client.get_table("tmp.out")
    columns = {field.name: field.description for field in table.schema}
    inner = {f"{field.name}.{each.name}": each.description for field in table.schema for each in field.fields}
    return {"table": table.description, "labels": table.labels, **columns, **inner}


def jobs(proxy: Proxy) -> list[dict[str, Any]]:
    """The settings of the queries that were sent; neither dry runs, nor the question what is set on many tables."""
    sent = [request.body.get("configuration") or {"query": request.body} for request in proxy.recorded]
    found = [settings["query"] for settings in sent if "query" in settings and not settings.get("dryRun")]
    return [query for query in found if "query" in query and " AS said_by FROM " not in query["query"]]


def test_a_build_with_the_same_columns_keeps_everything(
    warehouse: BigQueryWarehouse, client: bigquery.Client, bigquery_endpoint: str, bigquery_project: str, proxy: Proxy
) -> None:
    describe(client, tags=("word",))
    restrict(bigquery_endpoint, bigquery_project)
    before = client.get_table("tmp.out")
    warehouse.build(TableBuild(OUT, parse_query(FIRST.replace("'a'", "'b'"))), BuildContext("second"))
    after = client.get_table("tmp.out")
    assert [field.to_api_repr() for field in after.schema] == [field.to_api_repr() for field in before.schema]
    assert (after.description, after.labels) == (before.description, before.labels)
    assert policies(bigquery_endpoint, bigquery_project) == ["few"]
    assert jobs(proxy)[0]["writeDisposition"] == "WRITE_TRUNCATE_DATA"
    assert [row[1] for row in warehouse.first_rows(OUT, 5)] == ["b"]


def test_with_other_columns_what_remains_keeps_its_description(
    warehouse: BigQueryWarehouse, client: bigquery.Client, proxy: Proxy
) -> None:
    describe(client)
    warehouse.build(TableBuild(OUT, parse_query(OTHER)), BuildContext("second"))
    assert jobs(proxy)[0]["writeDisposition"] == "WRITE_TRUNCATE"
    assert set_on(client) == {
        "table": "what is out",
        "labels": {"team": "data"},
        "n": "the n",
        "pair": "the pair",
        "more": None,
        "pair.x": "the x of the pair",
        "pair.y": None,
    }


def test_columns_with_policy_tags_are_not_replaced_by_others(
    warehouse: BigQueryWarehouse, client: bigquery.Client, proxy: Proxy
) -> None:
    describe(client, tags=("n", "word"))
    with pytest.raises(
        WarehouseError, match=r"tmp\.out has policy tags on the column n, policy tags on the column word"
    ):
        warehouse.build(TableBuild(OUT, parse_query(OTHER)), BuildContext("second"))
    assert jobs(proxy) == []
    assert [row[1] for row in warehouse.first_rows(OUT, 5)] == ["a"]


def test_row_access_policies_are_not_lost_with_other_columns(
    warehouse: BigQueryWarehouse, bigquery_endpoint: str, bigquery_project: str, proxy: Proxy
) -> None:
    restrict(bigquery_endpoint, bigquery_project)
    with pytest.raises(WarehouseError, match="the row access policy few") as caught:
        warehouse.build(TableBuild(OUT, parse_query(OTHER)), BuildContext("second"))
    assert "gone: word STRING, pair STRUCT<x INT64>; new: pair STRUCT<x INT64, y INT64>, more INT64" in str(
        caught.value
    )
    assert jobs(proxy) == []
    assert policies(bigquery_endpoint, bigquery_project) == ["few"]


def test_the_same_columns_in_another_order_keep_a_policy(
    warehouse: BigQueryWarehouse, bigquery_endpoint: str, bigquery_project: str, proxy: Proxy
) -> None:
    query = parse_query("SELECT 'b' AS word, 5 AS n, STRUCT(1 AS x) AS pair")
    warehouse.build(TableBuild(OUT, query), BuildContext("free"))
    assert [column.name for column in warehouse.columns(OUT)] == ["word", "n", "pair"]
    restrict(bigquery_endpoint, bigquery_project)
    warehouse.build(TableBuild(OUT, parse_query(FIRST)), BuildContext("restricted"))
    assert policies(bigquery_endpoint, bigquery_project) == ["few"]
    assert [column.name for column in warehouse.columns(OUT)] == ["word", "n", "pair"]
    written = [job for job in jobs(proxy) if job.get("destinationTable", {}).get("tableId") == "out"]
    assert written[-1]["writeDisposition"] == "WRITE_TRUNCATE_DATA"


def test_a_table_with_a_policy_keeps_its_modes_and_a_required_column_is_not_risked(
    warehouse: BigQueryWarehouse, bigquery_endpoint: str, bigquery_project: str
) -> None:
    strict = TableBuild(OUT, parse_query(FIRST), storage=Storage(required=("n",)))
    restrict(bigquery_endpoint, bigquery_project)
    warehouse.build(strict, BuildContext("restricted"))
    assert policies(bigquery_endpoint, bigquery_project) == ["few"]
    assert not any(column.required for column in warehouse.columns(OUT))
    warehouse.drop(OUT)
    warehouse.build(strict, BuildContext("anew"))
    assert [column.name for column in warehouse.columns(OUT) if column.required] == ["n"]
    assert policies(bigquery_endpoint, bigquery_project) == ["few"]  # the emulator keeps it for the new table
    with pytest.raises(WarehouseError, match=r"the row access policy few,.*gone: n INT64 NOT NULL; new: n INT64"):
        warehouse.build(strict, BuildContext("restricted again"))


def test_policies_that_may_not_be_seen_are_not_risked(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    denied = "Access Denied: Permission bigquery.rowAccessPolicies.list denied on table p:tmp.out"
    proxy.decide = lambda _method, path: Refusal(403, "accessDenied", denied) if "rowAccess" in path else None
    proxy.rewrite = lambda answer: {"permissions": []} if "permissions" in answer else answer
    with pytest.raises(NotAllowed, match=r"this account may not see whether it has any: .*roles/bigquery.dataOwner"):
        warehouse.build(TableBuild(OUT, parse_query(OTHER)), BuildContext("second"))
    assert jobs(proxy) == []
    warehouse.build(TableBuild(OUT, parse_query(FIRST)), BuildContext("third"))


def publish_by_script(warehouse: BigQueryWarehouse, run: str, proxy: Proxy, meanwhile: Callable[[], None]) -> None:
    """Publish the table and another one together, after something has happened since they were staged."""
    builds = [TableBuild(table, parse_query(FIRST)) for table in (OUT, TableName("tmp", "other"))]
    for build in builds:
        warehouse.stage(build, (), BuildContext(run))
    meanwhile()
    proxy.recorded.clear()
    warehouse.publish(builds, BuildContext(run))


def looks_and_assertions(proxy: Proxy) -> tuple[int, int]:
    """How often the table was looked at, and how many jobs assert that nothing is set."""
    looks = [request for request in proxy.recorded if request.method == "GET" and "/tables/out" in request.path]
    return len(looks), sum(job["query"].startswith("ASSERT") for job in jobs(proxy))


@pytest.mark.parametrize("warehouse", [BigQueryWarehouse, OfMany], indirect=True)
@pytest.mark.parametrize("what", ["policy", "descriptions", "tags"])
def test_what_is_set_while_many_tables_are_built_is_kept_though_they_are_not_looked_at(
    what: str,
    warehouse: BigQueryWarehouse,
    client: bigquery.Client,
    bigquery_endpoint: str,
    bigquery_project: str,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "_AT_ONCE", 1)
    publish_by_script(warehouse, "nothing is set", proxy, lambda: None)
    assert looks_and_assertions(proxy) == (1, 1), "it is looked at once it is published"

    def meanwhile() -> None:
        if what == "policy":
            restrict(bigquery_endpoint, bigquery_project)
        else:
            describe(client, tags=("word",) if what == "tags" else ())

    publish_by_script(warehouse, "something is set", proxy, meanwhile)
    assert looks_and_assertions(proxy)[1] == 1, "it fails, and each table is published alone"
    if what == "policy":
        assert policies(bigquery_endpoint, bigquery_project) == ["few"]
    else:
        assert (set_on(client)["table"], set_on(client)["word"]) == ("what is out", "the word")
        assert [
            field.policy_tags is not None for field in client.get_table("tmp.out").schema if field.name == "word"
        ] == [what == "tags"]


@pytest.mark.parametrize("warehouse", [OfMany], indirect=True)
def test_many_tables_with_descriptions_are_not_asked_for_their_policies_unless_they_get_some(
    warehouse: BigQueryWarehouse,
    client: bigquery.Client,
    bigquery_endpoint: str,
    bigquery_project: str,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def asked() -> tuple[int, int]:
        looks = [request for request in proxy.recorded if "/tables/out/rowAccess" in request.path]
        return len(looks), looks_and_assertions(proxy)[1]

    monkeypatch.setattr(tables, "_AT_ONCE", 1)
    describe(client)
    said = set_on(client)
    publish_by_script(warehouse, "no policies", proxy, lambda: None)
    assert (set_on(client), asked()) == (said, (0, 1))
    publish_by_script(warehouse, "a policy meanwhile", proxy, lambda: restrict(bigquery_endpoint, bigquery_project))
    assert asked() == (1, 1), "the assertion fails, and then it is asked"
    assert policies(bigquery_endpoint, bigquery_project) == ["few"]
    publish_by_script(warehouse, "a policy before", proxy, lambda: None)
    assert asked() == (1, 0), "it is known that it has some: no script fails of it"
    assert policies(bigquery_endpoint, bigquery_project) == ["few"]


@pytest.mark.parametrize("warehouse", [BigQueryWarehouse, OfMany], indirect=True)
def test_tables_whose_policies_may_not_be_seen_are_looked_at(
    warehouse: BigQueryWarehouse, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_AT_ONCE", 1)
    proxy.rewrite = lambda answer: {"permissions": answer["permissions"][1:]} if "permissions" in answer else answer
    publish_by_script(warehouse, "only one of two permissions", proxy, lambda: None)
    assert looks_and_assertions(proxy)[1] == 0
    proxy.decide = lambda _method, path: Refusal(403, "accessDenied") if "rowAccess" in path else None
    publish_by_script(warehouse, "none of them", proxy, lambda: None)
    written = [job for job in jobs(proxy) if job.get("destinationTable", {}).get("tableId") == "out"]
    assert [job["writeDisposition"] for job in written] == ["WRITE_TRUNCATE_DATA"]
    assert looks_and_assertions(proxy)[1] == 0


@IN_ONE_STEP
def test_a_table_stays_partitioned_and_clustered(
    warehouse: BigQueryWarehouse, client: bigquery.Client, bigquery_project: str, proxy: Proxy
) -> None:
    table = bigquery.Table(f"{bigquery_project}.tmp.parts", [bigquery.SchemaField(n, "INT64") for n in ("a", "b", "c")])
    table.clustering_fields = ["b"]
    client.create_table(table)
    parts = TableName("tmp", "parts")
    warehouse.build(TableBuild(parts, parse_query("SELECT 1 AS a, 2 AS b")), BuildContext("second"))
    assert jobs(proxy)[-1]["clustering"] == {"fields": ["b"]}


@IN_ONE_STEP
def test_what_was_planned_is_not_asked_again(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    query = parse_query(FIRST)
    warehouse.plan(query, {})
    proxy.recorded.clear()
    warehouse.build(TableBuild(OUT, query), BuildContext("second"))
    assert not [request for request in proxy.recorded if request.body.get("configuration", {}).get("dryRun")]
    assert not [request for request in proxy.recorded if "rowAccess" in request.path]


MONTHLY = Storage(
    Partition("day", "MONTH"),
    cluster_by=("n",),
    description="one a day",
    friendly_name="Days",
    labels=(("team", "data"),),
    partition_expiration_days=30,
)
DAYS = "SELECT DATE '2026-01-01' AS day, 1 AS n"


@IN_ONE_STEP
def test_a_table_is_stored_as_its_script_says(
    warehouse: BigQueryWarehouse, client: bigquery.Client, proxy: Proxy
) -> None:
    build = TableBuild(TableName("tmp", "days"), parse_query(DAYS), storage=MONTHLY)
    warehouse.build(build, BuildContext("first"))
    job = jobs(proxy)[-1]
    assert job["timePartitioning"] == {"type": "MONTH", "field": "day", "expirationMs": "2592000000"}
    assert job["clustering"] == {"fields": ["n"]}
    table = client.get_table("tmp.days")
    assert (table.description, table.friendly_name, table.labels) == ("one a day", "Days", {"team": "data"})
    numbers = Storage(Partition("n", integers=(0, 100, 10)))
    warehouse.build(TableBuild(TableName("tmp", "few"), parse_query(DAYS), storage=numbers), BuildContext("third"))
    assert jobs(proxy)[-1]["rangePartitioning"] == {
        "field": "n",
        "range": {"start": "0", "end": "100", "interval": "10"},
    }


def test_what_a_script_says_wins_over_what_people_have_set(
    warehouse: BigQueryWarehouse, client: bigquery.Client
) -> None:
    describe(client)
    storage = Storage(description="the script's words", cluster_by=("n",))
    warehouse.build(TableBuild(OUT, parse_query(FIRST), storage=storage), BuildContext("second"))
    table = client.get_table("tmp.out")
    assert (table.description, table.labels) == ("the script's words", {"team": "data"})
    assert table.clustering_fields == ["n"]


def test_a_protected_table_does_not_become_a_view(
    warehouse: BigQueryWarehouse, bigquery_endpoint: str, bigquery_project: str, proxy: Proxy
) -> None:
    restrict(bigquery_endpoint, bigquery_project)
    with pytest.raises(WarehouseError, match="which a view in its place would not have"):
        warehouse.build(TableBuild(OUT, parse_query(FIRST), is_view=True), BuildContext("second"))
    assert jobs(proxy) == []


def test_an_error_in_a_view_has_its_place_in_the_script(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    refusal = Refusal(400, "invalidQuery", "Unrecognized name: nothing at [3:3]")
    proxy.decide = lambda method, path: refusal if method == "POST" and "/jobs" in path else None
    view = TableBuild(TableName("tmp", "shown"), parse_query("SELECT\n  nothing AS y"), is_view=True)
    with pytest.raises(SqlError) as caught:
        warehouse.build(view, BuildContext("second"))
    assert caught.value.place == Place(2, 3)


def test_what_no_build_makes_is_not_taken_for_a_table_that_a_script_has_built(
    warehouse: BigQueryWarehouse, client: bigquery.Client, bigquery_project: str
) -> None:
    reference = {"projectId": bigquery_project, "datasetId": "tmp", "tableId": "outside"}
    client.create_table(bigquery.Table.from_api_repr({"tableReference": reference, "type": "EXTERNAL"}))
    assert warehouse.tables("tmp") == [OUT, TableName("tmp", "outside")]
    assert warehouse.built_tables("tmp") == [OUT]


LISTED = """CREATE TEMP FUNCTION more(x INT64) AS (x + 1);
CREATE OR REPLACE TABLE tmp.out (
  n INT64 NOT NULL,
  word STRING
) AS
SELECT more(1), 'b'
"""


def listed(text: str) -> TableBuild:
    found = parse_definition(text)
    query = replace(parse_query(found.query_text, preamble=found.preamble), listed=found.listed)
    return TableBuild(OUT, query, storage=found.storage)


@IN_ONE_STEP
def test_a_table_with_a_list_of_columns_keeps_what_is_written_about_it(
    warehouse: BigQueryWarehouse, client: bigquery.Client, proxy: Proxy
) -> None:
    describe(client)
    warehouse.build(listed(LISTED), BuildContext("second"))
    assert [tuple(row) for row in warehouse.first_rows(OUT, 5)] == [(2, "b")]
    found = set_on(client)
    assert (found["table"], found["labels"], found["n"], found["word"]) == (
        *("what is out", {"team": "data"}, "the n", "the word"),
    )
    [job] = jobs(proxy)
    first, *lines = job["query"].split("\n")
    assert first == LISTED.split("\n")[0], "the lines are the script's"
    assert lines[4].startswith("CREATE OR REPLACE TABLE `")
    assert lines[4].endswith("(n INT64 NOT NULL, word STRING) AS SELECT more(1), 'b'")


def test_a_list_of_columns_does_not_lift_a_protection(
    warehouse: BigQueryWarehouse, bigquery_endpoint: str, bigquery_project: str, proxy: Proxy
) -> None:
    restrict(bigquery_endpoint, bigquery_project)
    with pytest.raises(WarehouseError, match="the row access policy few, which BigQuery drops"):
        warehouse.build(listed(LISTED), BuildContext("second"))
    assert jobs(proxy) == []


@pytest.mark.parametrize(
    ("clauses", "written"),
    [
        ("PARTITION BY d", " PARTITION BY `d`"),
        ("PARTITION BY DATE_TRUNC(d, MONTH)", " PARTITION BY DATE_TRUNC(`d`, MONTH)"),
        ("PARTITION BY DATE(t)", " PARTITION BY TIMESTAMP_TRUNC(`t`, DAY)"),
        (
            "PARTITION BY RANGE_BUCKET(n, GENERATE_ARRAY(0, 9, 3))",
            " PARTITION BY RANGE_BUCKET(`n`, GENERATE_ARRAY(0, 9, 3))",
        ),
        (
            "PARTITION BY d CLUSTER BY n, t OPTIONS (partition_expiration_days = 3)",
            " PARTITION BY `d` CLUSTER BY `n`, `t` OPTIONS (partition_expiration_days = 3)",
        ),
        ("", ""),
    ],
)
def test_a_list_of_columns_goes_with_partitions_and_clusters(clauses: str, written: str) -> None:
    found = parse_definition(f"CREATE TABLE tmp.out (d DATE, t TIMESTAMP, n INT64) {clauses} AS SELECT 1, 2, 3")
    assert layout_sql(found.storage, found.listed) == written
