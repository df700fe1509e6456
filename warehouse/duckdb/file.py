"""One DuckDB file, shared by the threads of this process and, in turns, with other processes.

While a process has a DuckDB file open for writing, no other can open it at all. So that processes get along, there
are two locks beside the file. Whoever has it open has `FILE.lock` (see hold.py). Whoever wants it takes `FILE.turn` and
keeps that until it has opened the file; whoever holds the file looks at the turn before it starts anything new and,
when it is taken, finishes what runs, closes the file and queues for its own turn. A file that nobody uses is closed
after a moment.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import duckdb

from warehouse.deadline import deadline, seconds_left
from warehouse.duckdb.hold import Hold
from warehouse.duckdb.lock import Lock
from warehouse.errors import Cancelled, OutcomeUnknown, Transient, Unavailable

IDLE_SECONDS = 0.1
HELD_SECONDS = 0.1
LONGEST_WAIT = 0.02
T = TypeVar("T")


class DuckDBFile:
    """Hands out cursors on the file at `path`, which is opened when one is needed.

    `prepare` is called on each newly opened connection; what it makes is seen by every cursor. `patience` is how many
    seconds a lock held elsewhere is waited for before Transient is raised.
    """

    def __init__(
        self, path: Path, prepare: Callable[[duckdb.DuckDBPyConnection], None], patience: float = 30.0
    ) -> None:
        self.path, self._patience = path, patience
        real = Path(os.path.realpath(path))
        self._hold, self._turn = Hold(real, prepare), Lock(real.with_name(f"{real.name}.turn"))
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

        A block that ends with an exception ends its transaction too. Else the cursor is used again: creating one
        takes as long as a small statement. Raises Transient when another process has the file for too long, Unavailable
        when the file cannot be used, OutcomeUnknown when it was removed while the block ran.
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
        """Stop what runs on every cursor, and hand out no more of them."""
        with self._changed:
            self._closed = self._interrupted = True
            self._changed.notify_all()

    def close(self) -> None:
        """Close the file when the last cursor is done with, and hand out no more of them."""
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
                if self._connection is not None:  # what runs here comes first, and is nobody else's fault
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

        Opening costs about as much as ten small statements: whoever has the file may use it for a moment.
        """
        if self._connection is None:
            return
        self._yielding = self._yielding or not self._hold.is_in_place()
        if not self._yielding and time.monotonic() < self._opened + HELD_SECONDS:
            return
        with suppress(OSError):  # who cannot look at the turn serves on
            self._yielding = self._yielding or self._turn.is_taken_elsewhere()
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
        """One that cannot be closed must not keep the file open, and its lock taken, for ever."""
        while self._spare:
            with suppress(duckdb.Error):
                self._spare.pop().close()

    def _release_if_done(self) -> None:
        """Let go of everything, once closed and no longer in use."""
        if self._closed and not self._cursors and not self._opening:
            self._close_if_unused()

    def _open(self, until: float) -> None:
        """Open the file without keeping the other threads from looking at their clocks."""
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
            self._wait_until(self._turn.take, until)
            self._wait_until(self._hold.take, until)
            return self._wait_until(self._hold.open, until)
        except BaseException as error:
            self._hold.release()
            if isinstance(error, OSError):
                raise self._no_lock(error) from error
            raise
        finally:
            self._turn.release()

    def _wait_until(self, attempt: Callable[[], T | None], until: float) -> T:
        wait = 0.001
        while not (result := attempt()):
            if self._closed:
                raise _closed()
            if time.monotonic() >= until:
                raise self._busy()
            time.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not a secret)
            wait = min(wait * 1.5, LONGEST_WAIT)
        return result

    def _busy(self, holder: str = "another process") -> Transient:
        return Transient(
            f"{self.path} is held by {holder}, and still was after {self._patience:g} s; close what has it open"
            " (a DuckDB shell, another refresh) or try again later",
            retry_after=5,
        )

    def _no_lock(self, error: OSError) -> Unavailable:
        """The file's folder, or one of the two lock files in it, cannot be made or opened."""
        way = "the file's folder must be one where this account can make files"
        return Unavailable(f"{self.path} cannot be opened: {error.strerror}; {way}", "its folder cannot be written")

    def _start_closer(self) -> None:
        if self._closer is None and not self._closed:
            self._closer = threading.Thread(target=self._attend, name="duckdb-closer", daemon=True)
            self._closer.start()

    def _attend(self) -> None:
        """Close the file whenever it is idle; at the end, interrupt what runs if that is asked for.

        DuckDB forgets an interrupt that comes between two statements: it is repeated until the cursors are gone.
        """
        with self._changed:
            while not self._closed:
                self._changed.wait(self._close_when_idle())
            while self._interrupted and self._cursors:
                for cursor in self._cursors:
                    cursor.interrupt()
                self._changed.wait(LONGEST_WAIT)

    def _close_when_idle(self) -> float | None:
        """Close the file if it is idle for long enough; answer when to look again, in seconds (None: once opened)."""
        if self._connection is None:
            return None
        if self._cursors:
            return IDLE_SECONDS
        due = self._idle_since + IDLE_SECONDS - time.monotonic()
        if due > 0:
            return due
        self._close_if_unused()
        return None


def _closed() -> Cancelled:
    return Cancelled("the warehouse was closed")
