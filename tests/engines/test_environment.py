"""What every engine promises of an environment: its tables stand beside production's, and it reads there what it
lacks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.emulator.fixtures import QUICK
from tests.engines.conftest import ENGINES
from warehouse_refresh.pipeline.tables.differences import difference
from warehouse_refresh.pipeline.tables.elsewhere import copied
from warehouse_refresh.warehouse import Append, BuildContext, TableBuild, Warehouse
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import parse_url
from warehouse_refresh.warehouse.builds.environment import Environment, prefix
from warehouse_refresh.warehouse.builds.projects import OtherProject
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.errors import SqlError, TableNotFound, WarehouseError
from warehouse_refresh.warehouse.functions import parse_function
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

ITEMS, A, B, C = (TableName("raw", "items"), *(TableName("tmp", name) for name in "abc"))
RUN = BuildContext("run")


Enter = Callable[[str], Environment]
"""Opens an environment by its name."""


@pytest.fixture(params=[*ENGINES, pytest.param("project", marks=pytest.mark.slow)])
def entered(request: pytest.FixtureRequest) -> Iterator[tuple[Warehouse, Enter]]:
    """An empty production, and how to enter an environment of it: in the same place, or in a BigQuery project."""
    with ExitStack() as stack:
        if request.param != "project":
            opened = stack.enter_context(ENGINES[request.param](request)())
            yield opened, lambda name: Environment(opened, name)
            return
        settings = parse_url(request.getfixturevalue("bigquery_url"))
        own = f"{settings.project}-dev"

        def enter(name: str) -> Environment:
            production = OtherProject(settings.project, prefix(name), is_production=True)
            there = BigQueryWarehouse(replace(settings, project=own, other=production), QUICK)
            return Environment(stack.enter_context(there), name)

        beside = OtherProject(own, "alice_", is_production=False)
        yield stack.enter_context(BigQueryWarehouse(replace(settings, other=beside), QUICK)), enter


@pytest.fixture
def warehouse(entered: tuple[Warehouse, Enter]) -> Warehouse:
    """Production: the raw table `items`, and tables a and b that are published as 1 and 2."""
    opened, _ = entered
    opened.create_datasets(["raw", "tmp"])
    opened.run_script(parse_script("CREATE TABLE raw.items (x INT64) AS SELECT 7 AS x"))
    publish(opened, table(A, "SELECT 1 AS x"), table(B, "SELECT 2 AS x"))
    return opened


@pytest.fixture
def enter(entered: tuple[Warehouse, Enter]) -> Enter:
    return entered[1]


@pytest.fixture
def alice(warehouse: Warehouse, enter: Enter) -> Environment:  # noqa: ARG001 (production is there first)
    environment = enter("alice")
    environment.create_datasets(["tmp"])
    return environment


def table(name: TableName, sql: str) -> TableBuild:
    return TableBuild(name, parse_query(sql))


def publish(warehouse: Warehouse, *builds: TableBuild, run: BuildContext = RUN) -> None:
    for number, build in enumerate(builds):
        warehouse.stage(build, [before.table for before in builds[:number]], run)
    warehouse.publish(builds, run)


def value(warehouse: Warehouse, name: TableName) -> object:
    [(found,)] = warehouse.first_rows(name, 10)
    return found


def test_it_reads_its_own_tables_and_production_for_the_rest(warehouse: Warehouse, alice: Environment) -> None:
    a = table(A, "SELECT x * 10 AS x FROM raw.items")
    c = table(C, "SELECT a.x + b.x AS x -- of `tmp.a`\nFROM `tmp.a` AS a CROSS JOIN tmp.b")
    publish(alice, a, c)
    assert (value(alice, A), value(alice, B), value(alice, C)) == (70, 2, 72)
    assert (value(warehouse, A), warehouse.tables("tmp")) == (1, [A, B])
    assert value(warehouse, TableName("alice_tmp", "a")) == 70
    answer = alice.fetch(parse_query("SELECT a.x, b.x FROM tmp.a CROSS JOIN tmp.b"), None)
    assert list(answer.rows) == [(70, 2)]
    assert alice.records()[C].fingerprint == c.fingerprint


def test_a_table_takes_as_long_as_in_production_until_the_environment_has_built_it(
    warehouse: Warehouse, alice: Environment
) -> None:
    publish(warehouse, *(replace(table(one, "SELECT 1 AS x"), took=(3.0,)) for one in (A, B)))
    publish(alice, replace(table(A, "SELECT 10 AS x"), took=(1.0, 2.0)))
    assert [alice.durations()[one] for one in (A, B)] == [(1.0, 2.0), (3.0,)]


def test_two_environments_do_not_see_each_other(warehouse: Warehouse, alice: Environment, enter: Enter) -> None:
    bob = enter("bob-1")
    bob.create_datasets(["tmp"])
    publish(alice, table(A, "SELECT 10 AS x"))
    publish(bob, table(A, "SELECT 20 AS x"))
    assert [value(one, A) for one in (warehouse, alice, bob)] == [1, 10, 20]
    alice.drop(A)
    assert [value(one, A) for one in (warehouse, alice, bob)] == [1, 1, 20]
    with pytest.raises(TableNotFound):
        warehouse.columns(TableName("alice_tmp", "a"))


def test_rows_are_stored_in_production_only(warehouse: Warehouse, alice: Environment) -> None:
    with pytest.raises(WarehouseError, match="raw tables are production's"):
        alice.append(ITEMS, [Append([{"x": 8}])])
    warehouse.append(ITEMS, [Append([{"x": 8}])])
    assert alice.row_count(ITEMS) == 2


def test_an_error_has_its_place_in_the_script_as_it_is_written(alice: Environment) -> None:
    publish(alice, table(A, "SELECT 10 AS x"))
    text = "SELECT x FROM tmp.a JOIN tmp.a AS o USING (x) WHERE nothing = 1"
    with pytest.raises(SqlError, match="nothing") as caught:
        alice.plan(parse_query(text), {}).confirm()
    if caught.value.place is not None:  # the emulator has none
        assert text[caught.value.place.column - 1 :].startswith("nothing")


def test_functions_are_the_environments_own(warehouse: Warehouse, alice: Environment) -> None:
    def function(number: int) -> TableBuild:
        found = parse_function(f"CREATE FUNCTION tmp.f(x INT64) AS (x + {number})", "tmp")
        return TableBuild(C, parse_query("SELECT tmp.f(x) AS x FROM tmp.a").calling({found.name: found}))

    for one, number in ((warehouse, 1), (alice, 100)):
        one.create_functions(function(number).query.functions)
        publish(one, function(number))
    assert (value(warehouse, C), value(alice, C)) == (2, 101)
    publish(warehouse, TableBuild(C, function(1).query))
    assert value(warehouse, C) == 2


def test_functions_read_the_environments_own_tables(warehouse: Warehouse, alice: Environment) -> None:
    text = "CREATE FUNCTION tmp.most() AS ((SELECT MAX(x) FROM tmp.a) + (SELECT MAX(x) FROM `tmp.b`))"
    twice = "CREATE FUNCTION tmp.twice() AS (tmp.most() * 2)"
    known = {one.name: one for one in (parse_function(each, "tmp") for each in (text, twice))}
    build = TableBuild(C, parse_query("SELECT tmp.twice() AS x").calling(known))
    publish(alice, table(A, "SELECT 10 AS x"))
    alice.plan(build.query, {}).confirm()
    publish(alice, build)
    assert value(alice, C) == 24
    publish(
        alice, table(A, "SELECT 30 AS x"), build, run=BuildContext("the next run")
    )  # the function reads what is staged
    assert value(alice, C) == 64
    publish(warehouse, build)
    assert value(warehouse, C) == 6


def test_a_wildcard_finds_the_environments_own_tables_or_is_refused(warehouse: Warehouse, alice: Environment) -> None:
    parts = [TableName("tmp", f"part_{letter}") for letter in "ab"]
    publish(warehouse, table(parts[0], "SELECT 1 AS x"), table(parts[1], "SELECT 2 AS x"))
    publish(alice, table(parts[1], "SELECT 20 AS x"))
    text = "SELECT SUM(x) AS x, STRING_AGG(_TABLE_SUFFIX, '' ORDER BY _TABLE_SUFFIX) AS s FROM `tmp.part_*`"
    query = parse_query(text).matched(parts)
    assert list(warehouse.fetch(query, None).rows) == [(3, "ab")]
    if isinstance(warehouse, DuckDBWarehouse):
        assert list(alice.fetch(query, None).rows) == [(21, "ab")]
    else:
        with pytest.raises(SqlError, match=r"stands for alice_tmp.part_b, too"):
            alice.fetch(query, None)
        with pytest.raises(SqlError, match=r"stands for alice_tmp.part_b, too"):
            alice.plan(query, {}).confirm()


def test_a_table_of_another_warehouse_is_compared_in_this_one(warehouse: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "other.duckdb"
    with DuckDBWarehouse(file) as other:
        other.create_datasets(["tmp"])
        publish(other, table(A, "SELECT x FROM UNNEST([1, 2]) AS x"))
    with copied(warehouse, str(file), A) as (copy, left_out):
        found = difference(warehouse, A, copy, A, ["x"], "", lambda _: None, left_out)
    assert (found.before, found.after, found.removed, found.examples) == (2, 1, 1, ("- 2",))
    with pytest.raises(TableNotFound):
        warehouse.columns(copy)


@pytest.mark.parametrize("words", ["SET most = (SELECT MAX(x) FROM tmp.a)", "SET most=(SELECT MAX(x)FROM `tmp`.a)"])
def test_variables_are_set_from_the_environments_own_tables(
    warehouse: Warehouse, alice: Environment, words: str
) -> None:
    definition = parse_definition(f"DECLARE most INT64;\n{words};\nSELECT most + x AS x FROM tmp.a")
    build = TableBuild(C, parse_query(definition.query_text, None, definition.preamble))
    publish(alice, table(A, "SELECT 10 AS x"), build)
    publish(warehouse, build)
    assert (value(alice, C), value(warehouse, C)) == (20, 2)
    publish(warehouse, table(A, "SELECT 30 AS x"), build, run=BuildContext("the next run"))
    assert value(warehouse, C) == 60  # with what is staged in the same run
