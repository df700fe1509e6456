"""The views in a DuckDB file, and what they read."""

import re
from collections.abc import Mapping
from contextlib import suppress

from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.tables.publications import HIDDEN
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE
from warehouse_refresh.warehouse.names import TableName

_NAME = r'(?:"(?:[^"]|"")*"|[^\s".(])+'
_PATH = re.compile(rf"{_NAME}(?:\.{_NAME})*")
_CREATE = re.compile(rf'CREATE VIEW {_PATH.pattern}(?:\s*\((?:"(?:[^"]|"")*"|[^")])*\))?\s+AS\s')
_PART = re.compile(r'"((?:[^"]|"")*)"|([^.]+)')


def view_reads(cursor: duckdb.DuckDBPyConnection) -> Mapping[TableName, frozenset[TableName]]:
    """The tables that each view reads, without those of views that DuckDB cannot read any more."""
    query = "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE database_name = ? AND NOT internal"
    found: dict[TableName, frozenset[TableName]] = {}
    for dataset, name, sql in cursor.execute(query, [CATALOGUE]).fetchall():
        if name.startswith(HIDDEN):
            continue
        with suppress(duckdb.Error):
            names = cursor.get_table_names(_CREATE.sub("", sql, count=1).rstrip("; "), qualified=True)
            found[TableName(dataset, name)] = frozenset(map(_table, names))
    return found


def _table(written: str) -> TableName:
    """The table of `tmp."a b"`, with or without the catalogue before it and an alias behind it."""
    name = _PATH.match(written)
    parts = [quoted.replace('""', '"') or plain for quoted, plain in _PART.findall(name.group() if name else written)]
    return TableName(parts[-2] if len(parts) > 1 else "", parts[-1])
