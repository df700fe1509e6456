"""All of it: `make bench`. Prints a table and writes it to docs/benchmarks.md.

python -m benchmarks.run [--rounds 5] [--sizes 8 1000] [--peers dbt sqlmesh]
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.generate import generate
from benchmarks.measure import (
    Case,
    Usage,
    measure,
    measure_in_turn,
    median_processor_ratio,
    median_ratio,
    median_seconds,
)
from benchmarks.peers import python_of, reset, write_dbt, write_sqlmesh
from benchmarks.prefect_server import PROJECT, prefect_server

BIN = Path(sys.executable).parent
PAGE = PROJECT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: written by make bench -->", "<!-- end of what make bench writes -->"
ROWS = 100
LARGE = 1000
"""From this size on, the checks and the memory are measured too."""

# What is compared, with the goal for the ratio: (name, name of what it is compared with, most)
GOALS = [
    ("refresh build", "floor", 1.5),
    ("refresh run", "dbt run", None),
    ("refresh check", "dbt parse", 0.5),
    ("refresh build", "dbt run", None),
    ("refresh build", "sqlmesh plan", None),
]


def cases_of(size: int, folder: Path, server: dict[str, str], peers: Sequence[str]) -> list[Case]:
    """Everything that is measured for a project of `size` scripts."""
    ours = folder / "refresh"
    reads = generate("random", size, ours, ROWS)
    measure(Case("refresh init", [BIN / "refresh", "init"], ours))
    recorded = _Recorded(server["PREFECT_API_URL"], size)
    cases = [
        Case("floor", [BIN / "python", "-m", "benchmarks.floor", "."], ours, {"PYTHONPATH": str(PROJECT)}),
        Case("refresh build", [BIN / "refresh", "build"], ours),
        Case("refresh run", [BIN / "refresh", "run"], ours, server, recorded.before, recorded.after),
    ]
    if size >= LARGE:
        cases.append(Case("refresh check", [BIN / "refresh", "check"], ours))
    if "dbt" in peers:
        write_dbt(folder / "dbt", reads, ROWS)
        cases += _dbt_cases(folder / "dbt", with_parse=size >= LARGE)
    if "sqlmesh" in peers:
        write_sqlmesh(folder / "sqlmesh", reads, ROWS)
        cases.append(_sqlmesh_case(folder / "sqlmesh"))
    return cases


def _dbt_cases(folder: Path, *, with_parse: bool) -> list[Case]:
    dbt = python_of("dbt").parent / "dbt"
    quiet = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_PROFILES_DIR": "."}
    run = Case("dbt run", [dbt, "run"], folder, quiet, lambda: reset(folder))
    parse = Case("dbt parse", [dbt, "parse", "--no-partial-parse"], folder, quiet)
    return [run, parse] if with_parse else [run]


def _sqlmesh_case(folder: Path) -> Case:
    sqlmesh = python_of("sqlmesh").parent / "sqlmesh"
    command = [str(sqlmesh), "plan", "--auto-apply", "--no-prompts"]
    return Case("sqlmesh plan", command, folder, {"MAX_FORK_WORKERS": "2"}, lambda: reset(folder))


class _Recorded:
    """Sees to it that every task run of a refresh is on record, as completed, when the refresh returns."""

    def __init__(self, url: str, scripts: int) -> None:
        self._url, self._scripts, self._before = url, scripts, 0

    def before(self) -> None:
        self._before = self._count()

    def after(self) -> None:
        recorded = self._count() - self._before
        if recorded != self._scripts:
            raise SystemExit(f"refresh run returned with {recorded} of {self._scripts} task runs on record")

    def _count(self) -> int:
        wanted = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
        request = urllib.request.Request(
            f"{self._url}/task_runs/count", json.dumps(wanted).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.read())


def table(size: int, usages: Mapping[str, Sequence[Usage]]) -> list[str]:
    """The lines of the table for one size, then those of the ratios."""
    lines = [f"### {size} scripts", "", "| | wall seconds | processor seconds | MB |", "| --- | --- | --- | --- |"]
    for name, runs in usages.items():
        processor = sorted(run.processor for run in runs)[len(runs) // 2]
        most = max(run.megabytes for run in runs)
        lines.append(f"| `{name}` | {median_seconds(runs):.2f} | {processor:.2f} | {most:.0f} |")
    lines += ["", "| ratio, median of the rounds | wall | processor | goal, at most |", "| --- | --- | --- | --- |"]
    for name, base, most_ratio in _goals(size):
        if name in usages and base in usages:
            ratio, processor = (f(usages[name], usages[base]) for f in (median_ratio, median_processor_ratio))
            goal = "" if most_ratio is None else f"{most_ratio:g}"
            lines.append(f"| `{name}` to `{base}` | {ratio:.2f} | {processor:.2f} | {goal} |")
    return [*lines, ""]


def _goals(size: int) -> list[tuple[str, str, float | None]]:
    run_goal = 0.25 if size >= LARGE else 0.7
    return [(name, base, run_goal if name == "refresh run" else most) for name, base, most in GOALS]


def machine() -> str:
    """What it was measured on, with the versions of what counts."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "sqlglot", "prefect"))
    load = os.getloadavg()[1]
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}, Python"
        f" {platform.python_version()}, {versions}; load of the machine at the end {load:.1f}"
    )


def write_page(lines: Sequence[str]) -> None:
    """Put the lines between the marks of docs/benchmarks.md."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text("\n".join([f"{before}{BEGIN}", "", *lines, f"{END}{after}"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, LARGE])
    parser.add_argument("--peers", nargs="*", default=["dbt", "sqlmesh"], choices=["dbt", "sqlmesh"])
    options = parser.parse_args()
    lines: list[str] = []
    with prefect_server() as server, tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for size in options.sizes:
            print(f"{size} scripts", flush=True)
            cases = cases_of(size, Path(folder) / str(size), server, options.peers)
            lines += table(size, measure_in_turn(cases, options.rounds))
    lines.append(f"Measured on {machine()}; {options.rounds} rounds.")
    print("\n".join(lines))
    write_page([*lines, ""])


if __name__ == "__main__":
    main()
