"""Each expression of the shapes in another clause: what is right in SELECT may be wrong in ORDER BY or a window."""

from collections.abc import Iterator, Sequence
from random import Random

from tests.warehouse.googlesql.mutations import TOKEN
from tests.warehouse.googlesql.shapes import Shape

CLAUSES = (
    "SELECT 1 AS o FROM d.one WHERE EXPR IS NOT NULL",
    "SELECT EXPR AS g, COUNT(*) AS c FROM d.one GROUP BY g",
    "SELECT COUNT(*) AS c FROM d.one GROUP BY EXPR",
    "SELECT i FROM d.one ORDER BY EXPR",
    "SELECT ROW_NUMBER() OVER (PARTITION BY EXPR ORDER BY i) AS r FROM d.one",
    "SELECT ROW_NUMBER() OVER (ORDER BY EXPR) AS r FROM d.one",
    "SELECT CASE WHEN i = 1 THEN EXPR END AS r FROM d.one",
    "SELECT IF(i = 2, EXPR, NULL) AS r FROM d.one",
    "SELECT COALESCE(EXPR, EXPR) AS r FROM d.one",
    "SELECT IFNULL(EXPR, NULL) AS r FROM d.one",
    "SELECT NULLIF(EXPR, EXPR) AS r FROM d.one",
    "SELECT ARRAY(SELECT EXPR FROM UNNEST([1, 2])) AS r FROM d.one",
    "SELECT (SELECT EXPR FROM UNNEST([1])) AS r FROM d.one",
    "SELECT (SELECT AS STRUCT EXPR AS p, q FROM UNNEST([1]) q) AS r FROM d.one",
    "SELECT MAX(EXPR) AS r, MIN(EXPR) AS r2 FROM d.one",
    "SELECT ANY_VALUE(EXPR) AS r, COUNT(EXPR) AS c FROM d.one",
    "SELECT ARRAY_AGG(EXPR IGNORE NULLS) AS r FROM d.one",
    "SELECT COUNT(DISTINCT EXPR) AS r FROM d.one",
    "SELECT TO_JSON_STRING(EXPR) AS r FROM d.one",
    "SELECT TO_JSON(EXPR) AS r FROM d.one",
    "SELECT FORMAT('%T', EXPR) AS r FROM d.one",
    "SELECT FORMAT('%t', EXPR) AS r FROM d.one",
    "SELECT STRUCT(EXPR AS a, 1 AS b).a AS r FROM d.one",
    "SELECT [EXPR, EXPR] AS r FROM d.one",
    "SELECT [EXPR][OFFSET(0)] AS r FROM d.one",
    "SELECT [STRUCT(EXPR AS v)] AS r FROM d.one",
    "SELECT a.i FROM d.one a JOIN d.customers c ON EXPR IS NULL",
    "SELECT EXPR AS r FROM d.one UNION ALL SELECT EXPR FROM d.one",
    "SELECT EXPR AS r FROM d.one UNION DISTINCT SELECT EXPR FROM d.one",
    "SELECT EXPR AS r FROM d.one UNION ALL SELECT NULL",
    "SELECT LAG(EXPR) OVER (ORDER BY i) AS r, FIRST_VALUE(EXPR) OVER (ORDER BY i) AS s FROM d.one",
    "SELECT CAST(EXPR AS STRING) AS r FROM d.one",
    "SELECT SAFE_CAST(EXPR AS STRING) AS r FROM d.one",
    "FROM d.one |> EXTEND EXPR AS z |> SELECT z",
    "FROM d.one |> WHERE EXPR IS NOT NULL |> AGGREGATE COUNT(*) AS c GROUP BY i",
    "FROM d.one |> AGGREGATE ANY_VALUE(EXPR) AS c",
    "SELECT EXPR IN (EXPR) AS r FROM d.one",
    "SELECT EXPR = EXPR AS r FROM d.one",
    "SELECT EXPR < EXPR AS r FROM d.one",
    "SELECT EXPR BETWEEN EXPR AND EXPR AS r FROM d.one",
    "SELECT GREATEST(EXPR, EXPR) AS r FROM d.one",
    "SELECT x.z FROM (SELECT EXPR AS z FROM d.one) AS x",
    "WITH w AS (SELECT EXPR AS z FROM d.one) SELECT z FROM w",
    "SELECT DISTINCT EXPR AS r FROM d.one",
    "SELECT EXPR AS r FROM d.one QUALIFY ROW_NUMBER() OVER (ORDER BY i) = 1",
    "SELECT EXPR AS r FROM d.one WHERE FALSE",
    "SELECT EXPR AS r FROM d.empty e RIGHT JOIN d.one ON TRUE",
    "SELECT z FROM d.one CROSS JOIN UNNEST([EXPR]) AS z",
    "SELECT EXISTS (SELECT 1 FROM UNNEST([1]) WHERE EXPR IS NOT NULL) AS r FROM d.one",
    "SELECT SUM(IF(EXPR IS NULL, 1, 0)) AS r FROM d.one",
    "SELECT EXPR AS r FROM (SELECT * FROM d.one UNION ALL SELECT * FROM d.one)",
    "SELECT i, ANY_VALUE(r) AS r FROM (SELECT i, EXPR AS r FROM d.one) GROUP BY i HAVING ANY_VALUE(r) IS NOT NULL",
    "SELECT EXPR AS r FROM d.one ORDER BY EXPR",
    "SELECT DISTINCT EXPR AS r FROM d.one ORDER BY r",
    "SELECT i FROM d.one GROUP BY i HAVING EXPR IS NULL",
    "SELECT COUNT(*) AS c FROM d.one GROUP BY ROLLUP (EXPR)",
    "SELECT STRUCT(EXPR AS v) = STRUCT(EXPR AS v) AS r FROM d.one",
    "SELECT STRUCT(EXPR) AS r FROM d.one",
    "SELECT r FROM (SELECT EXPR AS r FROM d.one) JOIN (SELECT EXPR AS r FROM d.one) USING (r)",
    "SELECT EXPR AS r FROM d.one EXCEPT DISTINCT SELECT EXPR FROM d.one",
    "SELECT ARRAY_AGG(EXPR) AS r FROM d.one",
    "SELECT ARRAY_AGG(STRUCT(EXPR AS v) ORDER BY EXPR LIMIT 1) AS r FROM d.one",
    "SELECT STRING_AGG(CAST(EXPR AS STRING)) AS r FROM d.one",
    "SELECT CASE EXPR WHEN EXPR THEN 1 ELSE 2 END AS r FROM d.one",
    "SELECT SUM(EXPR) AS r, AVG(EXPR) AS r2 FROM d.one",
    "SELECT MAX(EXPR) OVER () AS r, COUNT(DISTINCT EXPR) OVER () AS r2 FROM d.one",
    "SELECT EXPR IS DISTINCT FROM EXPR AS r FROM d.one",
    "SELECT ARRAY(SELECT EXPR UNION ALL SELECT EXPR) AS r FROM d.one",
    "SELECT * FROM (SELECT i, EXPR AS k FROM d.one) PIVOT (ANY_VALUE(k) FOR i IN (1))",
    "SELECT i IN (SELECT i FROM d.one WHERE EXPR IS NULL) AS r FROM d.one",
    "SELECT EXPR IN (SELECT EXPR FROM d.one) AS r FROM d.one",
    "SELECT EXPR IN UNNEST([EXPR]) AS r FROM d.one",
    "FROM d.one |> SET i = EXPR |> SELECT i",
    "FROM d.one |> AGGREGATE COUNT(*) AS c GROUP BY EXPR AS g |> ORDER BY g",
    "FROM d.one |> ORDER BY EXPR |> SELECT i",
    "WITH RECURSIVE w AS (SELECT 1 AS k UNION ALL SELECT k + 1 FROM w WHERE k < 2) SELECT k, EXPR AS r FROM w, d.one",
)
"""Queries with EXPR where the expression goes."""
UNSTEADY = ("RAND(", "UUID", "CURRENT_", "SESSION_")


def is_single(text: str) -> bool:
    """Whether the text is one expression, without an alias, that gives the same value each time."""
    depth = 0
    for token in TOKEN.findall(text):
        depth += (token in "([") - (token in ")]")
        if depth == 0 and (token == "," or token.upper() in ("AS", "FROM", "WINDOW")):
            return False
    return not any(word in text.upper() for word in UNSTEADY)


def in_clauses(shapes: Sequence[Shape], seed: int) -> Iterator[tuple[Shape, str]]:
    """Each shape that is an expression, and a query with it in a clause that was picked at random."""
    random = Random(seed)
    for shape in shapes:
        if shape.is_expression and is_single(shape.text):
            written = random.choice((shape.text, f"({shape.text})"))
            yield shape, random.choice(CLAUSES).replace("EXPR", written)
