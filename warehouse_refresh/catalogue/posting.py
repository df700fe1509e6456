"""An example of a request that appends a row to a raw table: its address, as docs/api.md explains it."""

from urllib.parse import quote, urlencode

from warehouse_refresh.catalogue.document import ColumnEntry, TableEntry

DEFAULT_HOST = "http://localhost:8000"
_MOST_COLUMNS = 3
_EXAMPLES = {
    "INT64": "1",
    "FLOAT64": "1.5",
    "NUMERIC": "9.99",
    "BIGNUMERIC": "9.99",
    "BOOL": "true",
    "BYTES": "AAE=",
    "DATE": "2026-11-28",
    "TIME": "12:30:00",
    "DATETIME": "2026-11-28T12:30:00",
    "TIMESTAMP": "2026-11-28T12:30:00Z",
    "JSON": "{}",
}


def example_address(table: TableEntry) -> str:
    """The address with example values of the REQUIRED columns, or of the first ones if none is REQUIRED."""
    required = [column for column in table.columns if column.mode == "REQUIRED"]
    values = {column.name: _example(column) for column in required or table.columns[:_MOST_COLUMNS]}
    return f"{DEFAULT_HOST}{table.rows_path}?{urlencode(values, quote_via=quote)}"


def _example(column: ColumnEntry) -> str:
    kind = column.type.removeprefix("ARRAY<").partition("(")[0].rstrip(">")
    return "{}" if kind.startswith("STRUCT") else _EXAMPLES.get(kind, "text")
