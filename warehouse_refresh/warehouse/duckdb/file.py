"""One DuckDB file, shared by the threads of this process and, in turns, with other processes.

While one process has a DuckDB file open for writing, no other process can open it. Two lock files beside it let
processes take turns:

- `FILE.lock` is held by the process that has the file open (see hold.py).
- `FILE.turn` is held by the process that waits for the file, until it has opened it.

Before new work starts, the process that has the file checks `FILE.turn`. If another process holds it, the first one
finishes its running statements, closes the file, and waits for its own turn. An idle file is closed as soon as another
process waits for it, and after `IDLE_SECONDS` at the latest: other programs know nothing of the lock files.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from warehouse_refresh.warehouse.deadline import deadline, seconds_left
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.hold import Hold, nothing
from warehouse_refresh.warehouse.duckdb.lock import Lock
from warehouse_refresh.warehouse.errors import Cancelled, OutcomeUnknown, Transient, Unavailable

IDLE_SECONDS = 0.5  # longer than a refresh of a thousand scripts takes between two looks at the warehouse
HELD_SECONDS = 0.1
LONGEST_WAIT = 0.02
_LOCK_WAIT = 0.004  # the longest between two looks at a lock: shorter, since nobody works while a turn is passed on
_MOMENT = 0.05
T = TypeVar("T")


class DuckDBFile:
    """Hands out cursors on the file at `path`, and opens the file when one is needed.

    `prepare` is called on each newly opened connection, and its settings apply to every cursor; `finish`, on one that
    is closed with much to write. `patience` is how many seconds to wait for another process before Transient is raised.
    If `prepare` attaches another file, which other processes use, too, `locks` is that one: its locks are those of
    both.
    """

    def __init__(
        self,
        path: Path,
        prepare: Callable[[duckdb.DuckDBPyConnection], None],
        patience: float = 30.0,
        locks: Path | None = None,
        finish: Callable[[duckdb.DuckDBPyConnection], None] = nothing,
    ) -> None:
        self.path, self._patience, self._locks = path, patience, locks or path
        real, locked = Path(os.path.realpath(path)), Path(os.path.realpath(self._locks))
        self._hold, self._turn = Hold(real, locked, prepare, finish), Lock(locked.with_name(f"{locked.name}.turn"))
        self._changed = threading.Condition()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._opening = self._yielding = self._closed = self._interrupted = False
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        self._spare: list[duckdb.DuckDBPyConnection] = []
        self._opened = self._idle_since = 0.0
        self._closer: threading.Thread | None = None

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor on the open file, for one thread and a short time.

        An exception in the block closes the cursor, which rolls its transaction back. Otherwise the cursor is reused:
        creating one takes as long as a small statement. Raises Transient when another process has the file for too
        long, Unavailable when the file cannot be used, OutcomeUnknown when it was removed while the block ran.
        """
        cursor = self._enter(deadline(self._patience))
        usable = False
        try:
            yield cursor
            self._check_place()
            usable = True
        except Unavailable:  # after some of DuckDB's errors nothing works any more until the file is opened again
            self._yielding = True
            raise
        finally:
            self._leave(cursor, spare=usable)

    def interrupt(self) -> None:
        """Interrupt the statements on all cursors, hand out no more cursors, and close the file when the last one is
        returned."""
        with self._changed:
            self._closed = self._interrupted = True
            self._release_if_done()
            self._changed.notify_all()

    def close(self) -> None:
        """Hand out no more cursors, and close the file when the last one is returned."""
        with self._changed:
            self._closed = True
            self._release_if_done()
            self._changed.notify_all()
        if self._closer is not None:
            self._closer.join()

    def _check_place(self) -> None:
        if not self._hold.is_in_place():
            raise OutcomeUnknown(f"{self.path} was removed or replaced at this moment: what was written may be lost")

    def _enter(self, until: float) -> duckdb.DuckDBPyConnection:
        with self._changed:
            while True:
                if self._closed:
                    raise _closed()
                self._yield_if_wanted()
                if self._connection is not None and not self._yielding:
                    return self._new_cursor(self._connection)
                if self._connection is not None:  # wait for this process's own statements, however long they take
                    if not self._changed.wait(min(seconds_left(), threading.TIMEOUT_MAX)):
                        raise self._busy("this process")
                    until = deadline(self._patience)
                elif not self._opening:
                    self._open(until)
                elif not self._changed.wait(until - time.monotonic()):
                    raise self._busy()

    def _new_cursor(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        cursor = self._spare.pop() if self._spare else connection.cursor()
        self._cursors.add(cursor)
        return cursor

    def _leave(self, cursor: duckdb.DuckDBPyConnection, *, spare: bool) -> None:
        with self._changed:
            if spare:
                self._spare.append(cursor)
            else:
                cursor.close()
            self._cursors.discard(cursor)
            self._idle_since = time.monotonic()
            if self._yielding:
                self._close_if_unused()
            self._release_if_done()

    def _yield_if_wanted(self) -> None:
        """When another process waits for the file, close it as soon as nothing runs on it.

        Opening costs about as much as ten small statements, so this process may use the file for `HELD_SECONDS` first.
        """
        if self._connection is None:
            return
        self._yielding = self._yielding or not self._hold.is_in_place()
        if not self._yielding and time.monotonic() < self._opened + HELD_SECONDS:
            return
        self._yielding = self._yielding or self._is_wanted()
        if self._yielding:
            self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._connection is not None and not self._cursors:
            try:
                self._close_spare()
                self._hold.release()
            finally:
                self._connection, self._yielding = None, False
                self._changed.notify_all()

    def _close_spare(self) -> None:
        """Close the spare cursors. An error must not keep the file open and its lock taken, so it is ignored."""
        while self._spare:
            with suppress(duckdb.Error):
                self._spare.pop().close()

    def _release_if_done(self) -> None:
        """Close the file and release its locks, once `close` was called and no cursor is in use."""
        if self._closed and not self._cursors and not self._opening:
            self._close_if_unused()

    def _open(self, until: float) -> None:
        """Open the file. The condition's lock is released meanwhile, so that other threads can time out."""
        self._opening = True
        self._changed.release()
        connection = None
        try:
            connection = self._open_in_turn(until)
        finally:
            self._changed.acquire()
            self._opening, self._connection = False, connection
            self._opened = self._idle_since = time.monotonic()
            self._release_if_done()
            self._changed.notify_all()
        self._start_closer()

    def _open_in_turn(self, until: float) -> duckdb.DuckDBPyConnection:
        try:
            self._hold.check()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._hold.start()
            self._wait_until(self._turn.take, until, _LOCK_WAIT)
            self._wait_until(self._hold.take, until, _LOCK_WAIT)
            return self._wait_until(self._hold.open, until)
        except BaseException as error:
            self._hold.release()
            if isinstance(error, OSError):
                raise self._no_lock(error) from error
            raise
        finally:
            self._turn.release()

    def _wait_until(self, attempt: Callable[[], T | None], until: float, longest: float = LONGEST_WAIT) -> T:
        wait = 0.001
        while not (result := attempt()):
            if self._closed:
                raise _closed()
            if time.monotonic() >= until:
                raise self._busy()
            time.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not a secret)
            wait = min(wait * 1.5, longest)
        return result

    def _busy(self, holder: str = "another process") -> Transient:
        return Transient(
            f"{self._locks} is held by {holder}, and still was after {self._patience:g} s; close the program that has"
            " it open (a DuckDB shell, another refresh) or try again later",
            retry_after=5,
        )

    def _no_lock(self, error: OSError) -> Unavailable:
        """The error for a folder or a lock file that cannot be created or opened."""
        way = "the file's folder must be one where this account can make files"
        return Unavailable(f"{self.path} cannot be opened: {error.strerror}; {way}", "its folder cannot be written")

    def _start_closer(self) -> None:
        if self._closer is None and not self._closed:
            self._closer = threading.Thread(target=self._close_and_interrupt, name="duckdb-closer", daemon=True)
            self._closer.start()

    def _close_and_interrupt(self) -> None:
        """Run in a thread: close the file whenever it is idle, and interrupt the cursors after `interrupt`.

        DuckDB ignores an interrupt between two statements, so it is repeated until all cursors are returned.
        """
        with self._changed:
            while not self._closed:
                self._changed.wait(self._close_when_idle())
            while self._interrupted and self._cursors:
                for cursor in self._cursors:
                    cursor.interrupt()
                self._changed.wait(LONGEST_WAIT)

    def _close_when_idle(self) -> float | None:
        """Close the file if it was idle for `IDLE_SECONDS`, or for a moment while another process waits for it. Returns
        the seconds until the next check, None if the file is closed."""
        if self._connection is None:
            return None
        idle = time.monotonic() - self._idle_since if not self._cursors else 0.0
        if idle < _MOMENT or (idle < IDLE_SECONDS and not self._is_wanted()):
            return _MOMENT
        self._close_if_unused()
        return None

    def _is_wanted(self) -> bool:
        """Whether another process waits for the file. If that cannot be checked, none does."""
        try:
            return self._turn.is_taken_elsewhere()
        except OSError:
            return False


def _closed() -> Cancelled:
    return Cancelled("the warehouse was closed")
