"""Commands as whole processes: what is run, where, and what it took."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
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
    """What one run took: processor seconds, the most memory that the process held, in MB, and what it printed."""

    processor: float
    megabytes: float
    printed: str


def run(command: Command) -> Usage:
    """Run the command once. One that fails ends everything, with what it printed."""
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
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command.name} failed:\n{log.read_text()[-2000:]}")
    return Usage(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, log.read_text())


def refresh(word: str, folder: Path) -> Command:
    """`refresh` with one subcommand, in the folder of a project."""
    return Command(f"refresh {word}", [BIN / "refresh", word], folder)


def floor(folder: Path) -> Command:
    """The shortest script that does the same, in the folder of a project."""
    return Command("floor", [BIN / "python", "-m", "benchmarks.floor", "."], folder, {"PYTHONPATH": str(PROJECT)})


def _environment() -> dict[str, str]:
    """The environment without what slows Python down, such as PYTHONDONTWRITEBYTECODE."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
