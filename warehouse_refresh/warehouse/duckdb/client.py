"""DuckDB's client, without the part of it that is written in Python: three quarters of the time of its import.

The package `duckdb` is the extension `_duckdb` under other names, with relations, expressions and constants beside it.
This engine works with connections alone, and they are the extension's. Where an extension lacks something that the
engine needs, and with REFRESH_DUCKDB_CLIENT=whole, the whole package is taken. What needs relations (`connection.sql`)
imports `duckdb`.
"""

import os
from typing import TYPE_CHECKING

__all__ = ["duckdb"]

if TYPE_CHECKING or os.environ.get("REFRESH_DUCKDB_CLIENT") == "whole":
    import duckdb
else:
    try:
        import _duckdb as duckdb

        duckdb.connect, duckdb.DuckDBPyConnection, duckdb.Error  # noqa: B018 (asks whether they are there)
    except (ImportError, AttributeError):
        import duckdb
