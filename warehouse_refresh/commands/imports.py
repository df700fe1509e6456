"""Import modules without garbage collection, which would take a third of the time, and then collect seldom.

Do not import DuckDB's client so: it complains at the end of the process about objects that were not freed.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 10_000


@contextmanager
def kept() -> Iterator[None]:
    """Switch garbage collection off in the block. Objects of the block, such as modules, are never collected later.
    After it, garbage is looked for after OBJECTS new ones: reading a thousand scripts makes many objects that stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(OBJECTS)
        gc.enable()
