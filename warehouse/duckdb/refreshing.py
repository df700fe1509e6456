"""One refresh of a DuckDB file at a time: a lock beside the file, `FILE.refresh`.

The operating system frees the lock when its holder dies, and keeps it while its holder sleeps.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.errors import WarehouseError
from warehouse.exclusive import holder


@contextmanager
def alone_with(path: Path, who: str, waits: Callable[[str], None]) -> Iterator[None]:
    """Inside this block no other process is, for the DuckDB file at `path`; see `Warehouse.refreshing`."""
    lock = Path(f"{os.path.realpath(path)}.refresh")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a+")  # what the holder has written stays
    except OSError as error:
        raise WarehouseError(f"{lock} cannot be opened: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits(lock.read_text(errors="replace"))
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(holder(who))
        file.flush()
        yield
