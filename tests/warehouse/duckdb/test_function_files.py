"""Functions that files create, as teams write them: DuckDB answers as BigQuery does."""

from collections.abc import Iterator
from datetime import date

import pytest

from warehouse_refresh.warehouse import Scratch, scratches
from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql
from warehouse_refresh.warehouse.functions import parse_function
from warehouse_refresh.warehouse.sql.query import parse_query

SUM_OF_LIST = "(a ARRAY<INT64>) AS ((WITH x AS (SELECT v FROM UNNEST(a) AS v) SELECT SUM(v) FROM x))"
TWO_STEPS = """(a ARRAY<INT64>, b ARRAY<INT64>) AS (ARRAY(
  WITH `as` AS (SELECT v, n FROM UNNEST(a) AS v WITH OFFSET n), bs AS (SELECT v, n FROM UNNEST(b) AS v WITH OFFSET n)
  SELECT COALESCE(`as`.v + bs.v, `as`.v, bs.v) FROM `as` FULL JOIN bs USING (n) ORDER BY n
))"""
BITS = "(x INT64) AS ((SELECT STRING_AGG(CAST(x >> b & 1 AS STRING), '' ORDER BY b DESC) FROM UNNEST([0, 1, 2]) AS b))"

DAY = date(2019, 11, 4)


@pytest.fixture(scope="module")
def scratch() -> Iterator[Scratch]:
    made = scratches()()
    yield made
    made.close()


def answer(scratch: Scratch, sql: str, *bodies: str) -> list[tuple[object, ...]]:
    """The rows of the query, which may call d.f and d.g, with these arguments and bodies."""
    texts = [f"CREATE FUNCTION d.{name}{body}" for name, body in zip("fg", bodies, strict=False)]
    known = {function.name: function for function in (parse_function(text, "d") for text in texts)}
    return list(scratch.answer(parse_query(sql).calling(known), {}).rows)


@pytest.mark.parametrize(
    ("sql", "bodies", "value"),
    [
        ("SELECT d.f(['a', 'b'])", ["(m ARRAY<STRING>) AS (CONCAT('(?:', ARRAY_TO_STRING(m, '|'), ')'))"], "(?:a|b)"),
        ("SELECT d.f(1)", ["(m INT64) AS (CONCAT('(', 'a'))"], "(a"),
        ("SELECT d.f(1)", ["(m INT64) RETURNS STRING AS (IF(m > 1, '(', ')'))"], ")"),
        ("SELECT d.f('de')", ["(language STRING) AS (IF(language = 'LANGUAGE', '', language || '!'))"], "de!"),
        (
            "SELECT d.f('20191104')",
            ["(s STRING) AS (SAFE.PARSE_DATE('%Y%m%d', SAFE.SUBSTR(s, 0, 8)))"],
            date(2019, 11, 4),
        ),
        ("SELECT d.f(8)", ["(x INT64) AS (CAST(SAFE.LOG(x, 2) AS INT64))"], 3),
        ("SELECT d.f('http://a.b/c')", ["(x STRING) AS (NET.HOST(x))"], "a.b"),
        ("SELECT d.f([1, 2, 3])", [SUM_OF_LIST], 6),
        ("SELECT d.f([1, 2], [10])", [TWO_STEPS], [11, 2]),
        ("SELECT d.g([1, 2])", [SUM_OF_LIST, "(a ARRAY<INT64>) AS (d.f(ARRAY_CONCAT(a, a)))"], 6),
        ("SELECT d.f(5)", [BITS], "101"),
        ("SELECT d.g(2 + 3)", [BITS, "(x INT64) AS (d.f(x))"], "101"),
        ("SELECT d.f(y => 1, x => 3)", ["(x INT64, y INT64) AS (x - y)"], 2),
        ("SELECT d.f(2)", ["(x INT64) OPTIONS (description = 'twice (x)') AS (x * 2)"], 4),
        ("SELECT d.f(2)", ["(x INT64) RETURNS INT64 OPTIONS (description = ')') AS (x * 2) OPTIONS ()"], 4),
        ("SELECT d.f(3, Y => 1)", ["(x INT64, y INT64) AS (x - y)"], 2),
    ],
)
def test_a_function_answers_as_on_bigquery(scratch: Scratch, sql: str, bodies: list[str], value: object) -> None:
    assert answer(scratch, sql, *bodies) == [(value,)]


def test_a_with_query_in_a_function_sees_the_arguments_of_each_row(scratch: Scratch) -> None:
    sql = "SELECT d.f(n), (SELECT d.f(n)) FROM (SELECT [1, 2, 3] AS n UNION ALL SELECT [4]) ORDER BY 1"
    assert answer(scratch, sql, SUM_OF_LIST) == [(4, 4), (6, 6)]


def test_a_function_may_be_named_like_one_with_a_grammar_of_its_own(scratch: Scratch) -> None:
    made = parse_function("CREATE FUNCTION d.extract(x INT64, y INT64) AS (x - y)", "d")
    query = parse_query("SELECT d.extract(3, 1)").calling({made.name: made})
    assert list(scratch.answer(query, {}).rows) == [(2,)]


def test_a_function_is_computed_for_each_row(scratch: Scratch) -> None:
    sql = "SELECT d.g(x) FROM UNNEST([4, 5]) AS x ORDER BY 1"
    assert answer(scratch, sql, BITS, "(x INT64) AS (d.f(x))") == [("100",), ("101",)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("d.f(y => 1, 2)", "an argument without a name stands after one with a name"),
        ("d.f(2, x => 1)", "d.f gets the argument x twice"),
        ("d.f(2, z => 1)", "d.f has no argument z"),
        ("d.f(2)", "d.f takes 2 arguments"),
        ("d.g(2)", "only BigQuery has the function d.g"),
    ],
)
def test_a_wrong_call_is_told(scratch: Scratch, call: str, message: str) -> None:
    with pytest.raises(SqlError, match=message):
        answer(scratch, f"SELECT {call}", "(x INT64, y INT64) AS (x - y)")


def test_a_type_that_duckdb_lacks_is_not_called_wrong(scratch: Scratch) -> None:
    with pytest.raises(UnsupportedSql, match="does not know the type RANGE yet"):
        answer(scratch, "SELECT d.f(NULL)", "(x RANGE<DATE>) AS (1)")


def test_a_variable_may_hold_a_bracket_or_a_comma(scratch: Scratch) -> None:
    preamble = "DECLARE a, b STRING; SET (a, b) = ('(', ','); "
    query = parse_query(f"{' ' * len(preamble)}SELECT a || b", None, preamble)
    assert list(scratch.answer(query, {}).rows) == [("(,",)]
