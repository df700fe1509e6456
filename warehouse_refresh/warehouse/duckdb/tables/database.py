"""The file as a database: transactions, repeated as needed, and what is known of its tables."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from warehouse_refresh.warehouse.deadline import deadline
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.faults import faults_of, reason
from warehouse_refresh.warehouse.duckdb.file import DuckDBFile
from warehouse_refresh.warehouse.duckdb.python_functions import is_missing, register
from warehouse_refresh.warehouse.duckdb.tables.attached import ATTACHED, Attached, attach, is_used
from warehouse_refresh.warehouse.duckdb.tables.columns import columns_of
from warehouse_refresh.warehouse.duckdb.tables.declared import Declared, declared_types
from warehouse_refresh.warehouse.duckdb.tables.loaded.memory import Memory
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE
from warehouse_refresh.warehouse.errors import Transient, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import Column

T = TypeVar("T")


class Database:
    """A DuckDB file. `known` caches the columns of tables, and `declared` has the types that the file keeps beside its
    tables; both are forgotten whenever the file is opened again. Whoever builds or reads tables tells `memory` so.

    DuckDB uses `memory` at most, such as "4GB"; "" is DuckDB's default.
    `patience` is how many seconds to wait for a file that another process has open. The other file, if one is
    `attached`, is open together with it.
    """

    def __init__(self, path: Path, patience: float, attached: Attached | None = None, memory: str = "") -> None:
        self.path, self.attached = path, attached
        self.known: dict[TableName, tuple[Column, ...]] = {}
        self.declared: Declared = {}
        self.memory = Memory(memory)
        self._is_new = not os.path.exists(path)  # noqa: PTH110 (this one answers in a folder that is closed to us, too)
        self._file = DuckDBFile(path, self._prepare, patience, self.locks, self.memory.finish)

    @property
    def locks(self) -> Path:
        """The file whose locks are taken: an environment's file has those of production."""
        return self.attached.path if self.attached is not None and self.attached.is_production else self.path

    @property
    def is_there(self) -> bool:
        """Whether there is a file to read: its own, or production's."""
        return self.path.exists() or self.locks.exists()

    def catalogue_of(self, table: TableName) -> str:
        """What DuckDB calls the file that has the table: the other one has those of an environment that are
        promoted."""
        other = self.attached
        return ATTACHED if other is not None and not other.is_production and other.has(table) else CATALOGUE

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Set up a newly opened connection, and forget the cached columns: another process may have changed the tables
        while this one had the file closed."""
        self.known.clear()
        self.declared = declared_types(connection)
        prepare(connection)
        self.memory.limit(connection)
        if self.attached is not None and self.attached.path.exists():
            attach(connection, self.attached)
            self.declared = {**declared_types(connection, ATTACHED), **self.declared}

    def known_columns(self, cursor: duckdb.DuckDBPyConnection, table: TableName) -> tuple[Column, ...]:
        """The table's columns. They are cached until the file is opened again, since many scripts read the same
        tables."""
        found = self.known.get(table)
        if found is None:
            found = columns_of(cursor, table, self.declared, self.catalogue_of(table))
        return self.known.setdefault(table, found)

    def note_declared(self, declared: Declared, tables: Iterable[TableName]) -> None:
        """Copy the types that `declared` has for these tables. Other threads may do the same for other tables."""
        for table in tables:
            if types := declared.get(table):
                self.declared[table] = types
            else:
                self.declared.pop(table, None)

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor of the open file; DuckDB's errors are raised as WarehouseError."""
        with self._file.cursor() as cursor, faults_of(self.path):
            yield cursor

    def in_transaction(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `work` in a transaction, which an exception rolls back. See `retried`."""

        def committed(cursor: duckdb.DuckDBPyConnection) -> T:
            cursor.begin()
            result = work(cursor)
            cursor.commit()
            return result

        return self.retried(committed)

    def retried(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `work`. Repeat it while it conflicts with other transactions, or needs Python functions that are not
        registered yet. Raises Transient after 30 s, or at the request's deadline."""

        def once() -> T:
            with self.cursor() as cursor:
                return _with_python_functions(cursor, work)

        try:
            return once()
        except duckdb.TransactionException as error:
            if deadline(30) <= time.monotonic():
                raise _conflict(error) from error
        return _again(once)

    def interrupt(self) -> None:
        """Stop the statements that run now."""
        self._file.interrupt()

    def close(self) -> None:
        """Close the file. An environment's new one in which nothing was built is deleted."""
        if self._is_new and self.locks != self.path and self.path.exists():
            with suppress(WarehouseError), self.cursor() as cursor:
                if not is_used(cursor):
                    self.path.unlink()  # nobody else opens it before it is closed
        self._file.close()


def _with_python_functions(cursor: duckdb.DuckDBPyConnection, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
    """Run `work`. If it needs Python functions that are not registered yet, register them and raise
    TransactionException, so that the caller runs it again."""
    try:
        return work(cursor)
    except duckdb.CatalogException as error:
        if not is_missing(error):
            raise
        register(cursor)
        raise duckdb.TransactionException("the functions in Python are registered now") from error


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Set the time zone, which translated SQL relies on, for all cursors of a newly opened `connection`."""
    connection.execute("SET GLOBAL TimeZone = 'UTC'")


def _again(work: Callable[[], T]) -> T:
    """Repeat `work` while it conflicts with other transactions. Raises Transient after 30 s, or at the request's
    deadline."""
    import tenacity  # conflicts are rare, and it takes a thirtieth of a small refresh to import

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(duckdb.TransactionException),
        wait=tenacity.wait_random_exponential(0.01, max=1),
        stop=tenacity.stop_after_delay(deadline(30) - time.monotonic()),
        reraise=True,
    )
    try:
        return retrying(work)
    except duckdb.TransactionException as error:
        raise _conflict(error) from error


def _conflict(error: duckdb.Error) -> Transient:
    return Transient(f"other transactions kept changing the same tables: {reason(error)}")
