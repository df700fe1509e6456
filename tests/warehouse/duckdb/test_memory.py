"""How much memory DuckDB may use: little for loads that are alone, and never too little."""

import re
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from warehouse_refresh.pipeline.raw.loads import run_script
from warehouse_refresh.warehouse import BuildContext, TableBuild, connect
from warehouse_refresh.warehouse.duckdb.file import DuckDBFile
from warehouse_refresh.warehouse.duckdb.tables.loaded import memory
from warehouse_refresh.warehouse.duckdb.tables.loaded.memory import Memory
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import INT64, Column
from warehouse_refresh.warehouse.values.parquet import ParquetFile


def test_loads_have_little_memory_and_no_order_as_long_as_they_are_alone() -> None:
    counted = Memory()
    with duckdb.connect() as connection:

        def found() -> tuple[str, bool]:
            """The limit, and whether rows stay in their order."""
            asked = "SELECT current_setting('memory_limit'), current_setting('preserve_insertion_order')"
            [(limit, is_ordered)] = connection.execute(asked).fetchall()
            return limit, is_ordered

        usual, of_load = found(), ("190.7 MiB", False)
        assert usual[1]
        with counted.used_by(connection, is_load=True):
            assert found() == of_load
            with counted.used_by(connection, is_load=False), counted.used_by(connection, is_load=True):
                assert found() == usual
            assert found() == of_load
        assert found() == usual
        with pytest.raises(ValueError, match="no"), counted.used_by(connection, is_load=True):
            raise ValueError("no")
        assert found() == usual


@pytest.mark.parametrize(
    ("most", "usual", "of_loads"),
    [("2GB", "1.8 GiB", "190.7 MiB"), ("1.5GiB", "1.5 GiB", "190.7 MiB"), ("100MB", "95.3 MiB", "95.3 MiB")],
)
def test_loads_have_little_memory_and_never_more_than_the_url_allows(most: str, usual: str, of_loads: str) -> None:
    counted = Memory(most)
    with duckdb.connect() as connection:

        def found() -> str:
            [(limit,)] = connection.execute("SELECT current_setting('memory_limit')").fetchall()
            return str(limit)

        counted.limit(connection)
        assert found() == usual
        with counted.used_by(connection, is_load=True):
            assert found() == of_loads
        assert found() == usual


MUCH = "CREATE OR REPLACE TABLE t AS SELECT range AS n, md5(range::VARCHAR) AS s FROM range(50_000)"


def test_a_file_with_much_to_write_is_written_before_it_is_closed(tmp_path: Path) -> None:
    log = tmp_path / "w.duckdb.wal"
    with duckdb.connect(tmp_path / "w.duckdb") as connection:
        counted = Memory("1GB")
        counted.limit(connection)
        connection.execute(MUCH)
        assert log.stat().st_size > 1_000_000
        counted.finish(connection)
        assert not log.exists() or not log.stat().st_size
        assert connection.execute("SELECT current_setting('memory_limit')").fetchall() == [("953.6 MiB",)]


def test_a_file_that_cannot_be_written_with_little_memory_loses_nothing_and_is_written_the_next_time(
    tmp_path: Path,
) -> None:
    path, log = tmp_path / "w.duckdb", tmp_path / "w.duckdb.wal"

    def fail(connection: duckdb.DuckDBPyConnection) -> None:
        with suppress(duckdb.Error):
            connection.execute("SET GLOBAL memory_limit = '1MB'; CHECKPOINT")

    def answer(sql: str) -> list[tuple[int]]:
        file = DuckDBFile(path, lambda _: None, finish=fail)
        with file.cursor() as cursor:
            found = cursor.execute(sql).fetchall()
        file.close()
        return found

    answer(MUCH)
    assert log.exists()
    assert answer("SELECT count(*) FROM t") == [(50_000,)]
    assert not log.exists()


def test_a_query_that_needs_more_memory_than_the_url_allows_is_told(tmp_path: Path) -> None:
    rows = "SELECT a FROM UNNEST(GENERATE_ARRAY(1, 300000)) AS a"
    build = TableBuild(TableName("tmp", "a"), parse_query(f"SELECT a, COUNT(*) AS n FROM ({rows}) GROUP BY a"))
    with connect(f"duckdb:///{tmp_path}/a.duckdb?project=mine&memory=2MB") as warehouse:
        warehouse.create_datasets(["tmp"])
        with pytest.raises(WarehouseError, match=r"more memory than DuckDB may use.*or raise memory in WAREHOUSE_URL"):
            warehouse.build(build, BuildContext(run="a"))
    assert (tmp_path / "a.duckdb").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("?memory=4", "memory=4 is no size; write one such as memory=4GB"),
        ("?memory=all", "memory=all is no size"),
        ("?project=mine&threads=2", "a DuckDB file has no option threads, but project and memory"),
    ],
)
def test_an_option_that_says_nothing_is_told(options: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=re.escape(message)):
        connect(f"duckdb:///a.duckdb{options}")


def test_a_load_that_needs_more_memory_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LIMIT", "1MB")
    with duckdb.connect() as writer:
        writer.execute(f"COPY (SELECT i AS id FROM range(300_000) AS r (i)) TO '{tmp_path}/rows.parquet'")
    landed, table = TableName(OWN_DATASET, "load_raw_a"), TableName("raw", "a")
    columns = (Column("id", INT64),)
    with connect(f"duckdb:///{tmp_path}/a.duckdb") as warehouse:
        run_script(warehouse, f"CREATE SCHEMA IF NOT EXISTS {OWN_DATASET}; CREATE SCHEMA raw")
        sql = f"SELECT id FROM read_parquet('{tmp_path}/rows.parquet')"
        warehouse.offer(landed, ParquetFile(tmp_path / "rows.parquet", columns, 300_000, sql))
        build = TableBuild(table, parse_query(f"SELECT id FROM {landed}"))
        assert warehouse.stage(build, [], BuildContext(run="a")).rows == 300_000
