"""What each change to Prefect in flows/patches/ brings: `refresh run` with all of them, without one, without any."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.commands import Command, run
from benchmarks.projects import LARGE
from warehouse_refresh.flows.patches import PATCHES, SETTING

WAYS = {
    "all": "on",
    **{f"without {name}": ",".join(other for other in PATCHES if other != name) for name in PATCHES},
    "none": "off",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All ways, then all again."""
    rounds = range(1, metafunc.config.getoption("rounds") + 1)
    metafunc.parametrize(("number", "way"), [(number, way) for number in rounds for way in WAYS])


def test_patches(
    benchmark: BenchmarkFixture, commands_of: Callable[[int], dict[str, Command]], number: int, way: str
) -> None:
    usual = commands_of(LARGE)["refresh run"]
    command = replace(usual, environment={**usual.environment, SETTING: WAYS[way]})
    command.before()
    usage = benchmark.pedantic(run, args=[command])
    command.after()
    benchmark.extra_info |= {"way": way, "round": number, "processor": usage.processor}
