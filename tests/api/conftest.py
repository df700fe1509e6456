"""A real API over a real DuckDB file, served over HTTP from a thread of the test's process."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from litestar.types import ASGIApp

from warehouse_refresh.api.app import create_app
from warehouse_refresh.api.middleware.server import server
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.warehouse import Warehouse, connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

if TYPE_CHECKING:
    from tests.api.prefect_parts import Deployment

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of an API on this machine, which speaks http: each of them would load those of the system, in 20 ms."""
TABLES = """
CREATE TABLE raw.products (id INT64, name STRING, category_id INT64, external_id INT64, type STRING);
CREATE TABLE raw.strict_products (id INT64 NOT NULL, name STRING NOT NULL, price NUMERIC);
CREATE TABLE raw.run (id INT64);
CREATE TABLE raw.everything (
  int64 INT64, float64 FLOAT64, numeric NUMERIC, bool BOOL, string STRING, bytes BYTES,
  date DATE, time TIME, datetime DATETIME, timestamp TIMESTAMP, json JSON,
  int64s ARRAY<INT64>, float64s ARRAY<FLOAT64>, numerics ARRAY<NUMERIC>, bools ARRAY<BOOL>,
  strings ARRAY<STRING>, bytess ARRAY<BYTES>,
  dates ARRAY<DATE>, times ARRAY<TIME>, datetimes ARRAY<DATETIME>, timestamps ARRAY<TIMESTAMP>,
  jsons ARRAY<JSON>, `struct` STRUCT<sku INT64, tags ARRAY<STRING>>, marker INT64
);
"""


@dataclass(frozen=True)
class Served:
    """An API that runs, its client, and the warehouse that it works on."""

    client: httpx.Client
    warehouse: Warehouse
    url: str

    def rows(self) -> dict[str, int]:
        """How many rows each raw table has."""
        return {table.name: self.warehouse.row_count(table) for table in self.warehouse.tables("raw")}

    def all_rows(self, table: str) -> list[tuple[object, ...]]:
        """The rows of a raw table."""
        return self.warehouse.first_rows(TableName("raw", table), 1_000_000)


@contextmanager
def served(app: ASGIApp, max_connections: int = 500) -> Iterator[str]:
    """Serve an application on a free port; gives its URL."""
    serving = server(app, "127.0.0.1", 0, max_connections)
    thread = threading.Thread(target=copy_context().run, args=[serving.run])
    thread.start()
    try:
        while not serving.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        [port] = [socket.getsockname()[1] for one in serving.servers for socket in one.sockets]
        yield f"http://127.0.0.1:{port}"
    finally:
        serving.should_exit = True
        thread.join()


def raw_tables(path: Path) -> str:
    """Create the tables in a new DuckDB file; gives its WAREHOUSE_URL."""
    return with_tables(f"duckdb:///{path}")


def with_tables(url: str) -> str:
    """Create the tables in the warehouse at `url`; gives `url`."""
    warehouse = connect(url)
    warehouse.create_datasets(["raw"])
    warehouse.run_script(parse_script(TABLES))
    warehouse.close()
    return url


@contextmanager
def api_over(url: str, **settings: object) -> Iterator[Served]:
    """Serve the API over the warehouse at `url`."""
    warehouse = connect(url)
    read = ApiSettings.model_validate({"rate_limit": 0, **settings})
    app = create_app(read, warehouse)
    with (
        served(app, read.max_connections) as address,
        httpx.Client(base_url=address, timeout=60, verify=NO_CERTIFICATES) as client,
    ):
        yield Served(client, warehouse, address)


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One API for all tests of a process that only add rows."""
    with api_over(raw_tables(tmp_path_factory.mktemp("warehouse") / "w.duckdb")) as it:
        yield it


@pytest.fixture
def deployment(prefect_server: str) -> "Iterator[Deployment]":
    """A deployment on the tests' server."""
    from tests.api.prefect_parts import deployed  # imports Prefect

    with deployed(prefect_server) as it:
        yield it
