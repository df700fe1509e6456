"""A lock file that processes use to take turns with another file."""

import fcntl
import os
from pathlib import Path


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
