"""Which engine: chosen by one URL."""

from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from warehouse.engine import Warehouse
from warehouse.errors import WarehouseError

_PROJECT = "?project="
DEFAULT_URL = "duckdb:///.data/warehouse.duckdb"


def connect(url: str) -> Warehouse:
    """The warehouse at `url`, `duckdb:///path/to/file` or `bigquery://PROJECT?location=…`; nothing is opened yet.

    After `duckdb:///` comes a path from the working folder; after `duckdb:////` one from the root. Raises
    WarehouseError for a URL that names no warehouse.
    """
    scheme = _split(url).scheme
    if scheme == "duckdb":
        from warehouse.duckdb.engine import DuckDBWarehouse

        return DuckDBWarehouse(_duckdb_path(url))
    if scheme == "bigquery":
        from warehouse.bigquery import open_bigquery

        return open_bigquery(url)
    raise _wrong(url, "write duckdb:///path/to/file or bigquery://PROJECT?location=…")


def _duckdb_path(url: str) -> Path:
    prefix = "duckdb:///"
    name = url.partition(_PROJECT)[0]
    path = name.removeprefix(prefix)
    if not url.startswith(prefix) or not path or "\0" in path:
        raise _wrong(url, "write duckdb:///path/to/file")
    if path.startswith("~"):
        raise _wrong(url, "~ has no meaning in it; write duckdb:////home/you/path/to/file")
    if path.startswith(":memory:"):
        raise _wrong(url, "what is in memory is lost between two commands; write duckdb:///path/to/file")
    if path.endswith("/") or Path(path).is_dir():
        raise _wrong(url, f"that is a folder; write {prefix}{path.rstrip('/')}/warehouse.duckdb")
    return Path(path)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise _wrong(url, str(error)) from error


def _wrong(url: str, way: str) -> WarehouseError:
    return WarehouseError(f"WAREHOUSE_URL is {url!r}: {way}")


def project_of(url: str) -> str:
    """The project whose tables scripts may name with it, `PROJECT.tmp.a` for `tmp.a`: BigQuery's, or that of
    `duckdb:///path/to/file?project=PROJECT`; "" where the URL names none."""
    parts = _split(url)
    return parts.netloc if parts.scheme == "bigquery" else url.partition(_PROJECT)[2]
