"""Rows stored by the API: one and 500 in a request, idle and while a refresh runs; and the INSERTs to compare with."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.posting import CASES, PRODUCTS, api, insert, post, refreshing

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
    singles, *others = CASES
    turns = [(number, *case) for number in rounds for case in ((0, "idle"), singles)]
    once = [(1, *case) for case in others]
    metafunc.parametrize(("number", "rows", "refresh"), [*turns, *once])


def test_rows(benchmark: BenchmarkFixture, folder: Path, address: str, number: int, rows: int, refresh: str) -> None:
    """`rows` in a request; 0 for INSERTs without an API."""
    told = {"round": number, "rows": rows, "refresh": refresh, "clients": CLIENTS}
    if not rows:
        speed = benchmark.pedantic(insert, args=[folder, SECONDS])
        benchmark.extra_info |= told | {"rows_per_second": speed}
        return
    with nullcontext(address) if refresh == "idle" else beside(PRODUCTS[refresh]) as used:
        posted = benchmark.pedantic(post, args=[used, rows, CLIENTS, SECONDS])
    benchmark.extra_info |= told | asdict(posted)


@contextmanager
def beside(products: int) -> Iterator[str]:
    """An API beside whose clients a refresh runs again and again; its address. A refresh takes the longer, the more
    rows it reads, so it has a warehouse of its own, without what other cases have stored."""
    with TemporaryDirectory() as name, api(Path(name), products=products) as address, refreshing(Path(name)):
        yield address
