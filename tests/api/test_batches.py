"""What arrives together is stored together, each request answered for itself; and what a fault is told as.

The faults are raised by a DuckDB warehouse that is told to, since a real one has no quota and loses no connection.
"""

import asyncio
import logging
import re
import selectors
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import httpx
import pytest

from tests.api.conftest import NO_CERTIFICATES, raw_tables, served
from tests.api.wire import connection, request, send
from tests.waiting import wait_until
from warehouse_refresh.api.app import create_app
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.api.tables import batcher
from warehouse_refresh.warehouse import Append, Outcome
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.errors import (
    Cancelled,
    InvalidRow,
    NotAllowed,
    OutcomeUnknown,
    OverBudget,
    SqlError,
    TableNotFound,
    Transient,
    WarehouseError,
)
from warehouse_refresh.warehouse.names import TableName


class Watched(DuckDBWarehouse):
    """DuckDB that notes the sizes of its batches, waits at a gate, and fails when told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.fault: Exception | None = None

    def append(self, table: TableName, appends: Sequence[Append]) -> list[Outcome]:
        self.entered.set()
        assert self.gate.wait(60)
        self.batches.append(len(appends))
        if self.fault:
            raise self.fault
        return super().append(table, appends)


@dataclass(frozen=True)
class Watching:
    client: httpx.Client
    warehouse: Watched
    threads: ThreadPoolExecutor

    def post(self, target: str, **headers: str) -> "Future[httpx.Response]":
        return self.threads.submit(self.client.post, target, headers=headers)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Watching]:
    raw_tables(tmp_path / "w.duckdb")
    with duckdb.connect(tmp_path / "w.duckdb") as file:
        file.execute("CREATE TABLE raw.limited (id BIGINT CHECK (id < 100))")
    with _watching(tmp_path / "w.duckdb") as it:
        yield it


@contextmanager
def _watching(path: Path) -> Iterator[Watching]:
    warehouse = Watched(path)
    limits = httpx.Limits(max_connections=100)
    with (
        served(create_app(ApiSettings(rate_limit=0), warehouse)) as url,
        httpx.Client(base_url=url, timeout=60, limits=limits, verify=NO_CERTIFICATES) as client,
        ThreadPoolExecutor(50) as threads,
    ):
        yield Watching(client, warehouse, threads)


def _arrived(api: Watching, count: int) -> None:
    """Wait until that many POSTs are in the API, one of them at the gate."""
    assert api.warehouse.entered.wait(60)
    form = re.compile(r'^api_requests_in_progress\{.*method="POST",path="/\{table.*\} (.+)$', re.MULTILINE)
    while sum(map(float, form.findall(api.client.get("/metrics").text))) < count:
        time.sleep(0.01)


def test_requests_that_arrive_while_one_is_stored_are_stored_together(api: Watching) -> None:
    answers = [api.post(f"/products?id={number}") for number in range(20)]
    _arrived(api, 20)
    api.warehouse.gate.set()
    assert {answer.result().status_code for answer in answers} == {201}
    assert len(api.warehouse.batches) <= 2  # two if the first had gone to the gate alone
    assert sum(api.warehouse.batches) == 20


def test_one_bad_row_does_not_fail_the_requests_it_arrived_with(api: Watching) -> None:
    answers = {number: api.post(f"/limited?id={number}") for number in [1, 2, 1000, 3, 4, 2000, 5]}
    _arrived(api, 7)
    api.warehouse.gate.set()
    statuses = {number: answer.result().status_code for number, answer in answers.items()}
    assert statuses == {number: 422 if number >= 100 else 201 for number in answers}
    assert answers[1000].result().json()["code"] == "invalid-rows"
    rows = api.warehouse.first_rows(TableName("raw", "limited"), 10)
    assert sorted(row[0] for row in rows) == [1, 2, 3, 4, 5]


def test_a_bad_row_among_many_is_found_in_a_few_calls(api: Watching) -> None:
    answers = [api.post(f"/limited?id={number}") for number in [1000, *range(40)]]
    _arrived(api, 41)
    api.warehouse.gate.set()
    assert sorted(answer.result().status_code for answer in answers) == [201] * 40 + [422]
    assert len(api.warehouse.batches) <= 14  # one that fails at each halving, and its other half


def test_a_row_whose_client_hung_up_is_stored_and_no_fault(api: Watching, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with connection(str(api.client.base_url)) as connected:
        send(connected, [request("POST /products?id=1", "X-Request-ID: gone")])
        assert api.warehouse.entered.wait(60)
    api.warehouse.gate.set()
    wait_until(lambda: "id=gone" in caplog.text)
    assert [row[0] for row in api.warehouse.first_rows(TableName("raw", "products"), 10)] == [1]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]


def test_a_large_batch_is_stored_in_several_calls(api: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "MAX_ROWS_PER_CALL", 5)
    answers = [api.post(f"/products?id={number}") for number in range(12)]
    _arrived(api, 12)
    api.warehouse.gate.set()
    assert {answer.result().status_code for answer in answers} == {201}
    assert max(api.warehouse.batches) == 5


def test_too_many_waiting_rows_are_told_to_come_back(api: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "MAX_ROWS_WAITING", 3)
    answers = [api.post(f"/products?id={number}") for number in range(3)]
    _arrived(api, 3)
    answer = api.client.post("/products?id=3")
    assert (answer.status_code, answer.json()["code"]) == (503, "warehouse-unavailable")
    assert answer.headers["retry-after"] == "1"
    api.warehouse.gate.set()
    assert {answer.result().status_code for answer in answers} == {201}
    assert api.client.post("/products?id=4").status_code == 201


def test_a_key_whose_first_request_is_under_way_is_told_to_wait(api: Watching) -> None:
    key = {"Idempotency-Key": "banana"}
    first = api.threads.submit(api.client.post, "/products?id=1", headers=key)
    assert api.warehouse.entered.wait(60)
    second = api.client.post("/products?id=1", headers=key)
    assert (second.status_code, second.json()["code"]) == (409, "key-in-use")
    assert int(second.headers["retry-after"]) >= 1
    api.warehouse.gate.set()
    assert first.result().status_code == 201
    assert api.client.post("/products?id=1", headers=key).headers["idempotency-replayed"] == "true"


def test_a_shutdown_finishes_what_was_handed_over(tmp_path: Path) -> None:
    raw_tables(tmp_path / "w.duckdb")
    with _watching(tmp_path / "w.duckdb") as api:
        answer = api.post("/products?id=1")
        assert api.warehouse.entered.wait(60)
        api.warehouse.gate.set()
    assert answer.result().status_code == 201
    with duckdb.connect(tmp_path / "w.duckdb") as file:
        assert file.execute("SELECT id FROM raw.products").fetchall() == [(1,)]


FAULTS = [
    (Transient("locked", retry_after=2.5), 503, "warehouse-unavailable", "3"),
    (Transient("quota", retry_after=10, limited=True), 429, "quota-exceeded", "10"),
    (OverBudget("a quota of the day, secret"), 429, "quota-exceeded", "600"),
    (OutcomeUnknown("broken"), 503, "outcome-unknown", "1"),
    (NotAllowed("needs roles/bigquery.dataEditor"), 503, "warehouse-refused", None),
    (TableNotFound(TableName("raw", "products")), 404, "unknown-table", None),
    (SqlError("no column named secret"), 500, "internal-error", None),
    (Cancelled("closed"), 500, "internal-error", None),
    (WarehouseError("/secret/path is broken"), 500, "internal-error", None),
    (ZeroDivisionError("secret"), 500, "internal-error", None),
]


@pytest.mark.parametrize(("fault", "status", "code", "wait"), FAULTS, ids=lambda it: str(it)[:30])
def test_a_fault_of_the_warehouse_has_its_answer(
    api: Watching, fault: Exception, status: int, code: str, wait: str | None
) -> None:
    api.warehouse.gate.set()
    api.warehouse.fault = fault
    answer = api.client.post("/products?id=1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("retry-after") == wait
    assert "secret" not in answer.text
    api.warehouse.fault = None
    assert api.client.post("/products?id=2").status_code == 201


def test_the_engines_own_words_are_in_the_log_and_not_in_the_answer(
    api: Watching, caplog: pytest.LogCaptureFixture
) -> None:
    api.warehouse.gate.set()
    api.warehouse.fault = InvalidRow("a value does not fit")
    api.warehouse.fault.__cause__ = SqlError("Bad int64 value: secret")
    answer = api.client.post("/products?id=1")
    assert (answer.status_code, answer.json()["detail"]) == (422, "a value does not fit")
    assert "secret" not in answer.text
    assert "a value does not fit <- Bad int64 value: secret" in caplog.text


class Skipping(selectors.DefaultSelector):
    """A clock that nobody waits for: where an event loop would wait, it goes on by that time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class Clocked(asyncio.SelectorEventLoop):
    """An event loop with such a clock: what takes seconds takes none, and always as many."""

    def __init__(self) -> None:
        self.clock = Skipping()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


Post = Callable[[], Coroutine[Any, Any, None]]


def calls(clients: Callable[[Post, asyncio.Event], Coroutine[Any, Any, object]]) -> list[tuple[float, int]]:
    """When each call of the warehouse began, and how many requests it stored, as these clients post. A call takes two
    seconds. The event says that the first one has begun."""
    found: list[tuple[float, int]] = []

    async def stored(_: object, __: TableName, appends: Sequence[Append]) -> list[Outcome]:
        found.append((round(asyncio.get_running_loop().time(), 3), len(appends)))
        begun.set()
        await asyncio.sleep(2.0)
        return [Outcome.STORED] * len(appends)

    async def post() -> None:
        await own.append(TableName("raw", "items"), Append([{"n": 1}]))

    warehouse: Any = SimpleNamespace(append=None)
    own, begun = batcher.Batcher(warehouse, stored), asyncio.Event()

    async def all_clients() -> None:
        await clients(post, begun)

    with asyncio.Runner(loop_factory=Clocked) as runner:
        runner.run(all_clients())
    return found


async def ten(post: Post, begun: asyncio.Event, think: Callable[[int], float]) -> None:
    """Ten clients that each post three rows, and wait for so long before the next one; nine begin while the first one's
    row is stored."""

    async def client(number: int) -> None:
        for _ in range(3):
            await post()
            await asyncio.sleep(think(number))

    first = asyncio.create_task(client(0))
    await begun.wait()
    await asyncio.gather(first, *map(client, range(1, 10)))


def test_those_who_post_again_at_once_are_stored_in_one_call_with_the_others() -> None:
    found = calls(partial(ten, think=lambda _: 0.0))
    assert found[:3] == [(0.0, 1), (2.0, 10), (4.0, 10)]  # once all are there, nobody is waited for
    assert [size for _, size in found] == [1, 10, 10, 9]


def test_those_who_post_again_one_after_the_other_are_waited_for_while_they_come() -> None:
    found = calls(partial(ten, think=lambda number: number * 0.07))
    assert [size for _, size in found] == [1, 10, 10, 9]


def test_those_who_do_not_post_again_are_hardly_waited_for() -> None:
    async def clients(post: Post, begun: asyncio.Event) -> None:
        several = [asyncio.create_task(post()) for _ in range(10)]
        await begun.wait()
        await asyncio.gather(post(), *several)

    assert calls(clients) == [(0.0, 10), (2.1, 1)]


def test_a_steady_stream_is_hardly_waited_for() -> None:
    async def clients(post: Post, _: asyncio.Event) -> None:
        posts: list[asyncio.Task[None]] = []
        while len(posts) < 200:
            posts.append(asyncio.create_task(post()))
            await asyncio.sleep(0.05)
        await asyncio.gather(*posts)

    begun = [at for at, _ in calls(clients)]
    assert {round(later - earlier, 2) for earlier, later in pairwise(begun[1:])} == {2.1}
