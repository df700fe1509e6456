"""Rows stored by the API: one and 500 in a request, idle and while a refresh runs; and the INSERTs to compare with."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.posting import api, insert, post, refreshing

CLIENTS = 64
SECONDS = 5.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("posting-")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with api(folder) as found:
        yield found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """INSERTs and single rows in turn; the other cases once."""
    rounds = range(1, metafunc.config.getoption("rounds") + 1)
    turns = [(number, *case) for number in rounds for case in ((0, "idle"), (1, "idle"))]
    once = [(1, 500, "idle"), (1, 1, "running"), (1, 500, "running")]
    metafunc.parametrize(("number", "rows", "refresh"), [*turns, *once])


def test_rows(benchmark: BenchmarkFixture, folder: Path, address: str, number: int, rows: int, refresh: str) -> None:
    """`rows` in a request; 0 for INSERTs without an API."""
    told = {"round": number, "rows": rows, "refresh": refresh, "clients": CLIENTS}
    if not rows:
        speed = benchmark.pedantic(insert, args=[folder, SECONDS])
        benchmark.extra_info |= told | {"rows_per_second": speed}
        return
    with refreshing(folder) if refresh == "running" else nullcontext():
        posted = benchmark.pedantic(post, args=[address, rows, CLIENTS, SECONDS])
    benchmark.extra_info |= told | asdict(posted)
