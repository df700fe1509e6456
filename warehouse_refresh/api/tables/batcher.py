"""Group requests that append to the same table at the same time, and store each group in one call of the warehouse.

A request is answered once its rows are durable.
"""

import asyncio
import math
from collections import deque
from contextlib import nullcontext
from dataclasses import dataclass

from warehouse_refresh.api.idempotency import claimed
from warehouse_refresh.api.problems import ApiProblem, retry_after
from warehouse_refresh.api.tables.catalogue import InThread
from warehouse_refresh.warehouse import Append, Outcome, Warehouse
from warehouse_refresh.warehouse.deadline import deadline, waiting_until
from warehouse_refresh.warehouse.errors import InvalidRow
from warehouse_refresh.warehouse.names import TableName

MAX_ROWS_PER_CALL = 5_000
MAX_ROWS_WAITING = 100_000
_PAUSE = 0.05
"""For this share of the time that a call took, the next one waits for those who were answered and post again at once.
Else they would miss it: two groups of clients would take turns, and each row would wait for two calls."""
_COMING = 0.1
"""If this share of them comes in a pause, the next call waits for another pause: a steady stream brings half of it."""
_PAUSES = 0.5
"""All pauses together take at most this share of the call's time."""
_LONG = 0.5
"""A call that takes fewer seconds is followed by one pause only: requests are read meanwhile, so it costs more to wait
for them than to store them with the call after it."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    append: Append
    outcome: asyncio.Future[Outcome]
    until: float  # the request's deadline, a time of `time.monotonic()`


@dataclass(frozen=True, slots=True)
class _Gathering:
    """The pauses between two calls. They end once so many requests wait."""

    wanted: int
    complete: asyncio.Future[None]

    def look_at(self, waiting: int) -> None:
        """End the pauses if that many are enough."""
        if waiting >= self.wanted and not self.complete.done():
            self.complete.set_result(None)


class Batcher:
    """Makes one call of `Warehouse.append` per table at a time. Rows that arrive during a call go into the next one."""

    def __init__(self, warehouse: Warehouse, in_thread: InThread) -> None:
        self._warehouse, self._in_thread = warehouse, in_thread
        self._queues: dict[TableName, deque[_Waiting]] = {}
        self._tasks: dict[TableName, asyncio.Task[None]] = {}
        self._gatherings: dict[TableName, _Gathering] = {}
        self._keys: set[tuple[TableName, str]] = set()
        self._rows_waiting = 0

    async def append(self, table: TableName, append: Append) -> Outcome:
        """Store the rows. Raises WarehouseError, and ApiProblem while another request with the same key is being stored
        or too many rows are waiting."""
        if self._rows_waiting + len(append.rows) > MAX_ROWS_WAITING:
            raise ApiProblem("warehouse-unavailable", "Too many rows are waiting to be stored.", headers=retry_after(1))
        with claimed((table, append.key), self._keys) if append.key else nullcontext():
            waiting = _Waiting(append, asyncio.get_running_loop().create_future(), deadline(math.inf))
            self._queues.setdefault(table, deque()).append(waiting)
            self._rows_waiting += len(append.rows)
            if table in self._gatherings:
                self._gatherings[table].look_at(len(self._queues[table]))
            if table not in self._tasks:
                self._tasks[table] = asyncio.create_task(self._store_all(table))
            return await asyncio.shield(waiting.outcome)

    async def drain(self) -> None:
        """Wait until all rows that `append` got are stored or refused."""
        await asyncio.gather(*self._tasks.values())

    async def _store_all(self, table: TableName) -> None:
        queue, clock = self._queues[table], asyncio.get_running_loop().time
        try:
            while queue:
                batch, started = self._next_batch(queue), clock()
                await self._store(table, batch)
                self._rows_waiting -= sum(len(waiting.append.rows) for waiting in batch)
                await self._pause(table, len(batch), clock() - started)
        finally:
            del self._tasks[table]

    async def _pause(self, table: TableName, answered: int, took: float) -> None:
        """Wait for those who were answered and post again, after a call that took so many seconds."""
        if took < _LONG:
            await asyncio.sleep(took * _PAUSE)
            return
        queue, loop = self._queues[table], asyncio.get_running_loop()
        self._gatherings[table] = gathering = _Gathering(len(queue) + answered, loop.create_future())
        came, end = answered, loop.time() + took * _PAUSES
        for _ in range(2):  # the answers go out first: many take longer than a pause
            await asyncio.sleep(0)
        while came >= answered * _COMING and not gathering.complete.done() and loop.time() < end:
            before = len(queue)
            await asyncio.wait([gathering.complete], timeout=took * _PAUSE)
            came = len(queue) - before
        del self._gatherings[table]

    @staticmethod
    def _next_batch(queue: deque[_Waiting]) -> list[_Waiting]:
        batch = [queue.popleft()]
        rows = len(batch[0].append.rows)
        while queue and rows + len(queue[0].append.rows) <= MAX_ROWS_PER_CALL:
            rows += len(queue[0].append.rows)
            batch.append(queue.popleft())
        return batch

    async def _store(self, table: TableName, batch: list[_Waiting]) -> None:
        try:
            with waiting_until(min(waiting.until for waiting in batch)):
                outcomes = await self._in_thread(self._warehouse.append, table, [waiting.append for waiting in batch])
        except InvalidRow as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            # Halve the group until the request with the bad row stands alone: it must not fail the other requests.
            middle = len(batch) // 2
            await self._store(table, batch[:middle])
            await self._store(table, batch[middle:])
        except Exception as error:
            _fail(batch, error)
        else:
            for waiting, outcome in zip(batch, outcomes, strict=True):
                waiting.outcome.set_result(outcome)


def _fail(batch: list[_Waiting], error: Exception) -> None:
    for waiting in batch:
        waiting.outcome.set_exception(error)
