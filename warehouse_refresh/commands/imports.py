"""Import modules without garbage collection, which would take a third of the time.

Do not import DuckDB's client so: it complains at the end of the process about objects that were not freed.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept() -> Iterator[None]:
    """Switch garbage collection off in the block. Objects of the block, such as modules, are never collected later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
