"""Texts and names that look like pieces of the SQL that the translator writes change neither an answer nor what is
refused."""

from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.googlesql.compare import compare
from tests.warehouse.googlesql.engine import Engine
from tests.warehouse.googlesql.fragments import (
    SHAPES,
    STORED_SHAPES,
    plain,
    queries,
    stored_queries,
    stored_tables,
    with_scales,
)
from tests.warehouse.googlesql.shapes import shapes
from tests.warehouse.googlesql.tables import TABLE_COLUMNS
from tests.warehouse.googlesql.test_properties import SETTINGS
from warehouse_refresh.warehouse.duckdb.translate.entry import answer
from warehouse_refresh.warehouse.duckdb.translate.nodes import render
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.sql.query import parse_query


@pytest.fixture(scope="session")
def named_pair(pair: Any) -> Any:
    """Both engines over tables whose columns have the fragments as names."""
    from tests.warehouse.googlesql.oracle import Oracle

    del pair  # it says so where Google's engine is missing
    oracle = Oracle()
    answers = oracle.load(stored_tables())
    return oracle, Engine({name: with_scales(found) for name, found in answers.items()})


def check(shape: str, sql: str, pair: Any) -> None:
    """The answer is GoogleSQL's; a query is refused only where the same one with plain words is."""
    outcome = compare(sql, *pair)
    assert outcome.kind != "different", f"{sql}\n{outcome.detail}"
    if outcome.kind == "refused":
        assert compare(plain(shape), *pair).kind == "refused", f"{sql}\n{outcome.detail}"


# Each was wrong, refused or a crash because of a text or a name in it.
EXAMPLES = (
    # a literal or a name that looks like a call of the translator's
    "SELECT id, SAFE.CONCAT(name, ' error(timeout)') AS x FROM d.customers",
    "SELECT id, SAFE.CONCAT(name, UPPER('error')) AS x FROM d.customers",
    "SELECT SAFE.CONCAT(`error(`, 'x') AS x FROM (SELECT name AS `error(` FROM d.customers)",
    "SELECT SUM(`my sum(x)`) OVER () AS x FROM (SELECT id AS `my sum(x)` FROM d.customers)",
    "SELECT SUM(`it's`) OVER () AS x FROM (SELECT id AS `it's` FROM d.customers)",
    "SELECT COUNT(`count(`) OVER (ORDER BY `count(`) AS `max(` FROM (SELECT id AS `count(` FROM d.customers)",
    "SELECT * FROM (SELECT id, name FROM d.customers) PIVOT (COUNTIF(name = ' FILTER (') FOR id IN (1, 2))",
    "SELECT * FROM (SELECT id, name FROM d.customers) PIVOT (MAX(IF(name = 'list_transform', '', name)) FOR id IN (1))",
    # a literal that looks like an alias of the translator's
    "SELECT c.id, x FROM d.customers AS c RIGHT JOIN UNNEST(['q']) AS x ON c.name = x",
    "SELECT c.id, x FROM d.customers AS c RIGHT JOIN UNNEST(['t1']) AS x ON c.name = x",
    "SELECT c.id, x FROM d.customers AS c FULL JOIN UNNEST(['t1', 'Bob']) AS x ON c.name = x",
    # patterns
    r"SELECT REGEXP_INSTR('a$b', r'\$') AS x, REGEXP_INSTR('a^b', r'[$^]b') AS y, REGEXP_INSTR('a]', r'[^]]') AS z",
    # braces
    "SELECT REGEXP_EXTRACT(s, '[{]a[}]') AS x, REGEXP_EXTRACT(s, 'x{a}') AS y FROM (SELECT 'x{a}' AS s)",
    "SELECT FORMAT(\"%'d\", LENGTH('{{}}')) AS x, FORMAT('%10d{}', 1) AS y",
    "SELECT TO_JSON_STRING([STRUCT(id AS `{x}`, name AS `{`)]) AS x FROM d.customers",
    # names that the translator has for its own columns and fields
    "SELECT ARRAY(SELECT id AS o_0 FROM d.numbers ORDER BY f DESC, id) AS x",
    "SELECT ARRAY(SELECT AS STRUCT id AS o_0, k AS o_1 FROM d.numbers ORDER BY k, id DESC) AS x",
    "SELECT x.* FROM (SELECT id AS _1_, id + 1, id + 2 AS _2_ FROM d.customers) AS x",
    "SELECT a, a_2_ FROM (SELECT 1 AS b, 2 AS a, 3 AS a_2_)",
    "SELECT STRUCT(id AS _field_2, 2, 3 AS `_FIELD_4`, 4) AS x FROM d.customers",
    (
        "SELECT (SELECT MAX(i.id) FROM (SELECT id, STRUCT(0 AS id) AS t1 FROM d.customers) AS i WHERE i.id < o.id) AS x"
        " FROM d.customers AS o"
    ),
    # a text that is read again
    "FROM d.customers |> AGGREGATE COUNTIF(name = 'group by') AS n, COUNTIF(name = 'group') AS m GROUP BY city",
    "SELECT ')' AS x UNION ALL SELECT '(' INTERSECT DISTINCT SELECT '('",
    "SELECT 1 AS x UNION ALL SELECT 1 /* ( */ INTERSECT DISTINCT SELECT 1",
    "SELECT ' UNION ALL SELECT ' AS x UNION ALL (SELECT '1' INTERSECT DISTINCT SELECT '1')",
    "SELECT CAST(/* a NUMERIC */ '1.12345678905' AS NUMERIC) AS x",
    "SELECT NUMERIC /* note */ '1.12345678905' AS x",
    "SELECT 'unpivot' AS x, 1 AS 'y'",
    "SELECT CAST(NULL AS STRUCT<text STRING, double FLOAT64>) AS x",
    "SELECT 1 AS semi, 2 AS anti, 3 AS asof",
    "SELECT 1 {# note #} AS x",
    "SELECT '{# note #}' AS x /* {# */ -- {#",
    # an alias that stands for a literal
    "SELECT 'x' AS a, id FROM d.customers ORDER BY a, id",
    "SELECT TRUE AS a, NULL AS b, id FROM d.customers ORDER BY b DESC, a, id DESC",
    "SELECT DISTINCT 'x' AS a FROM d.customers ORDER BY a",
    # an error in an argument of SAFE. is one
    "SELECT SAFE.ABS(id + 9223372036854775807) AS x FROM d.customers",
    "SELECT SAFE.LENGTH(CAST(LEFT(name, id - 2) AS STRING)) AS x FROM d.customers",
    "SELECT SAFE.ABS(CAST(name AS INT64)) AS x FROM d.customers",
    "SELECT SAFE.CONCAT(name, ERROR('error(')) AS x FROM d.customers",
    "SELECT id, SAFE.SUBSTR(name, 1, id - 2) AS x, SAFE.LN(id - 2) AS y FROM d.customers",
    # names made of names
    "SELECT * FROM (SELECT id, name FROM d.customers) PIVOT (COUNT(*) AS n FOR id IN (1 AS `2`, 2 AS `a(`))",
    "SELECT * FROM (SELECT id, name FROM d.customers) PIVOT (COUNT(*) FOR id IN (1 AS `2`, 2))",
    "SELECT * FROM (SELECT id, name FROM d.customers) PIVOT (COUNT(*) AS n FOR id IN (1, 2))",
    "SELECT * FROM (SELECT id, name FROM d.customers) PIVOT (COUNT(*) AS n FOR name IN ('Ada', 'Bob' AS b))",
    "SELECT * FROM (SELECT id, name FROM d.customers) PIVOT (ANY_VALUE(name HAVING MAX id) FOR id IN (1, 2))",
    "SELECT * FROM (SELECT id, name, city FROM d.customers) PIVOT (ARRAY_AGG(name) FOR city IN ('Paris'))",
    "SELECT ARRAY_AGG(DISTINCT CONCAT(name, '(') IGNORE NULLS ORDER BY CONCAT(name, '(')) AS x FROM d.customers",
    # % twice is no element
    "SELECT FORMAT_DATE('%%F', DATE '2024-01-02') AS x",
    "SELECT FORMAT_TIMESTAMP('%%z', TIMESTAMP '2024-01-02 00:00:00+00', 'Europe/Paris') AS x",
    "SELECT PARSE_DATE('%%F %Y', '%F 2024') AS x",
    # after DISTINCT only what is selected can be sorted by
    "SELECT DISTINCT o.status, status AS s FROM d.orders AS o ORDER BY s",
    "SELECT DISTINCT status, COUNT(*) AS n FROM d.orders GROUP BY status ORDER BY COUNT(*)",
    "SELECT DISTINCT UPPER(status) AS u FROM d.orders ORDER BY UPPER(status)",
    # values that are read where their parts are not
    "SELECT [id] AS x FROM d.customers UNION ALL SELECT [1.5]",
    "SELECT [1] AS x UNION ALL SELECT [f] FROM d.numbers",
    "SELECT IF(TRUE, [id], [1.5]) AS x FROM d.customers",
    "SELECT [STRUCT(1 AS a, TRUE AS b)] AS x UNION ALL SELECT [STRUCT(1.5, FALSE)]",
    "SELECT STRUCT(id AS a) AS x FROM d.customers UNION ALL SELECT STRUCT(1.5)",
    "SELECT id, ARRAY_TO_STRING([name, NULL], ',', (SELECT MAX(name) FROM d.customers)) AS x FROM d.customers",
    "SELECT id, id IN UNNEST([(SELECT MAX(id) FROM d.customers), 1]) AS x FROM d.customers",
)


@pytest.mark.parametrize("sql", EXAMPLES)
def test_a_text_is_never_taken_for_sql(sql: str, pair: Any) -> None:
    outcome = compare(sql, *pair)
    assert outcome.kind in ("same", "both reject"), f"{outcome.kind}: {outcome.detail}"


@pytest.mark.parametrize("shape", [*SHAPES, *STORED_SHAPES])
def test_each_shape_is_answered_with_plain_words(shape: str, named_pair: Any) -> None:
    assert compare(plain(shape), *named_pair).kind == "same"


@settings(SETTINGS, max_examples=50)
@given(query=queries())
def test_texts_and_names_change_no_answer(query: tuple[str, str], named_pair: Any) -> None:
    check(*query, named_pair)


@settings(SETTINGS, max_examples=20)
@given(query=stored_queries())
def test_names_of_stored_columns_change_no_answer(query: tuple[str, str], named_pair: Any) -> None:
    check(*query, named_pair)


@pytest.mark.slow
@settings(SETTINGS, max_examples=5000, derandomize=False)
@given(query=queries())
def test_many_texts_and_names_change_no_answer(query: tuple[str, str], named_pair: Any) -> None:
    check(*query, named_pair)


@pytest.mark.slow
@settings(SETTINGS, max_examples=2000, derandomize=False)
@given(query=stored_queries())
def test_many_names_of_stored_columns_change_no_answer(query: tuple[str, str], named_pair: Any) -> None:
    check(*query, named_pair)


@cache
def translations() -> list[str]:
    """The SQL that the translator writes for all shapes of shapes.txt."""
    found = []
    for shape in shapes():
        with suppress(SqlError, KeyError):  # a table that is written in another case is not found here
            found.append(render(answer(parse_query(shape.sql), TABLE_COLUMNS.__getitem__).query))
    return found


@st.composite
def pieces(draw: st.DrawFn) -> str:
    """A piece of a translation."""
    sql = draw(st.sampled_from(translations()))
    start = draw(st.integers(0, len(sql) - 1))
    return sql[start : start + draw(st.integers(1, 120))]


@pytest.mark.slow
@settings(SETTINGS, max_examples=5000, derandomize=False)
@given(query=st.deferred(lambda: queries(pieces())))
def test_pieces_of_generated_sql_as_texts_change_no_answer(query: tuple[str, str], named_pair: Any) -> None:
    check(*query, named_pair)
