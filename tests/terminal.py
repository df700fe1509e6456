"""Commands on a terminal of their own: what a person would see and type, and what the closing of the window does."""

import os
import pty
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

# The terminal becomes the one that Ctrl-C is typed at, and whose end is a SIGHUP.
_ON_ITS_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A terminal, and the command that runs on it."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path | None = None) -> None:
        self._master, slave = pty.openpty()
        self._printed = bytearray()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_ITS_TERMINAL, *command],
            env=environment,
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._over, self._say_over = os.pipe()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def text(self) -> str:
        """What has been printed so far."""
        return self._printed.decode(errors="replace").replace("\r\n", "\n")

    def type(self, text: str) -> None:
        """Type it."""
        os.write(self._master, text.encode())

    def ended(self) -> int:
        """The command's exit code, once it has ended and all that it printed is read; what it started may go on."""
        code = self.process.wait()
        self._reader.join(timeout=10)
        return code

    def hang_up(self) -> None:
        """Close the window."""
        if self._reader.is_alive():
            os.write(self._say_over, b"!")
            self._reader.join()
        for descriptor in (self._master, self._over, self._say_over):
            os.close(descriptor)
        self._master = -1

    def end(self) -> None:
        """Kill the command if it still runs, and close the terminal."""
        self.process.kill()
        self.process.wait()
        if self._master >= 0:
            self.hang_up()

    def _read(self) -> None:
        with suppress(OSError):  # Linux's way to say that nobody has the other side open any more
            while self._over not in select.select([self._master, self._over], [], [])[0]:
                data = os.read(self._master, 65536)
                if not data:
                    break
                self._printed += data


@contextmanager
def terminal(command: list[str], environment: Mapping[str, str], folder: Path | None = None) -> Iterator[Terminal]:
    """A `Terminal` for the `with` block."""
    opened = Terminal(command, environment, folder)
    try:
        yield opened
    finally:
        opened.end()
