"""DuckDB's client without its Python parts."""

import re
import runpy
import sys
from pathlib import Path

import duckdb
import pytest

from warehouse_refresh.warehouse.duckdb import client


def test_it_has_the_names_of_the_package() -> None:
    assert client.duckdb.connect is duckdb.connect
    assert client.duckdb.Error is duckdb.Error
    assert client.duckdb.__version__ == duckdb.__version__


def test_the_modules_of_the_engine_import_it_and_not_the_package() -> None:
    folder = Path(client.__file__).parent
    whole = {path.name for path in folder.rglob("*.py") if re.search("^import duckdb$", path.read_text(), re.MULTILINE)}
    assert whole == {"empty_tables.py"}, "write: from warehouse_refresh.warehouse.duckdb.client import duckdb"


def test_it_is_the_whole_package_where_the_extension_lacks_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_duckdb", None)

    assert runpy.run_path(client.__file__)["duckdb"] is duckdb


def test_it_is_the_whole_package_if_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRESH_DUCKDB_CLIENT", "whole")

    assert runpy.run_path(client.__file__)["duckdb"] is duckdb
