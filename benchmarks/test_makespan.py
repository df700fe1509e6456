"""How close a refresh comes to the best possible schedule, over threads and through Prefect."""

import json
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.commands import BIN, Command, run
from benchmarks.makespan import WAYS
from benchmarks.prefect_server import PROJECT


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("way", WAYS)
def test_makespan(benchmark: BenchmarkFixture, server: dict[str, str], tmp_path: Path, way: str, seed: int) -> None:
    environment = server | {"PYTHONPATH": str(PROJECT), "PREFECT_LOGGING_LEVEL": "ERROR"}
    words: list[str | Path] = [BIN / "python", "-m", "benchmarks.makespan", way, "--seed", str(seed)]
    usage = benchmark.pedantic(run, args=[Command("makespan", words, tmp_path, environment)])
    benchmark.extra_info |= {"way": way, **json.loads(usage.printed.splitlines()[-1])}
