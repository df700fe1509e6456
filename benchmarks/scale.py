"""Whether it stays linear: 100, 1,000 and 5,000 scripts; wide, deep and random graphs; tables of 10 million rows.

python -m benchmarks.scale [--scripts 100 1000 5000] [--rows 10000000]
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.generate import SHAPES, generate
from benchmarks.measure import Case, Usage, measure
from benchmarks.prefect_server import PROJECT
from benchmarks.run import BIN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scripts", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    print("| | wall seconds | processor seconds | ms a script | MB |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="benchmark-scale-") as name:
        for scripts in options.scripts:
            for shape in SHAPES:
                folder = Path(name) / f"{shape}{scripts}"
                _print_line(f"`refresh build`, {scripts} scripts, {shape}", _built(folder, shape, scripts), scripts)
        for rows in (options.rows // 10, options.rows):
            folder = Path(name) / f"rows{rows}"
            usage = _built(folder, "deep", 8, rows)
            _print_line(f"`refresh build`, 8 scripts, {rows:,} rows each", usage, 8)
            _print_line(f"floor, 8 scripts, {rows:,} rows each", measure(_floor(folder)), 8)


def _built(folder: Path, shape: str, scripts: int, rows: int = 100) -> Usage:
    generate(shape, scripts, folder, rows)
    measure(Case("refresh init", [BIN / "refresh", "init"], folder))
    return measure(Case("refresh build", [BIN / "refresh", "build"], folder))


def _floor(folder: Path) -> Case:
    return Case("floor", [BIN / "python", "-m", "benchmarks.floor", "."], folder, {"PYTHONPATH": str(PROJECT)})


def _print_line(name: str, usage: Usage, scripts: int) -> None:
    each = 1000 * usage.seconds / scripts
    print(f"| {name} | {usage.seconds:.2f} | {usage.processor:.2f} | {each:.1f} | {usage.megabytes:.0f} |", flush=True)


if __name__ == "__main__":
    main()
