"""Tables of rows that have landed: which of their texts are compressed in another way than DuckDB chooses."""

from pathlib import Path

import duckdb
import pytest

from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.storage import Storage
from warehouse_refresh.warehouse.types import BYTES, INT64, STRING, Column, array_of
from warehouse_refresh.warehouse.values.parquet import ParquetFile

LANDED, TABLE = TableName(OWN_DATASET, "load_raw_a"), TableName("raw", "a")
COLUMNS = {"id": INT64, "name": STRING, "state": STRING, "mark": BYTES, "list": array_of(STRING)}
READ = f"SELECT {', '.join(COLUMNS)} FROM {LANDED}"
ZSTD = "ZSTD"


def landed(folder: Path, count: int, first: int = 0) -> ParquetFile:
    """A file of rows with names and marks of which each is another one."""
    path = folder / f"rows-{first}.parquet"
    with duckdb.connect() as writer:
        writer.execute(
            f"COPY (SELECT i AS id, md5(i::VARCHAR) AS name, 'state ' || i % 3 AS state, md5(i::VARCHAR)::BLOB AS mark,"
            f" [md5(i::VARCHAR)] AS list FROM range({first}, {first + count}) AS r (i)) TO '{path}'"
        )
    columns = tuple(Column(name, kind) for name, kind in COLUMNS.items())
    return ParquetFile(path, columns, count, f"SELECT * FROM read_parquet('{path}')")


def compressions(path: Path) -> dict[str, set[str]]:
    """How each column of texts is compressed in the file."""
    with duckdb.connect(path, read_only=True) as connection:
        found = connection.execute(
            "SELECT column_name, list(DISTINCT compression) FROM pragma_storage_info('raw.a')"
            " WHERE segment_type IN ('VARCHAR', 'BLOB') GROUP BY 1"
        ).fetchall()
    return {name: set(kinds) - {"Empty Validity"} for name, kinds in found}


@pytest.mark.parametrize("storage", [Storage(), Storage(description="one", required=("id",))])
def test_texts_that_mostly_differ_are_compressed_in_less_time_and_all_rows_are_the_same(
    tmp_path: Path, storage: Storage
) -> None:
    path, context, file = tmp_path / "a.duckdb", BuildContext(run="a"), landed(tmp_path, 50_000)
    build = TableBuild(TABLE, parse_query(READ), storage=storage)
    with DuckDBWarehouse(path) as warehouse:
        warehouse.create_datasets(["raw"])
        warehouse.offer(LANDED, file)
        assert warehouse.stage(build, [], context).rows == file.row_count
        warehouse.publish([build], context)
        assert warehouse.columns(TABLE)[1:] == file.columns[1:]
        warehouse.drop(LANDED)
    found = compressions(path)
    assert (found["name"], found["mark"]) == ({ZSTD}, {ZSTD})
    assert ZSTD not in found["state"] | found["list"]
    with duckdb.connect(path, read_only=True) as connection:
        for one, other in (("raw.a", f"({file.sql})"), (f"({file.sql})", "raw.a")):
            assert connection.execute(f"SELECT count(*) FROM (FROM {one} EXCEPT ALL FROM {other})").fetchall() == [(0,)]


def test_a_table_to_which_a_few_rows_come_is_compressed_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    added = TableBuild(TABLE, parse_query(f"{READ} UNION ALL SELECT {', '.join(COLUMNS)} FROM raw.a"))
    with DuckDBWarehouse(path) as warehouse:
        warehouse.create_datasets(["raw"])
        first = TableBuild(TABLE, parse_query(READ))
        for run, build, file in (("a", first, landed(tmp_path, 50_000)), ("b", added, landed(tmp_path, 9, 50_000))):
            warehouse.offer(LANDED, file)
            warehouse.stage(build, [], BuildContext(run=run))
            warehouse.publish([build], BuildContext(run=run))
        assert warehouse.row_count(TABLE) == 50_009
    assert compressions(path)["name"] == {ZSTD}


def test_a_small_table_is_left_to_duckdb(tmp_path: Path) -> None:
    path, context = tmp_path / "a.duckdb", BuildContext(run="a")
    build = TableBuild(TABLE, parse_query(READ))
    with DuckDBWarehouse(path) as warehouse:
        warehouse.create_datasets(["raw"])
        warehouse.offer(LANDED, landed(tmp_path, 1000))
        assert warehouse.stage(build, [], context).rows == 1000
        warehouse.publish([build], context)
    assert ZSTD not in set().union(*compressions(path).values())
