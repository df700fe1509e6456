"""Tables that are staged on BigQuery: a publication that is cut off is completed, what cannot be tried is refused."""

import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Fault, Proxy, Refusal
from tests.warehouse.bigquery.killed import killed_before
from tests.warehouse.bigquery.test_keys import slow_down
from warehouse_refresh.warehouse import Append, BuildContext, Outcome, TableBuild
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.names import STAGING_DATASET as STAGED
from warehouse_refresh.warehouse.bigquery.publishing import before, stager, tables
from warehouse_refresh.warehouse.bigquery.publishing.records import beside, over_published
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.builds.posted import Posted
from warehouse_refresh.warehouse.errors import Cancelled, SqlError, WarehouseError
from warehouse_refresh.warehouse.functions import parse_function
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.storage import Storage

ITEMS, A, B, C, VIEW = (TableName("raw", "items"), *(TableName("tmp", name) for name in ("a", "b", "c", "view")))
RUN = BuildContext("the run")
BUILDS = [
    TableBuild(A, parse_query("SELECT 11 AS x")),
    TableBuild(B, parse_query("SELECT x + 1 AS x FROM tmp.a")),
    TableBuild(VIEW, parse_query("SELECT a.x, b.x AS y FROM tmp.a CROSS JOIN `tmp`.b"), is_view=True),
    TableBuild(C, parse_query("SELECT y FROM tmp.view")),
]
OLD = {A: [(1,)], B: [(2,)], VIEW: [(1, 2)], C: [(2,)]}
NEW = {A: [(11,)], B: [(12,)], VIEW: [(11, 12)], C: [(12,)]}


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def warehouse(settings: BigQuerySettings) -> Iterator[BigQueryWarehouse]:
    """A warehouse whose tables have the rows in OLD."""
    with BigQueryWarehouse(settings, QUICK) as opened:
        opened.create_datasets(["raw", "tmp"])
        opened.run_script(parse_script("CREATE TABLE raw.items (x INT64) AS SELECT 1 AS x"))
        first = [TableBuild(A, parse_query("SELECT 1 AS x")), *BUILDS[1:]]
        for build in first:
            opened.build(build, BuildContext("an earlier run"))
        yield opened


def stage(warehouse: BigQueryWarehouse, *builds: TableBuild) -> None:
    for number, build in enumerate(builds):
        warehouse.stage(build, {before.table for before in builds[:number]}, RUN)


def rows(warehouse: BigQueryWarehouse) -> dict[TableName, list[tuple[Any, ...]]]:
    """The rows of all tables, views by their queries."""
    return {
        build.table: list(warehouse.fetch(parse_query(f"SELECT * FROM `{build.table}`"), 9).rows) for build in BUILDS
    }


def left_in_staging(warehouse: BigQueryWarehouse) -> list[str]:
    return [table.name for table in warehouse.tables(STAGED) if not table.name.startswith("publication_")]


def die(*_: Any) -> None:
    raise Killed


def jobs(proxy: Proxy) -> list[dict[str, Any]]:
    """The queries that were sent, dry runs left out."""
    sent = [request.body.get("configuration") or {"query": request.body} for request in proxy.recorded]
    found = [settings["query"] for settings in sent if "query" in settings and not settings.get("dryRun")]
    return [query for query in found if "query" in query]


def test_a_record_that_an_earlier_version_has_written_stays(warehouse: BigQueryWarehouse) -> None:
    earlier = "'tmp' AS dataset, 'old' AS name, 'f' AS fingerprint, 'i' AS inputs, 'v' AS version, 'c' AS changed"
    sql = f"CREATE OR REPLACE TABLE _warehouse.built AS SELECT {earlier}, true AS is_failed"
    warehouse.run_script(parse_script(sql))
    assert dict(warehouse.durations()) == {}
    build = TableBuild(A, parse_query("SELECT 1 AS x"), took=(1.0, 2.0))
    stage(warehouse, build)
    warehouse.publish([build], RUN)
    found = warehouse.durations()
    assert (found[TableName("tmp", "old")], found[A]) == ((), (1.0, 2.0))
    assert warehouse.fetch(parse_query("SELECT name FROM _warehouse.built WHERE is_failed"), 9).rows == [("old",)]


def test_a_publication_costs_nothing_and_sends_one_job_for_each_table(
    warehouse: BigQueryWarehouse, proxy: Proxy
) -> None:
    stage(warehouse, *BUILDS)
    proxy.recorded.clear()
    warehouse.publish(BUILDS, RUN)
    words = sorted(" ".join(job["query"].split()[:4]) for job in jobs(proxy))
    assert [text for text in words if text.startswith("CREATE OR REPLACE TABLE")] == ["CREATE OR REPLACE TABLE"] * 3
    assert len(words) == 7  # the record, three clones, a view, the record of what has built them, and what drops them
    assert rows(warehouse) == NEW
    assert left_in_staging(warehouse) == []


def test_of_many_tables_a_script_publishes_several_and_one_drops_them(
    warehouse: BigQueryWarehouse, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (tables, stager):
        monkeypatch.setattr(module, "_AT_ONCE", 1)
    stage(warehouse, *BUILDS)
    proxy.recorded.clear()
    published = warehouse.publish(BUILDS, RUN)
    begun = [job["query"].split(" `")[0] for job in jobs(proxy) if "_warehouse_staged" in job["query"]]
    assert begun == ["ASSERT NOT EXISTS (SELECT 1 FROM", "DROP TABLE IF EXISTS"]
    assert rows(warehouse) == NEW
    assert left_in_staging(warehouse) == []
    assert published.window > 0, "the script replaces one after the other"
    assert not any(request.method == "DELETE" for request in proxy.recorded)


def test_a_table_that_cannot_be_published_takes_no_other_of_its_script_with_it(
    warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_AT_ONCE", 1)
    builds = [TableBuild(table, parse_query("SELECT 31 AS x")) for table in (A, B, C)]
    stage(warehouse, *builds)
    warehouse.drop(beside(builds[1], RUN).name)
    with pytest.raises(WarehouseError, match=r"tmp_b|tmp\.b"):
        warehouse.publish(builds, RUN)
    assert [warehouse.first_rows(table, 9) for table in (A, B, C)] == [[(31,)], OLD[B], [(31,)]]


@pytest.mark.parametrize("refused", [False, True], ids=["taken", "refused"])
def test_what_is_said_of_a_table_is_set_without_a_look_at_it_first(
    refused: bool, warehouse: BigQueryWarehouse, proxy: Proxy
) -> None:
    build = TableBuild(
        A, BUILDS[0].query, storage=Storage(description="of a", column_descriptions=(("x", "a number"),))
    )
    stage(warehouse, build)
    sent: list[str] = []

    def decide(method: str, path: str) -> Refusal | None:
        if "/datasets/tmp/tables/a?" not in path:
            return None
        sent.append(method)
        return (
            Refusal(400, "invalid", "not this") if refused and sent.count("PATCH") == 1 and method == "PATCH" else None
        )

    proxy.decide = decide
    warehouse.publish([build], RUN)
    assert sent == ["GET", "PATCH", *(["GET", "PATCH"] if refused else [])]  # the first one looks at the old table
    [column] = warehouse.columns(A)
    assert (column.description, rows(warehouse)[A]) == ("a number", [(11,)])
    assert warehouse.records()[A].fingerprint == build.fingerprint  # it is known since when it is as it is


STEPS = 28
"""More than the requests that one publication makes."""


@pytest.mark.parametrize("process", ["another one", "the same"])
@pytest.mark.parametrize("jobs_at_once", [16, 1], ids=["a job each", "scripts"])
@pytest.mark.parametrize(
    "step", [step if step % 28 == 10 else pytest.param(step, marks=pytest.mark.slow) for step in range(STEPS)]
)
def test_a_publication_that_is_cut_off_is_completed_or_never_begun(
    step: int,
    jobs_at_once: int,
    process: str,
    warehouse: BigQueryWarehouse,
    settings: BigQuerySettings,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (tables, stager):
        monkeypatch.setattr(module, "_AT_ONCE", jobs_at_once)
    """It is published by the process that has staged the tables, which knows what they were like, or by another one."""
    stage(warehouse, *BUILDS)
    is_done = False
    with killed_before(step, settings, proxy) as (killed, sent):
        if process == "the same":
            killed._stager._old, killed._stager._made = warehouse._stager._old, warehouse._stager._made
        killed.publish(BUILDS, RUN)
        is_done = True  # only the record of what has built them may be lacking: that is no error
    assert is_done or step < STEPS - 1
    assert len(sent) <= step or step < STEPS - 1
    said: list[str] = []
    with BigQueryWarehouse(settings, QUICK) as other:
        other.recover("", said.append)
        found = rows(other)
        assert found in ((NEW,) if is_done else (OLD, NEW))
        assert left_in_staging(other) == []
        other.recover("", said.append)
        assert len(said) <= 1
        assert rows(other) == found


def loaded(x: int) -> TableBuild:
    """A build of a table with one row, to which others are posted."""
    query = parse_query(f"SELECT {x} AS x, CAST(NULL AS TIMESTAMP) AS posted_at")
    return TableBuild(A, query, posted=Posted("posted_at", ("x",)))


def post(warehouse: BigQueryWarehouse, x: int, key: str | None = None) -> None:
    [outcome] = warehouse.append(A, [Append([{"x": x, "posted_at": datetime.now(UTC)}], key)])
    assert outcome is Outcome.STORED


@pytest.fixture
def staged(warehouse: BigQueryWarehouse) -> BigQueryWarehouse:
    """The table has the row 1, and the row 2 is staged."""
    first = BuildContext("first")
    warehouse.stage(loaded(1), (), first)
    warehouse.publish([loaded(1)], first)
    stage(warehouse, loaded(2))
    return warehouse


def test_a_completed_publication_keeps_posted_rows(
    staged: BigQueryWarehouse, settings: BigQuerySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(staged._publisher, "_publish_all", die)
        with pytest.raises(Killed):
            staged.publish([loaded(2)], RUN)
    post(staged, 3)
    with BigQueryWarehouse(settings, QUICK) as other:
        other.recover("", lambda _: None)
        assert sorted(x for x, _ in other.first_rows(A, 9)) == [2, 3]


def test_rows_that_are_posted_while_a_publication_is_under_way_stay(
    staged: BigQueryWarehouse, settings: BigQuerySettings, bigquery_endpoint: str, bigquery_project: str
) -> None:
    slow_down(bigquery_endpoint, bigquery_project, 0.1)  # so that rows come between the statements
    number = 9
    with BigQueryWarehouse(settings, QUICK) as other, ThreadPoolExecutor() as pool:
        publishing = pool.submit(staged.publish, [loaded(2)], RUN)
        while not publishing.done():
            number += 1
            post(other, number, str(number) if number % 2 else None)
        publishing.result()
        slow_down(bigquery_endpoint, bigquery_project, 0.0)
        assert sorted(x for x, _ in other.first_rows(A, 999)) == [2, *range(10, number + 1)]


def test_a_completed_view_reads_published_tables(
    warehouse: BigQueryWarehouse, settings: BigQuerySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(warehouse, *BUILDS)
    monkeypatch.setattr(warehouse._publisher, "_publish_all", die)
    with pytest.raises(Killed):
        warehouse.publish(BUILDS, RUN)
    assert rows(warehouse) == OLD
    said: list[str] = []
    with BigQueryWarehouse(settings, QUICK) as other:
        other.recover("", said.append)
        assert said == [
            "a refresh died while it published tmp.a, tmp.b, tmp.view, tmp.c: all of them are published now"
        ]
        assert rows(other) == NEW
        assert STAGED not in str(other.view_reads())
        assert other.view_reads()[VIEW] == {A, B}


def test_a_view_over_a_staged_table_that_is_gone_is_completed_too() -> None:
    """An earlier publication of the same run may have dropped it."""
    place = beside(TableBuild(TableName("my_data", "a-b"), parse_query("SELECT 1 AS x")), RUN)
    text = f"SELECT x FROM `p-1`.`{STAGED}`.`{place.name.name}` AS a, `p-1`.`{STAGED}`.`other`"
    assert over_published(text) == f"SELECT x FROM `p-1`.`my_data`.`a-b` AS a, `p-1`.`{STAGED}`.`other`"


@pytest.mark.parametrize("fault", [Fault.CUT_AFTER, Fault.BROKEN_AFTER, Fault.REPEATED])
def test_a_lost_answer_is_no_second_job(
    fault: Fault, warehouse: BigQueryWarehouse, proxy: Proxy, bigquery_endpoint: str, bigquery_project: str
) -> None:
    once: set[str] = set()

    def decide(method: str, path: str) -> Fault | None:
        key = f"{method} {path}"
        if (
            method == "POST"
            and path.endswith(("/jobs?prettyPrint=false", "/queries?prettyPrint=false"))
            and key not in once
        ):
            once.add(key)
            return fault
        return None

    proxy.decide = decide
    stage(warehouse, *BUILDS)
    warehouse.publish(BUILDS, RUN)
    proxy.decide = lambda _method, _path: None
    assert rows(warehouse) == NEW
    with urllib.request.urlopen(f"{bigquery_endpoint}/emulator/jobs?project={bigquery_project}") as answer:
        carried_out = [job["configuration"]["query"]["query"] for job in json.load(answer)]
    assert sum(" CLONE " in text for text in carried_out) == 3


def test_a_clone_that_fails_for_a_moment_is_a_job_with_an_id_of_ours(
    warehouse: BigQueryWarehouse, proxy: Proxy
) -> None:
    stage(warehouse, BUILDS[0])
    proxy.decide = lambda _method, path: Fault.AWAY if "/queries?" in path else None
    warehouse._datasets.jobs.retry = warehouse._datasets.jobs.retry.with_timeout(0.05)
    proxy.recorded.clear()
    warehouse.publish(BUILDS[:1], RUN)
    proxy.decide = lambda _method, _path: None
    assert rows(warehouse)[A] == NEW[A]
    assert any("-tmp-a-" in str(request.body.get("jobReference")) for request in proxy.recorded)


def test_what_a_script_has_published_is_as_it_is_since_then(
    warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_AT_ONCE", 1)
    builds = [BUILDS[0], TableBuild(B, parse_query("SELECT 5 AS x"))]
    warehouse.drop(A)
    stage(warehouse, *builds)
    warehouse.publish(builds, RUN)
    found = warehouse.records()
    assert [found[build.table].fingerprint for build in builds] == [build.fingerprint for build in builds]
    warehouse.run_script(parse_script("CREATE OR REPLACE TABLE tmp.a AS SELECT 7 AS x"))
    found = warehouse.records()
    assert [found[build.table].fingerprint for build in builds] == ["", builds[1].fingerprint]


def test_a_cancelled_run_publishes_nothing_more(warehouse: BigQueryWarehouse, settings: BigQuerySettings) -> None:
    stage(warehouse, *BUILDS)
    warehouse.cancel()
    with pytest.raises(Cancelled):
        warehouse.publish(BUILDS, RUN)
    with BigQueryWarehouse(settings, QUICK) as other:
        other.recover("", pytest.fail)
        assert rows(other) == OLD
        assert left_in_staging(other) == []


# Functions and wildcards

SCALE = parse_function("CREATE FUNCTION tmp.scaled(n INT64) AS (n * (SELECT MAX(x) FROM tmp.a));", "tmp")


def test_a_function_reads_staged_tables(warehouse: BigQueryWarehouse) -> None:
    warehouse.create_functions([SCALE])
    query = parse_query("SELECT tmp.scaled(2) AS y").calling({SCALE.name: SCALE})
    build = TableBuild(C, query)
    stage(warehouse, BUILDS[0], build)
    warehouse.publish([build], RUN)
    assert list(warehouse.first_rows(C, 9)) == [(22,)]


def test_a_view_over_such_a_function_is_refused(warehouse: BigQueryWarehouse) -> None:
    query = parse_query("SELECT tmp.scaled(2) AS y").calling({SCALE.name: SCALE})
    with pytest.raises(SqlError, match=r"tmp\.view calls a function that reads a table of this refresh"):
        stage(warehouse, BUILDS[0], TableBuild(VIEW, query, is_view=True))
    assert rows(warehouse) == OLD


def test_a_wildcard_over_staged_tables_is_refused(warehouse: BigQueryWarehouse) -> None:
    query = parse_query("SELECT x FROM `tmp.a*`").matched({A})
    with pytest.raises(SqlError, match=r"tmp\.a\* stands for tmp\.a, which this refresh builds"):
        stage(warehouse, BUILDS[0], TableBuild(C, query))


# The dataset


def test_staged_tables_expire_and_are_not_for_every_reader_of_the_project(
    warehouse: BigQueryWarehouse, proxy: Proxy
) -> None:
    stage(warehouse, BUILDS[0])
    [created] = [it.body for it in proxy.recorded if it.body.get("datasetReference", {}).get("datasetId") == STAGED]
    assert created["defaultTableExpirationMs"] == str(7 * 24 * 3600 * 1000)
    [change] = [it.body for it in proxy.recorded if it.method == "PATCH" and f"/{STAGED}?" in it.path]
    assert "projectReaders" not in json.dumps(change["access"])


def test_a_project_may_not_use_the_name_of_the_staging_dataset(warehouse: BigQueryWarehouse) -> None:
    with pytest.raises(WarehouseError, match="is this tool's own"):
        warehouse.create_datasets([STAGED])


def test_a_table_that_holds_the_result_is_cloned_if_it_is_laid_out_alike(
    warehouse: BigQueryWarehouse, proxy: Proxy
) -> None:
    other = TableName("tmp", "alice")
    warehouse.build(TableBuild(other, parse_query("SELECT 7 AS x")), RUN)
    promoted = TableBuild(A, parse_query("SELECT x FROM tmp.alice"), copy_of=other)
    stage(warehouse, promoted)
    assert "CLONE" in jobs(proxy)[-1]["query"]
    warehouse.publish([promoted], RUN)
    assert warehouse.first_rows(A, 9) == [(7,)]
    warehouse.build(TableBuild(other, parse_query("SELECT 8 AS x, 'new' AS y")), BuildContext("a later run"))
    later = BuildContext("one more run")
    warehouse.stage(TableBuild(A, parse_query("SELECT x FROM tmp.alice"), copy_of=other), (), later)
    assert "CLONE" not in jobs(proxy)[-1]["query"]


@pytest.mark.parametrize("is_refused", [False, True], ids=["told", "refused"])
def test_tables_of_many_are_not_looked_at_unless_the_question_is_refused(
    is_refused: bool, warehouse: BigQueryWarehouse, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(before, "_MANY", 1)
    new = TableName("tmp", "new")
    context = replace(RUN, tables=(A, B, new))
    if is_refused:
        proxy.decide = lambda _method, path: Refusal(403, "accessDenied") if "/queries?" in path else None
    proxy.recorded.clear()
    for table in context.tables:
        warehouse.stage(TableBuild(table, parse_query("SELECT 31 AS x")), (), context)
    sent = [f"{request.method} {request.path}" for request in proxy.recorded]
    asked = [text for text in sent if "POST" in text and "/queries" in text]
    looks = [text for text in sent if "GET" in text and "/datasets/tmp/tables/" in text]
    assert (len(asked), len(looks)) == (1, 3 if is_refused else 0)
