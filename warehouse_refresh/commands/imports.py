"""Imports without the search for garbage that Python makes among all that they bring, a third of their time.

DuckDB's client is not to be among them: it complains at the end of the process about what is left of it.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept() -> Iterator[None]:
    """What is made in this block, as modules are, stays as long as the process, and is never searched for garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
