"""What every engine promises of tables that are rolled back to before a publication."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.engines.conftest import Connect
from warehouse_refresh.warehouse import BuildContext, Publication, TableBuild, Warehouse
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.storage import Storage

A, B, C, V = (TableName("tmp", name) for name in "abcv")


def run(name: str, *, keep: bool = True) -> BuildContext:
    return BuildContext(name, keep_previous=keep)


def table(name: TableName, number: int, *, is_view: bool = False) -> TableBuild:
    return TableBuild(name, parse_query(f"SELECT {number} AS x"), is_view)


def publish(warehouse: Warehouse, context: BuildContext, *builds: TableBuild) -> None:
    for build in builds:
        warehouse.stage(build, (), context)
    warehouse.publish(builds, context)


def last(warehouse: Warehouse) -> Publication:
    return next(iter(warehouse.publications()))


def roll_back(warehouse: Warehouse, *tables: TableName, name: str = "rollback") -> dict[TableName, str]:
    publication = last(warehouse)
    return dict(warehouse.roll_back(publication, tables or publication.tables, run(name)))


def value(warehouse: Warehouse, name: TableName) -> Any:
    [(found,)] = warehouse.first_rows(name, 10)
    return found


@pytest.fixture
def warehouse(connect: Connect) -> Iterator[Warehouse]:
    """Tables a and b were published as 1 and 2, and then together as 10 and 20."""
    with connect() as opened:
        opened.create_datasets(["tmp"])
        publish(opened, run("first"), table(A, 1), table(B, 2))
        publish(opened, run("second"), table(A, 10), table(B, 20))
        yield opened


def test_publications_are_listed_the_last_one_first(warehouse: Warehouse) -> None:
    found = list(warehouse.publications())
    assert [set(publication.tables) for publication in found] == [{A, B}, {A, B}]
    assert found[0].at > found[1].at


def test_the_tables_of_a_publication_are_as_they_were_before_it(warehouse: Warehouse) -> None:
    assert roll_back(warehouse) == {}
    assert (value(warehouse, A), value(warehouse, B)) == (1, 2)
    assert warehouse.tables("tmp") == [A, B]


def test_another_process_sees_it_too(warehouse: Warehouse, connect: Connect) -> None:
    roll_back(warehouse)
    with connect() as other:
        assert (value(other, A), value(other, B)) == (1, 2)


def test_to_roll_back_once_more_brings_it_back(warehouse: Warehouse) -> None:
    roll_back(warehouse, name="back")
    assert roll_back(warehouse, name="and forth") == {}
    assert (value(warehouse, A), value(warehouse, B)) == (10, 20)


def test_one_table_alone_can_be_rolled_back(warehouse: Warehouse) -> None:
    assert roll_back(warehouse, A) == {}
    assert (value(warehouse, A), value(warehouse, B)) == (1, 20)


def test_a_table_that_was_published_again_stays(warehouse: Warehouse) -> None:
    second = last(warehouse)
    publish(warehouse, run("third"), table(A, 100))
    left = warehouse.roll_back(second, [A, B], run("rollback"))
    assert dict(left) == {A: "it was published again since"}
    assert (value(warehouse, A), value(warehouse, B)) == (100, 2)


def test_the_next_refresh_builds_upon_it_as_ever(warehouse: Warehouse) -> None:
    roll_back(warehouse)
    publish(warehouse, run("third"), table(A, 100))
    assert (value(warehouse, A), value(warehouse, B)) == (100, 2)
    roll_back(warehouse, name="again")
    assert (value(warehouse, A), value(warehouse, B)) == (1, 2)


def test_a_retry_of_the_run_does_not_take_what_was_rolled_back_for_built(warehouse: Warehouse) -> None:
    roll_back(warehouse, A)
    assert set(warehouse.staged(run("second"))) == {B}


def test_types_come_back_with_the_table(connect: Connect) -> None:
    with connect() as warehouse:
        warehouse.create_datasets(["tmp"])
        publish(warehouse, run("first"), TableBuild(A, parse_query("SELECT 'a' AS x")))
        publish(warehouse, run("second"), TableBuild(A, parse_query("SELECT [1, 2] AS x, NUMERIC '1.5' AS y")))
        roll_back(warehouse)
        assert [str(column.type) for column in warehouse.columns(A)] == ["STRING"]
        assert value(warehouse, A) == "a"


def test_modes_and_descriptions_come_back_with_the_table(connect: Connect) -> None:
    said = Storage(description="one", column_descriptions=(("x", "a number"),), required=("x",))
    with connect() as warehouse:
        warehouse.create_datasets(["tmp"])
        publish(warehouse, run("first"), replace(table(A, 1), storage=said))
        publish(warehouse, run("second"), table(A, 2))
        roll_back(warehouse)
        [column] = warehouse.columns(A)
        assert (column.required, column.description) == (True, "a number")


def test_on_duckdb_a_table_that_was_not_there_is_gone_and_comes_back(connect: Connect) -> None:
    with connect() as warehouse:
        warehouse.create_datasets(["tmp"])
        publish(warehouse, run("first"), table(C, 5))
        left = roll_back(warehouse, name="back")
        if left:  # BigQuery keeps no version of what was not there
            assert "no version of it of that time" in left[C]
            assert value(warehouse, C) == 5
            return
        with pytest.raises(TableNotFound):
            warehouse.columns(C)
        roll_back(warehouse, name="and forth")
        assert value(warehouse, C) == 5


def test_a_view_is_rolled_back_or_stays_with_the_reason(connect: Connect) -> None:
    with connect() as warehouse:
        warehouse.create_datasets(["tmp"])
        publish(warehouse, run("first"), table(V, 1, is_view=True))
        publish(warehouse, run("second"), table(V, 2, is_view=True))
        left = roll_back(warehouse)
        assert value(warehouse, V) == (2 if left else 1)
        assert left in ({}, {V: "BigQuery keeps no earlier version of a view"})
        assert set(warehouse.view_reads()) == {V}


def test_a_warehouse_without_publications_has_none(connect: Connect) -> None:
    with connect() as warehouse:
        assert list(warehouse.publications()) == []
        warehouse.create_datasets(["raw"])
        warehouse.run_script(parse_script("CREATE TABLE raw.items (x INT64)"))
        assert list(warehouse.publications()) == []
