"""Temporary folders for rows. A process that is killed leaves its folder: the next one deletes it.

A process holds the lock of a file in its folder, which the operating system frees when the process dies.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCK = "lock"


@contextmanager
def room(prefix: str) -> Iterator[Path]:
    """A folder whose name begins so, as long as the block. Those of dead processes are deleted first."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):  # its process lives, or it has no lock
            _delete(folder)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / "new").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / "new").rename(folder / _LOCK)  # nobody finds it before it is held
            yield folder


def _delete(folder: Path) -> None:
    """Delete the folder of a process of this user that is dead. Raises OSError for another one."""
    if folder.lstat().st_uid != os.getuid():
        return
    with (folder / _LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
