"""Tables that are built by date on BigQuery: a process that dies leaves nothing out, and no job is sent twice."""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Proxy
from tests.warehouse.bigquery.killed import killed_before
from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.names import STAGING_DATASET as STAGED
from warehouse_refresh.warehouse.bigquery.parts.records import parts_in, parts_text
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.builds.parts import Interval, Parts, Ranges, query_of
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.storage import Partition, Storage
from warehouse_refresh.warehouse.types import DATE, INT64

EVENTS, NUMBERS = TableName("tmp", "events"), TableName("tmp", "numbers")
STEPS = 44
"""More than the requests that staging and publishing make."""


@pytest.fixture
def warehouse(settings: BigQuerySettings) -> Iterator[BigQueryWarehouse]:
    """A warehouse with an event on each of four days, of which the first two are built."""
    with BigQueryWarehouse(settings, QUICK) as opened:
        opened.create_datasets(["raw", "tmp"])
        rows = " UNION ALL ".join(f"SELECT {number}, DATE '2024-03-0{number}'" for number in range(1, 5))
        opened.run_script(parse_script(f"CREATE TABLE raw.events (id INT64, day DATE) AS {rows}"))
        refresh(opened, events(1, 2), BuildContext("an earlier run"))
        yield opened


def day(number: int) -> Interval:
    return Interval(date(2024, 3, number), date(2024, 3, number) + timedelta(days=1))


def events(*numbers: int, whole: bool = False) -> TableBuild:
    parts = Parts("day", DATE, days := [day(number) for number in numbers], days, whole)
    query = parse_query("SELECT id, day FROM raw.events WHERE day >= @start AND day < @end")
    return TableBuild(EVENTS, query_of(query, day(1), parts), parts=parts)


def refresh(warehouse: BigQueryWarehouse, build: TableBuild, context: BuildContext) -> None:
    warehouse.stage(build, set(), context)
    warehouse.publish([build], context)


def ids(warehouse: BigQueryWarehouse) -> list[int]:
    return sorted(row[0] for row in warehouse.first_rows(EVENTS, 100))


def built(endpoint: str, project: str) -> Counter[str]:
    """How often each partition of a staged table was written: `$20240301` by the name of the run's table."""
    with urllib.request.urlopen(f"{endpoint}/emulator/jobs?project={project}", timeout=600) as answer:
        jobs = [job["configuration"]["query"] for job in json.load(answer) if job["carriedOut"]]
    names = [job.get("destinationTable", {}).get("tableId", "") for job in jobs]
    return Counter(name for name in names if "$" in name)


@pytest.mark.usefixtures("warehouse")
@pytest.mark.parametrize(
    "step", [step if step % 9 == 5 else pytest.param(step, marks=pytest.mark.slow) for step in range(STEPS)]
)
def test_a_retry_after_a_death_builds_what_is_missing_and_sends_no_job_twice(
    step: int,
    settings: BigQuerySettings,
    proxy: Proxy,
    bigquery_endpoint: str,
    bigquery_project: str,
) -> None:
    build = events(2, 3, 4)
    with killed_before(step, settings, proxy) as (killed, _):
        refresh(killed, build, BuildContext("the run"))
    context = BuildContext("the run", attempt=2)
    with BigQueryWarehouse(settings, QUICK) as other:
        other.recover(context.run, lambda _line: None)
        found = other.staged(context).get(EVENTS)
        if found is None or not found.is_published:
            refresh(other, build, context)
        assert ids(other) == [1, 2, 3, 4]
        assert [(one.interval, one.run) for one in other.partitions(EVENTS)] == [
            (day(1), "an earlier run"),
            *((day(number), "the run") for number in (2, 3, 4)),
        ]
        other.recover("", pytest.fail)
        assert [table for table in other.tables(STAGED) if not table.name.startswith("publication_")] == []
    assert set(built(bigquery_endpoint, bigquery_project).values()) == {1}


def test_a_table_is_stored_by_its_partitions(warehouse: BigQueryWarehouse) -> None:
    with pytest.raises(WarehouseError, match=r"tmp\.events is stored with other partitions than its settings say"):
        warehouse.stage(
            replace(events(1), storage=Storage(partition=Partition("day", "MONTH"))), set(), BuildContext("other")
        )
    months = replace(events(1, 2, whole=True), storage=Storage(partition=Partition("day", "MONTH")))
    refresh(warehouse, months, BuildContext("whole"))
    refresh(warehouse, replace(events(2, 3), storage=months.storage), BuildContext("days"))  # by MERGE
    assert ids(warehouse) == [1, 2, 3]


def test_a_range_of_ids_is_written_to_its_partition(
    warehouse: BigQueryWarehouse, settings: BigQuerySettings, bigquery_endpoint: str
) -> None:
    """Its name is its first id. One that has no name, since the table begins later, or since it is negative, is written
    by MERGE."""
    query = parse_query("SELECT id FROM raw.events WHERE id >= @start AND id < @end")
    for number, (first, starts) in enumerate([(0, (0, 2, 4)), (-2, (-2, 0))]):
        spans = [Interval(start, start + 2) for start in starts]
        parts = Parts("id", INT64, spans, spans, unit=Ranges(first, 2))
        build = TableBuild(NUMBERS, query_of(query, spans[0], parts), parts=parts)
        refresh(warehouse, build, BuildContext(f"run {number}"))
    assert sorted(row[0] for row in warehouse.first_rows(NUMBERS, 100)) == [1, 2, 3, 4]
    url = f"{bigquery_endpoint}/emulator/jobs?project={settings.project}"
    with urllib.request.urlopen(url, timeout=600) as answer:
        queries = [job["configuration"]["query"] for job in json.load(answer)]
    names = [query["destinationTable"]["tableId"] for query in queries if "destinationTable" in query]
    written = Counter(name.partition("$")[2] for name in names if "numbers" in name and "$" in name)
    assert written == {"0": 2, "2": 1, "4": 1}


def test_the_record_of_a_publication_holds_its_parts() -> None:
    parts = Parts("day", DATE, [day(1), day(2)], [day(1), day(2)], whole=True, key=("id",), unit="MONTH")
    assert parts_in(parts_text(parts, "the run")) == parts
    ids = [Interval(-10, 0), Interval(2_000_000_000, 2_000_000_010)]
    parts = Parts("id", INT64, ids, ids, unit=Ranges(-10, 10))
    assert parts_in(parts_text(parts, "the run")) == parts
    assert parts_in(parts_text(None, "the run")) is None
