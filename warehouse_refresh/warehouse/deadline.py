"""A request's deadline, in a context variable: all code that waits for the request uses it, so waits do not add up."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def waiting_until(deadline: float) -> Iterator[None]:
    """Waits inside this block end at `deadline`, a time of `time.monotonic()`. A thread needs a copy of the context."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def deadline(longest: float) -> float:
    """The time to give up: after `longest` seconds, or at the request's deadline if that is earlier."""
    return min(time.monotonic() + longest, _deadline.get())


def seconds_left() -> float:
    """The seconds until the request's deadline; infinite if it has none."""
    return max(0.0, _deadline.get() - time.monotonic())
