"""Hold a DuckDB file: keep a lock of our own from before the file is opened until after it is closed.

DuckDB reads a file's headers, then takes its own lock, and does not read the headers again. If one process opens the
file while another closes it, the first one works with old headers: the other's rows are lost, and the next write
damages the file. Our lock prevents this between our processes. Other programs do not know our lock, so the headers are
compared before and after opening.
"""

import os
from collections.abc import Callable
from pathlib import Path

from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.faults import is_locked, meaning
from warehouse_refresh.warehouse.duckdb.lock import Lock
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, string_sql
from warehouse_refresh.warehouse.errors import Unavailable

_HEADERS = 3 * 4096
"""Bytes at the start of a file; each checkpoint writes a higher number there.
https://duckdb.org/docs/stable/internals/storage"""
_MUCH = 1_000_000
"""The bytes in a log of more than rows that were posted within a turn."""
_BLOCK_SIZE = 65536
"""A quarter of DuckDB's default, since every table takes at least one block in the file and in memory. This suits a
thousand small tables. Writing a table of 10 million rows takes half as long again; reading it takes no longer."""


def nothing(_connection: duckdb.DuckDBPyConnection) -> None:
    """What `finish` does, unless somebody has more to do."""


class Hold:
    """At most one connection to the file at `path`, which has no symbolic links in it. For one thread at a time.

    `prepare` is called on each new connection, and `finish` on one that is closed with much to write. It is not called
    where much was left to write before: it may have failed then. `locks` is the file whose lock is taken: its own, or
    that of another one that `prepare` attaches.
    """

    def __init__(
        self,
        path: Path,
        locks: Path,
        prepare: Callable[[duckdb.DuckDBPyConnection], None],
        finish: Callable[[duckdb.DuckDBPyConnection], None] = nothing,
    ) -> None:
        self._path, self._prepare, self._finish = path, prepare, finish
        self._lock = Lock(locks.with_name(f"{locks.name}.lock"))
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._started: duckdb.DuckDBPyConnection | None = None
        self._descriptor: int | None = None
        self._was_there = self._had_much_to_write = False

    def check(self) -> None:
        """Raise Unavailable for a folder, and for a file that this process had open and that is gone: a new one in its
        place would be empty."""
        if self._path.is_dir():
            raise Unavailable(f"{self._path} is a folder: name a file", "a folder is in its file's place")
        if self._was_there and not self._path.exists():
            way = "put it back, or start this process again to begin with an empty one"
            raise Unavailable(f"{self._path} is gone, and was there before: {way}", "its file is gone")

    def start(self) -> duckdb.DuckDBPyConnection:
        """Start the DuckDB that `open` will open the file with. This takes as long as opening it: done before the lock
        is taken, it keeps nobody waiting. Raises WarehouseError."""
        try:
            self._started = self._started or _start(self._path)
        except duckdb.Error as error:
            raise meaning(error, self._path) from error
        return self._started

    def take(self) -> bool:
        """Take the lock; False when another process of ours has it. Raises OSError."""
        return self._lock.take()

    def open(self) -> duckdb.DuckDBPyConnection | None:
        """Open the file, once the lock is taken; None if another program has it, or had it until a moment ago.

        Raises WarehouseError.
        """
        self.check()
        connection = self.start()
        before = self._watch()
        self._had_much_to_write = self._has_much_to_write()
        try:
            self._connection, self._started = connection, None
            _attach(connection, self._path)
            self._prepare(connection)
        except duckdb.Error as error:
            is_stale = before != self._headers()
            self._close()
            if is_stale or is_locked(error):
                return None
            raise meaning(error, self._path) from error
        except BaseException:
            self._close()
            raise
        if before != self._headers():
            self._close()
        elif self._descriptor is None:
            self._watch()
        self._was_there = True
        return self._connection

    def is_in_place(self) -> bool:
        """Whether the open file is still the one at the path: rows that are written to a deleted file are lost."""
        try:
            return self._descriptor is not None and os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def release(self) -> None:
        """Close the file if it is open, and let go of the lock."""
        try:
            self._close()
        finally:
            self._lock.release()
            if self._started is not None:
                self._started.close()
                self._started = None

    def _watch(self) -> bytes:
        """The headers as they are now; empty if there is no file yet."""
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # DuckDB will say why
            return b""
        return self._headers()

    def _headers(self) -> bytes:
        return os.pread(self._descriptor, _HEADERS, 0) if self._descriptor is not None else b""

    def _has_much_to_write(self) -> bool:
        """Whether DuckDB's log is long: it is written into the file's tables when the file is closed."""
        try:
            return self._path.with_name(f"{self._path.name}.wal").stat().st_size > _MUCH
        except OSError:
            return False

    def _close(self) -> None:
        """Close our descriptor after DuckDB's connection: closing any descriptor of the file frees DuckDB's lock on
        it."""
        try:
            if self._connection is not None:
                if self._has_much_to_write() and not self._had_much_to_write:
                    self._finish(self._connection)
                self._connection.close()
        finally:
            self._connection = None
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


def _start(path: Path) -> duckdb.DuckDBPyConnection:
    """Start a DuckDB that has no file yet."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "default_block_size": _BLOCK_SIZE,
        "temp_directory": f"{path}.tmp",
        "python_enable_replacements": False,  # a table that is missing is not a variable of that name
    }
    return duckdb.connect(config=config)


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach the file under the name CATALOGUE. DuckDB's default, the file's stem, could be a dataset's name too."""
    name = quoted(CATALOGUE)
    connection.execute(f"ATTACH {string_sql(str(path))} AS {name}")
    connection.execute(f"USE {name}; DETACH memory")
