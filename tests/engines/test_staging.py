"""What every engine promises of tables that are built beside the published ones, and published together."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.engines.conftest import Connect
from warehouse_refresh.warehouse import Append, BuildContext, Staged, TableBuild, Warehouse
from warehouse_refresh.warehouse.errors import SqlError, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.storage import Storage
from warehouse_refresh.warehouse.types import Column, parse_type

ITEMS, A, B, C = (TableName("raw", "items"), *(TableName("tmp", name) for name in "abc"))
RUN = BuildContext("the run")
REQUIRED = Storage(required=("x",))
Rows = list[tuple[Any, ...]]


@pytest.fixture
def warehouse(connect: Connect) -> Iterator[Warehouse]:
    """A warehouse with the raw table `items` of one row, 1, and the published tables a and b, 10 and 20."""
    with connect() as opened:
        opened.create_datasets(["raw", "tmp"])
        opened.run_script(parse_script("CREATE TABLE raw.items (x INT64) AS SELECT 1 AS x"))
        for build in (table(A, "SELECT 10 AS x"), table(B, "SELECT 20 AS x")):
            opened.build(build, BuildContext("an earlier run"))
        yield opened


def table(name: TableName, sql: str, *, is_view: bool = False, storage: Storage | None = None) -> TableBuild:
    return TableBuild(name, parse_query(sql), is_view, storage or Storage())


def rows(warehouse: Warehouse, name: TableName) -> Rows:
    return sorted(warehouse.first_rows(name, 100))


def stage(warehouse: Warehouse, *builds: TableBuild, context: BuildContext = RUN) -> None:
    """Stage tables, each over those before it."""
    for number, build in enumerate(builds):
        warehouse.stage(build, {before.table for before in builds[:number]}, context)


def silent(line: str) -> None:
    pytest.fail(line)


# Staging


def test_a_staged_table_is_not_seen_by_readers(warehouse: Warehouse) -> None:
    built = warehouse.stage(table(A, "SELECT x FROM `raw.items`"), (), RUN)
    assert built.rows == 1
    warehouse.stage(table(C, "SELECT 5 AS x"), (), RUN)
    assert rows(warehouse, A) == [(10,)]
    assert warehouse.tables("tmp") == warehouse.built_tables("tmp") == [A, B]


def test_a_script_reads_what_this_run_has_staged_and_the_rest_as_published(warehouse: Warehouse) -> None:
    a, b = table(A, "SELECT 11 AS x, 'new' AS word"), table(B, "SELECT 21 AS x")
    c = table(C, "SELECT a.x, word, b.x AS y FROM `tmp.a` AS a CROSS JOIN tmp.b AS b")
    stage(warehouse, a, b)
    warehouse.stage(c, {A}, RUN)
    warehouse.publish([c], RUN)
    assert rows(warehouse, C) == [(11, "new", 20)]


def test_a_text_that_looks_like_a_table_stays_as_it_is(warehouse: Warehouse) -> None:
    a = table(A, "SELECT 1 AS x")
    names = ["tmp.a", "`tmp`.`a`", '"warehouse"."tmp"."a"', "'; tmp.a"]
    texts = ", ".join(f"'''{name}''' AS t{number}" for number, name in enumerate(names))
    c = table(C, f"SELECT {texts}, a.x AS a FROM tmp.a AS a -- tmp.a")
    stage(warehouse, a, c)
    warehouse.publish([a, c], RUN)
    assert rows(warehouse, C) == [(*names, 1)]


def test_a_query_reads_staged_tables_if_it_is_asked_to(warehouse: Warehouse) -> None:
    stage(warehouse, table(A, "SELECT 11 AS x"))
    query = parse_query("SELECT a.x AS a, b.x AS b FROM tmp.a CROSS JOIN tmp.b")
    assert list(warehouse.fetch(query, 1, {A}, RUN).rows) == [(11, 20)]
    assert list(warehouse.fetch(query, 1).rows) == [(10, 20)]


def test_a_table_that_fails_is_not_staged(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError):
        warehouse.stage(table(A, "SELECT CAST(s AS INT64) AS x FROM UNNEST(['a']) AS s"), (), RUN)
    assert warehouse.staged(RUN) == {}
    assert rows(warehouse, A) == [(10,)]


def test_an_error_of_a_staged_script_has_its_place(warehouse: Warehouse) -> None:
    stage(warehouse, table(A, "SELECT 1 AS other"))
    with pytest.raises(SqlError, match="x") as caught:
        warehouse.stage(table(C, "SELECT\n  x\nFROM tmp.a"), {A}, RUN)
    if caught.value.place is not None:  # the emulator has none
        assert caught.value.place.line == 2
    assert "staged" not in str(caught.value)


# Publishing


def test_tables_are_published_together(warehouse: Warehouse) -> None:
    a, c = table(A, "SELECT x FROM `raw.items`"), table(C, "SELECT x + 1 AS y FROM `tmp.a`")
    stage(warehouse, a, c)
    published = warehouse.publish([a, c], RUN)
    assert published.seconds >= published.window >= 0
    assert (rows(warehouse, A), rows(warehouse, B), rows(warehouse, C)) == ([(1,)], [(20,)], [(2,)])
    assert warehouse.columns(C) == (Column("y", parse_type("INT64")),)
    assert warehouse.tables("tmp") == [A, B, C]


def test_what_was_staged_and_not_published_is_dropped(warehouse: Warehouse) -> None:
    a, c = table(A, "SELECT 11 AS x"), table(C, "SELECT 5 AS x")
    stage(warehouse, a, c)
    warehouse.publish([a], RUN)
    warehouse.discard(RUN)
    assert warehouse.staged(RUN) == {A: Staged(a.fingerprint, is_published=True)}
    assert warehouse.tables("tmp") == [A, B]


def test_a_table_that_was_not_staged_is_not_published(warehouse: Warehouse) -> None:
    a = table(A, "SELECT 11 AS x")
    stage(warehouse, a)
    with pytest.raises(WarehouseError, match=r"tmp\.c"):
        warehouse.publish([a, table(C, "SELECT 5 AS x")], RUN)
    assert rows(warehouse, A) == [(10,)]


def test_a_table_can_be_published_again_and_again(warehouse: Warehouse) -> None:
    for number in range(5):
        run = BuildContext(f"run {number}")
        a, c = table(A, f"SELECT {number} AS x"), table(C, "SELECT x FROM tmp.a")
        stage(warehouse, a, c, context=run)
        warehouse.publish([a, c], run)
        assert rows(warehouse, A) == rows(warehouse, C) == [(number,)]


def test_a_row_that_is_posted_meanwhile_is_stored(warehouse: Warehouse) -> None:
    a = table(A, "SELECT x FROM raw.items")
    stage(warehouse, a)
    warehouse.append(ITEMS, [Append([{"x": 2}])])
    warehouse.publish([a], RUN)
    assert rows(warehouse, A) == [(1,)]
    assert rows(warehouse, ITEMS) == [(1,), (2,)]


def test_declared_columns_stay_declared_until_a_script_declares_none(warehouse: Warehouse) -> None:
    found = parse_definition("CREATE TABLE tmp.a (name STRING(9) NOT NULL, n NUMERIC(5, 2)) AS SELECT 'x', 1")
    query = replace(parse_query(found.query_text), listed=found.listed)
    for run, build in (
        ("declared", TableBuild(A, query)),
        ("again", TableBuild(A, query)),
        ("plain", table(A, "SELECT 'a longer name' AS name, NUMERIC '1' AS n")),
    ):
        stage(warehouse, build, context=BuildContext(run))
        warehouse.publish([build], BuildContext(run))
        columns = warehouse.columns(A)
        declared = ["STRING(9)", "NUMERIC(5, 2)"] if run != "plain" else ["STRING", "NUMERIC"]
        assert [str(column.type) for column in columns] == declared
        assert columns[0].required == (run != "plain")


def test_a_required_column_is_required_where_it_is_published_and_no_more_once_it_is_not_said(
    warehouse: Warehouse,
) -> None:
    sql = "-- all\nSELECT x, [x] AS several, STRUCT(x AS y, 'a' AS z) AS both, JSON '1' AS j FROM raw.items;"
    for run, storage in (("first", REQUIRED), ("second", REQUIRED), ("third", Storage())):
        build = table(A, sql, storage=storage)
        after = table(B, "SELECT x FROM tmp.a WHERE x IS NOT NULL", storage=storage)
        stage(warehouse, build, after, context=BuildContext(run))
        warehouse.publish([build, after], BuildContext(run))
        is_required = storage == REQUIRED
        assert [column.required for column in warehouse.columns(A)] == [is_required, False, False, False]
        assert [column.required for column in warehouse.columns(B)] == [is_required]
        assert (len(rows(warehouse, A)), rows(warehouse, B)) == (1, [(1,)])


def test_a_null_in_a_required_column_is_not_staged(warehouse: Warehouse) -> None:
    with pytest.raises(SqlError, match="x is REQUIRED, and the query gives NULL for it"):
        warehouse.stage(table(A, "SELECT x FROM UNNEST([1, NULL]) AS x", storage=REQUIRED), (), RUN)
    assert warehouse.staged(RUN) == {}
    assert rows(warehouse, A) == [(10,)]


# Views


def test_a_view_is_staged_over_staged_tables_and_published_over_published_ones(warehouse: Warehouse) -> None:
    a = table(A, "SELECT 11 AS x")
    c = table(C, "SELECT x + 1 AS y FROM `tmp.a`", is_view=True)
    b = table(B, "SELECT y FROM tmp.c")
    stage(warehouse, a, c, b)
    assert list(warehouse.fetch(parse_query("SELECT y FROM tmp.c"), 9, {A, C}, RUN).rows) == [(12,)]
    warehouse.publish([a, c, b], RUN)
    assert (rows(warehouse, C), rows(warehouse, B)) == ([(12,)], [(12,)])
    later = BuildContext("later")
    a = table(A, "SELECT 50 AS x")
    stage(warehouse, a, context=later)
    warehouse.publish([a], later)
    assert rows(warehouse, C) == [(51,)]
    assert warehouse.view_reads() == {C: {A}}


def test_a_table_becomes_a_view_and_a_view_a_table(warehouse: Warehouse) -> None:
    for number, is_view in enumerate([True, True, False, False, True]):
        run = BuildContext(f"run {number}")
        a = table(A, f"SELECT {number} AS x", is_view=is_view)
        b = table(B, "SELECT x FROM tmp.a", is_view=not is_view)
        stage(warehouse, a, b, context=run)
        warehouse.publish([a, b], run)
        assert rows(warehouse, A) == rows(warehouse, B) == [(number,)]
        assert warehouse.tables("tmp") == [A, B]


# Another attempt, and other runs


def test_a_later_attempt_finds_what_was_staged_and_what_was_published(warehouse: Warehouse, connect: Connect) -> None:
    a, b, c = table(A, "SELECT 11 AS x"), table(B, "SELECT x FROM tmp.a"), table(C, "SELECT x FROM tmp.b", is_view=True)
    stage(warehouse, a)
    warehouse.publish([a], RUN)
    warehouse.stage(b, (), RUN)
    warehouse.stage(c, {B}, RUN)
    warehouse.close()
    again = BuildContext(RUN.run, attempt=2)
    with connect() as other:
        other.recover(again.run, silent)
        assert other.staged(again) == {
            A: Staged(a.fingerprint, is_published=True),
            B: Staged(b.fingerprint),
            C: Staged(c.fingerprint),
        }
        other.publish([b, c], again)
        assert rows(other, B) == rows(other, C) == [(11,)]


def test_a_table_staged_again_replaces_what_was_staged(warehouse: Warehouse, connect: Connect) -> None:
    stage(warehouse, table(A, "SELECT 11 AS x"))
    warehouse.close()
    a, again = table(A, "SELECT 12 AS x"), BuildContext(RUN.run, attempt=2)
    with connect() as other:
        stage(other, a, context=again)
        assert other.staged(again) == {A: Staged(a.fingerprint)}
        other.publish([a], again)
        assert rows(other, A) == [(12,)]
        assert other.staged(again) == {A: Staged(a.fingerprint, is_published=True)}


def test_what_dead_runs_have_staged_is_dropped(warehouse: Warehouse, connect: Connect) -> None:
    kept, dead = BuildContext("kept"), BuildContext("dead")
    a, b = table(A, "SELECT 11 AS x"), table(B, "SELECT 12 AS x", is_view=True)
    for run in (kept, dead):
        stage(warehouse, a, b, context=run)
    warehouse.close()
    with connect() as other:
        other.recover(kept.run, silent)
        assert other.staged(dead) == {}
        assert set(other.staged(kept)) == {A, B}
        other.recover("", silent)
        assert (rows(other, A), rows(other, B)) == ([(10,)], [(20,)])
    with connect() as other:
        assert other.staged(kept) == {}


@pytest.mark.parametrize("is_view", [False, True])
def test_a_published_table_has_the_descriptions_it_was_staged_with(warehouse: Warehouse, is_view: bool) -> None:
    for words in ("it's one", "it's one", "two"):
        build = table(A, f"SELECT '{len(words)}' AS x, 1 AS y", is_view=is_view, storage=described(words))
        after = table(B, "SELECT x, y FROM tmp.a", storage=described(words + " after"))
        run = BuildContext(f"the run of {words}")
        stage(warehouse, build, after, context=run)
        warehouse.publish([build, after], run)
        assert [it.description for it in warehouse.columns(A)] == [words, ""]
        assert [it.description for it in warehouse.columns(B)] == [words + " after", ""]


def described(words: str) -> Storage:
    return Storage(description=words, column_descriptions=(("x", words),))


def test_two_runs_do_not_read_each_other_s_tables(warehouse: Warehouse) -> None:
    other = BuildContext("another run")
    stage(warehouse, table(A, "SELECT 11 AS x"))
    stage(warehouse, table(A, "SELECT 12 AS x"), context=other)
    query = parse_query("SELECT x FROM tmp.a")
    assert [list(warehouse.fetch(query, 1, {A}, run).rows) for run in (RUN, other)] == [[(11,)], [(12,)]]


@pytest.mark.parametrize(
    "other",
    [
        table(A, "SELECT 2 AS x"),
        table(A, "SELECT 1 AS x", is_view=True),
        table(A, "SELECT 1 AS x", storage=Storage(description="one")),
    ],
)
def test_a_fingerprint_differs_where_the_table_would(other: TableBuild) -> None:
    build = table(A, "SELECT 1 AS x")
    assert build.fingerprint == table(A, "SELECT 1 AS x").fingerprint != other.fingerprint
