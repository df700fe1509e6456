"""Fixtures for whoever tests against BigQuery: `pytest_plugins` in tests/conftest.py names this module."""

import secrets
from collections.abc import Iterator

import pytest

from tests.emulator import running_emulator
from tests.emulator.proxy import Proxy, running_proxy
from warehouse_refresh.warehouse.bigquery.settings import Waits

QUICK = Waits(
    first=0.01, longest=0.1, total=60.0, request=60.0, long_poll=5.0, poll=0.002, poll_longest=0.02, cancel=5.0
)
"""Waits for an emulator on this machine, which answers in milliseconds."""


@pytest.fixture(scope="session")
def bigquery_endpoint() -> Iterator[str]:
    """The URL of an emulator's API; one emulator for each test process."""
    with running_emulator() as url:
        yield url


@pytest.fixture
def bigquery_project() -> str:
    """A Google Cloud project that no other test knows."""
    return f"test-{secrets.token_hex(8)}"


@pytest.fixture
def bigquery_url(bigquery_endpoint: str, bigquery_project: str) -> str:
    """A WAREHOUSE_URL that leads to the emulator, with a project of its own: empty, and apart from other tests."""
    return f"bigquery://{bigquery_project}?endpoint={bigquery_endpoint}"


@pytest.fixture
def proxy(bigquery_endpoint: str) -> Iterator[Proxy]:
    """A proxy in front of the emulator, which records requests and makes faults when told to."""
    with running_proxy(bigquery_endpoint) as running:
        yield running
