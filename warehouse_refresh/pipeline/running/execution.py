"""Build, check and publish the tables of a refresh, and record the state of each table."""

import logging
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from warehouse_refresh.pipeline.outcomes import CheckResult, Failure, Publishing, State, Verdict, counts_of
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.running.schedule import (
    NOTHING,
    TOO_LONG,
    Expected,
    Pace,
    ScheduleResult,
    returned,
    run_in_order,
    run_in_parallel,
)
from warehouse_refresh.warehouse import Built, Published
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

if TYPE_CHECKING:
    pass

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TableRun:
    """The state of a table. `built` says how it was built, once it is; None if an earlier attempt built it. A table
    that is BUILDING and has it is being checked. `failure` and `reason` say why it was not built or not published.
    `checks` are the results of its checks. `progress` says how far it is, while it is built in steps."""

    table: TableName
    state: State
    built: Built | None = None
    reason: str = ""
    failure: Failure | None = None
    checks: tuple[CheckResult, ...] = ()
    progress: str = ""

    @property
    def amount(self) -> str:
        """`1,234 rows in 0.05 s`; `built before` if an earlier attempt of the run has built it."""
        return f"{self.built.amount} in {self.built.seconds:.2f} s" if self.built else "built before"

    @property
    def checks_text(self) -> str:
        """`2 passed, 1 warning`; "" without checks."""
        return ", ".join(f"{count} {verdict.value}" for verdict, count in counts_of(self.checks).items())

    @property
    def warnings(self) -> list[CheckResult]:
        """The checks that failed with the severity "warning": they block nothing."""
        return [check for check in self.checks if check.verdict is Verdict.WARNING]


Report = Callable[[TableRun], None]


def ignore(_run: TableRun) -> None:
    """A report that does nothing."""


Progress = Callable[[str], None]
"""Says how far a table is that is built in steps: `32 of 90 partitions`."""


def no_progress(_text: str) -> None:
    """Says nothing."""


class BuildFailed(Exception):
    """A table was not built, or not published. The message says why; do not show a stack trace."""


class Blocked(BuildFailed):
    """A table was built, and a check keeps it from being published."""


class Work(Protocol):
    """The operations on tables that an Execution calls. All may raise WarehouseError; `build` and `stage` also raise
    BuildFailed. `blocked` are the tables that must not be built, each with the reason."""

    @property
    def blocked(self) -> Mapping[TableName, str]: ...

    def must_stage(self, table: TableName) -> bool:
        """Whether the table is staged before it is published, also where each one is published by itself: because it
        has checks, or is built by date, or because the old one is kept."""

    def build(self, table: TableName, progress: Progress) -> Built:
        """Build a table and publish it at once."""

    def stage(self, table: TableName, staged: Collection[TableName]) -> Built | None:
        """Build a table beside the published one. Its query reads the tables of `staged` as they were staged, all
        others as they are published. Returns None if an earlier attempt of the same run has staged it."""

    def check(self, table: TableName) -> Sequence[CheckResult]:
        """Run the checks that were waiting for this table to be staged. Returns their results."""

    def check_rest(self) -> Sequence[CheckResult]:
        """Run the checks that still wait for a table that was not built. Returns their results."""

    def publish(self, tables: Sequence[TableName]) -> Published:
        """Publish staged tables together. `tables` has each one after those that it is built from."""

    def discard(self, keep: Collection[TableName]) -> None:
        """Drop all staged tables except those of `keep`."""

    def costs(self, built: Sequence[Built]) -> Sequence[Built]:
        """What was built, in its order, with what it has cost. Raises nothing."""

    def note_failed(self, tables: Sequence[TableName]) -> None:
        """Record that these tables were to be built, and are not published."""


class Execution:
    """Builds the tables of a graph, one with each call of `build`, and publishes the healthy ones. `runs` has the state
    of every table.

    A table is healthy if it was built and passed its checks, and so did all tables of the graph that it is built from.
    `owners` names a person for a table; the reason of a failure shows the name. `source_checks` are the results of the
    checks that ran before anything was built. `report` is called at each change of state, in the thread that made the
    change. Safe to use from several threads.
    """

    def __init__(
        self,
        graph: Graph,
        work: Work,
        report: Report = ignore,
        publishing: Publishing = Publishing.TOGETHER,
        owners: Mapping[TableName, str] | None = None,
        source_checks: Sequence[CheckResult] = (),
    ) -> None:
        self.graph, self._work, self._report, self._publishing = graph, work, report, publishing
        self.source_checks = source_checks
        self._owners = owners or {}
        self._lock = threading.Lock()
        self._staged = set[TableName]()
        self.runs = {table: TableRun(table, State.WAITING) for table in graph.order}
        self.published: Published | None = None

    def build(self, table: TableName) -> TableRun:
        """Build and check one table. Raises BuildFailed with the reason. Any other exception is a bug."""
        self._set(TableRun(table, State.BUILDING))
        try:
            run = self._built(table)
        except Blocked as error:
            self._set(TableRun(table, State.BLOCKED, reason=str(error), failure=Failure.CHECK))
            raise
        except (BuildFailed, WarehouseError) as error:
            self._set(TableRun(table, State.FAILED, reason=str(error), failure=_failure(error)))
            raise BuildFailed(str(error)) from error
        except Exception as error:
            reason = f"{type(error).__name__}: {error} (a bug: please report it)"
            self._set(TableRun(table, State.FAILED, reason=reason, failure=Failure.BUG))
            logger.exception("building %s failed unexpectedly", table)
            raise
        self._set(run)
        if run.state is State.BLOCKED:
            raise Blocked(run.reason)
        return run

    def _built(self, table: TableName) -> TableRun:
        if table in self._work.blocked:
            return TableRun(table, State.BLOCKED, None, self._work.blocked[table], Failure.CHECK)
        at_once = self._publishing is Publishing.EACH
        if at_once and not self._work.must_stage(table):

            def progress(text: str) -> None:
                self._set(TableRun(table, State.BUILDING, progress=text))

            return TableRun(table, State.BUILT, self._work.build(table, progress))
        with self._lock:
            staged = frozenset(self._staged)
        built = self._work.stage(table, staged)
        self._set(TableRun(table, State.BUILDING, built))
        checks = tuple(self._work.check(table))
        failed = self._failed(table, checks)
        if failed:
            # The messages, not `str(check)`: its command would query the published table, without these rows.
            reason = "; ".join(check.message for check in failed)
            return TableRun(table, State.BLOCKED, built, reason, Failure.CHECK, checks)
        if at_once:
            self._work.publish([table])
            return TableRun(table, State.BUILT, built, checks=checks)
        return TableRun(table, State.STAGED, built, checks=checks)

    def _failed(self, table: TableName, checks: Iterable[CheckResult]) -> list[CheckResult]:
        """The failed checks that block the table. A failed check that is about other staged tables blocks those
        here."""
        failed = [check for check in checks if check.verdict is Verdict.FAILED]
        for check in failed:
            for other in check.tables:
                if other != table and other in self._staged:
                    self._block(other, check.message, Failure.CHECK)
        return [check for check in failed if not check.tables or table in check.tables]

    def publish(self) -> Published | None:
        """Run the remaining checks, then publish the healthy tables. Call it when no more tables will be built. Returns
        None if no table is healthy. Raises BuildFailed if publishing failed."""
        try:
            self._check_rest()
        except WarehouseError as error:
            self._not_published([run.table for run in self.in_state(State.STAGED)], str(error), Failure.NOT_PUBLISHED)
            raise BuildFailed(str(error)) from error
        tables = self._healthy()
        if not tables:
            return None
        try:
            self.published = self._work.publish(tables)
        except WarehouseError as error:
            self._not_published(tables, str(error), Failure.NOT_PUBLISHED)
            raise BuildFailed(str(error)) from error
        except Exception as error:
            self._not_published(tables, f"{type(error).__name__}: {error} (a bug: please report it)", Failure.BUG)
            logger.exception("publishing failed unexpectedly")
            raise
        for table in tables:
            run = self.runs[table]
            self._set(replace(run, state=State.BUILT if run.built else State.BUILT_BEFORE))
        return self.published

    def _check_rest(self) -> None:
        for check in self._work.check_rest():
            for table in check.tables:
                run = self.runs[table]
                self.runs[table] = replace(run, checks=(*run.checks, check))
                if check.verdict is Verdict.FAILED and run.state is State.STAGED:
                    self._block(table, check.message, Failure.CHECK)

    def _not_published(self, tables: Iterable[TableName], why: str, failure: Failure) -> None:
        for table in tables:
            reason = f"it was built, but could not be published: {why}"
            self._set(replace(self.runs[table], state=State.FAILED, reason=reason, failure=failure))

    def _healthy(self) -> list[TableName]:
        """The tables to publish, in order. Blocks the other staged tables."""
        for run in self.in_state(State.STAGED):
            if bad := [one for one in sorted(self.graph.dependencies[run.table]) if self._is_bad(one)]:
                self._block(run.table, f"built from {', '.join(map(str, bad))}", Failure.CHECK)
        bad = [table for table in self.graph.order if self._is_bad(table)]
        staged = [run.table for run in self.in_state(State.STAGED)]
        if not (bad and self._publishing is Publishing.ALL):
            return staged
        for table in staged:
            self._block(
                table,
                f"{bad[0]} {self.runs[bad[0]].state.value}, and REFRESH_PUBLISH=all publishes all or none",
                Failure.NOT_PUBLISHED,
            )
        return []

    def _is_bad(self, table: TableName) -> bool:
        return self.runs[table].state in (State.FAILED, State.BLOCKED, State.NOT_RUN)

    def _block(self, table: TableName, reason: str, failure: Failure) -> None:
        self._set(replace(self.runs[table], state=State.BLOCKED, reason=reason, failure=failure))

    def end(self, *, for_retry: bool = False) -> None:
        """Learn what the tables have cost, record which ones are not published, and drop what was staged of them. With
        `for_retry`, keep those that another attempt of this run can publish."""
        self._learn_costs()
        runs = self.runs.values() if for_retry else ()
        bad = [table for table in self.graph.order if self._is_bad(table)]
        try:
            self._work.discard([run.table for run in runs if run.failure is Failure.NOT_PUBLISHED])
            if bad:
                self._work.note_failed(bad)
        except WarehouseError as error:  # the next refresh drops them
            logger.warning("what was not published could not be cleared up: %s", error)

    def _learn_costs(self) -> None:
        tables = {run.table: run.built for run in self.runs.values() if run.built is not None}
        costs = self._work.costs(list(tables.values())) if tables else ()
        for table, built in zip(tables, costs, strict=True):
            self.runs[table] = replace(self.runs[table], built=built)

    def pace(self, workers: int, expected: Expected) -> Pace:
        """How many tables are under way at once, up to that many workers, by how long the warehouse lets them wait."""

        def waited(table: TableName) -> float | None:
            run = self.runs[table]
            if run.failure is Failure.UNAVAILABLE and expected.at_first < sys.maxsize:
                return TOO_LONG
            return run.built.waited if run.built is not None else None

        return Pace(workers, expected.at_first, waited)

    def built_before(self, tables: Iterable[TableName]) -> None:
        """Mark `tables` as built and published by an earlier attempt of this run."""
        for table in tables:
            self._set(TableRun(table, State.BUILT_BEFORE))

    def not_run(self, blame: Mapping[TableName, Iterable[TableName]]) -> None:
        """Mark tables as not run. `blame` has each of them with the failed tables that it depends on."""
        for table, failed in blame.items():
            reason = f"waits for {', '.join(map(str, failed))}"
            self._set(TableRun(table, State.NOT_RUN, reason=reason, failure=Failure.NOT_RUN))

    def in_state(self, *states: State) -> list[TableRun]:
        """The runs whose state is one of `states`, in the graph's order."""
        return [run for run in self.runs.values() if run.state in states]

    @property
    def succeeded(self) -> bool:
        """Whether every table has been built and published."""
        return len(self.in_state(State.BUILT, State.BUILT_BEFORE)) == len(self.runs)

    def summary(self) -> str:
        """The message of the whole refresh: how many tables were built and published, how many checks passed, why each
        other table was not published, and the warnings."""
        lines = [self._counts() if self.runs else "nothing to build: the selection names no table now"]
        if self.published is not None and self.published.window:
            lines.append(f"readers could find new tables beside old ones for {self.published.window:.2f} s")
        for state in (State.FAILED, State.BLOCKED, State.NOT_RUN):
            lines += [f"{state.value}: {run.table}: {run.reason}" for run in self.in_state(state)]
        warned = [(table, check) for table, check in self._checks() if check.verdict is Verdict.WARNING]
        return "\n".join([*lines, *(f"warning: {table}: {check}" for table, check in warned)])

    def _counts(self) -> str:
        """`8 of 8 tables built and published, 21 checks passed`."""
        built = sum(run.built is not None for run in self.runs.values())
        published, before = len(self.in_state(State.BUILT)), len(self.in_state(State.BUILT_BEFORE))
        words = [f"{built} of {len(self.runs)} tables built" + (" and published" if built == published else "")]
        words += [f"{published} published"] if built != published else []
        words += [f"{before} built before"] if before else []
        counts = counts_of([check for _, check in self._checks()])
        words += [f"{counted(counts[Verdict.PASSED], 'check')} passed"] if Verdict.PASSED in counts else []
        words += [counted(counts[Verdict.WARNING], "warning")] if Verdict.WARNING in counts else []
        words += [f"{counted(counts[Verdict.FAILED], 'check')} failed"] if Verdict.FAILED in counts else []
        return ", ".join(words)

    def _checks(self) -> list[tuple[str, CheckResult]]:
        """The results of all checks, each with the tables that it is about."""
        of_sources = [(check.about, check) for check in self.source_checks]
        return of_sources + [(str(run.table), check) for run in self.runs.values() for check in run.checks]

    def _set(self, run: TableRun) -> None:
        owner = self._owners.get(run.table)
        if owner and run.state in (State.FAILED, State.BLOCKED):
            run = replace(run, reason=f"{run.reason}\n  owner: {owner}")
        with self._lock:
            self.runs[run.table] = run
            (self._staged.add if run.state is State.STAGED else self._staged.discard)(run.table)
            self._report(run)


def only_checks_failed(runs: Iterable[TableRun]) -> bool:
    """Whether some tables were not published, and failed checks are the only reason."""
    states = {run.state for run in runs}
    return State.BLOCKED in states and states <= {State.BUILT, State.BUILT_BEFORE, State.BLOCKED, State.NOT_RUN}


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


def run_here(graph: Graph, execution: Execution, workers: int, expected: Expected = NOTHING) -> None:
    """Build the tables of `graph` in this process, one after the other or with a pool of threads. Then publish the
    healthy ones."""
    if workers == 1:
        done = run_in_order(graph, execution.build)
    else:
        done = _run_in_threads(graph, execution, workers, expected)
    execution.not_run(done.not_run)
    with suppress(BuildFailed):  # the states of the tables have the reason
        execution.publish()
    execution.end()


def _run_in_threads(
    graph: Graph, execution: Execution, workers: int, expected: Expected
) -> ScheduleResult[Future[TableRun]]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="build")

    def submit(table: TableName, _dependencies: list[Future[TableRun]]) -> Future[TableRun]:
        return pool.submit(execution.build, table)

    try:
        return run_in_parallel(graph, submit, returned, execution.pace(workers, expected), expected.seconds)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
