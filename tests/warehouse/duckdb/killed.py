"""A warehouse in a DuckDB file whose process is killed before one of its statements."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse


class Killed(DuckDBWarehouse):
    """Its process is killed before its statement number `step`, begin and commit counted; never for 0."""

    step = 0

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with super()._cursor() as cursor:
            yield _Deadly(cursor, self._count)  # type: ignore[misc]  # it stands for the cursor

    def _count(self) -> None:
        self.step -= 1
        if self.step == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class _Deadly:
    """A cursor that calls `count` before each statement."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, count: Callable[[], None]) -> None:
        self._cursor, self._count = cursor, count

    def __getattr__(self, name: str) -> Any:
        if name in ("execute", "begin", "commit"):
            self._count()
        return getattr(self._cursor, name)
