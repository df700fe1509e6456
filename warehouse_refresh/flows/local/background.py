"""Start, watch and end processes that outlive the command that starts them.

Each has a file `.data/NAME.pid` with its process id, and holds a lock on it for as long as it lives. The operating
system frees the lock when the process ends, however it ends: neither a file that a power cut left behind nor another
program that has the number by now is taken for it. What it prints is in `.data/NAME.log`.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = Path(".data")
Process = subprocess.Popen[bytes]


class AlreadyRunning(Exception):
    """A process of this name is already running; the message says which."""


def start(name: str, command: list[str], environment: Mapping[str, str], stdin: int = subprocess.DEVNULL) -> Process:
    """Start `command` as `name`, in a new session, so that neither Ctrl-C nor the end of the terminal reaches it.
    Raises AlreadyRunning, OSError."""
    with held(name) as lock, log_of(name).open("wb") as log:
        os.ftruncate(lock, 0)
        process = subprocess.Popen(  # noqa: S603 (our own words)
            command, env=environment, stdin=stdin, stdout=log, stderr=log, start_new_session=True, pass_fds=[lock]
        )
        os.pwrite(lock, str(process.pid).encode(), 0)
    return process


@contextmanager
def held(name: str) -> Iterator[int]:
    """Hold the lock of `name` for the `with` block; yields the lock's descriptor. A child process that inherits the
    descriptor goes on holding the lock. Raises AlreadyRunning, OSError."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    lock = os.open(_file(name), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"{name} runs already: process {running(name)}; `refresh stop` ends it") from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def running(name: str) -> int | None:
    """The id of the process, or None if it does not run."""
    try:
        with _file(name).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return int(_file(name).read_text() or 0)
    return None


def stop(name: str, patience: float = 40.0) -> bool:
    """End the process and its children: SIGTERM, and SIGKILL after `patience` seconds. Returns whether it ran."""
    process = running(name)
    if not process:
        return False
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)
    if not wait_until(lambda: running(name) is None, patience):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):  # macOS forbids to signal a group of which nobody is left
        os.killpg(process, signal.SIGKILL)
    wait_until(lambda: running(name) is None, patience)
    return True


def wait_until(condition: Callable[[], bool], patience: float) -> bool:
    """Wait until `condition` holds, for at most `patience` seconds. Returns whether it does."""
    deadline = time.monotonic() + patience
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds


def log_of(name: str) -> Path:
    """The file with the output of the process."""
    return FOLDER / f"{name}.log"


def last_lines(name: str, count: int = 15) -> str:
    """The last lines of the output of the process."""
    return "\n".join(log_of(name).read_text(errors="replace").splitlines()[-count:])


def _file(name: str) -> Path:
    return FOLDER / f"{name}.pid"
