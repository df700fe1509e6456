"""Lock files that processes use to take turns with another file.

The operating system frees a lock when its holder dies, and keeps it while its holder sleeps.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse_refresh.warehouse.errors import WarehouseError


class Lock:
    """An advisory lock on the file at `path`, which is created if needed. The operating system frees it when its holder
    dies.

    `take` opens the file each time, since a lock on a deleted file keeps nobody out.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock, or answer False at once when another has it. Raises OSError."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(self._path, descriptor):
                self._descriptor = descriptor
        except BlockingIOError:
            pass
        finally:
            if self._descriptor != descriptor:
                os.close(descriptor)
        return self._descriptor == descriptor

    def release(self) -> None:
        """Release the lock, if it was taken. Unlock before closing: a forked process may share the descriptor."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def is_taken_elsewhere(self) -> bool:
        """Whether another has it at this moment."""
        if not self.take():
            return True
        self.release()
        return False


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def refresh_lock(path: Path, holder: str, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock for refreshes of the DuckDB file at `path` inside the block: one on the file `FILE.refresh` beside
    it, which also names the holder. See `Warehouse.refresh_lock`."""
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
