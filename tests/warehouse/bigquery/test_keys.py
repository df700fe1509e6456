"""Rows with a key are stored once, many in one job, whoever sends them at the same time."""

import asyncio
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Proxy
from warehouse_refresh.api.tables.batcher import Batcher
from warehouse_refresh.warehouse import Append, Outcome
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.names import keys_table
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.bigquery.storing.keys import bucket
from warehouse_refresh.warehouse.errors import NotAllowed, Transient
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

POSTS = TableName("raw", "posts")
KEYS = f"{OWN_DATASET}.{keys_table(POSTS)}"


@pytest.fixture
def warehouse(proxy: Proxy, bigquery_project: str) -> Iterator[BigQueryWarehouse]:
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), QUICK) as opened:
        opened.create_datasets(["raw"])
        opened.run_script(parse_script("CREATE TABLE raw.posts (id INT64)"))
        proxy.recorded.clear()
        yield opened


def keyed(number: int) -> Append:
    return Append([{"id": number}], key=f"key-{number}", fingerprint=f"of {number}")


def stored(warehouse: BigQueryWarehouse) -> Counter[int]:
    return Counter(row[0] for row in warehouse.first_rows(POSTS, 10_000))


def transactions(proxy: Proxy) -> list[str]:
    """The scripts that were sent."""
    texts = [request.body.get("configuration", {}).get("query", {}).get("query", "") for request in proxy.recorded]
    return [text for text in texts if "COMMIT" in text]


def slow_down(endpoint: str, project: str, seconds: float) -> None:
    """Let each job of the project take so long."""
    url = f"{endpoint}/emulator/pace?project={project}&seconds={seconds}"
    urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=600).close()


def test_many_requests_with_keys_of_their_own_are_a_few_jobs(
    warehouse: BigQueryWarehouse, proxy: Proxy, bigquery_endpoint: str, bigquery_project: str
) -> None:
    slow_down(bigquery_endpoint, bigquery_project, 0.2)
    numbers = range(300)

    async def send() -> list[Outcome]:
        with ThreadPoolExecutor(2) as pool:

            async def in_thread(function: Any, *arguments: Any) -> Any:
                return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)

            batcher = Batcher(warehouse, in_thread)
            return list(await asyncio.gather(*(batcher.append(POSTS, keyed(number)) for number in numbers)))

    assert asyncio.run(send()) == [Outcome.STORED] * len(numbers)
    assert stored(warehouse) == dict.fromkeys(numbers, 1)
    assert len(transactions(proxy)) <= 3
    assert asyncio.run(send()) == [Outcome.REPLAYED] * len(numbers)
    assert stored(warehouse) == dict.fromkeys(numbers, 1)


def test_processes_that_store_the_same_keys_at_once_store_each_once(
    warehouse: BigQueryWarehouse, bigquery_endpoint: str, bigquery_project: str
) -> None:
    warehouse.append(POSTS, [keyed(1000)])
    slow_down(bigquery_endpoint, bigquery_project, 0.1)  # so that their transactions overlap
    batches = [range(20), range(5, 25), range(10, 30)]
    with ExitStack() as stack, ThreadPoolExecutor(len(batches)) as pool:
        others = [
            stack.enter_context(
                BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=bigquery_endpoint), QUICK)
            )
            for _ in batches
        ]
        outcomes = pool.map(lambda other, batch: other.append(POSTS, list(map(keyed, batch))), others, batches)
        told = [pair for batch, each in zip(batches, outcomes, strict=True) for pair in zip(batch, each, strict=True)]
    assert {outcome for _, outcome in told} == {Outcome.STORED, Outcome.REPLAYED}
    assert Counter(number for number, outcome in told if outcome is Outcome.STORED) == dict.fromkeys(range(30), 1)
    assert stored(warehouse) == dict.fromkeys([*range(30), 1000], 1)


def test_a_key_twice_in_one_call_is_stored_once(warehouse: BigQueryWarehouse) -> None:
    other = Append([{"id": 2}], key="key-1", fingerprint="of 2")
    outcomes = warehouse.append(POSTS, [keyed(1), keyed(1), other, Append([{"id": 3}])])
    assert outcomes == [Outcome.STORED, Outcome.REPLAYED, Outcome.KEY_REUSED, Outcome.STORED]
    assert stored(warehouse) == {1: 1, 3: 1}


def test_a_key_is_forgotten_after_thirty_days(
    warehouse: BigQueryWarehouse, bigquery_project: str, proxy: Proxy
) -> None:
    assert warehouse.append(POSTS, [keyed(1), keyed(2)]) == [Outcome.STORED, Outcome.STORED]
    for days, number in ((31, 1), (29, 2)):
        past = f"TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {24 * days} HOUR)"
        warehouse.run_script(parse_script(f"UPDATE {KEYS} SET stored_at = {past} WHERE key = 'key-{number}'"))
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), QUICK) as later:
        assert later.append(POSTS, [keyed(1), keyed(2)]) == [Outcome.STORED, Outcome.REPLAYED]


def test_keys_that_somebody_has_removed_are_kept_anew(warehouse: BigQueryWarehouse) -> None:
    warehouse.append(POSTS, [keyed(1)])
    warehouse.run_script(parse_script(f"DROP TABLE {KEYS}"))
    with pytest.raises(Transient, match="the next call creates it again"):
        warehouse.append(POSTS, [keyed(2)])
    assert warehouse.append(POSTS, [keyed(2)]) == [Outcome.STORED]
    assert stored(warehouse) == {1: 1, 2: 1}


def test_the_sandbox_which_has_no_dml_is_named(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    def without_dml(answer: Any) -> Any:
        if "BEGIN TRANSACTION" in str(answer.get("configuration")):
            message = "Billing has not been enabled for this project. DML queries are not allowed in the free tier."
            answer["status"] = {"state": "DONE", "errorResult": {"reason": "billingNotEnabled", "message": message}}
        return answer

    proxy.rewrite = without_dml
    with pytest.raises(NotAllowed, match="the sandbox allows neither INSERT nor other DML"):
        warehouse.append(POSTS, [keyed(1)])


def test_the_look_for_a_key_reads_the_partition_that_holds_it(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    warehouse.append(POSTS, [keyed(1)])
    (text,) = transactions(proxy)
    assert f"WHERE t.bucket IN ({bucket('key-1')}) AND" in text
    assert "key-1" not in text
