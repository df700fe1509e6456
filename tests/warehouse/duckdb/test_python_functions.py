"""warehouse.duckdb.python_functions: they are there whenever a query needs them, on real files."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

CHANGED = "SELECT JSON_VALUE(JSON_SET(JSON '{\"a\": 1}', '$.b', 2), '$.b') AS b"
FAILS = "SELECT JSON_SET(JSON '{}', 'b', 2) AS x"

# Plans a query that needs Python, and ends without closing anything.
PLANNER = """
from warehouse_refresh.warehouse.duckdb.offline import OfflinePlanner
from warehouse_refresh.warehouse.sql.query import parse_query
print(OfflinePlanner().plan(parse_query("SELECT JSON_SET(JSON '{}', '$.a', 1) AS x"), {}).columns[0].type)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


@pytest.fixture
def warehouse(path: Path) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(path) as opened:
        opened.create_datasets(["raw", "tmp"])
        yield opened


def build(warehouse: DuckDBWarehouse, name: str, sql: str) -> list[tuple[object, ...]]:
    warehouse.build(TableBuild(TableName("tmp", name), parse_query(sql)), BuildContext(run="test"))
    return warehouse.first_rows(TableName("tmp", name), 10)


def test_each_build_and_each_newly_opened_file_has_them(path: Path, warehouse: DuckDBWarehouse) -> None:
    assert build(warehouse, "a", CHANGED) == build(warehouse, "b", CHANGED) == [("2",)]
    warehouse.close()
    with DuckDBWarehouse(path) as again:
        assert build(again, "c", CHANGED) == [("2",)]


def test_several_threads_may_need_them_at_once(warehouse: DuckDBWarehouse) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: build(warehouse, f"t{number}", CHANGED), range(16)))
    assert found == [[("2",)]] * 16


def test_a_script_has_them_also_after_one_that_was_rolled_back(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(SqlError, match="must start with"):
        warehouse.run_script(parse_script(f"CREATE TABLE raw.x AS {CHANGED}; CREATE TABLE raw.y AS {FAILS}"))
    warehouse.run_script(parse_script(f"CREATE TABLE raw.x AS {CHANGED}; CREATE TABLE raw.y AS {CHANGED}"))
    assert warehouse.first_rows(TableName("raw", "y"), 1) == [("2",)]
    assert build(warehouse, "a", CHANGED) == [("2",)]


def test_a_view_has_them_in_every_newly_opened_file(path: Path, warehouse: DuckDBWarehouse) -> None:
    view, outer = TableName("tmp", "view"), TableName("tmp", "outer")
    warehouse.build(TableBuild(view, parse_query(CHANGED), is_view=True), BuildContext(run="test"))
    warehouse.build(TableBuild(outer, parse_query("SELECT b FROM tmp.view"), is_view=True), BuildContext(run="test"))
    warehouse.close()
    for read in (outer, view):
        with DuckDBWarehouse(path) as again:
            assert again.first_rows(read, 1) == [("2",)]
        with DuckDBWarehouse(path) as again:
            assert again.fetch(parse_query(f"SELECT b FROM {read}"), None).rows == [("2",)]
        with DuckDBWarehouse(path) as again:
            assert [column.name for column in again.columns(read)] == ["b"]
        with DuckDBWarehouse(path) as again:
            again.run_script(parse_script(f"CREATE TABLE raw.{read.name} AS SELECT b FROM {read}"))
            assert again.row_count(TableName("raw", read.name)) == 1


def test_an_error_has_its_place_and_says_nothing_of_python(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(SqlError) as caught:
        build(warehouse, "a", FAILS)
    assert caught.value.reason == "Invalid input to JSON_SET: JSONPath must start with '$'"
    assert caught.value.place is not None
    assert caught.value.place.column == 8


def test_a_process_that_planned_with_them_ends_quietly() -> None:
    ended = subprocess.run([sys.executable, "-c", PLANNER], capture_output=True, text=True, timeout=600, check=True)
    assert (ended.stdout, ended.stderr) == ("JSON\n", "")


def test_what_needs_none_imports_no_numpy(tmp_path: Path) -> None:
    sql = "SELECT 1 AS x"
    code = f"""
import sys
from pathlib import Path
from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
with DuckDBWarehouse(Path({str(tmp_path / "w.duckdb")!r})) as warehouse:
    warehouse.create_datasets(["tmp"])
    warehouse.build(TableBuild(TableName("tmp", "x"), parse_query({sql!r})), BuildContext(run="test"))
print("numpy" in sys.modules, "re2" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    assert ended.stdout == "False False\n"
