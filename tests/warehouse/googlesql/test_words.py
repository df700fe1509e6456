"""The words of SQL, each in every place where a name may stand: both engines take it there, or neither does.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#reserved_keywords
"""

import re
from random import Random
from typing import Any

import duckdb
import pytest
from sqlglot.dialects.bigquery import BigQuery

from tests.warehouse.googlesql.compare import compare
from warehouse_refresh.warehouse.sql.mistakes import CONTEXTUAL, RESERVED

PLACES = (
    "SELECT 1 AS WORD",
    "SELECT 1 WORD",
    "SELECT 1 AS WORD, 2 AS b",
    "SELECT 1 WORD, 2 AS b",
    "SELECT x AS WORD FROM (SELECT 1 AS x)",
    "SELECT x WORD FROM (SELECT 1 AS x)",
    "SELECT t.x FROM (SELECT 1 AS x) AS t, (SELECT 2 AS y) AS WORD",
    "SELECT WORD.x FROM (SELECT 1 AS x) AS WORD",
    "SELECT x FROM (SELECT 1 AS x) WORD",
    "SELECT i FROM d.one AS WORD",
    "SELECT i FROM d.one WORD",
    "SELECT i FROM d.one WORD WHERE TRUE",
    "SELECT WORD.i FROM d.one AS WORD",
    "WITH WORD AS (SELECT 1 AS x) SELECT x FROM WORD",
    "WITH a AS (SELECT 1 AS x), WORD AS (SELECT 2 AS y) SELECT y FROM WORD",
    "WITH a AS (SELECT 1 AS x), WORD AS (SELECT 2 AS y) SELECT x FROM a",
    "SELECT WORD FROM (SELECT 1 AS `WORD`)",
    "SELECT WORD, 1 AS b FROM (SELECT 1 AS `WORD`)",
    "SELECT 2 AS b, WORD FROM (SELECT 1 AS `WORD`)",
    "SELECT WORD + 1 AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT 1 + WORD AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT ABS(WORD) AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT t.WORD FROM (SELECT 1 AS `WORD`) AS t",
    "SELECT t.WORD, 1 AS b FROM (SELECT 1 AS `WORD`) AS t",
    "SELECT s.WORD AS x FROM (SELECT STRUCT(1 AS `WORD`) AS s)",
    "SELECT s.WORD.WORD AS x FROM (SELECT STRUCT(STRUCT(1 AS `WORD`) AS `WORD`) AS s)",
    "SELECT WORD.x FROM (SELECT STRUCT(1 AS x) AS `WORD`)",
    "SELECT STRUCT(1 AS WORD) AS x",
    "SELECT STRUCT<WORD INT64>(1) AS x",
    "SELECT STRUCT<INT64, WORD STRING>(1, 'a') AS x",
    "SELECT CAST(NULL AS STRUCT<WORD INT64>) AS x",
    "SELECT CAST(NULL AS STRUCT<a INT64, WORD INT64>) AS x",
    "SELECT ARRAY<STRUCT<WORD INT64>>[STRUCT(1)] AS x",
    "SELECT SUM(i) OVER WORD AS x FROM d.one WINDOW WORD AS (ORDER BY i)",
    "SELECT SUM(i) OVER a AS x FROM d.one WINDOW a AS (ORDER BY i), WORD AS (ORDER BY i)",
    "SELECT SUM(i) OVER (WORD) AS x FROM d.one WINDOW WORD AS (ORDER BY i)",
    "SELECT * EXCEPT (WORD) FROM (SELECT 1 AS a, 2 AS `WORD`)",
    "SELECT * EXCEPT (a, WORD) FROM (SELECT 1 AS a, 3 AS b, 2 AS `WORD`)",
    "SELECT * REPLACE (3 AS WORD) FROM (SELECT 1 AS a, 2 AS `WORD`)",
    "SELECT t.* EXCEPT (WORD) FROM (SELECT 1 AS a, 2 AS `WORD`) AS t",
    "SELECT a FROM (SELECT 1 AS a, 2 AS `WORD`) JOIN (SELECT 2 AS `WORD`) USING (WORD)",
    "SELECT a FROM (SELECT 1 AS a, 2 AS `WORD`) JOIN (SELECT 1 AS a, 2 AS `WORD`) USING (a, WORD)",
    "FROM (SELECT 1 AS a, 2 AS `WORD`) |> DROP WORD",
    "FROM (SELECT 1 AS a, 2 AS b, 2 AS `WORD`) |> DROP b, WORD",
    "FROM (SELECT 1 AS a, 2 AS `WORD`) |> RENAME WORD AS b",
    "FROM (SELECT 1 AS a, 2 AS b) |> RENAME a AS WORD",
    "FROM (SELECT 1 AS a, 2 AS b) |> RENAME a WORD",
    "FROM (SELECT 1 AS a, 2 AS `WORD`) |> SET WORD = 5",
    "FROM (SELECT 1 AS a) |> EXTEND 2 AS WORD",
    "FROM (SELECT 1 AS a) |> EXTEND 2 WORD",
    "FROM (SELECT 1 AS a) |> AS WORD",
    "FROM (SELECT 1 AS a) |> AS WORD |> SELECT WORD.a",
    "FROM (SELECT 1 AS a) |> AGGREGATE COUNT(*) AS WORD",
    "FROM (SELECT 1 AS a) |> AGGREGATE COUNT(*) WORD, SUM(a) AS s",
    "FROM (SELECT 1 AS a) |> AGGREGATE COUNT(*) AS n GROUP BY a AS WORD",
    "FROM (SELECT 1 AS a) |> SELECT a AS WORD",
    "SELECT WORD FROM UNNEST([1]) AS WORD",
    "SELECT 1 AS x FROM UNNEST([1]) WORD",
    "SELECT x FROM UNNEST([1]) AS x WITH OFFSET AS WORD",
    "SELECT x FROM UNNEST([1]) AS x WITH OFFSET WORD",
    "SELECT 1 AS x FROM (SELECT 1 AS `WORD`) GROUP BY WORD",
    "SELECT 1 AS x FROM (SELECT 1 AS `WORD`) ORDER BY WORD",
    "SELECT 1 AS x FROM (SELECT 1 AS `WORD`) WHERE WORD = 1",
    "SELECT 1 AS x FROM (SELECT 1 AS `WORD`) WHERE 1 = WORD",
    "SELECT COUNT(WORD) AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT SUM(1) OVER (PARTITION BY WORD) AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT SUM(1) OVER (ORDER BY WORD) AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT [WORD] AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT STRUCT(WORD) AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT CASE WORD WHEN 1 THEN 2 END AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT (WORD) AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT -WORD AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT DISTINCT WORD FROM (SELECT 1 AS `WORD`)",
    "SELECT WORD IS NULL AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT WORD IN (1) AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT WORD BETWEEN 1 AND 2 AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT 1 BETWEEN WORD AND WORD AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT * FROM (SELECT 1 AS k, 2 AS v) PIVOT (SUM(v) AS WORD FOR k IN (1))",
    "SELECT * FROM (SELECT 1 AS k, 2 AS v) PIVOT (SUM(v) AS s FOR k IN (1 AS WORD))",
    "SELECT * FROM (SELECT 1 AS `WORD`, 2 AS v) PIVOT (SUM(v) AS s FOR WORD IN (1))",
    "SELECT * FROM (SELECT 1 AS k, 2 AS v) UNPIVOT (WORD FOR n IN (k, v))",
    "SELECT * FROM (SELECT 1 AS k, 2 AS v) UNPIVOT (x FOR WORD IN (k, v))",
    "SELECT * FROM (SELECT 1 AS `WORD`, 2 AS v) UNPIVOT (x FOR n IN (WORD, v))",
    "SELECT * FROM (SELECT 1 AS k, 2 AS v) PIVOT (SUM(v) AS s FOR k IN (1)) AS WORD",
    "SELECT * FROM (SELECT 1 AS k, 2 AS v) PIVOT (SUM(v) AS s FOR k IN (1)) WORD",
    "SELECT i FROM d.one AS a JOIN d.one AS WORD USING (i)",
    "SELECT i FROM d.one AS a JOIN d.one WORD USING (i)",
    "SELECT 1 AS a, 2 AS `WORD` UNION ALL BY NAME ON (WORD) SELECT 3 AS `WORD`",
    "SELECT 1 AS a, 2 AS `WORD` UNION ALL CORRESPONDING BY (WORD) SELECT 3 AS `WORD`",
    "SELECT AS STRUCT 1 AS WORD",
    "SELECT ARRAY(SELECT AS STRUCT 1 AS WORD) AS x",
    "SELECT s.* FROM (SELECT STRUCT(1 AS WORD) AS s)",
    "SELECT t.WORD.x FROM (SELECT STRUCT(1 AS x) AS `WORD`) AS t",
    "SELECT x.WORD FROM UNNEST([STRUCT(1 AS `WORD`)]) AS x",
    "SELECT WITH(WORD AS 1, 2) AS x",
    "SELECT i FROM d.one AS a, d.one AS WORD WHERE a.i = WORD.i AND FALSE",
    "SELECT a.i FROM d.one AS a LEFT JOIN d.one WORD ON a.i = WORD.i",
    "SELECT WORD.* FROM (SELECT 1 AS x) AS WORD",
    "SELECT WORD FROM (SELECT 1 AS x) AS WORD",
    "SELECT ARRAY_TRANSFORM([1], WORD -> WORD + 1) AS x",
    "SELECT ARRAY_FILTER([1], (WORD, b) -> b = 0) AS x",
    "SELECT PARSE_JSON('1', WORD => 'exact') AS x",
    "SELECT 1 AS x, WORD AS y FROM (SELECT 1 AS `WORD`) GROUP BY ALL",
    "SELECT x FROM (SELECT 1 AS x, 2 AS `WORD`) QUALIFY ROW_NUMBER() OVER (ORDER BY WORD) = 1",
    "SELECT x FROM (SELECT 1 AS x, 2 AS `WORD`) WHERE WORD IS NOT NULL AND WORD > 1 OR WORD < 0",
    "SELECT x.WORD, WORD FROM (SELECT 1 AS `WORD`) AS x",
    "SELECT IF(WORD > 0, WORD, -WORD) AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT WORD[OFFSET(0)] AS x FROM (SELECT [1] AS `WORD`)",
    "SELECT x FROM (SELECT [1] AS `WORD`) AS t, t.WORD AS x",
    "SELECT x FROM (SELECT [1] AS `WORD`), UNNEST(WORD) AS x",
    "SELECT WORD AS WORD FROM (SELECT 1 AS `WORD`) AS WORD",
    "SELECT WORD || 'a' AS x FROM (SELECT 'b' AS `WORD`)",
    "SELECT CAST(WORD AS STRING) AS x FROM (SELECT 1 AS `WORD`)",
    "SELECT COUNT(*) AS WORD FROM d.one HAVING WORD > 0",
    "SELECT 1 AS WORD ORDER BY WORD",
    "SELECT 1 AS WORD, 2 AS WORD2 UNION ALL SELECT 3, 4 ORDER BY WORD",
    "WITH RECURSIVE WORD AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM WORD WHERE x < 2) SELECT x FROM WORD",
    "FROM (SELECT 1 AS a, 2 AS `WORD`) |> WHERE WORD = 2",
    "FROM (SELECT 1 AS a, 2 AS `WORD`) |> ORDER BY WORD |> LIMIT 1",
    "FROM (SELECT 1 AS a) |> JOIN (SELECT 1 AS a) AS WORD USING (a)",
)
"""Queries with WORD where a name stands."""
WORDS = (*sorted(RESERVED), *sorted(CONTEXTUAL))


def keywords() -> set[str]:
    """The words that DuckDB and sqlglot know besides, most of them of other dialects."""
    listed = duckdb.connect().execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()
    others = {word for word in BigQuery.Tokenizer.KEYWORDS if re.fullmatch("[A-Z_]+", word)}
    without_value = {word for word in others if not word.startswith("CURRENT_")}
    return ({str(row[0]).upper() for row in listed} | without_value) - {*WORDS, "UPDATE"}  # FOR UPDATE is one word


def check(place: str, word: str, pair: Any) -> None:
    sql = place.replace("WORD", word.lower())
    outcome = compare(sql, *pair)
    assert outcome.kind != "different", f"{sql}\n{outcome.detail}"


@pytest.mark.parametrize(("place", "word"), [(place, WORDS[i % len(WORDS)]) for i, place in enumerate(PLACES)])
def test_a_word_is_a_name_where_it_is_one_in_googlesql(place: str, word: str, pair: Any) -> None:
    check(place, word, pair)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_each_word_is_a_name_where_it_is_one_in_googlesql(place: str, pair: Any) -> None:
    others = Random(place).sample(sorted(keywords()), 40)
    for word in (*WORDS, *others):
        check(place, word, pair)
