"""Building the tables of a refresh, and the state of each table."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from warehouse_refresh.pipeline.outcomes import Failure, State
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.problems import Problem
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.schedule import ScheduleResult, returned, run_in_order, run_in_parallel
from warehouse_refresh.warehouse import BuildContext, Built, Warehouse
from warehouse_refresh.warehouse.errors import (
    Cancelled,
    NotAllowed,
    OverBudget,
    SqlError,
    Transient,
    Unavailable,
    WarehouseError,
)
from warehouse_refresh.warehouse.names import TableName

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TableRun:
    """The state of a table: `built` once it is built, `failure` and `reason` if it failed or was not run."""

    table: TableName
    state: State
    built: Built | None = None
    reason: str = ""
    failure: Failure | None = None


Report = Callable[[TableRun], None]


def ignore(_run: TableRun) -> None:
    """A report that does nothing."""


class BuildFailed(Exception):
    """A table was not built. The message says why; do not show a stack trace."""


class Execution:
    """Builds tables of a graph, one for each call of `build`, and keeps the state of every table in `runs`.

    `owners` are named where their tables fail. Safe to use from several threads. `report` is called at each change of
    state, in the thread that made the change.
    """

    def __init__(
        self,
        graph: Graph,
        build: Callable[[TableName], Built],
        report: Report = ignore,
        owners: Mapping[TableName, str] | None = None,
    ) -> None:
        self.graph, self._build, self._report, self._owners = graph, build, report, owners or {}
        self._lock = threading.Lock()
        self.runs = {table: TableRun(table, State.WAITING) for table in graph.order}

    def build(self, table: TableName) -> Built:
        """Build one table. Raises BuildFailed with the reason. Any other exception is a bug."""
        self._set(TableRun(table, State.BUILDING))
        try:
            built = self._build(table)
        except (BuildFailed, WarehouseError) as error:
            self._set(TableRun(table, State.FAILED, reason=str(error), failure=_failure(error)))
            raise BuildFailed(str(error)) from error
        except Exception as error:
            reason = f"{type(error).__name__}: {error} (a bug: please report it)"
            self._set(TableRun(table, State.FAILED, reason=reason, failure=Failure.BUG))
            logger.exception("building %s failed unexpectedly", table)
            raise
        self._set(TableRun(table, State.BUILT, built))
        return built

    def built_before(self, tables: Iterable[TableName]) -> None:
        """Set the state of `tables` that an earlier attempt of this run built."""
        for table in tables:
            self._set(TableRun(table, State.BUILT_BEFORE))

    def not_run(self, blame: Mapping[TableName, Iterable[TableName]]) -> None:
        """Set the state of the tables that were not run; `blame` has the failed tables that each one depends on."""
        for table, failed in blame.items():
            reason = f"waits for {', '.join(map(str, failed))}"
            self._set(TableRun(table, State.NOT_RUN, reason=reason, failure=Failure.NOT_RUN))

    def in_state(self, *states: State) -> list[TableRun]:
        """The tables that are in one of `states`, in the graph's order."""
        return [run for run in self.runs.values() if run.state in states]

    @property
    def succeeded(self) -> bool:
        """Whether every table has been built."""
        return len(self.in_state(State.BUILT, State.BUILT_BEFORE)) == len(self.runs)

    def summary(self) -> str:
        """One message: how many tables were built, then each failed table with its reason, and each one not run."""
        count = len(self.in_state(State.BUILT))
        before = len(self.in_state(State.BUILT_BEFORE))
        lines = [f"{count} of {len(self.runs)} tables built" + (f", {before} built before" if before else "")]
        lines += [f"failed: {run.table}: {run.reason}" for run in self.in_state(State.FAILED)]
        lines += [f"not run: {run.table}: {run.reason}" for run in self.in_state(State.NOT_RUN)]
        return "\n".join(lines)

    def _set(self, run: TableRun) -> None:
        owner = self._owners.get(run.table)
        if owner and run.state is State.FAILED:
            run = replace(run, reason=f"{run.reason}\n  owner: {owner}")
        with self._lock:
            self.runs[run.table] = run
            self._report(run)


_FAILURES: dict[type[Exception], Failure] = {
    BuildFailed: Failure.QUERY,
    SqlError: Failure.QUERY,
    OverBudget: Failure.OVER_BUDGET,
    NotAllowed: Failure.NOT_ALLOWED,
    Transient: Failure.UNAVAILABLE,
    Unavailable: Failure.UNAVAILABLE,
    Cancelled: Failure.CANCELLED,
}


def _failure(error: Exception) -> Failure:
    return next((failure for kind, failure in _FAILURES.items() if isinstance(error, kind)), Failure.WAREHOUSE)


def builder(
    scripts: Mapping[TableName, Script],
    warehouse: Warehouse,
    context: BuildContext,
    blocked: Mapping[TableName, str] | None = None,
) -> Callable[[TableName], Built]:
    """A function that builds a table by its script. It raises BuildFailed for wrong SQL and for values that cannot be
    computed, with file and line, and for a table that is `blocked`, with the reason; WarehouseError for anything
    else."""

    def build(table: TableName) -> Built:
        if blocked and table in blocked:
            raise BuildFailed(blocked[table])
        script = scripts[table]
        try:
            warehouse.create_functions(script.query.functions)
            return warehouse.build(script.build, context)
        except SqlError as error:
            place = error.place or script.build.query.start
            problem = Problem(script.path, place, error.reason, error.hint)
            raise BuildFailed(str(problem).removeprefix("error: ")) from error

    return build


def run_here(graph: Graph, execution: Execution, workers: int) -> None:
    """Run `execution` over `graph` in this process: one table after the other, or over a pool of threads."""
    done = run_in_order(graph, execution.build) if workers == 1 else _run_in_threads(graph, execution, workers)
    execution.not_run(done.not_run)


def _run_in_threads(graph: Graph, execution: Execution, workers: int) -> ScheduleResult[Future[Built]]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="build")

    def submit(table: TableName, _dependencies: list[Future[Built]]) -> Future[Built]:
        return pool.submit(execution.build, table)

    try:
        return run_in_parallel(graph, submit, returned, workers)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
