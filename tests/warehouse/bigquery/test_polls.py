"""What becomes of a job while somebody looks at it: no single look decides, and no job outlives its failure."""

import itertools
import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Fault, Proxy, Refusal, is_poll
from warehouse_refresh.warehouse import Append, BuildContext, TableBuild
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse, jobs
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.errors import InvalidRow, NotAllowed, OutcomeUnknown, Transient, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

NUMBERS, OUT = TableName("raw", "numbers"), TableName("tmp", "out")
FAULTS = [
    Refusal(401, "authError"),
    Refusal(404, "notFound"),
    Refusal(403, "quotaExceeded"),
    Refusal(403, "accessDenied"),
    Refusal(413, "tooLarge"),
    Fault.LIMITED,
    Fault.BROKEN,
    Fault.CUT_AFTER,
]
HELD = parse_query("SELECT 1 AS n /* emulator: hold */")


@pytest.fixture
def warehouse(proxy: Proxy, bigquery_project: str) -> Iterator[BigQueryWarehouse]:
    """A warehouse that gives up soon."""
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), replace(QUICK, total=0.5)) as opened:
        opened.create_datasets(["raw", "tmp"])
        opened.run_script(parse_script("CREATE TABLE raw.numbers (n INT64)"))
        proxy.recorded.clear()
        yield opened
        proxy.decide = lambda _method, _path: None


@pytest.fixture
def all_jobs(bigquery_endpoint: str, bigquery_project: str) -> Any:
    """Asks the emulator for the jobs it knows."""

    def ask() -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{bigquery_endpoint}/emulator/jobs?project={bigquery_project}") as answer:
            return [job for job in json.load(answer) if "raw.numbers (" not in job["configuration"]["query"]["query"]]

    return ask


def test_a_look_that_fails_once_does_not_fail_the_table(
    warehouse: BigQueryWarehouse, proxy: Proxy, all_jobs: Any
) -> None:
    for number, fault in enumerate(FAULTS):
        looks = itertools.count()
        proxy.decide = lambda method, path, fault=fault, looks=looks: (  # type: ignore[misc]
            fault if is_poll(method, path) and next(looks) == 0 else None
        )
        assert (
            warehouse.build(TableBuild(OUT, parse_query(f"SELECT {number} AS n")), BuildContext(f"run-{number}")).rows
            == 1
        )
        assert warehouse.first_rows(OUT, 2) == [(number,)]
        assert next(looks) > 1
    assert len(all_jobs()) == len(FAULTS)


@pytest.mark.parametrize("fault", [Refusal(403, "accessDenied"), Fault.AWAY], ids=["refused", "away"])
def test_a_job_whose_end_cannot_be_found_out_is_cancelled(
    warehouse: BigQueryWarehouse, proxy: Proxy, all_jobs: Any, fault: Fault | Refusal
) -> None:
    proxy.decide = lambda method, path: fault if is_poll(method, path) else None
    with pytest.raises(OutcomeUnknown, match="did not say how it ended"):
        warehouse.build(TableBuild(OUT, HELD), BuildContext("one"))
    (job,) = all_jobs()
    assert job["status"]["errorResult"]["reason"] == "stopped"


def test_a_job_whose_answer_was_lost_for_good_is_cancelled(
    warehouse: BigQueryWarehouse, proxy: Proxy, all_jobs: Any
) -> None:
    proxy.decide = lambda _method, path: Fault.CUT_AFTER if "/jobs" in path and "/cancel" not in path else None
    with pytest.raises(OutcomeUnknown):
        warehouse.build(TableBuild(OUT, HELD), BuildContext("one"))
    (job,) = all_jobs()
    assert job["status"]["errorResult"]["reason"] == "stopped"


def test_answers_without_labels_do_not_make_jobs_without_end(
    warehouse: BigQueryWarehouse, proxy: Proxy, all_jobs: Any
) -> None:
    proxy.rewrite = without_labels
    failing = parse_query("SELECT 1 AS n /* emulator: fail backendError 99 */")
    for _ in range(2):
        with pytest.raises(Transient):
            warehouse.build(TableBuild(OUT, failing), BuildContext("one"))
    assert len(all_jobs()) <= 6
    assert warehouse.build(TableBuild(OUT, parse_query("SELECT 1 AS n")), BuildContext("two")).rows == 1


def without_labels(answer: Any) -> Any:
    answer.get("configuration", {}).pop("labels", None)
    return answer


def test_the_ids_that_are_looked_through_are_bounded(
    warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch, all_jobs: Any
) -> None:
    monkeypatch.setattr(jobs, "_IDS", 4)
    failing = parse_query("SELECT 1 AS n /* emulator: fail backendError 99 */")
    with pytest.raises(Transient):
        warehouse.build(TableBuild(OUT, failing), BuildContext("one"))
    with pytest.raises(WarehouseError, match=r"the 4 jobs from refresh-one-tmp-out-.*-1 on have all failed"):
        warehouse.build(TableBuild(OUT, failing), BuildContext("one"))
    assert len(all_jobs()) == 4


@pytest.mark.parametrize(
    ("reason", "message", "kind"),
    [
        ("resourcesExceeded", "Resources exceeded: Too many DML statements outstanding against table", Transient),
        ("resourcesExceeded", "Resources exceeded during query execution: not enough memory", Transient),
        ("quotaExceeded", "Quota exceeded: Your table exceeded quota for DML", Transient),
        ("invalidQuery", "Bad int64 value: Rosé Water Toner", InvalidRow),
    ],
)
def test_a_limit_is_not_the_rows_fault_and_no_value_is_repeated(
    warehouse: BigQueryWarehouse, proxy: Proxy, reason: str, message: str, kind: type[WarehouseError]
) -> None:
    def failed(answer: Any) -> Any:
        if "jobReference" in answer:
            answer["status"] = {"state": "DONE", "errorResult": {"reason": reason, "message": message}}
        return answer

    proxy.rewrite = failed
    with pytest.raises(kind) as caught:
        warehouse.append(NUMBERS, [Append([{"n": 1}])])
    assert type(caught.value) is kind
    assert "Rosé" not in str(caught.value)
    assert not isinstance(caught.value, Transient) or caught.value.limited


def test_a_request_that_is_refused_as_too_large_is_sent_once(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    proxy.decide = lambda method, path: Refusal(413, "tooLarge") if method == "POST" and "/jobs" in path else None
    with pytest.raises(Transient, match="takes no request of this size"):
        warehouse.append(NUMBERS, [Append([{"n": 1}])])
    assert len([request for request in proxy.recorded if request.method == "POST"]) == 1


def test_a_job_that_is_refused_is_looked_for_once(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    """Somebody without the right to start jobs waits for that message."""
    proxy.decide = lambda _method, path: Refusal(403, "accessDenied") if "/jobs" in path else None
    with pytest.raises(NotAllowed):
        warehouse.append(NUMBERS, [Append([{"n": 1}])])
    assert [request.method for request in proxy.recorded if "/jobs" in request.path] == ["POST", "GET"]


def test_it_is_known_how_long_a_job_has_waited_for_its_turn(
    warehouse: BigQueryWarehouse, bigquery_endpoint: str, bigquery_project: str
) -> None:
    pace = f"{bigquery_endpoint}/emulator/pace?project={bigquery_project}&seconds=2&slots=1"
    urllib.request.urlopen(urllib.request.Request(pace, method="POST")).close()
    builds = [TableBuild(TableName("tmp", name), parse_query("SELECT 1 AS n")) for name in ("one", "other")]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda build: warehouse.stage(build, (), BuildContext("run")), builds))
    assert max(built.waited or 0.0 for built in done) > 0.05
    assert warehouse.builds_at_first == 8
    batch = BigQuerySettings(bigquery_project, endpoint=bigquery_endpoint, priority="BATCH")
    with BigQueryWarehouse(batch, QUICK) as patient:  # its jobs wait by design
        assert patient.stage(builds[0], (), BuildContext("batch")).waited is None
        assert patient.builds_at_first > 1000
