"""Run the checks of a refresh's tables, each as soon as the tables that it reads are there."""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.warehouse import Answer
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query

Fetch = Callable[[Query, Collection[TableName]], Answer]
"""Answers a query; it reads these tables as the refresh has just built them, and all others as they are published."""
PublishedRows = Callable[[TableName], int | None]
"""How many rows the published table has; None if there is none."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Checks that one query answers. `needs` are the tables that it reads and this refresh builds: it runs once the
    last of them is built. `about` are the tables that it checks. `read` makes results of the answer; it gets the number
    of rows of the published table, if the checks ask for it (`counts`)."""

    name: str
    query: Query
    about: tuple[TableName, ...]
    needs: frozenset[TableName]
    read: Callable[[Answer, int | None], Sequence[CheckResult]]
    counts: bool = False


class Checker:
    """Runs the units of a refresh, each once. Safe to use from several threads."""

    def __init__(self, units: Iterable[Unit], fetch: Fetch, published_rows: PublishedRows) -> None:
        self.units = tuple(units)
        self._fetch, self._published_rows = fetch, published_rows
        self._lock = threading.Lock()
        self._built = set[TableName]()

    def is_checked(self, table: TableName) -> bool:
        """Whether a check reads the table."""
        return any(table in unit.needs for unit in self.units)

    def check(self, table: TableName) -> list[CheckResult]:
        """The results of the checks that can be run now that this table is built, too. To be called once for each
        table. Raises WarehouseError; wrong SQL is a failed check."""
        with self._lock:
            self._built.add(table)
            due = [unit for unit in self.units if table in unit.needs and unit.needs <= self._built]
        return [result for unit in due for result in run_unit(unit, self._fetch, self._published_rows)]


def run_unit(unit: Unit, fetch: Fetch, published_rows: PublishedRows) -> Sequence[CheckResult]:
    """The results of the checks of a unit. Raises WarehouseError; wrong SQL is a failed check."""
    try:
        answer = fetch(unit.query, unit.needs)
    except SqlError as error:
        message = f"{unit.name} cannot be answered: {error.reason}"
        return [CheckResult(unit.name, Verdict.FAILED, message, tables=unit.about)]
    return unit.read(answer, published_rows(unit.about[0]) if unit.counts else None)
