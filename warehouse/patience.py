"""How long whoever asked is willing to wait: known to all that waits for them, so that waits do not add up."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def waiting_until(deadline: float) -> Iterator[None]:
    """What waits inside this block gives up at `deadline`, a time of `time.monotonic()`. Threads need its context."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def deadline(longest: float) -> float:
    """When to give up: after `longest` seconds, or earlier if whoever asked waits no longer than that."""
    return min(time.monotonic() + longest, _deadline.get())


def seconds_left() -> float:
    """How long whoever asked still waits; infinite for as long as it takes."""
    return max(0.0, _deadline.get() - time.monotonic())
