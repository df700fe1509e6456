"""A lock beside a file, held by the process whose turn it is to open that file."""

import fcntl
import os
from pathlib import Path


class Turn:
    """An advisory lock on `path` (made at need), which the operating system frees when its holder dies."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def take(self) -> bool:
        """Take the turn, or answer False at once when another has it."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def is_wanted(self) -> bool:
        """Whether another has the turn, and so waits for the file."""
        if not self.take():
            return True
        self.release()
        return False

    def close(self) -> None:
        os.close(self._descriptor)
