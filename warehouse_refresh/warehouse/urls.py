"""What WAREHOUSE_URL says: `duckdb:///path/to/file?project=…&memory=…` or `bigquery://PROJECT?location=…`."""

import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName

_OPTIONS = re.compile(r"[?](?=(?:project|memory)=)")
_MEMORY = re.compile(r"[0-9]+(?:[.][0-9]+)?[KMGT]i?B")


def duckdb_file(url: str) -> Path:
    """The file at `url`. Raises WarehouseError if it is none."""
    if split(url).scheme != "duckdb":
        raise WarehouseError(f'environments = "file" is for DuckDB, and the warehouse is {url}: write "prefix"')
    return duckdb_path(url)


def is_shared(url: str) -> bool:
    """Whether the warehouse at `url` is a service that others use, too, and no file on this machine. Raises
    WarehouseError."""
    return split(url).scheme == "bigquery"


def console_page(url: str, table: TableName) -> str:
    """The address of the table's page in Google's console; "" if it is not on BigQuery."""
    parts = split(url)
    if parts.scheme != "bigquery":
        return ""
    place = f"project={parts.netloc}&p={parts.netloc}&d={table.dataset}&t={table.name}"
    return f"https://console.cloud.google.com/bigquery?{place}&page=table"


def project_of(url: str) -> str:
    """The project whose tables scripts may name with it, `PROJECT.tmp.a` for `tmp.a`: BigQuery's, or that of
    `duckdb:///path/to/file?project=PROJECT`; "" where the URL names none."""
    parts = split(url)
    return parts.netloc if parts.scheme == "bigquery" else _duckdb_options(url).get("project", "")


def memory_of(url: str) -> str:
    """How much memory DuckDB may use, such as "4GB" in `duckdb:///path/to/file?memory=4GB`; "" where the URL does not
    say. Raises WarehouseError for another word."""
    found = _duckdb_options(url).get("memory", "")
    if found and not _MEMORY.fullmatch(found):
        raise wrong(url, f"memory={found} is no size; write one such as memory=4GB or memory=500MB")
    return found


def duckdb_path(url: str) -> Path:
    """The file that the URL names. Raises WarehouseError for none, a folder, or a database in memory."""
    prefix = "duckdb:///"
    name = _OPTIONS.split(url, maxsplit=1)[0]
    path = name.removeprefix(prefix)
    if not url.startswith(prefix) or not path or "\0" in path:
        raise wrong(url, "write duckdb:///path/to/file")
    if path.startswith("~"):
        raise wrong(url, "~ has no meaning in it; write duckdb:////home/you/path/to/file")
    if path.startswith(":memory:"):
        raise wrong(url, "a database in memory would be lost between two commands; write duckdb:///path/to/file")
    if path.endswith("/") or Path(path).is_dir():
        raise wrong(url, f"that is a folder; write {prefix}{path.rstrip('/')}/warehouse.duckdb")
    return Path(path)


def split(url: str) -> SplitResult:
    """The parts of the URL. Raises WarehouseError."""
    try:
        return urlsplit(url)
    except ValueError as error:
        raise wrong(url, str(error)) from error


def wrong(url: str, way: str) -> WarehouseError:
    """The error for a URL, with what to do."""
    return WarehouseError(f"WAREHOUSE_URL is {url!r}: {way}")


def _duckdb_options(url: str) -> dict[str, str]:
    """What stands after the path. Raises WarehouseError for an option that there is not."""
    _, *texts = _OPTIONS.split(url, maxsplit=1)
    options = {}
    for name, _, value in (pair.partition("=") for text in texts for pair in text.split("&")):
        if name not in ("project", "memory"):
            raise wrong(url, f"a DuckDB file has no option {name}, but project and memory")
        options[name] = value
    return options
