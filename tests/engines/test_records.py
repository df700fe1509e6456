"""What every engine promises of the record of what has built each table, and of the versions of raw tables."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from tests.engines.conftest import Connect
from warehouse_refresh.warehouse import Append, BuildContext, TableBuild, Warehouse
from warehouse_refresh.warehouse.builds.records import BuildRecord
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

ITEMS, OTHERS = TableName("raw", "items"), TableName("raw", "others")
A, B, C = (TableName("tmp", name) for name in "abc")
RUN = BuildContext("run", 2)


@pytest.fixture
def warehouse(connect: Connect) -> Iterator[Warehouse]:
    """A warehouse with the raw table `items` of one row."""
    with connect() as opened:
        opened.create_datasets(["raw", "tmp"])
        opened.run_script(parse_script("CREATE TABLE raw.items (x INT64) AS SELECT 1 AS x"))
        yield opened


def table(
    name: TableName, sql: str, inputs: Mapping[TableName, str] | None = None, *, view: bool = False
) -> TableBuild:
    return TableBuild(name, parse_query(sql), view, inputs=inputs)


def publish(warehouse: Warehouse, *builds: TableBuild, context: BuildContext = RUN) -> None:
    for build in builds:
        warehouse.stage(build, (), context)
    warehouse.publish(builds, context)


def test_what_has_built_a_table_is_recorded_with_it(warehouse: Warehouse, connect: Connect) -> None:
    inputs = {ITEMS: "7 rows", TableName("raw", "ü's"): 'a "version"\n'}
    a, b = table(A, "SELECT x FROM raw.items", inputs), table(B, "SELECT 1 AS x")
    assert dict(warehouse.records()) == {}
    publish(warehouse, a, b)
    c = table(C, "SELECT 1 AS x", {}, view=True)
    warehouse.build(c, BuildContext("other"))
    warehouse.discard(RUN)
    with connect() as other:
        assert dict(other.records()) == {
            A: BuildRecord(a.fingerprint, "run/2", inputs, warehouse.made_by),
            B: BuildRecord(b.fingerprint, "run/2", None, warehouse.made_by),
            C: BuildRecord(c.fingerprint, "other/1", {}, warehouse.made_by),
        }


def test_the_last_publication_is_what_is_recorded(warehouse: Warehouse) -> None:
    publish(warehouse, table(A, "SELECT 1 AS x"), table(B, "SELECT 1 AS x"))
    again = table(A, "SELECT 2 AS x", {})
    publish(warehouse, again, context=BuildContext("later"))
    records = warehouse.records()
    assert records[A] == BuildRecord(again.fingerprint, "later/1", {}, warehouse.made_by)
    assert records[B].version == "run/2"


def test_what_is_not_published_is_not_recorded(warehouse: Warehouse) -> None:
    a = table(A, "SELECT 1 AS x")
    publish(warehouse, a)
    warehouse.stage(table(A, "SELECT 2 AS x"), (), BuildContext("other"))
    warehouse.discard(BuildContext("other"))
    assert warehouse.records()[A].fingerprint == a.fingerprint


def test_of_a_table_that_is_gone_or_rolled_back_nothing_is_known(warehouse: Warehouse) -> None:
    publish(warehouse, table(A, "SELECT 1 AS x"), table(B, "SELECT 1 AS x"))
    warehouse.drop(A)
    publish(warehouse, table(B, "SELECT 2 AS x"), context=BuildContext("second", keep_previous=True))
    warehouse.roll_back(next(iter(warehouse.publications())), [B], BuildContext("back", keep_previous=True))
    assert not any(record.fingerprint for record in warehouse.records().values())


def test_a_run_that_fails_is_noted_until_one_succeeds(warehouse: Warehouse) -> None:
    a = table(A, "SELECT 1 AS x")
    publish(warehouse, a)
    warehouse.note_failed([A, C])
    records = warehouse.records()
    assert (records[A].is_failed, records[A].fingerprint) == (True, a.fingerprint)
    assert (records[C].is_failed, records[C].fingerprint) == (True, "")
    publish(warehouse, a, table(C, "SELECT 1 AS x"), context=BuildContext("later"))
    assert [warehouse.records()[one].is_failed for one in (A, C)] == [False, False]


def test_the_version_of_a_raw_table_differs_after_each_of_our_writes(warehouse: Warehouse, connect: Connect) -> None:
    seen = [warehouse.versions([ITEMS])[ITEMS]]

    def look() -> None:
        with connect() as other:
            seen.append(other.versions([ITEMS])[ITEMS])

    warehouse.append(ITEMS, [Append([{"x": 2}])])
    look()
    warehouse.append(ITEMS, [Append([{"x": 2}], key="k", fingerprint="f")])
    look()
    warehouse.run_script(
        parse_script("CREATE OR REPLACE TABLE raw.items AS SELECT x + 1 AS x FROM UNNEST([1, 2, 3]) AS x")
    )
    look()
    warehouse.load_rows(ITEMS, [{"x": 7}])
    look()
    assert len(set(seen)) == len(seen)
    look()
    assert seen[-1] == seen[-2]


def test_the_seconds_of_the_last_builds_are_kept(warehouse: Warehouse, connect: Connect) -> None:
    a, b = table(A, "SELECT x FROM raw.items"), table(B, "SELECT 1 AS x")
    assert dict(warehouse.durations()) == {}
    publish(warehouse, replace(a, took=(9.0, 1.0, 2.5, 3.0, 0.25, 0.125)), b)
    warehouse.note_failed([A])
    with connect() as other:
        found = other.durations()
        assert found[A] == (1.0, 2.5, 3.0, 0.25, 0.125)
        assert not found.get(B)
    warehouse.build(replace(a, took=(4.0,)), BuildContext("each"))
    warehouse.discard(BuildContext("each"))
    known, last = warehouse.durations()[A]
    assert (known, last >= 0) == (4.0, True)


def test_what_has_no_version_is_left_out(warehouse: Warehouse) -> None:
    publish(warehouse, table(C, "SELECT 1 AS x", view=True))
    assert set(warehouse.versions([ITEMS, OTHERS, C])) == {ITEMS}
    assert dict(warehouse.versions([])) == {}


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("SELECT 1 AS x", "SELECT  1\n\tAS x -- one\n/* two */ # three", True),
        ("SELECT a.b, -1 FROM x", "SELECT a . b , - 1\nFROM x", True),
        ("SELECT '--' AS x", "SELECT '-- ' AS x", False),
        ("SELECT ' /* */' AS x", "SELECT ' ' AS x", False),
        ("SELECT r'\\' # \\'' AS x", "SELECT r'\\' # \\' ' AS x", False),
        ('SELECT """a "b" -- c""" AS x', 'SELECT """a "b" --  c""" AS x', False),
        ("SELECT `a b` FROM x", "SELECT `a  b` FROM x", False),
        ("SELECT 1 AS x", "SELECT 1 AS X", False),
        ("SELECT a b FROM x", "SELECT ab FROM x", False),
    ],
)
def test_comments_and_layout_are_no_change(one: str, other: str, is_same: bool) -> None:
    fingerprints = {TableBuild(A, parse_query(text)).fingerprint for text in (one, other)}
    assert len(fingerprints) == (1 if is_same else 2)
