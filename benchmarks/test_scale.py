"""Whether it stays linear: 100, 1,000 and 5,000 scripts; wide, deep and random graphs; tables of 10 million rows."""

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.commands import Command, floor, refresh, run
from benchmarks.generate import SHAPES, generate


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scripts", [100, 1000, 5000])
def test_scripts(benchmark: BenchmarkFixture, tmp_path: Path, scripts: int, shape: str) -> None:
    generate(shape, scripts, tmp_path)
    run(refresh("init", tmp_path))
    run(refresh("build", tmp_path))  # so that scripts are known and tables are replaced
    _measure(benchmark, refresh("build", tmp_path), scripts, f"{scripts:,} scripts, {shape}")


@pytest.mark.parametrize("rows", [1_000_000, 10_000_000])
@pytest.mark.parametrize("command", [refresh("build", Path()), floor(Path())], ids=["build", "floor"])
def test_rows(benchmark: BenchmarkFixture, tmp_path: Path, rows: int, command: Command) -> None:
    generate("deep", 8, tmp_path, rows)
    run(refresh("init", tmp_path))
    here = floor(tmp_path) if command.name == "floor" else refresh("build", tmp_path)
    _measure(benchmark, here, 8, f"8 scripts, {rows:,} rows each")


def _measure(benchmark: BenchmarkFixture, command: Command, scripts: int, what: str) -> None:
    usage = benchmark.pedantic(run, args=[command])
    benchmark.extra_info |= {
        "name": command.name,
        "what": what,
        "scripts": scripts,
        "processor": usage.processor,
        "megabytes": usage.megabytes,
    }
