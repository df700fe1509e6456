"""Variables and functions before a query: BigQuery gets one query, and its errors lead to the script."""

import pytest

from warehouse_refresh.warehouse import BuildContext, TableBuild, connect
from warehouse_refresh.warehouse.bigquery.queries.edits import edited, original_place, query_edits, stand_ins_in
from warehouse_refresh.warehouse.bigquery.queries.variables import text_of, variable_edits
from warehouse_refresh.warehouse.errors import Place, SqlError, UnsupportedSql
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import Query, parse_query
from warehouse_refresh.warehouse.types import INT64, Column, parse_type


def query(text: str) -> Query:
    definition = parse_definition(text)
    return parse_query(definition.query_text, preamble=definition.preamble)


def sent(text: str) -> str:
    """What BigQuery gets."""
    found = query(text)
    return " ".join(edited(text_of(found), variable_edits(found, [])).split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1 AS x", "SELECT 1 AS x"),
        ("DECLARE a INT64 DEFAULT 1; SELECT a AS x", "SELECT CAST((1) AS INT64) AS x"),
        ("DECLARE a DATE; SELECT a AS x", "SELECT CAST((NULL) AS DATE) AS x"),
        ("DECLARE a DEFAULT 'é;'; SELECT a AS x", "SELECT ('é;') AS x"),
        ("DECLARE a, b INT64 DEFAULT 2; SELECT a * b AS x", "SELECT CAST((2) AS INT64) * CAST((2) AS INT64) AS x"),
        (
            "DECLARE a INT64 DEFAULT 1; DECLARE b DEFAULT a + t.a; SET a = 3; SELECT b, t.c FROM t.t",
            "SELECT (CAST((1) AS INT64) + t . a) AS `b`, t.c FROM t.t",
        ),
        ("DECLARE a, b INT64; SET (a, b) = (1, F(2, 3)); SELECT b AS x", "SELECT CAST((F ( 2 , 3 )) AS INT64) AS x"),
        ("DECLARE a ARRAY<STRUCT<x INT64>>; SELECT a AS y", "SELECT CAST((NULL) AS ARRAY<STRUCT<x INT64>>) AS y"),
        (
            "CREATE TEMP FUNCTION f(a INT64) AS (a); DECLARE a INT64 DEFAULT 1; SELECT f(a) AS x",
            "CREATE TEMP FUNCTION f(a INT64) AS (a); SELECT f(CAST((1) AS INT64)) AS x",
        ),
        ("DECLARE a INT64;\nSELECT a AS a, 'a' AS b", "SELECT CAST((NULL) AS INT64) AS a, 'a' AS b"),
    ],
)
def test_variables_are_written_out_and_functions_stay(text: str, expected: str) -> None:
    assert sent(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "DECLARE a INT64; SELECT a AS x FROM (SELECT 1 AS a)",
        "DECLARE a INT64; WITH w AS (SELECT 1 AS A) SELECT a AS x FROM w",
        "DECLARE a INT64; SELECT 1 AS a",
    ],
)
def test_a_variable_with_the_name_of_a_column_is_refused(text: str) -> None:
    with pytest.raises(SqlError, match=r"the variable [aA] has the name of a column"):
        variable_edits(query(text), [])


@pytest.mark.parametrize("kind", ["INT64", "STRUCT<b INT64>", "ARRAY<STRUCT<b ARRAY<STRUCT<a INT64>>>>"])
def test_a_variable_with_the_name_of_a_column_or_field_that_is_read_is_refused(kind: str) -> None:
    column = Column("A" if "a " not in kind else "c", parse_type(kind))
    with pytest.raises(SqlError, match="the variable a has the name of a column that the query reads"):
        variable_edits(query("DECLARE a INT64; SELECT a AS x FROM tmp.t"), [column])


def test_a_function_in_javascript_stands_before_the_query_as_it_is() -> None:
    text = (
        """CREATE TEMP FUNCTION f(x STRING) RETURNS STRING LANGUAGE js AS "return x; // {{ x }}";\nSELECT f('a') AS x"""
    )
    assert text_of(query(text)) == text


def test_places_lead_to_the_script() -> None:
    found = query("DECLARE a INT64 DEFAULT 1;\nSELECT a, b FROM tmp.t")
    edits = sorted(
        [*variable_edits(found, []), *query_edits(found, stand_ins_in({TableName("tmp", "t"): (Column("x", INT64),)}))],
        key=lambda edit: edit.start,
    )
    new = edited(text_of(found), edits)
    column = new.split("\n")[1].index(" b") + 2
    assert original_place(text_of(found), edits, Place(2, column)) == Place(2, 11)


def test_it_is_one_job_with_a_destination(bigquery_url: str) -> None:
    out = TableName("tmp", "out")
    text = "DECLARE n INT64 DEFAULT 2;\nSELECT\n  n * 2 AS x"
    with connect(bigquery_url) as warehouse:
        warehouse.create_datasets(["tmp"])
        warehouse.build(TableBuild(out, query(text)), BuildContext("run"))
        assert warehouse.first_rows(out, 2) == [(4,)]


@pytest.mark.parametrize(
    "text",
    [
        "DECLARE n INT64 DEFAULT 2; SELECT n AS x FROM `raw.a`",
        "DECLARE n INT64 DEFAULT 2; SELECT n AS x FROM `{project}.raw.a`",
        "DECLARE sku INT64 DEFAULT 2; SELECT sku AS x FROM `raw.a`, UNNEST(items)",
    ],
)
def test_a_column_of_a_table_is_never_taken_for_a_variable(bigquery_url: str, bigquery_project: str, text: str) -> None:
    """BigQuery would answer with the column."""
    with connect(bigquery_url) as warehouse:
        warehouse.create_datasets(["raw", "tmp"])
        warehouse.run_script(parse_script("CREATE TABLE raw.a (N INT64, items ARRAY<STRUCT<sku INT64>>)"))
        found = query(text.format(project=bigquery_project)).within("elsewhere" if "{project}" in text else "")
        for ask in (
            lambda: warehouse.plan(found, {}),
            lambda: warehouse.build(TableBuild(TableName("tmp", "out"), found), BuildContext("run")),
            lambda: warehouse.fetch(found, 1),
        ):
            with pytest.raises(SqlError, match="has the name of a column"):
                ask()


@pytest.mark.parametrize(
    "text",
    [
        "DECLARE a INT64; SELECT a AS x FROM UNNEST([1]) AS a",
        "DECLARE a INT64; SELECT a AS x FROM UNNEST([STRUCT(1 AS a)])",
        "DECLARE a INT64; SELECT a AS x, t.a AS y FROM tmp.t AS t",
        "DECLARE a INT64; WITH w(a) AS (SELECT 1) SELECT a AS x FROM w",
        "DECLARE a INT64; SELECT a AS x FROM tmp.t AS a",
        "DECLARE a INT64; SELECT a AS x FROM UNNEST([1]) AS e WITH OFFSET AS a",
    ],
)
def test_no_other_name_of_the_query_is_a_variables(text: str) -> None:
    with pytest.raises(SqlError):
        variable_edits(query(text), [])


def test_a_value_that_is_another_one_at_each_use_is_refused() -> None:
    with pytest.raises(UnsupportedSql, match="RAND in a variable"):
        variable_edits(query("DECLARE a FLOAT64 DEFAULT 1 + rand(); SELECT a + a AS x"), [])


def test_a_value_reads_the_tables_that_stand_in_for_others() -> None:
    found = query("DECLARE t INT64; SET t = (SELECT MAX(x) FROM tmp.t); SELECT t + o.x AS x FROM tmp.o AS o")
    [edit] = variable_edits(found, [], {TableName("tmp", "t"): "`p`.`staged`.`t_1`"})
    assert "FROM `p` . `staged` . `t_1` AS `t`" in edit.text  # and not the variable of that name
    assert "tmp" not in edit.text
