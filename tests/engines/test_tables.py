"""What every engine promises of datasets, tables, scripts, builds and plans: see `warehouse.Warehouse`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.engines.conftest import Connect
from warehouse_refresh.warehouse import Append, BuildContext, Built, TableBuild, Warehouse
from warehouse_refresh.warehouse.errors import Cancelled, SqlError, TableNotFound, WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.storage import Storage
from warehouse_refresh.warehouse.types import Column, parse_type

ITEMS = TableName("raw", "items")
OUT = TableName("tmp", "out")


def run(warehouse: Warehouse, sql: str) -> None:
    warehouse.run_script(parse_script(sql))


def build(warehouse: Warehouse, table: TableName, sql: str, run: str = "") -> Built:
    return warehouse.build(TableBuild(table, parse_query(sql)), BuildContext(run or f"run of {sql}"))


def rows(warehouse: Warehouse, table: TableName) -> list[tuple[Any, ...]]:
    return sorted(warehouse.first_rows(table, 1_000))


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name, parse_type(text)) for name, text in types.items())


# Datasets and tables


def test_tables_are_listed_in_order_and_a_missing_dataset_has_none(warehouse: Warehouse) -> None:
    assert warehouse.tables("raw") == warehouse.tables("nowhere") == []
    run(warehouse, "CREATE TABLE raw.b (x INT64); CREATE TABLE raw.a (x INT64); CREATE TABLE tmp.c (x INT64)")
    assert warehouse.tables("raw") == [TableName("raw", "a"), TableName("raw", "b")]


def test_a_dataset_that_exists_is_left_as_it_is(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (x INT64)")
    warehouse.create_datasets(["raw", "new"])
    assert warehouse.tables("raw") == [ITEMS]


def test_the_tools_own_dataset_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match=OWN_DATASET):
        warehouse.create_datasets([OWN_DATASET])


def test_a_missing_table_is_named(warehouse: Warehouse) -> None:
    for ask in (
        warehouse.columns,
        warehouse.row_count,
        lambda table: warehouse.first_rows(table, 1),
        lambda table: warehouse.append(table, [Append([{"id": 1}])]),
    ):
        with pytest.raises(TableNotFound, match=r"there is no table raw\.items"):
            ask(ITEMS)


def test_a_table_is_described_in_googlesql_s_types(warehouse: Warehouse) -> None:
    types = {
        "price": "NUMERIC",
        "share": "FLOAT64",
        "name": "STRING",
        "ok": "BOOL",
        "raw": "BYTES",
        "day": "DATE",
        "moment": "TIMESTAMP",
        "local": "DATETIME",
        "clock": "TIME",
        "data": "JSON",
        "tags": "ARRAY<STRING>",
        "parts": "ARRAY<STRUCT<sku INT64, label STRING>>",
    }
    listed = ", ".join(f"{name} {kind}" for name, kind in types.items())
    run(warehouse, f"CREATE TABLE raw.items (id INT64 NOT NULL, {listed})")
    assert warehouse.columns(ITEMS) == (Column("id", parse_type("INT64"), required=True), *columns(**types))


def test_rows_are_counted_and_the_first_ones_shown(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (n INT64) AS SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3")
    assert warehouse.row_count(ITEMS) == 3
    assert rows(warehouse, ITEMS) == [(1,), (2,), (3,)]
    assert len(warehouse.first_rows(ITEMS, 2)) == 2


def test_another_process_sees_what_was_written(warehouse: Warehouse, connect: Connect) -> None:
    run(warehouse, "CREATE TABLE raw.items (n INT64) AS SELECT 1 AS n")
    build(warehouse, OUT, "SELECT n + 1 AS more FROM raw.items")
    warehouse.close()
    with connect() as other:
        assert rows(other, OUT) == [(2,)]
        assert other.columns(OUT) == columns(more="INT64")


# Scripts


def test_a_script_creates_and_fills_tables(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (n INT64, name STRING); INSERT INTO raw.items (name, n) VALUES ('é', 1)")
    assert rows(warehouse, ITEMS) == [(1, "é")]


def test_a_script_stops_at_its_first_wrong_statement(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="nowhere"):
        run(warehouse, "INSERT INTO raw.nowhere VALUES (1);\nCREATE TABLE raw.b (n INT64)")
    assert warehouse.tables("raw") == []


def test_an_error_in_a_script_has_a_place_in_its_statement(warehouse: Warehouse) -> None:
    with pytest.raises(SqlError) as caught:
        run(warehouse, "CREATE TABLE raw.a (n INT64);\nCREATE TABLE raw.b AS\nSELECT nope FROM raw.a")
    assert caught.value.place is not None
    assert caught.value.place.line in (2, 3)  # the emulator does not say where in the statement


# Builds


def test_a_build_replaces_the_table_with_the_result(warehouse: Warehouse) -> None:
    build(warehouse, OUT, "SELECT 'old' AS word")
    built = build(warehouse, OUT, "SELECT n * 2 AS twice FROM UNNEST([1, 2]) AS n")
    assert built.rows == 2
    assert built.seconds >= 0
    assert rows(warehouse, OUT) == [(2,), (4,)]
    assert warehouse.columns(OUT) == columns(twice="INT64")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nope FROM raw.items",
        "SELECT 1 AS n FROM raw.nowhere",
        "SELECT CAST(name AS INT64) AS n FROM raw.items",
    ],
)
def test_a_failed_build_leaves_the_old_table(warehouse: Warehouse, sql: str) -> None:
    run(warehouse, "CREATE TABLE raw.items (name STRING) AS SELECT 'x' AS name")
    build(warehouse, OUT, "SELECT 1 AS n")
    with pytest.raises(WarehouseError):
        build(warehouse, OUT, sql)
    assert rows(warehouse, OUT) == [(1,)]


def test_a_reader_sees_the_old_table_or_the_new_one(warehouse: Warehouse) -> None:
    versions = [f"SELECT {number} AS version FROM UNNEST(GENERATE_ARRAY(1, 50)) AS x" for number in range(6)]
    build(warehouse, OUT, versions[0])
    done = threading.Event()
    seen: list[list[tuple[Any, ...]]] = []

    def read() -> None:
        while not done.is_set():
            seen.append(warehouse.first_rows(OUT, 100))

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            for version in versions[1:]:
                build(warehouse, OUT, version)
        finally:
            done.set()
        reader.result()
    assert seen
    assert all(len(found) == 50 and len(set(found)) == 1 for found in seen)


def test_many_tables_are_built_at_once(warehouse: Warehouse) -> None:
    tables = [TableName("tmp", f"t{number}") for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        built = list(pool.map(lambda table: build(warehouse, table, "SELECT 1 AS n", run=str(table)).rows, tables))
    assert built == [1] * len(tables)
    assert warehouse.tables("tmp") == sorted(tables)


# Plans


def test_a_plan_has_the_columns_of_the_result_and_builds_nothing(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (n INT64)")
    plan = warehouse.plan(parse_query("SELECT n, CAST(n AS STRING) AS word FROM raw.items"), {})
    assert plan.columns == columns(n="INT64", word="STRING")
    assert not plan.estimate
    assert warehouse.tables("tmp") == []


def test_a_plan_reads_stand_ins_for_tables_that_do_not_exist_yet(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (n INT64)")
    later = columns(words="ARRAY<STRUCT<a STRING, b INT64>>")
    query = parse_query("SELECT later.words, items.n FROM `tmp.later` JOIN raw.items AS items ON TRUE")
    assert warehouse.plan(query, {TableName("tmp", "later"): later}).columns == (*later, *columns(n="INT64"))


def test_a_stand_in_counts_more_than_the_table_as_it_is(warehouse: Warehouse) -> None:
    build(warehouse, OUT, "SELECT 1 AS old")
    assert warehouse.plan(parse_query("SELECT * FROM tmp.out"), {OUT: columns(new="STRING")}).columns == columns(
        new="STRING"
    )


def test_a_plan_of_wrong_sql_is_an_error(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (n INT64)")
    with pytest.raises(SqlError, match="nope"):
        warehouse.plan(parse_query("SELECT n,\n  nope FROM raw.items"), {})


# The object


def test_after_cancel_every_call_raises_cancelled(warehouse: Warehouse) -> None:
    warehouse.tables("raw")
    warehouse.cancel()
    for ask in (lambda: warehouse.tables("raw"), lambda: build(warehouse, OUT, "SELECT 1 AS n")):
        with pytest.raises(Cancelled):
            ask()


def test_a_second_refresh_waits_for_the_first_and_knows_whose_it_is(connect: Connect) -> None:
    waited: list[str] = []
    order: list[str] = []
    is_waiting = threading.Event()

    def waits(holder: str) -> None:
        waited.append(holder)
        is_waiting.set()

    def second() -> None:
        with connect() as other, other.refresh_lock("the second", waits):
            order.append("second")

    with connect() as warehouse, ThreadPoolExecutor(1) as pool:
        with warehouse.refresh_lock("the first", lambda holder: pytest.fail(holder)):
            later = pool.submit(second)
            assert is_waiting.wait(60)
            order.append("first")
        later.result(60)
    assert waited == ["the first"]
    assert order == ["first", "second"]


# A list of columns before AS


def build_script(warehouse: Warehouse, text: str) -> Built:
    found = parse_definition(text)
    query = replace(parse_query(found.query_text, preamble=found.preamble), listed=found.listed)
    context = BuildContext(f"run of {text}")
    return warehouse.build(TableBuild(OUT, query, found.is_view, found.storage), context)


LISTED = """CREATE OR REPLACE TABLE tmp.out (
  id FLOAT64 NOT NULL OPTIONS (description = "whose"), -- with a comment
  made DATETIME,
  label STRING(5),
  price NUMERIC(6, 2),
  tags ARRAY<STRING>,
  `the part` STRUCT<size FLOAT64>
) AS
SELECT n, DATE '2024-01-31', NULL, n, ['x'], STRUCT(n AS size)
FROM raw.items
"""


def test_a_list_of_columns_gives_names_types_and_not_null(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (n INT64) AS SELECT 1")
    build(warehouse, OUT, "SELECT 'before' AS was")
    assert build_script(warehouse, LISTED).rows == 1
    [row] = warehouse.first_rows(OUT, 2)
    assert row[0] == row[3] == row[5]["size"] == 1
    assert (str(row[1]), row[2], row[4]) == ("2024-01-31 00:00:00", None, ["x"])
    found = warehouse.columns(OUT)
    assert [column.name for column in found] == ["id", "made", "label", "price", "tags", "the part"]
    assert [str(column.type) for column in found] == [
        *("FLOAT64", "DATETIME", "STRING(5)", "NUMERIC(6, 2)", "ARRAY<STRING>", "STRUCT<size FLOAT64>")
    ]
    assert [column.required for column in found] == [True, *[False] * 5]
    build(warehouse, OUT, "SELECT 'after' AS label")
    assert warehouse.columns(OUT) == columns(label="STRING")


def test_a_plan_has_the_listed_columns(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (n INT64)")
    found = parse_definition(LISTED)
    planned = warehouse.plan(replace(parse_query(found.query_text), listed=found.listed), {}).columns
    assert [(column.name, str(column.type), column.required) for column in planned[:3]] == [
        *(("id", "FLOAT64", True), ("made", "DATETIME", False), ("label", "STRING(5)", False))
    ]


def test_a_view_s_list_gives_names(warehouse: Warehouse) -> None:
    text = "CREATE VIEW tmp.out (a OPTIONS (description = 'one'), b) AS SELECT 1, 'x'"
    assert build_script(warehouse, text).rows is None
    assert rows(warehouse, OUT) == [(1, "x")]
    assert [column.name for column in warehouse.columns(OUT)] == ["a", "b"]
    assert build_script(warehouse, "CREATE TABLE tmp.out (c INT64 NOT NULL) AS SELECT 2").rows == 1
    assert rows(warehouse, OUT) == [(2,)]
    assert warehouse.columns(OUT)[0].required
    build_script(warehouse, "CREATE VIEW tmp.out (d) AS SELECT 3")
    assert rows(warehouse, OUT) == [(3,)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CREATE TABLE tmp.out (a INT64, b INT64) AS SELECT 1", "the list has 2 columns, and the query gives 1"),
        ("CREATE VIEW tmp.out (a) AS SELECT 1 AS x, 2 AS y", "the list has 1 columns, and the query gives 2"),
        ("CREATE TABLE tmp.out (a INT64, A INT64) AS SELECT 1 AS x, 2 AS y", "two columns named A"),
        ("CREATE TABLE tmp.out (a INT64) AS SELECT 1.5 AS x", "the column a is INT64, and the query gives FLOAT64"),
        ("CREATE TABLE tmp.out (a DATE) AS SELECT '2024-01-31'", "the column a is DATE, and the query gives STRING"),
    ],
)
def test_a_list_that_does_not_fit_its_query_is_refused(warehouse: Warehouse, text: str, reason: str) -> None:
    found = parse_definition(text)
    with pytest.raises(SqlError, match=reason) as caught:
        warehouse.plan(replace(parse_query(found.query_text), listed=found.listed), {})
    assert caught.value.place is not None


# Names without a dataset

BARE = """DECLARE most INT64 DEFAULT (SELECT MAX(n) FROM items);
WITH others AS (SELECT 2 AS n)
SELECT items.n, tag, most
FROM items JOIN others ON others.n = items.n, items.tags AS tag
WHERE EXISTS (SELECT 1 FROM raw.items)
"""


def test_a_name_without_a_dataset_is_one_of_the_default_dataset(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (n INT64, tags ARRAY<STRING>)")
    warehouse.append(ITEMS, [Append([{"n": 1, "tags": ["x"]}, {"n": 2, "tags": ["y"]}])])
    run(warehouse, "CREATE TABLE raw.others (n INT64)")  # the WITH query of that name wins
    found = parse_definition(BARE)
    query = parse_query(found.query_text, preamble=found.preamble).with_default("raw")
    assert {read.table for read in query.reads} == {ITEMS}
    warehouse.build(TableBuild(OUT, query), BuildContext("bare"))
    assert rows(warehouse, OUT) == [(2, "y", 2)]
    stand_in = {ITEMS: columns(n="INT64", tags="ARRAY<STRING>")}
    assert [column.name for column in warehouse.plan(query, stand_in).columns] == ["n", "tag", "most"]
    assert warehouse.fetch(parse_query("SELECT n FROM items ORDER BY n").with_default("raw"), 1).rows[0] == (1,)


def test_a_view_reads_a_table_of_the_default_dataset(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (n INT64) AS SELECT 1")
    query = parse_query("SELECT items.n\nFROM items").with_default("raw")
    warehouse.build(TableBuild(OUT, query, is_view=True), BuildContext("bare"))
    assert rows(warehouse, OUT) == [(1,)]
    assert warehouse.view_reads() == {OUT: {ITEMS}}


# Views


def build_view(warehouse: Warehouse, sql: str, run: str) -> Built:
    storage = Storage(description='what is "out"', labels=(("team", "data"),))
    return warehouse.build(TableBuild(OUT, parse_query(sql), is_view=True, storage=storage), BuildContext(run))


def test_a_view_shows_what_its_tables_have_now(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (x INT64) AS SELECT 1")
    assert build_view(warehouse, "SELECT x + 1 AS y\nFROM `raw.items`", "first").rows is None
    assert rows(warehouse, OUT) == [(2,)]
    warehouse.append(ITEMS, [Append([{"x": 5}])])
    assert rows(warehouse, OUT) == [(2,), (6,)]
    assert warehouse.columns(OUT) == columns(y="INT64")
    assert warehouse.tables("tmp") == [OUT]
    build(warehouse, TableName("tmp", "later"), "SELECT SUM(y) AS y FROM `tmp.out`")
    assert rows(warehouse, TableName("tmp", "later")) == [(8,)]


def test_a_table_becomes_a_view_and_a_view_a_table(warehouse: Warehouse) -> None:
    build(warehouse, OUT, "SELECT 1 AS x")
    build_view(warehouse, "SELECT 2 AS y", "second")
    assert rows(warehouse, OUT) == [(2,)]
    build_view(warehouse, "SELECT 3 AS z", "third")
    assert rows(warehouse, OUT) == [(3,)]
    assert build(warehouse, OUT, "SELECT 4 AS x").rows == 1
    assert rows(warehouse, OUT) == [(4,)]


def test_a_view_that_cannot_be_made_leaves_what_was_there(warehouse: Warehouse) -> None:
    build(warehouse, OUT, "SELECT 1 AS x")
    with pytest.raises(SqlError):
        build_view(warehouse, "SELECT\n  nothing AS y", "second")
    assert rows(warehouse, OUT) == [(1,)]


def test_a_table_that_fails_as_it_runs_leaves_the_view_in_its_place(warehouse: Warehouse) -> None:
    build_view(warehouse, "SELECT 1 AS x", "first")
    with pytest.raises(WarehouseError):
        build(warehouse, OUT, "SELECT CAST(s AS INT64) AS y FROM UNNEST(['1', 'a']) AS s")
    assert rows(warehouse, OUT) == [(1,)]


# What is said about tables


def test_a_required_column_holds_no_null(warehouse: Warehouse) -> None:
    storage = Storage(required=("x",))
    for sql in (
        "-- rows\nSELECT x, 'a' AS s FROM UNNEST([1, 2]) AS x ORDER BY x;\n",
        "DECLARE y INT64 DEFAULT 1;\nWITH a AS (SELECT 1 AS x)\nSELECT y + x AS x, [1] AS s FROM a",
    ):
        built = warehouse.build(_script(sql, storage), BuildContext(f"run of {sql}"))
        assert built.rows == warehouse.row_count(OUT)
        assert [(column.name, column.required) for column in warehouse.columns(OUT)] == [("x", True), ("s", False)]
    before = rows(warehouse, OUT)
    with pytest.raises(SqlError, match="x is REQUIRED, and the query gives NULL for it"):
        warehouse.build(_script("SELECT x, 1 AS s\nFROM UNNEST([1, NULL]) AS x", storage), BuildContext("third"))
    assert rows(warehouse, OUT) == before


def _script(text: str, storage: Storage) -> TableBuild:
    definition = parse_definition(text)
    return TableBuild(OUT, parse_query(definition.query_text, None, definition.preamble), storage=storage)


@pytest.mark.parametrize("is_view", [False, True])
def test_columns_keep_their_descriptions_over_builds(warehouse: Warehouse, is_view: bool) -> None:
    storage = Storage(description="it's what is out", column_descriptions=(("x", "the 'x'"),))
    for number in range(3):
        build = TableBuild(OUT, parse_query(f"SELECT {number} AS x, 'a' AS s"), is_view=is_view, storage=storage)
        warehouse.build(build, BuildContext(f"run {number}"))
        assert [column.description for column in warehouse.columns(OUT)] == ["the 'x'", ""]
    warehouse.build(replace(build, is_view=not is_view), BuildContext("other"))
    assert [column.description for column in warehouse.columns(OUT)] == ["the 'x'", ""]


# What nobody builds any more


def test_a_dropped_table_or_view_is_gone_and_may_be_dropped_again(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (x INT64) AS SELECT 1")
    build_view(warehouse, "SELECT x AS y FROM `raw.items`", "first")
    build(warehouse, TableName("tmp", "table"), "SELECT 1 AS x")
    assert warehouse.built_tables("tmp") == [OUT, TableName("tmp", "table")]
    for table in [OUT, TableName("tmp", "table"), OUT]:
        warehouse.drop(table)
    assert warehouse.built_tables("tmp") == warehouse.tables("tmp") == warehouse.tables("nowhere") == []
    assert rows(warehouse, ITEMS) == [(1,)]
    build(warehouse, OUT, "SELECT 2 AS x")
    assert rows(warehouse, OUT) == [(2,)]


def test_it_is_known_what_each_view_reads(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (x INT64) AS SELECT 1; CREATE TABLE raw.others (x INT64) AS SELECT 1")
    sql = "WITH one AS (SELECT x FROM `raw.items`) SELECT x AS y FROM one WHERE x IN (SELECT x FROM `raw`.others)"
    build_view(warehouse, sql, "first")
    assert warehouse.view_reads() == {OUT: {ITEMS, TableName("raw", "others")}}


def test_the_rows_of_a_view_are_counted_and_shown(warehouse: Warehouse) -> None:
    view = TableBuild(OUT, parse_query("SELECT x FROM UNNEST([1, 2, 3]) AS x"), is_view=True)
    warehouse.build(view, BuildContext("run"))
    assert warehouse.row_count(OUT) == 3
    assert len(warehouse.first_rows(OUT, 2)) == 2
    assert sorted(warehouse.first_rows(OUT, 10)) == [(1,), (2,), (3,)]
