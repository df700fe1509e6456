"""Query parameters: every engine answers with their values, of their types."""

from dataclasses import replace

import pytest

from tests.engines.test_tables import ITEMS, OUT, rows, run
from tests.pipeline.test_variables import FILE
from warehouse_refresh.pipeline.project.variables import read_variables
from warehouse_refresh.warehouse import Answer, BuildContext, TableBuild, Warehouse
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.query import Query, parse_query
from warehouse_refresh.warehouse.types import Column, parse_type


def query(text: str, /, **values: object) -> Query:
    definition = parse_definition(text)
    found = parse_query(definition.query_text, preamble=definition.preamble)
    return found.given(read_variables(values, "the test"))


def build(warehouse: Warehouse, made: Query, run: str = "one", attempt: int = 1) -> None:
    warehouse.build(TableBuild(OUT, made), BuildContext(run, attempt))


def test_each_type_of_value_is_stored_as_it_is(warehouse: Warehouse) -> None:
    import tomllib

    values = tomllib.loads(FILE)["variables"]
    made = query("SELECT " + ", ".join(f"@{name} AS {name}" for name in values), **values)
    types = {one.name: replace(one.type, parameters=()) for one in made.variables}
    assert warehouse.plan(made, {}).columns == tuple(Column(name, kind) for name, kind in types.items())
    build(warehouse, made)
    assert warehouse.columns(OUT) == tuple(Column(name, kind) for name, kind in types.items())
    [row] = rows(warehouse, OUT)
    assert row == tuple(one.value for one in made.variables)


def test_a_query_is_answered_and_built_anew_with_each_value(warehouse: Warehouse) -> None:
    text = "DECLARE least INT64 DEFAULT @n + 1;\nSELECT x FROM UNNEST([1, 2, 3]) AS x WHERE x >= least AND x < @N + 3"
    for turn, number in enumerate((0, 1, 0)):
        made = query(text, n=number)
        warehouse.plan(made, {})
        expected = [(number + 1,), (number + 2,)]
        assert warehouse.fetch(made, None) == Answer((Column("x", parse_type("INT64")),), expected)
        build(warehouse, made, f"run {turn}")
        assert rows(warehouse, OUT) == expected


def test_another_attempt_with_other_values_is_another_job(warehouse: Warehouse) -> None:
    build(warehouse, query("SELECT @n AS x", n=1))
    build(warehouse, query("SELECT @n AS x", n=2), attempt=2)
    assert rows(warehouse, OUT) == [(2,)]


def test_a_value_of_another_type_makes_other_columns(warehouse: Warehouse) -> None:
    for turn, (value, kind) in enumerate(((1, "INT64"), ("a", "STRING"), (1, "INT64"))):
        made = query("SELECT @n AS x", n=value)
        assert warehouse.plan(made, {}).columns == (Column("x", parse_type(kind)),)
        build(warehouse, made, f"run {turn}")
        assert warehouse.columns(OUT) == (Column("x", parse_type(kind)),)


def test_no_value_becomes_part_of_the_sql(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE raw.items (name STRING)")
    text = "'; DROP TABLE raw.items; -- \\"
    assert warehouse.fetch(query("SELECT @x AS x", x=text), None).rows == [(text,)]
    assert warehouse.tables("raw") == [ITEMS]


def test_a_parameter_without_a_value_is_an_error(warehouse: Warehouse) -> None:
    with pytest.raises(SqlError):
        warehouse.plan(query("SELECT @x AS x"), {})
