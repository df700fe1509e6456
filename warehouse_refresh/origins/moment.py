"""A database's moment, which is taken anew where the connection is lost before anything has been read of it."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Self, TypeVar

import tenacity

from warehouse_refresh.origins import ConnectionLost, OriginError, Snapshot, TimedOut

T = TypeVar("T")
_ATTEMPTS = 7
_ATTEMPTS_TO_BEGIN = 5  # 7.5 s in all: who waits for the first connection may have the wrong address
_WAIT = tenacity.wait_exponential(multiplier=0.5, max=20)  # a server that restarts takes some seconds


class Moment:
    """A snapshot, and how to open another one. `was_lost` says that what was read of it cannot be completed any more:
    all of it has to be read once more. Safe to use from several threads."""

    def __init__(self, opener: Callable[[], AbstractContextManager[Snapshot]]) -> None:
        self._open, self._stack = opener, ExitStack()
        self.snapshot = _begin(self._stack, opener)
        self.was_lost = False
        self._number, self._is_kept = 0, False
        self._lock, self._closed = threading.Lock(), threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
        self._stack.close()

    def close(self) -> None:
        """Let go of the database: what another thread reads of it ends with an error. May be called twice."""
        self._closed.set()
        self.snapshot.close()

    def read(self, work: Callable[[Snapshot], T]) -> T:
        """What `work` reads of the snapshot. It does so again, several times, where the connection was lost. Raises
        OriginError, also where the moment is gone after something was read of it."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            wait=_WAIT,
            stop=_is_enough,
            sleep=tenacity.sleep_using_event(self._closed),
            reraise=True,
        )
        found: T = retrying(self._once, work)
        return found

    def is_first(self, snapshot: Snapshot) -> bool:
        """Whether this snapshot is the one that was there from the beginning."""
        return self._number == 0 and snapshot is self.snapshot

    def _may_pass(self, error: BaseException) -> bool:
        return isinstance(error, ConnectionLost) and not self._closed.is_set()

    def _once(self, work: Callable[[Snapshot], T]) -> T:
        with self._lock:
            number, snapshot = self._number, self.snapshot
        try:
            found = work(snapshot)
        except OriginError as error:
            self._renew(number, error)
            raise
        self._keep(number)
        return found

    def _renew(self, number: int, error: OriginError) -> None:
        """Take a new snapshot in place of that with this number, if it was lost."""
        with self._lock:
            self._check_number(number)
            if not self._may_pass(error) or _is_there(self.snapshot):
                return
            if self._is_kept:
                self.was_lost = True
                raise OriginError(f"{error}; tables that had been read before would not match: load all once more")
            self._number += 1  # so that those who read of it know why they fail now
            self._stack.close()
            self.snapshot = self._stack.enter_context(self._open())

    def _keep(self, number: int) -> None:
        """Note that something was read of the snapshot with this number."""
        with self._lock:
            self._check_number(number)
            self._is_kept = True

    def _check_number(self, number: int) -> None:
        if number != self._number:
            raise ConnectionLost("the connection of another table was lost, so all are read of another moment")


def _begin(stack: ExitStack, opener: Callable[[], AbstractContextManager[Snapshot]]) -> Snapshot:
    """The first snapshot, for as long as the stack. A database that does not answer for a moment is waited for."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(ConnectionLost),
        wait=_WAIT,
        stop=tenacity.stop_after_attempt(_ATTEMPTS_TO_BEGIN),
        reraise=True,
    )
    snapshot: Snapshot = retrying(lambda: stack.enter_context(opener()))
    return snapshot


def _is_there(snapshot: Snapshot) -> bool:
    """Whether the moment can still be read."""
    try:
        snapshot.tables()
    except OriginError:
        return False
    return True


def _is_enough(state: tenacity.RetryCallState) -> bool:
    """A statement that has run out of time may take as long again: it gets one more attempt."""
    error = state.outcome.exception() if state.outcome else None
    return state.attempt_number >= (2 if isinstance(error, TimedOut) else _ATTEMPTS)
