"""How many tables are under way at once: as many as the warehouse begins without delay."""

import heapq
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.graphs import table
from tests.pipeline.works import OnlyBuilt
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.running import schedule as schedules
from warehouse_refresh.pipeline.running.execution import Execution, run_here
from warehouse_refresh.pipeline.running.schedule import AT_ONCE, TOO_LONG, Expected, Pace, run_in_parallel
from warehouse_refresh.warehouse import Built
from warehouse_refresh.warehouse.names import TableName


def apart(count: int) -> Graph:
    """So many tables that do not depend on each other."""
    return Graph({table(f"t{number:03}"): frozenset() for number in range(count)})


class Service:
    """A warehouse that runs jobs of ten seconds in so many slots, and queues the others. Time passes only while the
    schedule waits for one: it stands for its queue, too."""

    def __init__(self, slots: int) -> None:
        self.now, self.waited, self.under_way = 0.0, dict[TableName, float](), list[int]()
        self._free = [0.0] * slots
        self._running: list[tuple[float, TableName]] = []

    def start(self, name: TableName, _dependencies: object) -> Future[None]:
        begins = max(self.now, heapq.heappop(self._free))
        self.waited[name] = begins - self.now
        heapq.heappush(self._free, begins + 10)
        heapq.heappush(self._running, (begins + 10, name))
        self.under_way.append(len(self._running))
        return Future()

    def get(self) -> TableName:
        self.now, name = heapq.heappop(self._running)
        return name


def run(slots: int, tables: int, workers: int) -> Service:
    service = Service(slots)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedules, "SimpleQueue", lambda: service)
        run_in_parallel(
            apart(tables), service.start, lambda _: True, Pace(workers, 8, lambda name: service.waited[name])
        )
    return service


@pytest.mark.parametrize("slots", [1, 3, 8, 20, 50])
def test_the_slots_are_used_and_few_tables_wait_for_one(slots: int) -> None:
    service = run(slots, 40 * slots, workers=100)
    assert service.now <= 1.2 * 10 * 40
    settled = service.under_way[20 * slots :]
    assert sum(settled) / len(settled) <= 1.1 * slots + 1


def test_a_warehouse_without_a_queue_gets_all_workers_soon() -> None:
    service = run(1000, 300, workers=64)
    assert max(service.under_way[:100]) < 64 == max(service.under_way)
    assert service.now <= 10 * (300 / 64 + 4)


@given(st.lists(st.sampled_from([None, 0.0, AT_ONCE, 3.0, TOO_LONG, 900.0])), st.integers(1, 20), st.integers(1, 20))
def test_it_is_never_none_nor_more_than_the_workers(waits: list[float | None], workers: int, at_first: int) -> None:
    waited = {table(f"t{number:03}"): wait for number, wait in enumerate(waits)}
    pace, under_way = Pace(workers, at_first, waited.__getitem__), list[TableName]()
    for name in waited:
        while pace.is_reached:
            pace.ended(under_way.pop(0))
        pace.started(name)
        under_way.append(name)
        assert 1 <= len(under_way) <= workers
    if set(waits) <= {None}:
        assert len(under_way) == min(workers, at_first, len(waits))


def test_threads_build_one_table_at_a_time_where_each_has_waited_long() -> None:
    under_way, seen = set[TableName](), list[int]()

    def build(name: TableName) -> Built:
        under_way.add(name)
        seen.append(len(under_way))
        under_way.discard(name)
        return Built(rows=0, seconds=0.0, waited=TOO_LONG)

    graph = apart(60)
    run_here(graph, Execution(graph, OnlyBuilt(build)), 8, Expected(at_first=8))
    assert len(seen) == 60
    assert set(seen[-20:]) == {1}
