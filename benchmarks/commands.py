"""Commands as whole processes: what is run, where, and what it took."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.prefect_server import PROJECT

BIN = Path(sys.executable).parent


def nothing() -> None:
    """For a command that needs no preparation."""


@dataclass(frozen=True)
class Command:
    """A command to measure, in a folder; `before` and `after` are called around it and not measured."""

    name: str
    words: Sequence[str | Path]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] = nothing
    after: Callable[[], None] = nothing


@dataclass(frozen=True)
class Usage:
    """What one run took: processor seconds, the most memory that was held at one time, in MB, and what it printed."""

    processor: float
    megabytes: float
    printed: str


def run(command: Command, *, with_others: bool = False) -> Usage:
    """Run the command once. One that fails ends everything, with what it printed. The memory is that of this process,
    or that of the processes that it starts, too."""
    log = command.folder / "benchmark.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command.words,
            cwd=command.folder,
            env=_environment() | command.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        watch = _Watch(process.pid)
        if with_others:
            watch.start()
        _, status, used = os.wait4(process.pid, 0)
        watch.end()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command.name} failed:\n{log.read_text()[-2000:]}")
    megabytes = max(used.ru_maxrss / 1024, watch.megabytes)
    return Usage(used.ru_utime + used.ru_stime, megabytes, log.read_text())


class _Watch(threading.Thread):
    """Looks ten times a second at the memory of a process and all that it started: the system does not add it up."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.megabytes, self._pid, self._ended = 0.0, pid, threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.1):
            self.megabytes = max(self.megabytes, _memory_of_all(self._pid))

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        if self.is_alive():
            self.join()


def _memory_of_all(pid: int) -> float:
    """MB that the process and all that it started hold now."""
    parents, held = dict[int, int](), dict[int, int]()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            fields = (folder / "stat").read_text().rpartition(")")[2].split()  # a name may have blanks
            parents[int(folder.name)], held[int(folder.name)] = int(fields[1]), int(fields[21])

    def is_of_it(one: int) -> bool:
        return one == pid or (one in parents and is_of_it(parents[one]))

    return sum(pages for one, pages in held.items() if is_of_it(one)) * os.sysconf("SC_PAGE_SIZE") / 2**20


def refresh(word: str, folder: Path) -> Command:
    """`refresh` with one subcommand, in the folder of a project."""
    return Command(f"refresh {word}", [BIN / "refresh", word], folder)


def floor(folder: Path) -> Command:
    """The shortest script that does the same, in the folder of a project."""
    return Command("floor", [BIN / "python", "-m", "benchmarks.floor", "."], folder, {"PYTHONPATH": str(PROJECT)})


def _environment() -> dict[str, str]:
    """The environment without what slows Python down, such as PYTHONDONTWRITEBYTECODE."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
