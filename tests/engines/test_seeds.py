"""Files with rows, loaded by `initialise`, on every engine."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.raw.db_init import Filled, initialise
from warehouse_refresh.pipeline.raw.loads import run_script
from warehouse_refresh.pipeline.raw.seeds import read_seed
from warehouse_refresh.warehouse import Append, BuildContext, Row, TableBuild, Warehouse
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Statement, parse_query
from warehouse_refresh.warehouse.values.parquet import ParquetFile

X = TableName("raw", "x")


def fill(warehouse: Warehouse, folder: Path, content: str, confirm: Any = None) -> Filled:
    path = folder / "x.csv"
    path.write_text(content)
    seeds = [read_seed(X, path)]
    return initialise(warehouse, folder / "db_init", ["raw"], seeds=seeds, confirm_replacing=confirm)


def fill_from_parquet(warehouse: Warehouse, folder: Path, query: str) -> Filled:
    path = folder / "x.parquet"
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return initialise(warehouse, folder / "db_init", ["raw"], seeds=[read_seed(X, path)])


def rows(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return sorted(warehouse.first_rows(X, 99))


def test_a_file_is_loaded_and_again_once_it_has_changed(warehouse: Warehouse, tmp_path: Path) -> None:
    assert fill(warehouse, tmp_path, "id,name\n1,a\n2,\n") == Filled([X], [], [])
    assert rows(warehouse) == [(1, "a"), (2, None)]
    assert fill(warehouse, tmp_path, "id,name\n1,a\n2,\n") == Filled([], [X], [])
    assert fill(warehouse, tmp_path, "id,name\n3,c\n") == Filled([X], [], [])
    assert rows(warehouse) == [(3, "c")]
    assert fill(warehouse, tmp_path, "id\n") == Filled([X], [], [])
    assert (rows(warehouse), [column.name for column in warehouse.columns(X)]) == ([], ["id"])


def test_a_script_may_create_tables_in_a_dataset_that_no_folder_has(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "db_init").mkdir()
    script = tmp_path / "db_init/sources.sql"
    script.write_text(
        "CREATE TABLE crm.people (id INT64); CREATE SCHEMA IF NOT EXISTS shop; CREATE TABLE shop.orders (id INT64)"
    )
    people, orders = TableName("crm", "people"), TableName("shop", "orders")
    assert initialise(warehouse, tmp_path / "db_init", ["raw"]).created == [people, orders]
    assert [warehouse.columns(table)[0].name for table in (people, orders)] == ["id", "id"]


def test_rows_that_were_posted_are_not_lost(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse, tmp_path, "id\n1\n")
    warehouse.append(X, [Append([{"id": 7}])])
    assert fill(warehouse, tmp_path, "id\n2\n") == Filled([], [], [X])
    assert rows(warehouse) == [(1,), (7,)]

    def refuse(full: Mapping[TableName, int]) -> None:
        assert full == {X: 2}
        raise PermissionError

    with pytest.raises(PermissionError):
        fill(warehouse, tmp_path, "id\n2\n", refuse)
    assert rows(warehouse) == [(1,), (7,)]
    assert fill(warehouse, tmp_path, "id\n2\n", lambda _: None) == Filled([X], [], [])
    assert rows(warehouse) == [(2,)]


class Posting:
    """The warehouse, to whose table X somebody posts a row while a file is loaded."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)

    def load_rows(self, table: TableName, rows: Sequence[Row]) -> None:
        self._warehouse.load_rows(table, rows)
        self._warehouse.append(X, [Append([{"id": 7}])])

    def load(self, table: TableName, file: ParquetFile) -> None:
        self._warehouse.load(table, file)
        self._warehouse.append(X, [Append([{"id": 7}])])


def test_a_row_that_is_posted_while_a_file_is_loaded_is_not_lost(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse, tmp_path, "id\n1\n")
    posting: Any = Posting(warehouse)
    assert fill(posting, tmp_path, "id\n2\n") == Filled([], [], [X])
    assert rows(warehouse) == [(1,), (7,)]
    assert fill(warehouse, tmp_path, "id\n2\n") == Filled([], [], [X]), "not loaded by another start either"


class Dying:
    """The warehouse, in a process that dies once it has replaced the table X."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)

    def run_script(self, statements: Sequence[Statement], *, together: bool = False) -> None:
        self._warehouse.run_script(statements, together=together)
        if any(statement.target == X for statement in statements):
            raise KeyboardInterrupt


@pytest.mark.parametrize("before", ["", "id\n1\n"], ids=["first load", "changed file"])
def test_a_process_that_dies_after_it_has_replaced_the_table_has_noted_that(
    warehouse: Warehouse, tmp_path: Path, before: str
) -> None:
    if before:
        fill(warehouse, tmp_path, before)
    dying: Any = Dying(warehouse)
    with pytest.raises(KeyboardInterrupt):
        fill(dying, tmp_path, "id\n2\n3\n")
    assert fill(warehouse, tmp_path, "id\n2\n3\n") == Filled([], [X], [])
    assert fill(warehouse, tmp_path, "id\n4\n") == Filled([X], [], []), "no row was posted"
    assert rows(warehouse) == [(4,)]


VALUES = """SELECT 1::UTINYINT AS id, 2.5 AS price, 1.5::FLOAT AS ratio, true AS ok, 'a' AS name, 'b'::BLOB AS code,
    DATE '2026-01-31' AS day, TIME '09:30:00.5' AS time, TIMESTAMP '2026-01-31 09:30:00.000001' AS local,
    TIMESTAMPTZ '2026-01-31 09:30:00+01:00' AS moment, ['x', 'y'] AS tags, {n: 1, tags: [2]} AS part
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"""


def test_a_parquet_file_s_values_are_stored_as_they_are(warehouse: Warehouse, tmp_path: Path) -> None:
    assert fill_from_parquet(warehouse, tmp_path, VALUES) == Filled([X], [], [])
    kinds = ["INT64", "NUMERIC", "FLOAT64", "BOOL", "STRING", "BYTES", "DATE", "TIME", "DATETIME", "TIMESTAMP"]
    columns = warehouse.columns(X)
    assert [str(column.type) for column in columns] == [
        *kinds,
        "ARRAY<STRING>",
        "STRUCT<n INT64, tags ARRAY<INT64>>",
    ]
    full, empty = sorted(warehouse.first_rows(X, 9), key=lambda row: row[0] is None)
    moments = (datetime(2026, 1, 31, 9, 30, 0, 1), datetime(2026, 1, 31, 8, 30, tzinfo=UTC))  # noqa: DTZ001 (a DATETIME)
    assert full == (
        *(1, Decimal("2.5"), 1.5, True, "a", b"b", date(2026, 1, 31), time(9, 30, 0, 500_000)),
        *(*moments, ["x", "y"], {"n": 1, "tags": [2]}),
    )
    assert [value for value in empty if value is not None] == [[]]


KINDS = {
    "id": "INT64",
    "price": "NUMERIC",
    "big": "BIGNUMERIC",
    "ratio": "FLOAT64",
    "ok": "BOOL",
    "name": "STRING",
    "code": "BYTES",
    "day": "DATE",
    "time": "TIME",
    "local": "DATETIME",
    "moment": "TIMESTAMP",
    "tags": "ARRAY<STRING>",
    "part": "STRUCT<n INT64, tags ARRAY<INT64>>",
    "note": "JSON",
}
FULL = {
    "id": 9007199254740993,
    "price": "2.50",
    "big": "0.1",
    "ratio": 0.1,
    "ok": True,
    "name": 'a "b"',
    "code": "/w==",
    "day": "0001-01-01",
    "time": "09:30:00.5",
    "local": "2026-01-31T09:30:00.000001",
    "moment": "2026-01-31T09:30:00+01:00",
    "tags": ["x", ""],
    "part": {"n": 1, "tags": [2]},
    "note": {"n": 1},
}
READ = {
    "id": 9007199254740993,
    "price": Decimal("2.5"),
    "big": Decimal("0.1"),
    "ratio": 0.1,
    "ok": True,
    "name": 'a "b"',
    "code": b"\xff",
    "day": date(1, 1, 1),
    "time": time(9, 30, 0, 500_000),
    "local": datetime(2026, 1, 31, 9, 30, 0, 1),  # noqa: DTZ001 (a DATETIME)
    "moment": datetime(2026, 1, 31, 8, 30, tzinfo=UTC),
    "tags": ["x", ""],
    "part": {"n": 1, "tags": [2]},
    "note": '{"n":1}',
}


@pytest.mark.parametrize("left_out", [("big", "note"), ()], ids=["loaded", "inserted"])
def test_each_type_of_a_text_file_is_stored_exactly(
    warehouse: Warehouse, tmp_path: Path, left_out: tuple[str, ...]
) -> None:
    """BIGNUMERIC and JSON have no exact form in a Parquet file that BigQuery reads: such rows are inserted there."""
    kinds = {name: kind for name, kind in KINDS.items() if name not in left_out}
    (tmp_path / "x.toml").write_text(
        "[columns]\n" + "".join(f'{name} = {{ type = "{kind}" }}\n' for name, kind in kinds.items())
    )
    full = {name: value for name, value in FULL.items() if name in kinds}
    path = tmp_path / "x.ndjson"
    path.write_text(f"{json.dumps(full)}\n{json.dumps(dict.fromkeys(full))}\n")
    seeds = [read_seed(X, path)]
    assert initialise(warehouse, tmp_path / "db_init", ["raw"], seeds=seeds) == Filled([X], [], [])
    if left_out:  # the emulator makes another type of a JSON and of a BIGNUMERIC
        assert {column.name: str(column.type) for column in warehouse.columns(X)} == kinds
    stored, empty = sorted(warehouse.first_rows(X, 9), key=lambda row: row[0] is None)
    found = dict(zip(kinds, stored, strict=True))
    if "note" in found:
        found["note"] = found["note"].replace(" ", "")
    assert found == {name: value for name, value in READ.items() if name in kinds}
    assert [value for value in empty if value is not None] == [[]]


def test_a_parquet_file_is_loaded_and_again_once_it_has_changed(warehouse: Warehouse, tmp_path: Path) -> None:
    many = "SELECT i AS id FROM range(30_000) t(i)"
    assert fill_from_parquet(warehouse, tmp_path, many) == Filled([X], [], [])
    assert warehouse.row_count(X) == 30_000
    assert fill_from_parquet(warehouse, tmp_path, many) == Filled([], [X], [])
    assert fill_from_parquet(warehouse, tmp_path, "SELECT 3 AS id") == Filled([X], [], [])
    assert rows(warehouse) == [(3,)]
    assert fill_from_parquet(warehouse, tmp_path, "SELECT 3 AS id WHERE false") == Filled([X], [], [])
    assert rows(warehouse) == []


def test_a_row_that_is_posted_while_a_parquet_file_is_loaded_is_not_lost(warehouse: Warehouse, tmp_path: Path) -> None:
    fill_from_parquet(warehouse, tmp_path, "SELECT 1 AS id")
    posting: Any = Posting(warehouse)
    assert fill_from_parquet(posting, tmp_path, "SELECT 2 AS id") == Filled([], [], [X])
    assert rows(warehouse) == [(1,), (7,)]


def test_a_parquet_file_that_changes_while_it_is_loaded_changes_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    fill_from_parquet(warehouse, tmp_path, "SELECT 1 AS id")
    path = tmp_path / "x.parquet"
    duckdb.connect().execute(f"COPY (SELECT 2 AS id) TO '{path}' (FORMAT parquet)")
    seed = read_seed(X, path)
    duckdb.connect().execute(f"COPY (SELECT 3 AS id) TO '{path}' (FORMAT parquet)")
    with pytest.raises(Refused, match="has changed while it was loaded"):
        initialise(warehouse, tmp_path / "db_init", ["raw"], seeds=[seed])
    assert rows(warehouse) == [(1,)]


def test_a_table_that_was_there_before_is_left_alone(warehouse: Warehouse, tmp_path: Path) -> None:
    from warehouse_refresh.warehouse.sql.parser import parse_script

    warehouse.run_script(parse_script("CREATE TABLE raw.x (id INT64) AS SELECT 5"))
    assert fill(warehouse, tmp_path, "id\n1\n") == Filled([], [X], [])
    assert rows(warehouse) == [(5,)]


def test_a_file_can_be_read_as_a_table_until_it_is_dropped(warehouse: Warehouse, tmp_path: Path) -> None:
    path, offered = tmp_path / "x.parquet", TableName("_warehouse", "offered")
    query = "SELECT 1 AS id, 1.5::DECIMAL(38, 20) AS wide, ['a'] AS list UNION ALL SELECT NULL, NULL, []"
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    file = read_seed(X, path).parquet
    assert file is not None
    run_script(warehouse, "CREATE SCHEMA IF NOT EXISTS _warehouse")
    for _ in range(2):  # one that is there already is replaced
        warehouse.offer(offered, file)
    assert [str(column.type) for column in warehouse.columns(offered)] == ["INT64", "BIGNUMERIC", "ARRAY<STRING>"]
    build = TableBuild(X, parse_query("SELECT * FROM `_warehouse`.`offered`"))
    assert warehouse.stage(build, (), BuildContext("a")).rows == 2
    warehouse.drop(offered)
    path.unlink()
    warehouse.publish([build], BuildContext("a"))
    found = sorted(warehouse.first_rows(X, 9), key=str)
    assert found == [(1, Decimal("1.5"), ["a"]), (None, None, [])]
