"""How DuckDB compresses the texts of a table that is loaded.

Where most texts of a column differ, as names, addresses and hashes do, DuckDB's own choice (DICT_FSST) takes more time
than all other columns together, since it looks for common parts anew in each small block. ZSTD makes them as small in
half of that time. Texts that come again and again are left to DuckDB: it writes each of them once.
https://duckdb.org/docs/stable/internals/storage
"""

from collections.abc import Collection

from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, table_sql
from warehouse_refresh.warehouse.names import TableName

_OTHER = " USING COMPRESSION zstd"
_ROWS = 40_960
"""So many rows are looked at, and fewer take no time anyway. DuckDB compresses three times as many at once."""
_TEXTS = ("VARCHAR", "BLOB")


def varied_texts(cursor: duckdb.DuckDBPyConnection, table: TableName) -> frozenset[str]:
    """The columns of texts of which most differ, in the table's first rows; none of a small table."""
    rows = f"FROM {table_sql(table)}"
    texts = [name for name, kind in _columns(cursor, rows) if kind in _TEXTS]
    if not texts:
        return frozenset()
    varied = ", ".join(f"2 * approx_count_distinct({quoted(name)}) > count({quoted(name)})" for name in texts)
    first = f"SELECT {', '.join(map(quoted, texts))} {rows} LIMIT {_ROWS}"
    [(count, *found)] = cursor.execute(f"SELECT count(*), {varied} FROM ({first})").fetchall()
    return frozenset(name for name, is_varied in zip(texts, found, strict=True) if is_varied and count == _ROWS)


def definitions(cursor: duckdb.DuckDBPyConnection, sql: str, varied: Collection[str]) -> str:
    """The columns of the query's result in a CREATE TABLE, with another compression for the `varied` texts of them."""
    return ", ".join(
        f"{quoted(name)} {kind}{_OTHER if name in varied and kind in _TEXTS else ''}"
        for name, kind in _columns(cursor, sql)
    )


def _columns(cursor: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, str]]:
    """The names and types of a query's columns."""
    return [(str(row[0]), str(row[1])) for row in cursor.execute(f"DESCRIBE {sql}").fetchall()]
