"""DECLARE, SET and CREATE TEMP FUNCTION before a query, on DuckDB: the values are those of BigQuery's documentation."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.errors import OnlyBigQuery, SqlError, UnsupportedSql
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import Query, parse_query

OUT = TableName("tmp", "out")


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(tmp_path / "w.duckdb") as opened:
        opened.create_datasets(["raw", "tmp"])
        opened.run_script(
            parse_script("CREATE TABLE raw.a (id INT64, s STRING) AS SELECT 1, 'x' UNION ALL SELECT 2, 'y'")
        )
        yield opened


def query(text: str) -> Query:
    definition = parse_definition(text)
    return parse_query(definition.query_text, preamble=definition.preamble)


def answer(warehouse: DuckDBWarehouse, text: str) -> list[tuple[Any, ...]]:
    warehouse.build(TableBuild(OUT, query(text)), BuildContext("run"))
    return sorted(warehouse.first_rows(OUT, 9))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("DECLARE n INT64 DEFAULT 2; SELECT id FROM raw.a WHERE id = n", [(2,)]),
        ("DECLARE n INT64; SELECT n AS n, n IS NULL AS b", [(None, True)]),
        ("DECLARE a, b STRING DEFAULT 'x'; SELECT a || b AS c", [("xx",)]),
        ("DECLARE a DEFAULT 1.5; SELECT a AS a", [(1.5,)]),
        ("DECLARE a NUMERIC DEFAULT 1; SELECT a / 4 AS a", [(Decimal("0.25"),)]),
        ("DECLARE a INT64 DEFAULT 1; DECLARE b INT64 DEFAULT a + 1; SELECT b AS b", [(2,)]),
        ("DECLARE a INT64 DEFAULT 1; SET a = a + 5; SELECT a AS x", [(6,)]),
        ("DECLARE a, b INT64; SET (a, b) = (1, 2); SELECT a + b AS x", [(3,)]),
        ("DECLARE a INT64 DEFAULT (SELECT MAX(id) FROM raw.a); SELECT a AS x", [(2,)]),
        ("DECLARE s STRING DEFAULT 'v'; SELECT s FROM raw.a", [("x",), ("y",)]),  # the column wins
        ("DECLARE A STRUCT<x INT64> DEFAULT STRUCT(7); SELECT a.x AS x", [(7,)]),
        ("DECLARE d ARRAY<INT64> DEFAULT [1, 2]; SELECT e FROM UNNEST(d) AS e", [(1,), (2,)]),
        ("DECLARE n INT64 DEFAULT 1; SELECT n AS k, COUNT(*) AS c FROM raw.a GROUP BY 1", [(1, 2)]),
        ("CREATE TEMP FUNCTION f(x INT64) AS (x * 2); SELECT f(id) AS y FROM raw.a", [(2,), (4,)]),
        ("CREATE TEMP FUNCTION f(x FLOAT64) AS (x / 2); SELECT F(3) AS y", [(1.5,)]),
        ("CREATE TEMP FUNCTION f(x ANY TYPE) AS (x + x); SELECT f(1) AS y, f(NUMERIC '0.5') AS z", [(2, Decimal(1))]),
        ("CREATE TEMP FUNCTION f(x ANY TYPE) AS (x + 1); SELECT f(NULL) AS y", [(None,)]),
        ("CREATE TEMP FUNCTION f() RETURNS FLOAT64 AS (1); SELECT f() / 2 AS y", [(0.5,)]),
        (
            """CREATE TEMP FUNCTION f(x INT64) AS (x + 1); CREATE TEMP FUNCTION g(x INT64) AS (f(f(x)));
            SELECT g(g(id)) AS y FROM raw.a""",
            [(5,), (6,)],
        ),
        ("CREATE TEMP FUNCTION f(k INT64) AS ((SELECT s FROM raw.a WHERE id = k)); SELECT f(2) AS y", [("y",)]),
        ("CREATE TEMP FUNCTION f(x INT64) AS (x * 10); SELECT f(SUM(id)) AS y FROM raw.a", [(30,)]),
        (
            "CREATE TEMP FUNCTION f(x INT64) AS (MOD(x, 2)); SELECT f(id) AS k, 1 AS n FROM raw.a GROUP BY k",
            [(0, 1), (1, 1)],
        ),
        (
            """CREATE TEMP FUNCTION f(x INT64) AS (x);
            SELECT id FROM raw.a QUALIFY ROW_NUMBER() OVER (ORDER BY f(-id)) = 1""",
            [(2,)],
        ),
    ],
)
def test_the_answer(warehouse: DuckDBWarehouse, text: str, rows: list[tuple[Any, ...]]) -> None:
    assert answer(warehouse, text) == rows


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("DECLARE a INT64 DEFAULT 'x'; SELECT a AS a", SqlError, "a STRING is not a INT64"),
        ("DECLARE a INT64; DECLARE A STRING; SELECT 1 AS a", SqlError, "the variable A is declared twice"),
        ("DECLARE a; SELECT 1 AS a", SqlError, "a variable needs a type or a DEFAULT"),
        ("SET a = 1; SELECT 1 AS a", SqlError, "there is no variable a"),
        ("DECLARE a INT64; SET a = 'x'; SELECT 1 AS a", SqlError, "a STRING is not a INT64"),
        ("DECLARE a, b INT64; SET (a, b) = (1, 2, 3); SELECT 1 AS a", SqlError, "SET has not as many values"),
        (
            "DECLARE a FLOAT64 DEFAULT RAND(); SELECT a AS a",
            UnsupportedSql,
            "RAND in a variable is not supported",
        ),
        ("DECLARE a INT64 DEFAULT 1; SELECT b AS b", SqlError, "there is no column b"),
        ("DECLARE a INT64 DEFAULT 1", SqlError, "a query is missing after this"),
        ("CREATE TEMP FUNCTION f(x INT64) AS (x); SELECT f('a') AS y", SqlError, "a STRING is not a INT64"),
        ("CREATE TEMP FUNCTION f(x INT64) AS (x); SELECT f() AS y", SqlError, "f takes 1 arguments"),
        ("CREATE TEMP FUNCTION f(x INT64) AS (y); SELECT f(1) AS y", SqlError, "there is no column y"),
        (
            "CREATE TEMP FUNCTION f(x ANY TYPE) AS (x = DATE '2024-01-01'); SELECT f('2024-01-01') AS y",
            SqlError,
            "operator = does not take STRING, DATE",
        ),
        ("CREATE TEMP FUNCTION f(x INT64) AS (id); SELECT f(1) AS y FROM raw.a", SqlError, "there is no column id"),
        (
            "CREATE TEMP FUNCTION f(x INT64) AS (f(x)); SELECT f(1) AS y",
            UnsupportedSql,
            "the embedded engine has no room",
        ),
        (
            "CREATE TEMP FUNCTION f(x INT64) AS (x); CREATE TEMP FUNCTION F(x INT64) AS (x + 1); SELECT f(1) AS y",
            SqlError,
            "the function F is created twice",
        ),
        (
            "CREATE TEMP AGGREGATE FUNCTION f(x FLOAT64) AS (SUM(x) + 1); SELECT f(1) AS y",
            UnsupportedSql,
            "the embedded engine does not know an aggregate function of your own yet",
        ),
        (
            'CREATE TEMP FUNCTION f(x FLOAT64) RETURNS STRING LANGUAGE js AS "return x"; SELECT f(1) AS y',
            OnlyBigQuery,
            "only BigQuery has functions in another language",
        ),
        ("BEGIN SELECT 1 AS x; END", OnlyBigQuery, "a script with BEGIN is not supported"),
        ("DECLARE a INT64; LOOP SELECT 1; END LOOP", OnlyBigQuery, "a script with LOOP is not supported"),
        ("DECLARE a INT64; EXECUTE IMMEDIATE 'x'", OnlyBigQuery, "a script with EXECUTE IMMEDIATE is not supported"),
        ("CREATE TEMP TABLE x AS SELECT 1 AS a; SELECT a FROM x", UnsupportedSql, "a temporary table is not supported"),
        ("DECLARE a INT64; SELECT 1 AS a; SELECT 2 AS b", SqlError, "the script holds 2 statements"),
    ],
)
def test_what_is_not_answered(warehouse: DuckDBWarehouse, text: str, kind: type[SqlError], reason: str) -> None:
    with pytest.raises(SqlError) as caught:
        warehouse.plan(query(text), {})
    assert caught.value.reason.startswith(reason)
    assert type(caught.value) is kind


def test_an_error_in_the_preamble_has_its_place(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(SqlError) as caught:
        warehouse.plan(query("-- first\nDECLARE a INT64\n  DEFAULT nothing;\nSELECT a AS x"), {})
    assert caught.value.place is not None
    assert (caught.value.place.line, caught.value.place.column) == (3, 11)


def test_the_tables_of_the_preamble_are_read() -> None:
    text = "DECLARE a INT64 DEFAULT (SELECT 1 FROM tmp.x);\nCREATE TEMP FUNCTION f() AS ((SELECT 1 FROM `p.tmp.y`));"
    found = query(f"{text}\nSELECT f() AS z FROM tmp.z")
    assert [(str(read.table), read.project, read.place.line) for read in found.names] == [
        ("tmp.x", "", 1),
        ("tmp.y", "p", 2),
        ("tmp.z", "", 3),
    ]
