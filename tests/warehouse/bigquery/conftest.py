"""What tests of BigQuery share."""

import pytest

from tests.emulator.proxy import Proxy
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings


@pytest.fixture
def settings(proxy: Proxy, bigquery_project: str) -> BigQuerySettings:
    """A project of the emulator, whose requests pass the proxy."""
    return BigQuerySettings(bigquery_project, endpoint=proxy.url)
