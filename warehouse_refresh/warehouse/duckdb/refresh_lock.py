"""The lock for refreshes of a DuckDB file: a lock on the file `FILE.refresh` beside it, which also names the holder.

The operating system frees the lock when its holder dies, and keeps it while its holder sleeps.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse_refresh.warehouse.errors import WarehouseError


@contextmanager
def refresh_lock(path: Path, holder: str, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of the DuckDB file at `path` inside the block; see `Warehouse.refresh_lock`."""
    lock = Path(f"{os.path.realpath(path)}.refresh")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a+")  # keeps what the holder has written
    except OSError as error:
        raise WarehouseError(f"{lock} cannot be opened: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait(lock.read_text(errors="replace"))
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(holder)
        file.flush()
        yield
