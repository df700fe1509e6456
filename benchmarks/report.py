"""What pytest-benchmark has measured, as the tables of docs/benchmarks.md. A ratio is the median over the rounds."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.posting import CASES
from benchmarks.projects import LARGE


@dataclass(frozen=True)
class Measured:
    """One run of one benchmark: the module's name without `test_`, the wall seconds, and what it tells of itself."""

    module: str
    seconds: float
    info: Mapping[str, Any]


def read(found: Mapping[str, Any]) -> list[Measured]:
    """The benchmarks in a file of pytest-benchmark's JSON."""
    return [
        Measured(_module(each["fullname"]), each["stats"]["min"], each["extra_info"]) for each in found["benchmarks"]
    ]


def tables(measured: Sequence[Measured]) -> list[str]:
    """The lines of all tables of which something was measured."""
    found: list[str] = []
    makers = {"commands": _commands, "makespan": _makespan, "posting": _posting, "pages": _pages}
    makers |= {"scale": _scale, "patches": _patches}
    for module, made in makers.items():
        of_module = [each for each in measured if each.module == module]
        if of_module:
            found += made(of_module)
    return found


def _module(fullname: str) -> str:
    return fullname.partition("::")[0].rpartition("test_")[2].removesuffix(".py")


@dataclass(frozen=True)
class Goal:
    """A command, what it is compared with, and the most that the ratio may be: for small projects, for large ones."""

    name: str
    base: str
    small: float | None = None
    large: float | None = None


GOALS = [
    Goal("refresh build", "floor", 1.5, 1.5),
    Goal("refresh build, new scripts", "floor"),
    Goal("refresh run", "dbt run", 0.7, 0.25),
    Goal("refresh check, new scripts", "dbt parse", None, 0.5),
    Goal("refresh build", "dbt run"),
    Goal("refresh build", "sqlmesh plan"),
    Goal("refresh build", "Fusion's dbt run", 0.7, 0.2),
    Goal("refresh check, new scripts", "Fusion's dbt compile", None, 0.8),
    Goal("refresh check", "Fusion's dbt parse", None, 0.4),
    Goal("refresh build --select stale", "Fusion's dbt run, nothing changed", None, 0.5),
    Goal("refresh run", "empty tasks", 0.6, 1.2),
]
_MOST_MEGABYTES = 200
_MOST_MAKESPANS = {
    "prefect, even durations": 1.08,
    "threads, skewed durations, known": 1.02,
    "prefect, skewed durations, known": 1.02,
}
_LEAST_ROWS = 2.0
_MOST_MILLISECONDS = {(1, "idle"): 50, (1, "running"): 250}
"""For 99 in 100 requests."""


def _commands(measured: Sequence[Measured]) -> list[str]:
    return [line for size in _each(measured, "size") for line in _size(size, _where(measured, size=size))]


def _size(size: int, measured: Sequence[Measured]) -> list[str]:
    of_name = {name: _where(measured, name=name) for name in _each(measured, "name")}
    lines = [f"### {size:,} scripts", "", *_head("", "wall seconds", "processor seconds", "MB")]
    for name, runs in of_name.items():
        most = max(run.info["megabytes"] for run in runs)
        lines.append(f"| `{name}` | {_median(_seconds(runs)):.2f} | {_median(_processor(runs)):.2f} | {most:.0f} |")
    lines += ["", *_head("ratio, median of the rounds", "wall", "processor", "goal")]
    for goal in GOALS:
        if goal.name in of_name and goal.base in of_name:
            lines.append(_ratio_line(goal, of_name[goal.name], of_name[goal.base], large=size >= LARGE))
    if size >= LARGE:
        builds = [*of_name["refresh build"], *of_name["refresh build, new scripts"]]
        most = max(run.info["megabytes"] for run in builds)
        lines.append(f"| MB of `refresh build`, new scripts or not | {most:.0f} | | at most {_MOST_MEGABYTES} |")
    return [*lines, ""]


def _ratio_line(goal: Goal, runs: Sequence[Measured], base: Sequence[Measured], *, large: bool) -> str:
    wall = _median(_ratios(_seconds(runs), _seconds(base)))
    processor = _median(_ratios(_processor(runs), _processor(base)))
    most = goal.large if large else goal.small
    return f"| `{goal.name}` to `{goal.base}` | {wall:.2f} | {processor:.2f} | {f'at most {most:g}' if most else ''} |"


def _makespan(measured: Sequence[Measured]) -> list[str]:
    head = _head("60 sleeping scripts, 8 workers", "ratios to the best known", "median", "goal")
    lines = ["### The schedule against the best possible", "", *head]
    for way in _each(measured, "way"):
        ratios = [each.info["ratio"] for each in _where(measured, way=way)]
        goal = f"at most {most}" if (most := _MOST_MAKESPANS.get(way)) else ""
        each = ", ".join(f"{ratio:.3f}" for ratio in ratios)
        lines.append(f"| over {way} | {each} | {_median(ratios):.3f} | {goal} |")
    return [*lines, ""]


def _posting(measured: Sequence[Measured]) -> list[str]:
    inserts, singles = _where(measured, rows=0), _where(measured, rows=1, refresh="idle")
    lines = ["### Rows", "", *_head("rows in a request", "refresh", "clients", "rows/s", "p50 ms", "p99 ms", "goal")]
    for rows, refresh in CASES:
        runs = _where(measured, rows=rows, refresh=refresh)
        speed, p50, p99 = (_median(run.info[key] for run in runs) for key in ("rows_per_second", "p50", "p99"))
        most, clients = _MOST_MILLISECONDS.get((rows, refresh)), runs[0].info["clients"]
        goal = f"at most {most}" if most else ""
        lines.append(f"| {rows} | {refresh} | {clients} | {speed:,.0f} | {p50:.1f} | {p99:.1f} | {goal} |")
    speeds = [[run.info["rows_per_second"] for run in runs] for runs in (singles, inserts)]
    lines += ["", *_head("ratio, median of the rounds", "rows/s", "goal")]
    lines.append(f"| one INSERT in a transaction, no API | {_median(speeds[1]):,.0f} rows/s | |")
    lines.append(f"| one row in a request to that | {_median(_ratios(*speeds)):.2f} | at least {_LEAST_ROWS:.1f} |")
    return [*lines, ""]


def _pages(measured: Sequence[Measured]) -> list[str]:
    lines = [f"### The catalogue of {LARGE:,} tables", "", *_head("", "milliseconds", "KB")]
    for name in _each(measured, "name"):
        of_name = _where(measured, name=name)
        size = of_name[0].info["bytes"] / 1000
        lines.append(f"| {name} | {1000 * _median(_seconds(of_name)):,.1f} | {size:,.0f} |")
    return [*lines, ""]


def _scale(measured: Sequence[Measured]) -> list[str]:
    lines = ["### Scale", "", *_head("", "wall seconds", "processor seconds", "ms a script", "MB")]
    for each in measured:
        info, milliseconds = each.info, 1000 * each.seconds / each.info["scripts"]
        lines.append(
            f"| `{info['name']}`, {info['what']} | {each.seconds:.2f} | {info['processor']:.2f} | {milliseconds:.1f} |"
            f" {info['megabytes']:.0f} |"
        )
    return [*lines, ""]


def _patches(measured: Sequence[Measured]) -> list[str]:
    head = _head("`refresh run`, 1,000 scripts, patches of Prefect", "wall seconds", "processor seconds", "wall to all")
    lines = ["### Patches of Prefect", "", *head]
    of_all = _where(measured, way="all")
    for way in _each(measured, "way"):
        runs = _where(measured, way=way)
        ratio = _median(_ratios(_seconds(runs), _seconds(of_all)))
        lines.append(f"| {way} | {_median(_seconds(runs)):.2f} | {_median(_processor(runs)):.2f} | {ratio:.2f} |")
    return [*lines, ""]


def _head(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]


def _each(measured: Iterable[Measured], key: str) -> list[Any]:
    return list(dict.fromkeys(each.info[key] for each in measured))


def _where(measured: Iterable[Measured], **wanted: Any) -> list[Measured]:
    return [each for each in measured if all(each.info[key] == value for key, value in wanted.items())]


def _seconds(runs: Iterable[Measured]) -> list[float]:
    return [run.seconds for run in runs]


def _processor(runs: Iterable[Measured]) -> list[float]:
    return [run.info["processor"] for run in runs]


def _ratios(some: Sequence[float], others: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(some, others, strict=True)]


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
