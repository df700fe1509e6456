"""A warehouse in a DuckDB file whose process is killed before one of its statements."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.tables.database import Database


class Killed(DuckDBWarehouse):
    """Its process is killed before its statement number `step`, begin and commit counted; never for 0."""

    step = 0

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        count_statements(self._database, self._count)

    def _count(self) -> None:
        self.step -= 1
        if self.step == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def count_statements(database: Database, count: Callable[[], None]) -> None:
    """Have all cursors of the database call `count` before each statement."""
    opened = database.cursor

    @contextmanager
    def cursor() -> Iterator[duckdb.DuckDBPyConnection]:
        with opened() as found:
            yield _Counted(found, count)  # type: ignore[misc]  # it stands for the cursor

    database.cursor = cursor  # type: ignore[method-assign]


class _Counted:
    """A cursor that calls `count` before each statement."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, count: Callable[[], None]) -> None:
        self._cursor, self._count = cursor, count

    def __getattr__(self, name: str) -> Any:
        if name in ("execute", "begin", "commit"):
            self._count()
        return getattr(self._cursor, name)
