"""`make bench`: has pytest-benchmark run everything in turn, several times, and writes what it measured to
docs/benchmarks.md.

python -m benchmarks.run [--rounds 5] [--sizes 8 1000] [--peers dbt fusion sqlmesh prefect]
    [--only commands makespan posting pages scale patches]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import why_not
from benchmarks.prefect_server import PROJECT
from benchmarks.projects import LARGE, PEERS
from benchmarks.report import read, tables

PAGE = PROJECT / "docs" / "benchmarks.md"
USUAL, SLOW, PATCHES = ("commands", "makespan", "posting", "pages"), ("scale",), ("patches",)


def marks(what: str) -> tuple[str, str]:
    """The lines of the page between which the tables of `make bench` or `make bench-scale` stand."""
    return f"<!-- measured: written by {what} -->", f"<!-- end of what {what} writes -->"


def machine() -> str:
    """What it was measured on, with the versions of what counts."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "sqlglot", "prefect", "pytest-benchmark"))
    load = os.getloadavg()[1]
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}, Python"
        f" {platform.python_version()}, {versions}; load of the machine at the end {load:.1f}"
    )


def written(page: str, what: str, lines: Sequence[str]) -> str:
    """The page with the lines between its marks."""
    begin, end = marks(what)
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return "\n".join([f"{before}{begin}", "", *lines, "", f"{end}{after}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, LARGE])
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--only", nargs="+", default=list(USUAL), choices=[*USUAL, *SLOW, *PATCHES])
    options = parser.parse_args()
    left_out = {peer: why for peer in options.peers if (why := why_not(peer))}
    options.peers = [peer for peer in options.peers if peer not in left_out]
    notes = [f"Left out: {peer}, since {why}." for peer, why in left_out.items()]
    print("\n".join(notes), flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        result = Path(folder) / "measured.json"
        _measure(options, Path(folder), result)
        lines = tables(read(json.loads(result.read_text())))
    lines += [f"Measured on {machine()}; {options.rounds} rounds.", *notes]
    print("\n".join(lines))
    targets = {SLOW: "make bench-scale", PATCHES: "make bench-patches"}
    what = targets.get(tuple(options.only), "make bench")
    PAGE.write_text(written(PAGE.read_text(), what, lines))


def _measure(options: argparse.Namespace, folder: Path, result: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-v", "-x", "-p", "no:cacheprovider"]
    words += ["--benchmark-enable", "--benchmark-quiet"]
    words += [f"--benchmark-json={result}", f"--basetemp={folder / 'pytest'}", f"--rounds={options.rounds}"]
    words += ["--sizes", *map(str, options.sizes), "--peers", *options.peers]
    words += ["--", *(str(Path(__file__).parent / f"test_{name}.py") for name in options.only)]
    if subprocess.run(words, cwd=PROJECT, check=False).returncode:
        raise SystemExit("not everything could be measured; nothing was written")


if __name__ == "__main__":
    main()
