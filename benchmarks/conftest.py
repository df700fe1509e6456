"""What the benchmarks share: how often, how large, which peers; a Prefect server; the projects."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from benchmarks.commands import Command
from benchmarks.prefect_server import prefect_server
from benchmarks.projects import PEERS, commands


def pytest_addoption(parser: pytest.Parser) -> None:
    """See `python -m benchmarks.run --help`, which passes these on."""
    parser.addoption("--rounds", type=int, default=5)
    parser.addoption("--sizes", type=int, nargs="+", default=[8, 1000])
    parser.addoption("--peers", nargs="*", default=list(PEERS), choices=PEERS)


@pytest.fixture(scope="session")
def server() -> Iterator[dict[str, str]]:
    """A Prefect server of its own; the environment in which Prefect finds it."""
    with prefect_server() as environment:
        yield environment


@pytest.fixture(scope="session")
def commands_of(
    server: dict[str, str], tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Callable[[int], dict[str, Command]]:
    """The commands to measure on a project of some size, which is made when it is first asked for."""

    @cache
    def made(size: int) -> dict[str, Command]:
        folder: Path = tmp_path_factory.mktemp(f"scripts-{size}-")
        return commands(size, folder, server, pytestconfig.getoption("peers"))

    return made
