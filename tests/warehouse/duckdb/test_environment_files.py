"""Environments with a file of their own: production's file is only read."""

from pathlib import Path

import duckdb
import pytest

from tests.processes import child
from tests.warehouse.duckdb.test_file import FOREIGN
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.pipeline.tables.environments import all_of
from warehouse_refresh.warehouse import Append, BuildContext, TableBuild, Warehouse
from warehouse_refresh.warehouse.builds.environment import Environment
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.tables.attached import Attached
from warehouse_refresh.warehouse.duckdb.tables.environment_files import file_of, names, opened
from warehouse_refresh.warehouse.errors import TableNotFound, Transient, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

ITEMS, A, B, V = (TableName("raw", "items"), *(TableName("tmp", name) for name in "abv"))


def build(warehouse: Warehouse, table: TableName, sql: str) -> None:
    found = parse_definition(sql)
    warehouse.create_datasets([table.dataset])
    warehouse.build(TableBuild(table, parse_query(found.query_text), found.is_view), BuildContext("run"))


@pytest.fixture
def production(tmp_path: Path) -> Path:
    """A file with a raw table, the table a, and a view on it that needs a function in Python."""
    path = tmp_path / "shop.duckdb"
    with DuckDBWarehouse(path) as warehouse:
        warehouse.create_datasets(["raw", "tmp"])
        warehouse.run_script(
            parse_script("CREATE TABLE raw.items (x INT64 NOT NULL, s STRING(5)) AS SELECT 1 AS x, 'a' AS s")
        )
        build(warehouse, A, "SELECT x FROM raw.items")
        build(warehouse, V, "CREATE VIEW tmp.v AS SELECT FORMAT('%05d', x) AS f FROM tmp.a")
    return path


def test_productions_file_is_only_read(production: Path) -> None:
    before = production.read_bytes()
    with opened(production, "alice") as file:
        alice = Environment(file, "alice")
        assert [str(column.type) for column in alice.columns(ITEMS)] == ["INT64", "STRING(5)"]
        build(alice, B, "SELECT a.x + items.x AS x, f FROM tmp.a CROSS JOIN raw.items CROSS JOIN tmp.v")
        build(alice, A, "SELECT 10 AS x")
        assert [alice.first_rows(table, 2) for table in (A, B, V)] == [[(10,)], [(2, "00001")], [("00001",)]]
        assert alice.records().keys() == {A, B, V}
    assert production.read_bytes() == before
    assert names(production) == ["alice"]


def test_an_environment_finds_production_as_it_is_now(production: Path) -> None:
    with opened(production, "alice") as alice:
        versions = alice.versions([ITEMS, A])
        assert alice.first_rows(A, 2) == [(1,)]
        assert set(versions) == {ITEMS, A}
    with DuckDBWarehouse(production) as warehouse:
        warehouse.append(ITEMS, [Append([{"x": 2}])])
        warehouse.drop(V)
        build(warehouse, A, "SELECT 'other' AS y, 2 AS x")
        build(warehouse, B, "SELECT 3 AS x")
    with opened(production, "alice") as alice:
        assert (alice.first_rows(A, 2), alice.first_rows(B, 2)) == ([("other", 2)], [(3,)])
        assert alice.versions([ITEMS])[ITEMS] != versions[ITEMS]
        with pytest.raises(TableNotFound):
            alice.columns(V)


def test_rows_are_stored_in_production_while_an_environment_is_open(production: Path) -> None:
    with opened(production, "alice") as alice, DuckDBWarehouse(production) as warehouse:
        assert alice.row_count(ITEMS) == 1
        warehouse.append(ITEMS, [Append([{"x": 2}])])
        assert alice.row_count(ITEMS) == 2


def test_a_program_that_has_productions_file_is_named_and_nothing_is_built(production: Path) -> None:
    attached = Attached(production, "alice_", is_production=True)
    with (
        child(FOREIGN, str(production)) as other,
        DuckDBWarehouse(file_of(production, "alice"), patience=0.2, attached=attached) as alice,
    ):
        assert other.hear() == "holds it"
        with pytest.raises(Transient, match=r"shop\.duckdb is held by another process"):
            build(alice, B, "SELECT 1 AS x")
    with duckdb.connect(file_of(production, "alice")) as file:
        assert file.execute("SELECT * FROM duckdb_tables()").fetchall() == []


def test_an_environment_in_productions_file_is_another_one(production: Path) -> None:
    with DuckDBWarehouse(production) as warehouse:
        build(Environment(warehouse, "alice"), A, "SELECT 20 AS x")
    with opened(production, "alice") as file:
        alice = Environment(file, "alice")
        assert alice.first_rows(A, 2) == [(1,)]
        assert alice.records().keys() == {A, V}


def test_a_file_of_its_own_needs_duckdb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", "bigquery://shop")
    monkeypatch.setenv("REFRESH_ENVIRONMENTS", "file")
    with pytest.raises(WarehouseError, match=r'environments = "file" is for DuckDB.*write "prefix"'):
        list(all_of(read_settings()))
    monkeypatch.setenv("REFRESH_ENVIRONMENTS", "folder")
    with pytest.raises(SettingError, match="write prefix, file or project:PROJECT"):
        read_settings()


def test_without_production_an_environment_is_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "shop.duckdb", "alice") as file:
        assert file.records() == {}
        build(Environment(file, "alice"), A, "SELECT 1 AS x")
        assert file.first_rows(TableName("alice_tmp", "a"), 2) == [(1,)]
