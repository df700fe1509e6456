"""Whole processes, measured: one after the other, in turn, so that what the machine does besides meets all alike."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


def nothing() -> None:
    """For a case that needs no preparation."""


@dataclass(frozen=True)
class Case:
    """A command to measure, in a folder; `before` and `after` are called around it and not measured."""

    name: str
    command: Sequence[str | Path]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] = nothing
    after: Callable[[], None] = nothing


@dataclass(frozen=True)
class Usage:
    """What one run took: wall and processor seconds, and the most memory that the process held, in MB."""

    seconds: float
    processor: float
    megabytes: float


def measure(case: Case) -> Usage:
    """Run the case once. A command that fails ends everything, with what it printed."""
    case.before()
    log = case.folder / "benchmark.log"
    with log.open("w") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            case.command,
            cwd=case.folder,
            env=_environment() | case.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{case.name} failed:\n{log.read_text()[-2000:]}")
    case.after()
    return Usage(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _environment() -> dict[str, str]:
    """The environment without what slows Python down, such as PYTHONDONTWRITEBYTECODE."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def measure_in_turn(cases: Sequence[Case], rounds: int) -> dict[str, list[Usage]]:
    """Run all cases once unmeasured, so that caches are warm, then `rounds` times in turn."""
    for case in cases:
        measure(case)
    usages: dict[str, list[Usage]] = {case.name: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            usages[case.name].append(measure(case))
            print(f"  round {number + 1}: {case.name}: {usages[case.name][-1].seconds:.2f} s", flush=True)
    return usages


def median_seconds(usages: Sequence[Usage]) -> float:
    """The median of the wall seconds."""
    return statistics.median(usage.seconds for usage in usages)


def median_ratio(usages: Sequence[Usage], base: Sequence[Usage]) -> float:
    """The median of the ratios of wall seconds, round by round."""
    return statistics.median(one.seconds / other.seconds for one, other in zip(usages, base, strict=True))


def median_processor_ratio(usages: Sequence[Usage], base: Sequence[Usage]) -> float:
    """The median of the ratios of processor seconds, round by round: hardly disturbed by others on the machine."""
    return statistics.median(one.processor / other.processor for one, other in zip(usages, base, strict=True))
