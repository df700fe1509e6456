"""How names and constants are written in DuckDB's SQL."""

from warehouse_refresh.warehouse.names import TableName

CATALOGUE = "warehouse"
"""What DuckDB calls the file."""


def quoted(name: str) -> str:
    """A name as DuckDB's identifier."""
    return '"' + name.replace('"', '""') + '"'


def schema_sql(dataset: str) -> str:
    """A dataset as DuckDB's schema, with the catalogue: `system.x` alone would be a table of DuckDB's own."""
    return f"{quoted(CATALOGUE)}.{quoted(dataset)}"


def table_sql(table: TableName) -> str:
    """A table's name, with its dataset and the catalogue."""
    return f"{schema_sql(table.dataset)}.{quoted(table.name)}"


def string_sql(text: str) -> str:
    """A text as DuckDB's literal."""
    if "\0" in text:
        return "(" + " || chr(0) || ".join(string_sql(part) for part in text.split("\0")) + ")"
    return "'" + text.replace("'", "''") + "'"


def bytes_sql(data: bytes) -> str:
    """Bytes as DuckDB's literal."""
    return "'" + "".join(f"\\x{byte:02X}" for byte in data) + "'::BLOB"
