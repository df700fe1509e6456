"""A process that binds queries while this one translates the next ones.

A thread would not do: DuckDB needs Python's lock before and after each call and while it parses, and the parser of
GoogleSQL holds that lock for long.
"""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import BinaryIO, cast

from warehouse_refresh.warehouse.duckdb.binding.empty_tables import EmptyTables, Task

_CODE = f"from {__name__} import bind_all; bind_all()"


class BindingProcess:
    """A process that gets tasks, and answers each, in their order. It ends with this process, however that ends."""

    def __init__(self) -> None:
        """Start it. Raises OSError."""
        # In a session of its own, Ctrl-C does not reach it. With -P, no file of the working folder is imported.
        self._process = subprocess.Popen(  # noqa: S603 (our own words)
            [sys.executable, "-P", "-c", _CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._answers = cast("BinaryIO", self._process.stdout)
        self._unsent: SimpleQueue[Task | None] = SimpleQueue()
        self._sender = threading.Thread(target=self._send, name="bind", daemon=True)
        self._sender.start()

    def ask(self, task: Task) -> None:
        """Hand over a task; returns at once."""
        self._unsent.put(task)

    def fault(self) -> str:
        """The answer to the next task, as `EmptyTables.fault` has it. Raises OSError if the process has died."""
        try:
            return str(pickle.load(self._answers))  # noqa: S301 (our own process wrote it)
        except (EOFError, pickle.UnpicklingError) as error:
            raise OSError("the process that binds queries has died") from error

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._unsent.put(None)
        self._sender.join()
        self._answers.close()

    def _send(self) -> None:
        """Write tasks as they come, and all that wait at once: each write may wait for Python's lock."""
        try:
            with cast("BinaryIO", self._process.stdin) as pipe:
                while tasks := list(self._waiting()):
                    pipe.write(b"".join(map(pickle.dumps, tasks)))
                    pipe.flush()
        except OSError:
            return  # the process has died: `fault` says so

    def _waiting(self) -> Iterator[Task]:
        """The next task and all that wait behind it; none at the end."""
        while (task := self._unsent.get()) is not None:
            yield task
            if self._unsent.empty():
                return


def bind_all() -> None:
    """Answer each task of the standard input, until it ends."""
    tables = EmptyTables()
    try:
        while True:
            answer = tables.fault(pickle.load(sys.stdin.buffer))  # noqa: S301 (our own process wrote it)
            sys.stdout.buffer.write(pickle.dumps(answer))
            sys.stdout.buffer.flush()
    except (EOFError, OSError):
        os._exit(0)  # the other process has ended; DuckDB has nothing to write
