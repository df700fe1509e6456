"""Whole processes, one after the other, in turn, so that what the machine does besides meets all alike."""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.commands import Command, run
from benchmarks.projects import names


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All commands of a size, then all again."""
    option = metafunc.config.getoption
    turns = [
        (size, number, name)
        for size in option("sizes")
        for number in range(1, option("rounds") + 1)
        for name in names(size, option("peers"))
    ]
    metafunc.parametrize(("size", "number", "name"), turns)


def test_command(
    benchmark: BenchmarkFixture, commands_of: Callable[[int], dict[str, Command]], size: int, number: int, name: str
) -> None:
    command = commands_of(size)[name]
    command.before()
    usage = benchmark.pedantic(run, args=[command])
    command.after()
    benchmark.extra_info |= {
        "size": size,
        "name": name,
        "round": number,
        "processor": usage.processor,
        "megabytes": usage.megabytes,
    }
