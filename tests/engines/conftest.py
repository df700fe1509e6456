"""The engines that the contract suite runs on. A new engine is one more entry of `ENGINES`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulator.fixtures import QUICK
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import parse_url
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse

Connect = Callable[[], Warehouse]
"""Connects to the test's warehouse, each time as another process would."""


def on_duckdb(request: pytest.FixtureRequest) -> Connect:
    """A real file."""
    path: Path = request.getfixturevalue("tmp_path") / "warehouse.duckdb"
    return lambda: DuckDBWarehouse(path)


def on_bigquery(request: pytest.FixtureRequest) -> Connect:
    """Google's client over HTTP; the service is an emulator."""
    settings = parse_url(request.getfixturevalue("bigquery_url"))
    return lambda: BigQueryWarehouse(settings, QUICK)


ENGINES = {"duckdb": on_duckdb, "bigquery": on_bigquery}


@pytest.fixture(params=ENGINES)
def connect(request: pytest.FixtureRequest) -> Connect:
    """Connects to an empty warehouse that no other test knows."""
    return ENGINES[request.param](request)


@pytest.fixture
def warehouse(connect: Connect) -> Iterator[Warehouse]:
    """A connected warehouse with the datasets raw and tmp."""
    with connect() as opened:
        opened.create_datasets(["raw", "tmp"])
        yield opened
