"""Functions that a project has as files: every engine answers with them, whatever was created before."""

import pytest

from tests.engines.test_tables import OUT, rows, run
from warehouse_refresh.warehouse import Answer, BuildContext, TableBuild, Warehouse
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.functions import parse_function
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Function, Query, parse_query
from warehouse_refresh.warehouse.types import INT64, Column

NET = """-- the price without tax
CREATE OR REPLACE FUNCTION tmp.net(price INT64, tax INT64)
RETURNS INT64 AS (
  -- whole numbers
  price - tax
);"""
TWICE = "CREATE FUNCTION IF NOT EXISTS `tmp.twice`(x INT64) AS (`tmp`.net(x, 0) + tmp.`net`(x, 0))"
MOST = "CREATE FUNCTION tmp.most() AS ((SELECT MAX(id) FROM raw.items))"


def functions(*texts: str) -> dict[TableName, Function]:
    return {function.name: function for function in (parse_function(text, "tmp") for text in texts)}


def query(text: str, known: dict[TableName, Function]) -> Query:
    return parse_query(text).calling(known)


def build(warehouse: Warehouse, made: Query, run: str) -> None:
    warehouse.build(TableBuild(OUT, made), BuildContext(run))


@pytest.mark.parametrize("name", ["tmp.twice", "`tmp.twice`", "`tmp`.`twice`", "tmp . `twice` "])
def test_a_function_is_called_with_any_quoting_of_its_name(warehouse: Warehouse, name: str) -> None:
    known = functions(NET, TWICE)
    made = query(f"SELECT {name}(id) AS x,\n  tmp.net(id, 1) AS y FROM UNNEST([1, 2]) AS id ORDER BY x", known)
    columns = (Column("x", INT64), Column("y", INT64))
    assert warehouse.plan(made, {}).columns == columns
    assert warehouse.tables("tmp") == []
    warehouse.create_functions(known.values())
    assert warehouse.fetch(made, None) == Answer(columns, [(2, 0), (4, 1)])
    build(warehouse, made, "first")
    assert rows(warehouse, OUT) == [(2, 0), (4, 1)]


def test_a_function_that_has_changed_is_replaced(warehouse: Warehouse) -> None:
    for number in (1, 2):
        known = functions(f"CREATE FUNCTION tmp.f(x INT64) AS (x + {number})")
        warehouse.create_functions(known.values())
        made = query("SELECT tmp.f(1) AS x", known)
        warehouse.plan(made, {})
        build(warehouse, made, "the same run")
        assert rows(warehouse, OUT) == [(1 + number,)]


def test_what_a_function_reads_is_read_by_its_caller(warehouse: Warehouse) -> None:
    known = functions(MOST)
    made = query("SELECT 1 AS one,\n  tmp.most() AS x", known)
    [read] = made.reads
    assert (str(read.table), read.place.line, read.place.column) == ("raw.items", 2, 3)
    assert warehouse.plan(made, {read.table: (Column("id", INT64),)}).columns[1] == Column("x", INT64)
    run(warehouse, "CREATE TABLE raw.items (id INT64) AS SELECT 7 AS id")
    warehouse.create_functions(known.values())
    build(warehouse, made, "first")
    assert rows(warehouse, OUT) == [(1, 7)]


def test_a_wrong_argument_is_an_error_at_the_call(warehouse: Warehouse) -> None:
    with pytest.raises(SqlError):
        warehouse.plan(query("SELECT tmp.net(1) AS x", functions(NET)), {})


def test_a_wrong_body_is_an_error(warehouse: Warehouse) -> None:
    wrong = functions("CREATE FUNCTION tmp.f(x INT64) AS (x + nope)")
    with pytest.raises(SqlError, match="nope"):
        warehouse.plan(query("SELECT tmp.f(1) AS x", wrong), {})
