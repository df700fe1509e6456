"""Run the checks of a refresh's tables, each as soon as the tables that it reads are there."""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.warehouse import Answer, Warehouse
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.checks.partitions import Checkable

Fetch = Callable[[Query, Collection[TableName]], Answer]
"""Answers a query; it reads these tables as the refresh has just built them, and all others as they are published."""
PublishedRows = Callable[[TableName], int | None]
"""How many rows the published table has; None if there is none."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Checks that one query answers. `needs` are the tables that it reads and this refresh builds: it runs once the
    last of them is built. `about` are the tables that it checks. `read` turns the answer into results; if `counts` is
    set, it also gets the number of rows of the published table, and if `compares` is set, the answer of the query over
    that one. `bytes_processed` is how many bytes the query would read; None if the engine does not know. One that looks
    at the new partitions of a table by date gives that for other ones by `for_parts`."""

    name: str
    query: Query
    about: tuple[TableName, ...]
    needs: frozenset[TableName]
    read: Callable[[Answer, Any], Sequence[CheckResult]]
    counts: bool = False
    bytes_processed: int | None = None
    compares: bool = False
    for_parts: "Callable[[Checkable], Unit] | None" = None


class Checker:
    """Runs the units of a refresh, each once. Safe to use from several threads."""

    def __init__(self, units: Iterable[Unit], fetch: Fetch, published_rows: PublishedRows) -> None:
        self.units = tuple(units)
        self._fetch, self._published_rows = fetch, published_rows
        self._lock = threading.Lock()
        self._built = set[TableName]()
        self._left = list(self.units)

    def is_checked(self, table: TableName) -> bool:
        """Whether a check reads the table."""
        return any(table in unit.needs for unit in self.units)

    def check(self, table: TableName) -> list[CheckResult]:
        """Run the checks that waited only for this table. Returns their results. Call it once for each table, when it
        is built. Raises WarehouseError; wrong SQL is a failed check."""
        with self._lock:
            self._built.add(table)
            due = self._take(lambda unit: table in unit.needs and unit.needs <= self._built)
        return self._run(due)

    def check_rest(self) -> list[CheckResult]:
        """Run the checks that read a built table, and another one that could not be built, of which they read the
        published version. Returns their results. Call it when no more tables will be built. Raises WarehouseError."""
        with self._lock:
            due = self._take(lambda unit: not unit.needs.isdisjoint(self._built))
        return self._run(due)

    def _take(self, is_due: Callable[[Unit], bool]) -> list[Unit]:
        """Remove the due units from those that are left, and return them. The caller must hold the lock."""
        due = [unit for unit in self._left if is_due(unit)]
        self._left = [unit for unit in self._left if not any(unit is one for one in due)]
        return due

    def _run(self, units: Iterable[Unit]) -> list[CheckResult]:
        return [result for unit in units for result in run_unit(unit, self._fetch, self._published_rows, self._built)]


def run_now(units: Sequence[Unit], warehouse: Warehouse, at_once: int) -> list[CheckResult]:
    """Run units over the published tables, up to `at_once` at the same time. Raises WarehouseError."""

    def run(unit: Unit) -> Sequence[CheckResult]:
        return run_unit(unit, lambda query, _: warehouse.fetch(query, None), lambda _: None, ())

    if len(units) < 2:
        return [result for unit in units for result in run(unit)]
    with ThreadPoolExecutor(at_once, thread_name_prefix="check") as pool:
        return [result for results in pool.map(run, units) for result in results]


def run_unit(
    unit: Unit, fetch: Fetch, published_rows: PublishedRows, built: Collection[TableName]
) -> Sequence[CheckResult]:
    """The results of the checks of a unit; `built` are the tables that the refresh has built so far. Raises
    WarehouseError; wrong SQL is a failed check."""
    try:
        answer = fetch(unit.query, unit.needs.intersection(built))
    except SqlError as error:
        message = f"{unit.name} cannot be answered: {error.reason}"
        return [CheckResult(unit.name, Verdict.FAILED, message, tables=unit.about)]
    if unit.compares:
        return unit.read(answer, fetch(unit.query, ()))
    return unit.read(answer, published_rows(unit.about[0]) if unit.counts else None)
