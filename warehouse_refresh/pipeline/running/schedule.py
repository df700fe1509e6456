"""The order of a refresh: plain Python, for any graph and any way of building a table."""

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.warehouse.names import TableName


class FutureLike(Protocol):
    """A future that `submit` returns: concurrent.futures.Future, or Prefect's."""

    def add_done_callback(self, callback: Callable[[Any], None], /) -> None: ...


AT_ONCE = 2.0
"""A table whose jobs waited for no more than so many seconds was begun at once."""
TOO_LONG = 5.0
"""A table whose jobs waited for so many seconds says that too many are under way."""
_STEP_BACK = 0.75

F = TypeVar("F", bound=FutureLike)
T = TypeVar("T")


class Pace:
    """How many tables may be under way: `at_first`, and then what their waiting says, from one to `most`. `waited` says
    how many seconds the warehouse has let a table wait that has ended; None if nobody knows: that changes nothing.

    As TCP finds its share of a line, https://datatracker.ietf.org/doc/html/rfc5681#section-3.1, with a smaller step
    back: a job that waits in BigQuery's queue costs nothing.

    The limit grows by one with each table that was begun at once while the limit was reached: it doubles in a round.
    After the first step back it grows by one in a round. After a step back, tables that were started before it say
    nothing: they have waited for the same reason.
    """

    def __init__(
        self,
        most: int = sys.maxsize,
        at_first: int = sys.maxsize,
        waited: Callable[[TableName], float | None] = lambda _table: None,
    ) -> None:
        self._most, self._waited = most, waited
        self._limit = float(min(most, at_first))
        self._steps_back = 0
        self._under_way: dict[TableName, int] = {}  # with the steps back before each

    @property
    def is_reached(self) -> bool:
        """Whether as many tables are under way as may be."""
        return len(self._under_way) >= int(self._limit)

    @property
    def is_idle(self) -> bool:
        """Whether no table is under way."""
        return not self._under_way

    def started(self, table: TableName) -> None:
        """Count a table that was started."""
        self._under_way[table] = self._steps_back

    def ended(self, table: TableName) -> None:
        """Count a table that has ended, and see how long it has waited."""
        was_reached, waited = self.is_reached, self._waited(table)
        steps_back = self._under_way.pop(table)
        if waited is None or steps_back < self._steps_back:
            return
        if waited >= TOO_LONG:
            self._limit = max(1.0, self._limit * _STEP_BACK)
            self._steps_back += 1
        elif waited <= AT_ONCE and was_reached:
            self._limit = min(self._most, self._limit + (1 / self._limit if self._steps_back else 1))


@dataclass(frozen=True)
class ScheduleResult(Generic[T]):
    """The futures of the tables that were submitted (`results`), and for each table that was not submitted the failed
    tables that it waited for (`not_run`)."""

    results: dict[TableName, T] = field(default_factory=dict)
    not_run: dict[TableName, list[TableName]] = field(default_factory=dict)


def run_in_order(graph: Graph, build: Callable[[TableName], T]) -> ScheduleResult[Future[T]]:
    """Build one table after the other, each after its dependencies.

    If `build` raises an Exception, the tables that depend on that table are not built; all others are.
    """

    results: dict[TableName, Future[T]] = {}
    built: set[TableName] = set()
    for table in graph.order:
        if graph.dependencies[table] <= built:
            future: Future[T] = Future()
            results[table] = future
            try:
                future.set_result(build(table))
                built.add(table)
            except Exception as error:  # goes into the future, as in a thread pool
                future.set_exception(error)
    return ScheduleResult(results, _not_run(graph, results, returned))


def run_in_parallel(
    graph: Graph,
    submit: Callable[[TableName, list[F]], F],
    succeeded: Callable[[F], bool],
    workers: int | Pace = sys.maxsize,
    seconds: Mapping[TableName, float] | None = None,
) -> ScheduleResult[F]:
    """Submit each table as soon as all its dependencies have succeeded and one of `workers` is free, or the Pace lets
    one more table start. Return when all submitted tables have finished.

    `submit` starts building a table and returns its future at once; it gets the futures of the table's dependencies. A
    table waits only for its own dependencies, not for a whole level, and occupies no worker while it waits. If several
    tables are ready, the one goes first from which on the longest way is left to the end, by the `seconds` that each
    table is expected to take: so ready tables wait here, not in the workers' queue.
    """
    pace = workers if isinstance(workers, Pace) else Pace(workers)
    left = seconds_left(graph, seconds or {})
    sorter = TopologicalSorter(graph.dependencies)
    sorter.prepare()
    finished: SimpleQueue[TableName] = SimpleQueue()
    submitted: dict[TableName, F] = {}
    ready: list[tuple[float, TableName]] = []
    while True:
        for table in sorter.get_ready():
            heappush(ready, (-left[table], table))
        while ready and not pace.is_reached:
            _, table = heappop(ready)
            pace.started(table)
            dependencies = [submitted[dependency] for dependency in sorted(graph.dependencies[table])]
            submitted[table] = submit(table, dependencies)
            submitted[table].add_done_callback(partial(_announce, finished, table))
        if pace.is_idle:
            return ScheduleResult(submitted, _not_run(graph, submitted, succeeded))
        table = finished.get()
        pace.ended(table)
        if succeeded(submitted[table]):
            sorter.done(table)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a refresh expects: the `seconds` that each table takes, and that the warehouse begins `at_first` so many of
    them without delay."""

    seconds: Mapping[TableName, float] = field(default_factory=dict)
    at_first: int = sys.maxsize


NOTHING = Expected()
"""Nothing is known of the tables."""


def expected_seconds(
    steps: Mapping[TableName, int], took: Mapping[TableName, Sequence[float]]
) -> dict[TableName, float]:
    """How long each table is expected to take, from what each query of its last builds `took`: their median, times the
    number of its queries, its `steps`. A table that was never built counts as the median of the others, and as 1 if
    there are none."""
    known = {table: _median(took[table]) for table in steps if took.get(table)}
    usual = _median(list(known.values())) if known else 1.0
    return {table: known.get(table, usual) * count for table, count in steps.items()}


def seconds_left(graph: Graph, seconds: Mapping[TableName, float]) -> dict[TableName, float]:
    """For each table the seconds of the longest chain of tables that begins with it. A table without seconds counts as
    one that takes 1."""
    left: dict[TableName, float] = {}
    for table in reversed(graph.order):
        left[table] = seconds.get(table, 1.0) + max((left[after] for after in graph.dependents[table]), default=0.0)
    return left


@dataclass(frozen=True, slots=True)
class Forecast:
    """About how many seconds a refresh will take, and the longest chain of its tables by seconds, each after the one
    that it waits for."""

    seconds: float
    chain: tuple[TableName, ...]


def forecast(graph: Graph, seconds: Mapping[TableName, float], workers: int) -> Forecast | None:
    """What can be said of a refresh of these tables, which are expected to take so many seconds: it takes as long as
    their longest chain, and as all of them spread over the workers. None without tables."""
    left = seconds_left(graph, seconds)
    if not left:
        return None
    chain = [max(graph.order, key=left.__getitem__)]
    while after := graph.dependents[chain[-1]]:
        chain.append(max(after, key=left.__getitem__))
    return Forecast(max(left[chain[0]], sum(seconds[table] for table in left) / workers), tuple(chain))


def _median(numbers: Sequence[float]) -> float:
    """The middle one; of two the smaller one, since what happens once makes a build slower, not faster."""
    return sorted(numbers)[(len(numbers) - 1) // 2]


def returned(future: Future[T]) -> bool:
    """Whether a finished future holds a value, not an exception."""
    return future.exception() is None


def _announce(finished: SimpleQueue[TableName], table: TableName, _future: object) -> None:
    finished.put(table)


def _not_run(
    graph: Graph, submitted: dict[TableName, F], succeeded: Callable[[F], bool]
) -> dict[TableName, list[TableName]]:
    """For each table that was not submitted, the failed tables that it waited for."""
    if len(submitted) == len(graph.dependencies):
        return {}
    blame: dict[TableName, set[TableName]] = {}
    for table in graph.order:
        blame[table] = set().union(*(blame[dependency] for dependency in graph.dependencies[table]))
        if table in submitted and not succeeded(submitted[table]):
            blame[table] = {table}
    return {table: sorted(blame[table]) for table in graph.order if table not in submitted}
