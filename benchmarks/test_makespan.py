"""How close a refresh comes to the best possible schedule, over threads and through Prefect."""

import json
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.commands import BIN, Command, run
from benchmarks.makespan import WAYS
from benchmarks.prefect_server import PROJECT

DURATIONS = {
    "even durations": [],
    "skewed durations, known": ["--skewed"],
    "skewed durations, unknown": ["--skewed", "--unknown"],
}
CASES = [(way, durations) for durations in DURATIONS for way in WAYS]


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize(("way", "durations"), CASES)
def test_makespan(
    benchmark: BenchmarkFixture, server: dict[str, str], tmp_path: Path, way: str, durations: str, seed: int
) -> None:
    environment = server | {"PYTHONPATH": str(PROJECT), "PREFECT_LOGGING_LEVEL": "ERROR"}
    words: list[str | Path] = [
        BIN / "python",
        "-m",
        "benchmarks.makespan",
        way,
        "--seed",
        str(seed),
        *DURATIONS[durations],
    ]
    usage = benchmark.pedantic(run, args=[Command("makespan", words, tmp_path, environment)])
    benchmark.extra_info |= {"way": f"{way}, {durations}", **json.loads(usage.printed.splitlines()[-1])}
