"""What the engine does on BigQuery: the real client over HTTP, the service an emulator."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Fault, Proxy, Recorded, Refusal, is_poll
from tests.waiting import wait_until
from tests.warehouse.bigquery.test_keys import slow_down
from tests.warehouse.bigquery.test_stopping import jobs
from warehouse_refresh.warehouse import Append, BuildContext, Built, TableBuild
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse, client
from warehouse_refresh.warehouse.bigquery.settings import DEFAULT_MAXIMUM_BYTES_BILLED, BigQuerySettings, Waits
from warehouse_refresh.warehouse.errors import (
    Cancelled,
    OutcomeUnknown,
    OverBudget,
    SqlError,
    TableNotFound,
    Transient,
    WarehouseError,
)
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import Column, parse_type

NUMBERS = TableName("raw", "numbers")
OUT = TableName("tmp", "out")
SCRIPT = parse_script("CREATE OR REPLACE TABLE raw.numbers (n INT64) AS SELECT 1 AS n UNION ALL SELECT 2")


@pytest.fixture
def warehouse(bigquery_endpoint: str, bigquery_project: str) -> Iterator[BigQueryWarehouse]:
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=bigquery_endpoint), QUICK) as opened:
        opened.create_datasets(["raw", "tmp"])
        opened.run_script(SCRIPT)
        yield opened


@pytest.fixture
def watched(warehouse: BigQueryWarehouse, proxy: Proxy, bigquery_project: str) -> Iterator[BigQueryWarehouse]:
    """Another process's warehouse with the same tables, whose requests go through the proxy."""
    assert warehouse.tables("raw")
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), QUICK) as opened:
        yield opened


def started_jobs(proxy: Proxy) -> list[str]:
    """The ids of the jobs that were asked for, in order; what a query would do is asked for without one."""
    jobs = [request.body for request in proxy.recorded if "jobReference" in request.body]
    jobs = [job for job in jobs if not job["configuration"].get("dryRun")]
    return [job["jobReference"]["jobId"] for job in jobs]


def test_a_dataset_in_another_location_is_refused(
    warehouse: BigQueryWarehouse, bigquery_endpoint: str, bigquery_project: str
) -> None:
    assert warehouse.tables("raw")
    with (
        BigQueryWarehouse(
            BigQuerySettings(bigquery_project, location="EU", endpoint=bigquery_endpoint), QUICK
        ) as elsewhere,
        pytest.raises(WarehouseError, match="the dataset raw is in US and WAREHOUSE_URL says location=EU"),
    ):
        elsewhere.create_datasets(["new", "raw"])


def test_a_build_replaces_the_table_and_says_what_it_took(warehouse: BigQueryWarehouse, bigquery_project: str) -> None:
    warehouse.build(TableBuild(OUT, parse_query("SELECT 'old' AS word")), BuildContext("one"))
    built = warehouse.build(TableBuild(OUT, parse_query("SELECT n * 2 AS twice FROM raw.numbers")), BuildContext("two"))
    assert sorted(warehouse.first_rows(OUT, 5)) == [(2,), (4,)]
    assert warehouse.columns(OUT) == (Column("twice", parse_type("INT64")),)
    assert (built.rows, built.bytes_processed, built.bytes_billed, built.cache_hit) == (2, 16, 10485760, False)
    assert built.slot_milliseconds is not None
    assert built.seconds >= 0
    assert f"project={bigquery_project}&j=bq:US:refresh-two-tmp-out-" in (built.job_link or "")


def test_what_staged_tables_have_cost_is_asked_for_all_at_once(
    watched: BigQueryWarehouse, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "JOBS_IN_A_PAGE", 2)
    names = [TableName("tmp", f"out{number}") for number in range(3)]
    builds = [TableBuild(name, parse_query("SELECT n FROM raw.numbers")) for name in names]
    staged = [watched.stage(build, (), BuildContext("run")) for build in builds]
    assert [(built.rows, built.bytes_billed) for built in staged] == [(2, None)] * 3
    assert min(built.seconds for built in staged) > 0
    known = watched.stage(builds[0], (), BuildContext("run", attempt=2))  # by a look at the first one's job
    assert known.bytes_billed == 10485760
    asked_before = looks_at_jobs(proxy)
    done = watched.costs([known, *staged])
    assert [(built.rows, built.bytes_processed, built.bytes_billed) for built in done] == [(2, 16, 10485760)] * 4
    assert [one.job_link for one in done] == [one.job_link for one in (known, *staged)]
    assert looks_at_jobs(proxy) - asked_before == 2, "three jobs, two pages"
    assert watched.costs(done) == done


def test_a_cost_that_bigquery_does_not_list_is_asked_by_itself_and_then_unknown(
    watched: BigQueryWarehouse, proxy: Proxy
) -> None:
    def staged(run: str) -> list[Built]:
        builds = [TableBuild(TableName("tmp", name), parse_query("SELECT 1 AS n")) for name in ("one", "other")]
        return [watched.stage(build, (), BuildContext(run)) for build in builds]

    proxy.rewrite = lambda answer: {**answer, "jobs": answer["jobs"][1:]} if "jobs" in answer else answer
    assert [built.bytes_billed for built in watched.costs(staged("late"))] == [0, 0]
    built = staged("refused")
    proxy.decide = lambda _method, path: Refusal(403, "accessDenied") if "/jobs" in path else None
    assert watched.costs(built) == built


def looks_at_jobs(proxy: Proxy) -> int:
    return sum(request.method == "GET" and "/jobs" in request.path for request in proxy.recorded)


def test_a_failed_build_leaves_the_old_table(warehouse: BigQueryWarehouse) -> None:
    warehouse.build(TableBuild(OUT, parse_query("SELECT 1 AS n")), BuildContext("one"))
    with pytest.raises(SqlError, match="nope"):
        warehouse.build(TableBuild(OUT, parse_query("SELECT nope FROM raw.numbers")), BuildContext("two"))
    with pytest.raises(TableNotFound, match="missing"):
        warehouse.build(TableBuild(OUT, parse_query("SELECT 1 FROM raw.missing")), BuildContext("three"))
    assert warehouse.first_rows(OUT, 5) == [(1,)]


def test_a_build_over_the_cap_is_refused(
    bigquery_endpoint: str, bigquery_project: str, warehouse: BigQueryWarehouse
) -> None:
    settings = BigQuerySettings(bigquery_project, endpoint=bigquery_endpoint, maximum_bytes_billed=1000)
    with BigQueryWarehouse(settings, QUICK) as poor, pytest.raises(OverBudget, match="would bill 10,485,760 bytes"):
        poor.build(TableBuild(OUT, parse_query("SELECT n FROM raw.numbers")), BuildContext("one"))
    assert warehouse.tables("tmp") == []


def test_the_same_run_and_attempt_is_the_same_job(watched: BigQueryWarehouse, proxy: Proxy) -> None:
    query, context = parse_query("SELECT GENERATE_UUID() AS id"), BuildContext("one")
    watched.build(TableBuild(OUT, query), context)
    before = watched.first_rows(OUT, 1)
    watched.build(TableBuild(OUT, query), context)
    assert watched.first_rows(OUT, 1) == before
    assert len(set(started_jobs(proxy))) == 1
    watched.build(TableBuild(OUT, query), BuildContext("two"))
    assert watched.first_rows(OUT, 1) != before


def test_a_later_attempt_finds_the_job_of_an_earlier_one(watched: BigQueryWarehouse) -> None:
    query = parse_query("SELECT GENERATE_UUID() AS id")
    watched.build(TableBuild(OUT, query), BuildContext("one"))
    before = watched.first_rows(OUT, 1)
    watched.build(TableBuild(OUT, query), BuildContext("one", attempt=3))
    assert watched.first_rows(OUT, 1) == before


def test_a_later_attempt_with_mended_sql_is_a_new_job(watched: BigQueryWarehouse, proxy: Proxy) -> None:
    with pytest.raises(SqlError):
        watched.build(TableBuild(OUT, parse_query("SELECT nope FROM raw.numbers")), BuildContext("one"))
    built = watched.build(TableBuild(OUT, parse_query("SELECT n FROM raw.numbers")), BuildContext("one", attempt=2))
    assert built.rows == 2
    assert [job_id[-2:] for job_id in started_jobs(proxy)] == ["-1", "-2"]


def test_a_job_that_fails_for_a_passing_reason_is_followed_by_another(watched: BigQueryWarehouse, proxy: Proxy) -> None:
    query = parse_query("SELECT 1 AS n /* emulator: fail jobBackendError 2 */")
    assert watched.build(TableBuild(OUT, query), BuildContext("one")).rows == 1
    assert [job_id[-2:] for job_id in started_jobs(proxy)] == ["-1", "-2", "-3"]


def test_it_gives_up_after_three_jobs_and_the_next_attempt_takes_the_next_id(
    watched: BigQueryWarehouse, proxy: Proxy
) -> None:
    query = parse_query("SELECT 1 AS n /* emulator: fail rateLimitExceeded 4 */")
    with pytest.raises(Transient) as caught:
        watched.build(TableBuild(OUT, query), BuildContext("one"))
    assert caught.value.limited
    assert watched.build(TableBuild(OUT, query), BuildContext("one", attempt=2)).rows == 1
    assert len(set(started_jobs(proxy))) == 5


def test_wrong_sql_is_sent_once(watched: BigQueryWarehouse, proxy: Proxy) -> None:
    with pytest.raises(SqlError):
        watched.build(TableBuild(OUT, parse_query("SELECT nope FROM raw.numbers")), BuildContext("one"))
    assert len(started_jobs(proxy)) == 1


def test_an_outage_is_bounded_and_says_whether_the_job_may_run(
    warehouse: BigQueryWarehouse, proxy: Proxy, bigquery_project: str
) -> None:
    waits = Waits(first=0.01, longest=0.05, total=0.3, request=5, poll=0.01, poll_longest=0.01, cancel=0.3)
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), waits) as unlucky:
        proxy.decide = lambda _method, path: Fault.CUT_BEFORE if "/jobs" in path else None
        with pytest.raises(OutcomeUnknown, match="broke while the job refresh-one-tmp-out-"):
            unlucky.build(TableBuild(OUT, parse_query("SELECT 1 AS n")), BuildContext("one"))
        proxy.decide = lambda method, _path: Fault.LIMITED if method == "POST" else None
        with pytest.raises(Transient) as caught:
            unlucky.build(TableBuild(OUT, parse_query("SELECT 1 AS n")), BuildContext("one"))
        assert caught.value.limited
        assert not isinstance(caught.value, OutcomeUnknown)
    assert warehouse.tables("tmp") == []


def test_an_answer_that_was_lost_for_good_is_found_by_the_next_attempt(
    warehouse: BigQueryWarehouse, proxy: Proxy, bigquery_project: str
) -> None:
    query, waits = parse_query("SELECT GENERATE_UUID() AS id"), Waits(0.01, 0.05, 0.3, 5, 0.01, 0.01, 0.3)
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), waits) as unlucky:
        proxy.decide = lambda _method, path: Fault.CUT_AFTER if "/jobs" in path else None
        with pytest.raises(OutcomeUnknown):
            unlucky.build(TableBuild(OUT, query), BuildContext("one"))
    assert len(set(started_jobs(proxy))) == 1
    (id_before,) = warehouse.first_rows(OUT, 1)
    warehouse.build(TableBuild(OUT, query), BuildContext("one", attempt=2))
    assert warehouse.first_rows(OUT, 1) == [id_before]


def test_an_answer_that_never_comes_is_not_taken_for_a_failure(
    warehouse: BigQueryWarehouse, proxy: Proxy, bigquery_project: str
) -> None:
    waits = Waits(0.01, 0.05, 0.3, 5, 0.01, 0.01, 0.3)
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), waits) as unlucky:
        proxy.decide = lambda method, path: Fault.AWAY if is_poll(method, path) else None
        with pytest.raises(OutcomeUnknown, match="was under way"):
            unlucky.append(NUMBERS, [Append([{"n": 3}])])
        proxy.decide = lambda method, path: Fault.CUT_AFTER if method == "POST" or is_poll(method, path) else None
        with pytest.raises(OutcomeUnknown):
            unlucky.append(NUMBERS, [Append([{"n": 4}])])
    assert sorted(warehouse.first_rows(NUMBERS, 9)) == [(1,), (2,), (3,), (4,)]


def test_all_pages_of_an_answer_are_fetched(watched: BigQueryWarehouse, proxy: Proxy) -> None:
    many = parse_query("SELECT n FROM UNNEST(GENERATE_ARRAY(1, 25000)) AS n")
    assert sorted(watched.fetch(many, None).rows) == [(n,) for n in range(1, 25_001)]
    assert sum("pageToken=" in request.path for request in proxy.recorded) == 2
    assert len(watched.fetch(many, 5).rows) == 5


def queries(proxy: Proxy) -> list[Recorded]:
    return [request for request in proxy.recorded if request.path.split("?")[0].endswith("/queries")]


@pytest.mark.parametrize("fault", [None, Fault.CUT_AFTER, Fault.BROKEN_AFTER])
def test_a_query_that_only_reads_is_one_request_and_another_one_if_its_answer_is_lost(
    fault: Fault | None, watched: BigQueryWarehouse, proxy: Proxy
) -> None:
    proxy.decide = lambda _method, _path: fault if len(proxy.recorded) == 0 else None
    assert watched.fetch(parse_query("SELECT SUM(n) AS n FROM raw.numbers"), None).rows == [(3,)]
    assert len(proxy.recorded) == len(queries(proxy)) == (2 if fault else 1)
    assert queries(proxy)[0].body["maximumBytesBilled"] == str(DEFAULT_MAXIMUM_BYTES_BILLED)


@pytest.mark.usefixtures("warehouse")
def test_a_long_query_is_waited_for_and_one_with_low_priority_is_a_job(
    proxy: Proxy, bigquery_endpoint: str, bigquery_project: str
) -> None:
    slow_down(bigquery_endpoint, bigquery_project, 0.3)
    query = parse_query("SELECT SUM(n) AS n FROM raw.numbers")
    for priority, asked in (("INTERACTIVE", 1), ("BATCH", 0)):
        settings = BigQuerySettings(bigquery_project, endpoint=proxy.url, priority=priority)
        proxy.recorded.clear()
        with BigQueryWarehouse(settings, replace(QUICK, long_poll=0.1)) as patient:
            assert patient.fetch(query, None).rows == [(3,)]
        assert (len(queries(proxy)), len(started_jobs(proxy))) == (asked, 1 - asked)
        assert any("/queries/" in request.path for request in proxy.recorded)


def test_cancel_reaches_a_query_that_has_not_answered(
    watched: BigQueryWarehouse, proxy: Proxy, bigquery_endpoint: str, bigquery_project: str
) -> None:
    def states() -> list[str]:
        return [job["status"]["state"] for job in jobs(bigquery_endpoint, bigquery_project)]

    with ThreadPoolExecutor() as pool:
        held = pool.submit(watched.fetch, parse_query("SELECT 1 AS n /* emulator: hold */"), None)
        wait_until(lambda: "RUNNING" in states())
        watched.cancel()
        with pytest.raises(Cancelled):
            held.result(timeout=60)
    assert set(states()) == {"DONE"}
    assert sum("/cancel" in request.path for request in proxy.recorded) == 1


def test_a_script_stops_at_its_first_wrong_statement(warehouse: BigQueryWarehouse) -> None:
    script = parse_script(
        "CREATE TABLE raw.a (n INT64);\nINSERT INTO raw.nowhere VALUES (1);\nCREATE TABLE raw.b (n INT64)"
    )
    with pytest.raises(WarehouseError, match=r"raw\.nowhere"):
        warehouse.run_script(script)
    assert warehouse.tables("raw") == [TableName("raw", "a"), NUMBERS]


def test_a_plan_has_columns_and_bytes_and_runs_nothing(watched: BigQueryWarehouse, proxy: Proxy) -> None:
    plan = watched.plan(parse_query("SELECT n, CAST(n AS STRING) AS word FROM raw.numbers"), {})
    assert plan.columns == (Column("n", parse_type("INT64")), Column("word", parse_type("STRING")))
    assert plan.bytes_processed == 16
    assert not plan.estimate
    assert proxy.recorded[-1].body["configuration"]["dryRun"] is True


def test_cancel_stops_the_job_and_the_thread_that_waits_for_it(watched: BigQueryWarehouse, proxy: Proxy) -> None:
    with ThreadPoolExecutor() as pool:
        held = pool.submit(
            watched.build, TableBuild(OUT, parse_query("SELECT 1 AS n /* emulator: hold */")), BuildContext("one")
        )
        wait_until(lambda: any("/refresh-one" in request.path for request in proxy.recorded))
        watched.cancel()
        with pytest.raises(Cancelled):
            held.result(timeout=60)
    cancelled = [request.path for request in proxy.recorded if "/cancel" in request.path]
    assert cancelled
    with pytest.raises(Cancelled):
        watched.build(TableBuild(OUT, parse_query("SELECT 1 AS n")), BuildContext("two"))
    with pytest.raises(Cancelled):
        watched.tables("raw")


def test_cancel_reaches_a_job_whose_answer_is_still_on_its_way(watched: BigQueryWarehouse, proxy: Proxy) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def decide(method: str, path: str) -> Fault | None:
        if method == "POST" and path.split("?")[0].endswith("/jobs"):
            asked.set()
            assert go_on.wait(60)
        return None

    proxy.decide = decide
    with ThreadPoolExecutor() as pool:
        held = pool.submit(
            watched.build, TableBuild(OUT, parse_query("SELECT 1 AS n /* emulator: hold */")), BuildContext("one")
        )
        assert asked.wait(60)
        watched.cancel()  # the service does not know the job yet
        go_on.set()
        with pytest.raises(Cancelled):
            held.result(timeout=60)
    sent = [request.path.split("?")[0].rsplit("/", 1)[-1] for request in proxy.recorded if request.method == "POST"]
    assert sent[-2:] == ["jobs", "cancel"]


def test_closing_cancels_what_nobody_waits_for(watched: BigQueryWarehouse, proxy: Proxy) -> None:
    with ThreadPoolExecutor() as pool:
        held = pool.submit(
            watched.build, TableBuild(OUT, parse_query("SELECT 1 AS n /* emulator: hold */")), BuildContext("one")
        )
        wait_until(lambda: any("/refresh-one" in request.path for request in proxy.recorded))
        watched.close()
        with pytest.raises(Cancelled):
            held.result(timeout=60)
