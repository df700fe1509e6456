"""warehouse.duckdb.engine: what the protocol promises, on real files."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.processes import child
from warehouse_refresh.warehouse import Append, BuildContext, Outcome, Row, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.errors import Cancelled, SqlError, Transient, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import Column, parse_type

CONTEXT = BuildContext(run="test")
ITEMS = TableName("raw", "items")
PROMISES = TableName("tmp", "promises")

# Posts one row with a key when it is told to, as another process would.
POSTER = """
import sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse import Append
from warehouse_refresh.warehouse.names import TableName
warehouse = DuckDBWarehouse(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    key, fingerprint, number = line.split()
    [outcome] = warehouse.append(TableName("raw", "items"), [Append([{"id": int(number)}], key, fingerprint)])
    print(outcome.name, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


@pytest.fixture
def warehouse(path: Path) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(path) as opened:
        opened.create_datasets(["raw", "tmp"])
        yield opened


def run(warehouse: DuckDBWarehouse, sql: str) -> None:
    warehouse.run_script(parse_script(sql))


def build(warehouse: DuckDBWarehouse, table: TableName, sql: str) -> int:
    return warehouse.build(TableBuild(table, parse_query(sql)), CONTEXT).rows or 0


def rows(warehouse: DuckDBWarehouse, table: TableName) -> list[tuple[Any, ...]]:
    return sorted(warehouse.first_rows(table, 1_000_000))


def store(warehouse: DuckDBWarehouse, *rows: Row, key: str | None = None, fingerprint: str = "") -> Outcome:
    [outcome] = warehouse.append(ITEMS, [Append(rows, key, fingerprint)])
    return outcome


# What there is


def test_datasets_are_created_once_and_their_tables_listed(warehouse: DuckDBWarehouse) -> None:
    warehouse.create_datasets(["raw", "Odd \"name' é"])
    assert warehouse.tables("raw") == warehouse.tables("nowhere") == []
    run(warehouse, "CREATE TABLE raw.b (x INT64); CREATE TABLE raw.a (x INT64); CREATE TABLE tmp.c (x INT64)")
    assert warehouse.tables("raw") == [TableName("raw", "a"), TableName("raw", "b")]


def test_a_table_is_described_in_googlesql_s_words(warehouse: DuckDBWarehouse) -> None:
    run(
        warehouse,
        "CREATE TABLE raw.items (id INT64 NOT NULL, price NUMERIC, share FLOAT64, name STRING, ok BOOL, raw BYTES,"
        " day DATE, made TIMESTAMP, local DATETIME, clock TIME, data JSON, tags ARRAY<STRING>,"
        " parts ARRAY<STRUCT<sku INT64, `odd name` STRING>>)",
    )
    columns = warehouse.columns(ITEMS)
    assert [(column.name, str(column.type)) for column in columns] == [
        ("id", "INT64"),
        ("price", "NUMERIC"),
        ("share", "FLOAT64"),
        ("name", "STRING"),
        ("ok", "BOOL"),
        ("raw", "BYTES"),
        ("day", "DATE"),
        ("made", "TIMESTAMP"),
        ("local", "DATETIME"),
        ("clock", "TIME"),
        ("data", "JSON"),
        ("tags", "ARRAY<STRING>"),
        ("parts", "ARRAY<STRUCT<sku INT64, `odd name` STRING>>"),
    ]
    assert [column.name for column in columns if column.required] == ["id"]


def test_names_with_quotes_and_words_of_sql_are_names_like_others(warehouse: DuckDBWarehouse) -> None:
    odd = TableName('a "quoted" data\'set', "select; DROP TABLE é")
    warehouse.create_datasets([odd.dataset])
    assert build(warehouse, odd, "SELECT 1 AS `order`, 2 AS `a b`") == 1
    assert warehouse.tables(odd.dataset) == [odd]
    assert [column.name for column in warehouse.columns(odd)] == ["order", "a b"]
    assert warehouse.append(odd, [Append([{"order": 3, "a b": 4}])]) == [Outcome.STORED]
    assert rows(warehouse, odd) == [(1, 2), (3, 4)]
    assert warehouse.row_count(odd) == 2


# Scripts


def test_a_create_table_as_with_typed_columns_gives_them_their_types(warehouse: DuckDBWarehouse) -> None:
    run(
        warehouse,
        "CREATE OR REPLACE TABLE raw.items (id INT64 NOT NULL, price FLOAT64, name STRING) AS"
        " SELECT 1, 2, 'é' UNION ALL SELECT 2, NULL, NULL",
    )
    assert [(column.name, str(column.type), column.required) for column in warehouse.columns(ITEMS)] == [
        ("id", "INT64", True),
        ("price", "FLOAT64", False),
        ("name", "STRING", False),
    ]
    assert rows(warehouse, ITEMS) == [(1, 2.0, "é"), (2, None, None)]


def build_listed(warehouse: DuckDBWarehouse, text: str) -> None:
    found = parse_definition(text)
    query = replace(parse_query(found.query_text), listed=found.listed)
    warehouse.build(TableBuild(PROMISES, query, found.is_view), CONTEXT)


def test_a_null_in_a_column_that_is_not_null_leaves_the_old_table(path: Path, warehouse: DuckDBWarehouse) -> None:
    build_listed(warehouse, "CREATE TABLE tmp.promises (a STRING(1) NOT NULL, b STRING(2)) AS SELECT 'x', 'y'")
    text = "CREATE TABLE tmp.promises (\n  c STRING(7) NOT NULL) AS SELECT NULLIF('x', 'x')"
    with pytest.raises(SqlError, match="Required field c cannot be null") as caught:
        build_listed(warehouse, text)
    assert caught.value.place is not None
    assert (caught.value.place.line, caught.value.place.column) == (2, 3)
    warehouse.close()
    with DuckDBWarehouse(path) as again:
        assert again.first_rows(PROMISES, 2) == [("x", "y")]
        found = [(column.name, str(column.type), column.required) for column in again.columns(PROMISES)]
        assert found == [("a", "STRING(1)", True), ("b", "STRING(2)", False)]


def test_declared_types_go_with_the_table_that_had_them(path: Path, warehouse: DuckDBWarehouse) -> None:
    build_listed(warehouse, "CREATE TABLE tmp.promises (a STRING(1) NOT NULL) AS SELECT 'x'")
    build_listed(warehouse, "SELECT 'longer' AS a")
    warehouse.close()
    with DuckDBWarehouse(path) as again:
        assert again.columns(PROMISES) == (Column("a", parse_type("STRING")),)


def test_fields_of_a_listed_struct_are_taken_by_their_order(warehouse: DuckDBWarehouse) -> None:
    listed = "s STRUCT<a FLOAT64, b STRUCT<c FLOAT64>>, t ARRAY<STRUCT<d INT64>>, n ARRAY<DATE>"
    query = "SELECT STRUCT(1 AS b, STRUCT(2 AS x)), [STRUCT(3)], []"
    build_listed(warehouse, f"CREATE TABLE tmp.promises ({listed}) AS {query}")
    assert rows(warehouse, PROMISES) == [({"a": 1.0, "b": {"c": 2.0}}, [{"d": 3}], [])]


@pytest.mark.parametrize(
    ("kind", "value", "becomes"),
    [
        *(("FLOAT64", "x", True), ("NUMERIC", "x", True), ("FLOAT64", "NUMERIC '1'", True), ("STRING(3)", "'a'", True)),
        *(("DATETIME", "DATE '2020-01-01'", True), ("STRING", "NULL", True), ("ARRAY<DATE>", "[]", True)),
        *(("ARRAY<INT64>", "NULL", True), ("STRUCT<a FLOAT64>", "STRUCT(x)", True), ("ARRAY<FLOAT64>", "[1]", False)),
        *(("NUMERIC", "1.5", False), ("DATE", "'2020-01-01'", False), ("STRING", "1", False), ("INT64", "1.0", False)),
        *(("TIMESTAMP", "DATE '2020-01-01'", False), ("STRUCT<a DATE>", "STRUCT('2020-01-01')", False)),
        *(("STRUCT<a STRING>", "STRUCT(NULL)", False), ("STRUCT<a ARRAY<FLOAT64>>", "STRUCT([1])", False)),
        *(("STRUCT<a INT64>", "STRUCT(1, 2)", False), ("STRING", "ERROR('x')", False), ("JSON", "'1'", False)),
    ],
)
def test_a_listed_column_takes_what_google_s_analyzer_lets_it_take(
    warehouse: DuckDBWarehouse, kind: str, value: str, becomes: bool
) -> None:
    found = parse_definition(f"CREATE TABLE tmp.promises (c {kind}) AS SELECT {value} FROM (SELECT 1 AS x)")
    query = replace(parse_query(found.query_text), listed=found.listed)
    if becomes:
        assert str(warehouse.plan(query, {}).columns[0].type) == kind
    else:
        with pytest.raises(SqlError, match="the column c is"):
            warehouse.plan(query, {})


def test_a_script_runs_as_a_whole_or_not_at_all(warehouse: DuckDBWarehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (id INT64) AS SELECT 1")
    with pytest.raises(SqlError):
        run(warehouse, "CREATE OR REPLACE TABLE raw.items (id INT64) AS SELECT 2; INSERT INTO raw.nowhere VALUES (1)")
    assert rows(warehouse, ITEMS) == [(1,)]


# Builds


def test_a_failed_build_leaves_the_old_table(warehouse: DuckDBWarehouse) -> None:
    build(warehouse, PROMISES, "SELECT 1 AS x")
    run(warehouse, "CREATE TABLE raw.items (id STRING) AS SELECT '1' UNION ALL SELECT 'x'")
    for sql in (
        "SELECT nothing FROM raw.items",
        "SELECT CAST(id AS INT64) AS id FROM raw.items",
        "SELECT ERROR('no') AS x",
    ):
        with pytest.raises(SqlError):
            build(warehouse, PROMISES, sql)
        assert rows(warehouse, PROMISES) == [(1,)]


def test_a_reader_sees_the_old_table_or_the_new_one_never_none_never_a_part(
    path: Path, warehouse: DuckDBWarehouse
) -> None:
    versions = [
        f"SELECT {version} AS version, x FROM UNNEST(GENERATE_ARRAY(1, {10_000 + version})) AS x"
        for version in range(8)
    ]
    build(warehouse, PROMISES, versions[0])
    done = threading.Event()
    seen: list[tuple[int, int, int]] = []

    def read() -> None:
        with warehouse._database.cursor() as cursor:  # (a reader of its own, as an analyst's would be)
            while not done.is_set():
                seen.extend(cursor.execute("SELECT min(version), max(version), count(*) FROM tmp.promises").fetchall())

    with ThreadPoolExecutor() as pool:
        reader = pool.submit(read)
        try:
            for version in versions[1:]:
                build(warehouse, PROMISES, version)
        finally:
            done.set()
        reader.result()
    assert seen
    assert all(low == high and count == 10_000 + low for low, high, count in seen)
    assert path.exists()


def test_many_tables_are_built_at_once(warehouse: DuckDBWarehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (id INT64) AS SELECT 1 UNION ALL SELECT 2")
    tables = [TableName("tmp", f"t{number}") for number in range(64)]
    for _ in range(2):
        with ThreadPoolExecutor(16) as pool:
            built = list(pool.map(lambda table: build(warehouse, table, "SELECT id FROM raw.items"), tables))
        assert built == [2] * len(tables)
    assert len(warehouse.tables("tmp")) == len(tables)


def test_one_table_built_by_several_at_once_is_one_of_theirs(warehouse: DuckDBWarehouse) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda n: build(warehouse, PROMISES, f"SELECT {n} AS n"), range(8))) == [1] * 8
    [(winner,)] = rows(warehouse, PROMISES)
    assert winner in range(8)


def test_cancel_ends_a_build_and_leaves_the_old_table(path: Path, warehouse: DuckDBWarehouse) -> None:
    build(warehouse, PROMISES, "SELECT 1 AS x")
    endless = (
        "WITH n AS (SELECT n FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS n)"
        " SELECT COUNT(*) AS x FROM n AS a CROSS JOIN n AS b CROSS JOIN n AS c WHERE a.n + b.n + c.n < 0"
    )
    with ThreadPoolExecutor() as pool:
        work = pool.submit(build, warehouse, PROMISES, endless)
        while not warehouse._database._file._cursors:
            assert not work.done()
        warehouse.cancel()
        with pytest.raises(Cancelled):
            work.result(timeout=60)
    with DuckDBWarehouse(path) as another:
        assert rows(another, PROMISES) == [(1,)]


# Rows


@pytest.fixture
def items(warehouse: DuckDBWarehouse) -> DuckDBWarehouse:
    run(warehouse, "CREATE TABLE raw.items (id INT64 NOT NULL, name STRING, tags ARRAY<STRING>)")
    return warehouse


def test_every_type_is_stored_as_it_was_given(warehouse: DuckDBWarehouse) -> None:
    values: dict[str, tuple[str, Any]] = {
        "i": ("INT64", -(2**63)),
        "f": ("FLOAT64", 0.1),
        "n": ("NUMERIC", Decimal("12345678901234567890123456789.123456789")),
        "g": ("BIGNUMERIC", Decimal("-578960446186580977117854925043439539266.34992332820282019728792003956564819968")),
        "h": ("ARRAY<STRUCT<x BIGNUMERIC>>", [{"x": Decimal("1E-38")}, {"x": Decimal(100)}, {"x": None}]),
        "s": ("STRING", ""),
        "b": ("BYTES", b"\x00\xff"),
        "t": ("BOOL", False),
        "d": ("DATE", date(1, 1, 1)),
        "c": ("TIME", time(23, 59, 59, 999_999)),
        "l": ("DATETIME", datetime(9999, 12, 31, 23, 59, 59, 999_999)),  # noqa: DTZ001 (a DATETIME has no zone)
        "u": ("TIMESTAMP", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        "j": ("JSON", '{"a": [1, null]}'),
        "a": ("ARRAY<NUMERIC>", [Decimal("1.5"), Decimal("-2")]),
        "o": ("STRUCT<x INT64, y STRING>", {"x": 1, "y": "z"}),
        "r": ("ARRAY<STRUCT<x INT64, y ARRAY<STRING>>>", [{"x": 1, "y": ["z"]}]),
    }
    columns = ", ".join(f"{name} {duckdb_type(parse_type(type_))}" for name, (type_, _) in values.items())
    with warehouse._database.cursor() as cursor:
        cursor.execute(f"CREATE TABLE raw.items ({columns})")
    assert [column.type for column in warehouse.columns(ITEMS)] == [parse_type(type_) for type_, _ in values.values()]
    store(warehouse, {name: value for name, (_, value) in values.items()})
    store(warehouse, dict.fromkeys(values))
    [first, second] = warehouse.first_rows(ITEMS, 2)
    assert first == tuple(value for _, value in values.values())
    assert [value for value in second if value is not None] == [[], [], []]


def test_the_same_key_from_many_threads_stores_one_row(items: DuckDBWarehouse) -> None:
    together = threading.Barrier(16)

    def post(number: int) -> Outcome:
        together.wait(timeout=600)
        return store(items, {"id": number}, key="k", fingerprint="f")

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(post, range(16)))
    assert outcomes.count(Outcome.STORED) == 1
    assert outcomes.count(Outcome.REPLAYED) == 15
    assert items.row_count(ITEMS) == 1


def test_the_same_keys_from_two_processes_store_one_row_each(path: Path, items: DuckDBWarehouse) -> None:
    with ExitStack() as stack:
        posters = [stack.enter_context(child(POSTER, path)) for _ in range(2)]
        assert [poster.hear() for poster in posters] == ["ready"] * 2
        outcomes = []
        for number in range(5):
            for poster in posters:
                poster.tell(f"key{number} f {number}")
            outcomes.append(sorted(poster.hear() for poster in posters))
    assert outcomes == [["REPLAYED", "STORED"]] * 5
    assert [id_ for id_, *_ in rows(items, ITEMS)] == [0, 1, 2, 3, 4]


def test_a_crash_right_after_a_row_was_stored_loses_nothing(path: Path, items: DuckDBWarehouse) -> None:
    with child(POSTER, path) as poster:
        assert poster.hear() == "ready"
        poster.tell("k f 7")
        assert poster.hear() == "STORED"
        poster.kill()
    assert [id_ for id_, *_ in rows(items, ITEMS)] == [7]
    assert store(items, {"id": 7}, key="k", fingerprint="f") is Outcome.REPLAYED


# What goes wrong outside


def test_a_file_held_elsewhere_is_a_passing_error(path: Path) -> None:
    holder = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('holds it', flush=True); sys.stdin.readline()"
    with child(holder, path) as foreign, DuckDBWarehouse(path, patience=0.1) as warehouse:
        assert foreign.hear() == "holds it"
        with pytest.raises(Transient, match="is held by another process"):
            warehouse.tables("raw")


def test_a_path_that_is_no_duckdb_file_or_in_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database")
    for bad, told in (
        (tmp_path, "is a folder"),
        (tmp_path / "file", "is no DuckDB file, or a damaged one"),
        (tmp_path / "file" / "x.duckdb", "cannot be opened: File exists"),
    ):
        with DuckDBWarehouse(bad) as warehouse, pytest.raises(WarehouseError, match=told):
            warehouse.tables("raw")


# Other processes in between


CHANGER = """
import sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.parser import parse_script
with DuckDBWarehouse(Path(sys.argv[1])) as warehouse:
    warehouse.run_script(parse_script("CREATE OR REPLACE TABLE raw.items (y INT64) AS SELECT 8"))
print("changed", flush=True)
"""


def test_a_table_that_another_process_changed_is_read_as_it_is_now(path: Path, warehouse: DuckDBWarehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (x STRING) AS SELECT '7'")
    build(warehouse, PROMISES, "SELECT * FROM raw.items")
    with child(CHANGER, path) as other:
        assert other.hear() == "changed"
    build(warehouse, PROMISES, "SELECT * FROM raw.items")
    assert rows(warehouse, PROMISES) == [(8,)]
    assert [(column.name, str(column.type)) for column in warehouse.columns(PROMISES)] == [("y", "INT64")]


def test_a_table_that_was_built_anew_is_read_with_its_new_columns(warehouse: DuckDBWarehouse) -> None:
    other = TableName("tmp", "other")
    for sql in ("SELECT 'a' AS x", "SELECT 1 AS y"):
        build(warehouse, other, sql)
        build(warehouse, PROMISES, "SELECT * FROM tmp.other")
        assert warehouse.columns(PROMISES) == warehouse.columns(other)


def test_a_table_that_is_gone_is_told_with_its_place_as_often_as_it_is_read(warehouse: DuckDBWarehouse) -> None:
    run(warehouse, "CREATE TABLE raw.gone AS SELECT 1 AS id")
    assert build(warehouse, PROMISES, "SELECT id FROM raw.gone") == 1
    run(warehouse, "DROP TABLE raw.gone")
    for _ in range(2):
        with pytest.raises(SqlError, match=r"there is no table raw\.gone") as caught:
            build(warehouse, PROMISES, "SELECT id FROM raw.gone")
        assert caught.value.place is not None
