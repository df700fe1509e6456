"""DuckDB's client without its Python parts, and the version of a package without importlib.metadata."""

import re
import runpy
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import duckdb
import pytest

from warehouse_refresh.warehouse.builds.installed import installed_version
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


def test_the_version_of_a_package_is_that_of_its_metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "archive.zip").write_bytes(b"")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "gone"), str(tmp_path / "archive.zip"), *sys.path])

    assert installed_version("warehouse-refresh") == version("warehouse-refresh")
    with pytest.raises(PackageNotFoundError):
        installed_version("warehouse")
