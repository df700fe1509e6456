"""The schedule, for any graph: over threads here, over Prefect's task runner in test_refresh.py."""

import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.makespan import best_known, bound, skewed_project
from tests.pipeline.graphs import graphs, table
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.running import schedule as schedules
from warehouse_refresh.pipeline.running.schedule import (
    ScheduleResult,
    expected_seconds,
    returned,
    run_in_order,
    run_in_parallel,
)
from warehouse_refresh.warehouse.names import TableName


class Recorder:
    """A placeholder for running a script: notes when each table starts and ends, and fails for some."""

    def __init__(self, failing: frozenset[TableName] = frozenset()) -> None:
        self.failing = failing
        self.started: dict[TableName, float] = {}
        self.ended: dict[TableName, float] = {}

    def __call__(self, name: TableName) -> str:
        assert name not in self.started, "built twice"
        self.started[name] = time.perf_counter()
        time.sleep(0)  # let other threads in
        self.ended[name] = time.perf_counter()
        if name in self.failing:
            raise RuntimeError(f"{name} cannot be built")
        return str(name)


def over_threads(graph: Graph, build: Recorder, workers: int) -> ScheduleResult[Future[str]]:
    with ThreadPoolExecutor(workers) as pool:
        return run_in_parallel(graph, lambda name, _: pool.submit(build, name), returned, workers)


def check(graph: Graph, build: Recorder, schedule: ScheduleResult[Future[str]]) -> None:
    """What is promised of every refresh."""
    for name, start in build.started.items():
        assert all(build.ended[dependency] <= start for dependency in graph.dependencies[name])
        assert not graph.upstream(name) & build.failing, "started after a failure"
    for name in graph.dependencies:
        blamed = graph.upstream(name) & build.failing & set(build.started)
        assert (name in build.started) == (not blamed)
        assert schedule.not_run.get(name, []) == sorted(blamed)
    assert set(schedule.results) == set(build.started)
    assert {name for name, future in schedule.results.items() if not returned(future)} == build.failing & set(
        build.started
    )


@given(graphs(), st.data(), st.sampled_from([0, 1, 2, 16]))
def test_any_graph_with_any_failures(graph: Graph, data: st.DataObject, workers: int) -> None:
    build = Recorder(frozenset(data.draw(st.sets(st.sampled_from(sorted(graph.dependencies)), max_size=3))))
    schedule = over_threads(graph, build, workers) if workers else run_in_order(graph, build)
    check(graph, build, schedule)


def test_in_order_one_table_ends_before_the_next_starts() -> None:
    graph = Graph({table(f"t{index}"): frozenset() for index in range(20)})
    build = Recorder()
    run_in_order(graph, build)
    times = [moment for name in build.started for moment in (build.started[name], build.ended[name])]
    assert times == sorted(times)


def test_siblings_overlap() -> None:
    """Both wait for each other in the middle of their work: one after the other would never end."""
    meeting = threading.Barrier(2, timeout=600)
    graph = Graph({table("a"): frozenset(), table("b"): frozenset()})
    with ThreadPoolExecutor(2) as pool:
        schedule = run_in_parallel(graph, lambda _name, _: pool.submit(meeting.wait), returned)
    assert all(returned(future) for future in schedule.results.values())


def test_there_is_no_barrier_between_levels() -> None:
    """`after` depends on `quick` alone, and `slow`, of the same level as `quick`, ends only once `after` has run."""
    quick, slow, after = table("quick"), table("slow"), table("after")
    after_ran = threading.Event()

    def build(name: TableName) -> bool:
        if name == after:
            after_ran.set()
        return after_ran.wait(30) if name == slow else True

    with ThreadPoolExecutor(2) as pool:
        schedule = run_in_parallel(
            Graph({quick: frozenset(), slow: frozenset(), after: frozenset({quick})}),
            lambda name, _: pool.submit(build, name),
            returned,
        )
    assert schedule.results[slow].result() is True


def test_what_most_waits_for_comes_first_though_it_is_ready_last() -> None:
    chain = [table("long1"), table("long2"), table("long3")]
    others = [table(f"other{number}") for number in range(3)]
    dependencies = {name: frozenset({before}) for before, name in pairwise(chain)}
    graph = Graph({chain[0]: frozenset(), **dependencies, **dict.fromkeys(others, frozenset())})
    build = Recorder()
    over_threads(graph, build, 1)
    assert list(build.started)[:2] == chain[:2]


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_tables_are_under_way_than_there_are_workers(workers: int) -> None:
    graph = Graph({table(f"t{number}"): frozenset() for number in range(10)})
    lock, under_way, most = threading.Lock(), 0, 0

    def build() -> None:
        nonlocal under_way
        with lock:
            under_way -= 1

    def submit(_name: TableName, _dependencies: list[Future[None]]) -> Future[None]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        return pool.submit(build)

    with ThreadPoolExecutor(10) as pool:
        run_in_parallel(graph, submit, returned, workers)
    assert 1 <= most <= workers


def test_submit_gets_what_it_returned_for_the_dependencies() -> None:
    a, b, c = table("a"), table("b"), table("c")
    seen: dict[TableName, list[str]] = {}

    def submit(name: TableName, dependencies: list[Future[str]]) -> Future[str]:
        seen[name] = [dependency.result() for dependency in dependencies]
        future: Future[str] = Future()
        future.set_result(str(name))
        return future

    run_in_parallel(Graph({a: frozenset(), b: frozenset({a}), c: frozenset({a, b})}), submit, returned)
    assert seen == {a: [], b: ["tmp.a"], c: ["tmp.a", "tmp.b"]}


def test_an_interrupt_is_not_taken_for_a_failed_table() -> None:
    def build(_name: TableName) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in_order(Graph({table("a"): frozenset()}), build)


def test_an_empty_graph_is_done_at_once() -> None:
    assert run_in_order(Graph({}), Recorder()) == ScheduleResult()


class Clock:
    """Time that passes only while the schedule waits for a table to end. Stands for its queue."""

    def __init__(self, seconds: Mapping[TableName, float]) -> None:
        self.seconds, self.now = seconds, 0.0
        self._running: list[tuple[float, TableName]] = []

    def start(self, name: TableName, _dependencies: object) -> Future[None]:
        self._running.append((self.now + self.seconds[name], name))
        return Future()

    def get(self) -> TableName:
        end = min(self._running)
        self._running.remove(end)
        self.now = end[0]
        return end[1]


def simulated(
    graph: Graph, seconds: Mapping[TableName, float], workers: int, known: Mapping[TableName, float]
) -> float:
    """The makespan of tables that take so many seconds, of which the schedule knows what is `known`."""
    clock = Clock(seconds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedules, "SimpleQueue", lambda: clock)
        run_in_parallel(graph, clock.start, lambda _: True, workers, known)
    return clock.now


@settings(max_examples=40)
@given(graphs(), st.integers(1, 4), st.randoms())
def test_known_seconds_keep_to_grahams_bound(graph: Graph, workers: int, pick: random.Random) -> None:
    """No schedule without idle workers takes longer than 2 - 1/workers times the best one:
    https://doi.org/10.1137/0117039"""
    seconds = {name: pick.choice([0.1, 1.0, 5.0, pick.uniform(0.1, 9)]) for name in sorted(graph.dependencies)}
    least = bound(graph, seconds, workers)
    for known in (seconds, {}):
        assert least - 1e-9 <= simulated(graph, seconds, workers, known) <= (2 - 1 / workers) * least + 1e-9


def test_a_schedule_that_knows_the_last_builds_is_nearly_the_best_one() -> None:
    learned, unlearned = [], []
    for seed in range(12):
        graph, seconds, took = skewed_project(60, seed)
        best = best_known(graph, seconds, 8, tried=40)
        known = expected_seconds(dict.fromkeys(seconds, 1), took)
        learned.append(simulated(graph, seconds, 8, known) / best)
        unlearned.append(simulated(graph, seconds, 8, {}) / best)
    assert sum(learned) / len(learned) <= 1.02 <= sum(unlearned) / len(unlearned)
    assert max(learned) <= 1.05


def test_a_table_is_expected_to_take_the_median_of_its_last_builds_for_each_of_its_queries() -> None:
    a, b, c, new = (table(name) for name in ("a", "b", "c", "new"))
    took = {a: (1.0, 90.0, 2.0, 1.5, 1.0), b: (4.0, 60.0), c: (7.0,), table("other"): (1000.0,)}
    assert expected_seconds({a: 1, b: 3, c: 1, new: 2}, took) == {a: 1.5, b: 12.0, c: 7.0, new: 8.0}
    assert expected_seconds({a: 1, new: 2}, {}) == {a: 1.0, new: 2.0}
