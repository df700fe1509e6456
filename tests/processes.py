"""Other processes, spoken with in lines: what two processes do to one file cannot be shown in one."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Child:
    """A Python process that runs `code`, with `arguments` in sys.argv, and the command `before` in front of it."""

    def __init__(self, code: str, *arguments: object, before: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [*before, sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> str:
        """The next line that the process prints; waits for it. Empty when the process has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def tell(self, line: str = "") -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End it if it still runs, and close its pipes."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def child(code: str, *arguments: object, before: Sequence[str] = ()) -> Iterator[Child]:
    """A `Child` for the `with` block."""
    process = Child(code, *arguments, before=before)
    try:
        yield process
    finally:
        process.end()
