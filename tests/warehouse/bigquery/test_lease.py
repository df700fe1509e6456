"""One refresh at a time on BigQuery: several processes on one emulator, each with the real client."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from google.cloud.bigquery import QueryJobConfig

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Proxy, Refusal, by_seed
from tests.processes import Child, child
from tests.warehouse.bigquery.test_stopping import jobs
from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query

TERM = 3.0
OUT = TableName("tmp", "out")
REFRESH = """
import os, sys
from dataclasses import replace
from tests.emulator.fixtures import QUICK
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import parse_url
from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query

def say(*words): print(*words, flush=True)

url, who, term = sys.argv[1:]
with BigQueryWarehouse(parse_url(url), replace(QUICK, lease=float(term))) as warehouse:
    warehouse.create_datasets(["tmp"])
    with warehouse.refresh_lock(who, lambda holder: say("waits for", holder)):
        say(os.getpid())
        for line in iter(sys.stdin.readline, "\\n"):
            try:
                say(warehouse.build(TableBuild(TableName("tmp", "out"), parse_query(line)), BuildContext(who)).rows)
            except WarehouseError as error:
                say(error)
"""


def refresh(url: str, who: str, term: float = TERM) -> AbstractContextManager[Child]:
    """A process that refreshes: it prints its id once it is its turn, builds each query that it is sent, and ends."""
    return child(REFRESH, url, who, term)


@pytest.fixture
def warehouse(bigquery_endpoint: str, bigquery_project: str) -> Iterator[BigQueryWarehouse]:
    with BigQueryWarehouse(
        BigQuerySettings(bigquery_project, endpoint=bigquery_endpoint), replace(QUICK, lease=TERM)
    ) as it:
        it.create_datasets(["tmp"])
        yield it


def test_a_second_refresh_says_for_whom_it_waits_and_begins_when_the_first_has_ended(bigquery_url: str) -> None:
    with refresh(bigquery_url, "first", 60.0) as first:
        pid = first.hear()
        with refresh(bigquery_url, "second", 60.0) as second:
            assert second.hear().startswith("waits for first")
            first.tell("SELECT 1 AS n")
            assert first.hear() == "1"
            first.tell()
            assert second.hear() not in ("", pid)


def test_a_lease_that_is_kept_outlasts_its_term(bigquery_url: str, warehouse: BigQueryWarehouse) -> None:
    with warehouse.refresh_lock("first", pytest.fail), refresh(bigquery_url, "second", TERM) as second:
        assert second.hear().startswith("waits for first")
        listener = threading.Thread(target=second.hear, daemon=True)
        listener.start()
        listener.join(2 * TERM)
        assert listener.is_alive(), "it has begun"
        assert warehouse.build(TableBuild(OUT, parse_query("SELECT 1 AS n")), BuildContext("first")).rows == 1


def test_the_refresh_of_a_process_that_died_is_taken_over_and_its_jobs_are_ended(
    bigquery_url: str, bigquery_endpoint: str, bigquery_project: str, warehouse: BigQueryWarehouse
) -> None:
    with refresh(bigquery_url, "first") as first:
        first.hear()
        first.tell("SELECT 1 AS n /* emulator: hold */")
        while not jobs(bigquery_endpoint, bigquery_project):
            pass
        first.kill()
        waited: list[str] = []
        with warehouse.refresh_lock("second", waited.append):
            [job] = jobs(bigquery_endpoint, bigquery_project)
            assert job["status"]["errorResult"]["reason"] == "stopped"
        assert len(waited) == 1


def test_jobs_that_could_not_be_ended_are_ended_by_the_next_refresh(
    proxy: Proxy, bigquery_endpoint: str, bigquery_project: str, warehouse: BigQueryWarehouse
) -> None:
    with warehouse.refresh_lock("first", pytest.fail):
        pass
    _leave_behind(bigquery_endpoint, bigquery_project)
    settings, waits = BigQuerySettings(bigquery_project, endpoint=proxy.url), replace(QUICK, lease=0.3)
    with BigQueryWarehouse(settings, waits) as second, BigQueryWarehouse(settings, waits) as third:
        proxy.decide = lambda method, path: Refusal(400, "invalid") if _lists_jobs(method, path) else None
        with pytest.raises(WarehouseError, match="the tests asked"), second.refresh_lock("second", lambda _: None):
            pytest.fail("it has begun beside a job of another")
        proxy.decide = lambda _method, _path: None
        with third.refresh_lock("third", lambda _: None):
            [job] = jobs(bigquery_endpoint, bigquery_project)
            assert job["status"]["errorResult"]["reason"] == "stopped"


def _lists_jobs(method: str, path: str) -> bool:
    return method == "GET" and path.partition("?")[0].endswith("/jobs")


def test_a_refresh_that_slept_while_another_took_over_publishes_nothing(
    bigquery_url: str, warehouse: BigQueryWarehouse
) -> None:
    with refresh(bigquery_url, "sleeper") as sleeper:
        pid = int(sleeper.hear())
        os.kill(pid, signal.SIGSTOP)
        with warehouse.refresh_lock("second", lambda _: None):
            os.kill(pid, signal.SIGCONT)
            warehouse.build(TableBuild(OUT, parse_query("SELECT 2 AS n")), BuildContext("second"))
            sleeper.tell("SELECT 1 AS n")
            assert "another refresh has taken over (second), since" in sleeper.hear()
        assert warehouse.first_rows(OUT, 2) == [(2,)]


def test_a_refresh_that_slept_and_was_not_replaced_goes_on(bigquery_url: str) -> None:
    with refresh(bigquery_url, "sleeper", 0.3) as sleeper:
        pid = int(sleeper.hear())
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.9)  # three terms go by: there is nothing to look at
        os.kill(pid, signal.SIGCONT)
        sleeper.tell("SELECT 1 AS n")
        assert sleeper.hear() == "1"


def test_a_lease_that_is_lost_ends_the_jobs_under_way(
    bigquery_endpoint: str, bigquery_project: str, warehouse: BigQueryWarehouse
) -> None:
    held = parse_query("SELECT 1 AS n /* emulator: hold */")
    with ThreadPoolExecutor(1) as pool, warehouse.refresh_lock("first", pytest.fail):
        built = pool.submit(warehouse.build, TableBuild(OUT, held), BuildContext("first"))
        while not jobs(bigquery_endpoint, bigquery_project):
            pass
        _replace_holder(bigquery_endpoint, bigquery_project)
        with pytest.raises(WarehouseError):
            built.result()
        with pytest.raises(WarehouseError, match="taken over"):
            warehouse.build(TableBuild(OUT, parse_query("SELECT 2 AS n")), BuildContext("first"))


def _replace_holder(endpoint: str, project: str) -> None:
    """What another refresh does that has not heard of the first for a term."""
    with BigQueryWarehouse(BigQuerySettings(project, endpoint=endpoint), QUICK) as other:
        client = other._datasets.client
        table = client.get_table(f"{project}._warehouse.refresh")
        table.description = '{"holder": "another", "token": "x"}'
        client.update_table(table, ["description"])


def _leave_behind(endpoint: str, project: str) -> None:
    """What a refresh leaves that is killed: the lease, and a job that goes on."""
    _replace_holder(endpoint, project)
    with BigQueryWarehouse(BigQuerySettings(project, endpoint=endpoint), QUICK) as other:
        other._datasets.client.query("SELECT 1 AS n /* emulator: hold */", QueryJobConfig(labels={"lease": "x"}))


@pytest.mark.parametrize("seed", range(3))
def test_never_two_at_once_however_the_network_fails(proxy: Proxy, bigquery_project: str, seed: int) -> None:
    proxy.decide = by_seed(seed)
    inside, most, done = [0], [0], [0]

    def one(number: int) -> None:
        settings = BigQuerySettings(bigquery_project, endpoint=proxy.url)
        with BigQueryWarehouse(settings, replace(QUICK, lease=2.0)) as each:
            for _ in range(3):
                with each.refresh_lock(f"refresh {number}", lambda _: None):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    each.tables("tmp")
                    inside[0] -= 1
                    done[0] += 1

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(one, range(4)))
    assert (most[0], done[0]) == (1, 12)
