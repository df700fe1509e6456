"""Waiting for what is quick to look at. Where a look is a request to Prefect, see `installation.wait_for`."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; fail after ten minutes."""
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.001)  # some conditions hold for a moment only
