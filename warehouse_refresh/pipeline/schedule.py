"""The order of a refresh: plain Python, for any graph and any way of building a table."""

import sys
from collections.abc import Callable
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


F = TypeVar("F", bound=FutureLike)
T = TypeVar("T")


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

    def submit(table: TableName, _dependencies: list[Future[T]]) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(build(table))
        except Exception as error:  # goes into the future, as in a thread pool
            future.set_exception(error)
        return future

    return run_in_parallel(graph, submit, returned)


def run_in_parallel(
    graph: Graph,
    submit: Callable[[TableName, list[F]], F],
    succeeded: Callable[[F], bool],
    workers: int = sys.maxsize,
) -> ScheduleResult[F]:
    """Submit each table as soon as all its dependencies have succeeded and one of `workers` is free. Return when all
    submitted tables have finished.

    `submit` starts building a table and returns its future at once; it gets the futures of the table's dependencies. A
    table waits only for its own dependencies, not for a whole level, and occupies no worker while it waits. If several
    tables are ready, the most urgent goes first (`Graph.urgency`): so ready tables wait here, not in the workers'
    queue.
    """
    sorter = TopologicalSorter(graph.dependencies)
    sorter.prepare()
    finished: SimpleQueue[TableName] = SimpleQueue()
    submitted: dict[TableName, F] = {}
    ready: list[tuple[int, TableName]] = []
    running = 0
    while True:
        for table in sorter.get_ready():
            heappush(ready, graph.urgency(table))
        while ready and running < workers:
            _, table = heappop(ready)
            dependencies = [submitted[dependency] for dependency in sorted(graph.dependencies[table])]
            submitted[table] = submit(table, dependencies)
            submitted[table].add_done_callback(partial(_announce, finished, table))
            running += 1
        if not running:
            return ScheduleResult(submitted, _not_run(graph, submitted, succeeded))
        table = finished.get()
        running -= 1
        if succeeded(submitted[table]):
            sorter.done(table)


def returned(future: Future[T]) -> bool:
    """Whether a finished future holds a value, not an exception."""
    return future.exception() is None


def _announce(finished: SimpleQueue[TableName], table: TableName, _future: object) -> None:
    finished.put(table)


def _not_run(
    graph: Graph, submitted: dict[TableName, F], succeeded: Callable[[F], bool]
) -> dict[TableName, list[TableName]]:
    """For each table that was not submitted, the failed tables that it waited for."""
    blame: dict[TableName, set[TableName]] = {}
    for table in graph.order:
        blame[table] = set().union(*(blame[dependency] for dependency in graph.dependencies[table]))
        if table in submitted and not succeeded(submitted[table]):
            blame[table] = {table}
    return {table: sorted(blame[table]) for table in graph.order if table not in submitted}
