"""How long the unit tests of many scripts take, and to find that nothing has changed:

    python -m benchmarks.testing [--scripts 1000] [--rounds 5]

Each script has one test. The first run parses and translates every script; the others find that in the cache.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.generate import Reads, generate

REFRESH = [sys.executable, "-m", "warehouse_refresh.commands.main"]


def write_tests(folder: Path, reads: Reads) -> None:
    """Write a test beside each script of the project: two ids in each table that it reads, one without a value."""
    for table, sources in reads.items():
        given = "".join(
            f'given."{source}" = [{{ id = 1, category = "a", value = {number} }}, {{ id = 2, category = "b" }}]\n'
            for number, source in enumerate(sources, start=3)
        )
        total = sum(range(3, 3 + len(sources)))
        expected = (
            f'{{ id = 1, category = "a", value = {total}, entries = 1 }},'
            ' { id = 2, category = "b", value = 0, entries = 1 }'
        )
        path = folder / "res" / f"{table.replace('.', '/')}.test.toml"
        path.write_text(f'["adds the values up"]\n{given}expected = [{expected}]\n')


def seconds(folder: Path, *words: str) -> float:
    """How long the command takes in a process of its own."""
    started = time.monotonic()
    subprocess.run([*REFRESH, *words], cwd=folder, check=True, capture_output=True)
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scripts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        write_tests(folder, generate("random", options.scripts, folder))
        _print(f"refresh test, {options.scripts} tests, first run", [seconds(folder, "test")])
        _print("refresh test, again", [seconds(folder, "test") for _ in range(options.rounds)])
        for words in (["init"], ["build"]):
            seconds(folder, *words)
        _print("refresh build stale, unchanged", [seconds(folder, "build", "stale") for _ in range(options.rounds)])
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")


def _print(what: str, found: Sequence[float]) -> None:
    spread = f"{min(found):.2f} to {max(found):.2f}, {len(found)} times"
    print(f"{what}: {statistics.median(found):.2f} s ({spread})", flush=True)


if __name__ == "__main__":
    main()
