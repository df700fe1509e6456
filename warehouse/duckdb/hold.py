"""A DuckDB file held by this process: from before it is opened until after it is closed.

DuckDB reads a file's headers, then takes its own lock, and does not read them again. Who opens while another process
closes takes the file as it was before: the other's rows are lost, and the file is damaged by what is written next. So
each process of ours keeps a lock of its own around both. Other programs do not know that lock: after opening, the
headers are held against what they were before.
"""

import os
from collections.abc import Callable
from pathlib import Path

import duckdb

from warehouse.duckdb.lock import Lock
from warehouse.errors import WarehouseError

_LOCKED = "Could not set lock on file"
_HEADERS = 3 * 4096
"""Bytes at the start of a file; each checkpoint writes a higher number there.
https://duckdb.org/docs/stable/internals/storage"""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"default_block_size": 65536}
"""Every table takes a block at least, in the file and in memory: a quarter of DuckDB's own size, which suits a thousand
small tables, costs a table of 10 million rows half as much again to write, and nothing to read."""


class Hold:
    """At most one connection to the file at `path`, which has no symbolic links in it. For one thread at a time.

    `prepare` is called on each new connection.
    """

    def __init__(self, path: Path, prepare: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
        self._path, self._prepare = path, prepare
        self._lock = Lock(path.with_name(f"{path.name}.lock"))
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock; False when another process of ours has it."""
        return self._lock.take()

    def open(self) -> duckdb.DuckDBPyConnection | None:
        """Open the file, once the lock is taken; None if another program has it, or had it until a moment ago.

        Raises WarehouseError.
        """
        before = self._watch()
        try:
            self._connection = duckdb.connect(self._path, config=_CONFIG)
            self._prepare(self._connection)
        except duckdb.IOException as error:
            is_stale = before != self._headers()
            self._close()
            if is_stale or _LOCKED in str(error):
                return None
            raise WarehouseError(f"{self._path} cannot be opened: {str(error).splitlines()[0]}") from error
        except BaseException:
            self._close()
            raise
        if before != self._headers():
            self._close()
        return self._connection

    def release(self) -> None:
        """Close the file if it is open, and let go of the lock."""
        try:
            self._close()
        finally:
            self._lock.release()

    def _watch(self) -> bytes:
        """The headers as they are now; empty if there is no file yet."""
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # DuckDB will say why
            return b""
        return self._headers()

    def _headers(self) -> bytes:
        return os.pread(self._descriptor, _HEADERS, 0) if self._descriptor is not None else b""

    def _close(self) -> None:
        """Closing any descriptor of the file ends DuckDB's own lock on it: ours is closed last."""
        try:
            if self._connection is not None:
                self._connection.close()
        finally:
            self._connection = None
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
