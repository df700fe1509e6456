"""Which engine: chosen by one URL."""

from pathlib import Path
from urllib.parse import urlsplit

from warehouse.engine import Warehouse
from warehouse.errors import WarehouseError

_PROJECT = "?project="
DEFAULT_URL = "duckdb:///.data/warehouse.duckdb"


def connect(url: str) -> Warehouse:
    """The warehouse at `url`, `duckdb:///path/to/file` or `bigquery://PROJECT?location=…`; nothing is opened yet.

    After `duckdb:///` comes a path from the working folder; after `duckdb:////` one from the root. Raises
    WarehouseError for a URL that names no warehouse.
    """
    scheme = urlsplit(url).scheme
    if scheme == "duckdb":
        from warehouse.duckdb.engine import DuckDBWarehouse

        return DuckDBWarehouse(_duckdb_path(url))
    if scheme == "bigquery":
        from warehouse.bigquery import open_bigquery

        return open_bigquery(url)
    raise WarehouseError(f"WAREHOUSE_URL is {url!r}: write duckdb:///path/to/file or bigquery://PROJECT?location=…")


def _duckdb_path(url: str) -> Path:
    prefix = "duckdb:///"
    path = url.partition(_PROJECT)[0]
    if not url.startswith(prefix) or len(path) == len(prefix):
        raise WarehouseError(f"WAREHOUSE_URL is {url!r}: write duckdb:///path/to/file")
    return Path(path.removeprefix(prefix))


def project_of(url: str) -> str:
    """The project whose tables scripts may name with it, `PROJECT.tmp.a` for `tmp.a`: BigQuery's, or that of
    `duckdb:///path/to/file?project=PROJECT`; "" where the URL names none."""
    parts = urlsplit(url)
    return parts.netloc if parts.scheme == "bigquery" else url.partition(_PROJECT)[2]


def duckdb_path(url: str) -> Path | None:
    """The file that `url` names; None for another engine's. Raises WarehouseError."""
    return _duckdb_path(url).resolve() if urlsplit(url).scheme == "duckdb" else None
