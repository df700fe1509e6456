"""Values of every type, columns and literals, in every place where GoogleSQL may coerce them, and in calls."""

import re
from collections.abc import Iterator
from random import Random

from tests.warehouse.googlesql.calls import read

COLUMNS = (
    "(SELECT i, f, n, BIGNUMERIC '1' AS g, s, b, bo, d, dt, ts, t, INTERVAL 1 DAY AS v, j, ai, af, texts, st,"
    " STRUCT(1.5) AS sf, [b] AS ab, [d] AS ad, [STRUCT(1 AS x)] AS ast FROM d.one)"
)
"""A table with a column of every type."""
VALUES = (
    *("i", "f", "n", "g", "s", "b", "bo", "d", "dt", "ts", "t", "v", "j", "ai", "af", "texts", "st", "sf", "ab", "ad"),
    *("ast", "1", "-1", "9223372036854775807", "1.5", "1e400", "NUMERIC '1'", "BIGNUMERIC '1'", "'a'", "'1'", "''"),
    *("'2024-01-31'", "'2024-01-31 10:00:00'", "'2024-01-31 10:00:00+02'", "'10:20:30'", "'true'", "b'a'", "TRUE"),
    *("DATE '2024-01-31'", "DATETIME '2024-01-31 10:00:00'", "TIMESTAMP '2024-01-31 10:00:00+00'", "TIME '10:20:30'"),
    *("INTERVAL 1 DAY", "JSON '1'", "NULL", "CAST(NULL AS INT64)", "CAST(NULL AS STRING)", "[]", "[1]", "[1.5]"),
    *("['a']", "['2024-01-31']", "[NULL]", "[i]", "[f, 1]", "[DATE '2024-01-31']", "ARRAY<FLOAT64>[1]", "(1, 'y')"),
    *("STRUCT(1)", "STRUCT(1.5)", "STRUCT(i)", "STRUCT(NULL)", "STRUCT('2024-01-31')", "STRUCT(1 AS x, 'y' AS y)"),
    *("[STRUCT(1)]", "[(1, 'y')]", "STRUCT([1])", "STRUCT<FLOAT64>(1)", "1 + 1", "-i", "CONCAT('a')", "IF(bo, 1, 2)"),
    *("IFNULL(NULL, 1)", "COALESCE('2024-01-31', NULL)", "(SELECT 1)", "CAST(1 AS FLOAT64)"),
)
PLACES = (
    *("A = B", "A < B", "A != B", "A <= B", "A BETWEEN B AND B", "B BETWEEN A AND B", "A IN (B)", "A IN (B, A)"),
    *("A IN UNNEST([B])", "A IN UNNEST(B)", "A IN (SELECT B)", "A NOT IN (B, NULL)", "A IS DISTINCT FROM B"),
    *("CASE WHEN bo THEN A ELSE B END", "CASE A WHEN B THEN 1 END", "CASE WHEN bo THEN A WHEN NOT bo THEN B END"),
    *("IF(bo, A, B)", "IFNULL(A, B)", "COALESCE(A, B)", "COALESCE(NULL, A, B)", "NULLIF(A, B)", "GREATEST(A, B)"),
    *("LEAST(A, B, NULL)", "[A, B]", "[A, NULL, B]", "[STRUCT(A), STRUCT(B)]", "[STRUCT(A AS x), STRUCT(B AS y)]"),
    *("STRUCT(A) = STRUCT(B)", "(A, 1) = (B, 1.5)", "STRUCT(A) IN (STRUCT(B))", "(A, B) IN UNNEST([(B, A)])"),
    *("A + B", "A - B", "A * B", "A / B", "A || B", "A & B", "A << B", "A AND B", "NOT A", "A LIKE B", "-A"),
    *("A LIKE ANY (B, A)", "MOD(A, B)", "DIV(A, B)", "CONCAT(A, B)", "ARRAY_CONCAT([A], [B])", "ARRAY_CONCAT(A, B)"),
    *("RANGE_BUCKET(A, [B])", "A IS TRUE", "A IS NULL", "ARRAY(SELECT A UNION ALL SELECT B)", "A[OFFSET(B)]"),
    *("ARRAY_TO_STRING(A, B)", "FORMAT('%T', IF(bo, A, B))", "TO_JSON([A, B])", "SAFE_DIVIDE(A, B)"),
    *("STRUCT<INT64, STRING>(A, B)", "STRUCT<x FLOAT64>(A)", "STRUCT<DATE, NUMERIC>(A, B)", "ARRAY<NUMERIC>[A, B]"),
    *("ARRAY<TIMESTAMP>[A]", "ARRAY<STRUCT<INT64>>[STRUCT(A)]", "ARRAY<FLOAT64>[A, B]", "STRUCT<ARRAY<INT64>>(A)"),
    *("CAST(A AS INT64)", "CAST(A AS STRING)", "CAST(A AS DATE)", "CAST(A AS BYTES)", "CAST(A AS ARRAY<FLOAT64>)"),
    *("CAST(A AS STRUCT<STRING>)", "CAST(A AS JSON)", "CAST(A AS INTERVAL)", "CAST(A AS BOOL)", "CAST(A AS NUMERIC)"),
    *("(SELECT A UNION DISTINCT SELECT B)", "(SELECT A EXCEPT DISTINCT SELECT B)", "EXISTS (SELECT 1 WHERE A = B)"),
    *("(SELECT x FROM UNNEST([A]) AS x JOIN UNNEST([B]) AS y ON x = y)", "EXTRACT(DAY FROM A)"),
    *("(SELECT x FROM (SELECT A AS x) JOIN (SELECT B AS x) USING (x))", "ANY_VALUE(A HAVING MAX B)"),
    *("LAG(A, 1, B) OVER (ORDER BY i)", "NTH_VALUE(A, 1) OVER (ORDER BY B)", "SUM(A) OVER (PARTITION BY B)"),
    *("SUM(A)", "AVG(A)", "MAX(A)", "COUNT(DISTINCT A)", "ARRAY_AGG(A)", "STRING_AGG(A, B)", "COUNTIF(A)"),
    *("LOGICAL_OR(A)", "BIT_OR(A)", "CORR(A, B)", "STDDEV(A)", "ARRAY_AGG(A ORDER BY B)"),
)
"""What to compute of the values A and B."""


def placed(place: str, values: dict[str, str]) -> str:
    """The place with these values."""
    return re.sub(r"\b[AB]\b", lambda found: values[found[0]], place)


def pairs(seed: int, count: int) -> Iterator[str]:
    """Queries of two values in a place, all picked at random."""
    random = Random(seed)
    for _ in range(count):
        written = placed(random.choice(PLACES), {"A": random.choice(VALUES), "B": random.choice(VALUES)})
        yield f"SELECT {written} AS o FROM {COLUMNS}"


def unions(seed: int, count: int) -> Iterator[str]:
    """Queries of two or three values in a set operation."""
    random = Random(seed)
    for _ in range(count):
        word = random.choice(("UNION ALL", "UNION DISTINCT", "INTERSECT DISTINCT", "EXCEPT DISTINCT"))
        parts = random.choices(VALUES, k=random.choice((2, 2, 3)))
        yield f" {word} ".join(f"SELECT {part} AS o FROM {COLUMNS}" for part in parts)


def slips(seed: int, times: int) -> Iterator[str]:
    """Calls with one argument of another type, with one too many, or one too few."""
    kinds, calls = read()
    random = Random(seed)
    for call in calls:
        for _ in range(times):
            yield f"SELECT {_slip(call, kinds, random)} AS o FROM {COLUMNS}"


def _slip(call: str, kinds: dict[str, list[str]], random: Random) -> str:
    marks = list(re.finditer(r"\{(\w)\}", call))
    at = random.randrange(len(marks)) if marks else -1

    def argument(number: int, kind: str) -> str:
        found = random.choice(VALUES if number == at else kinds[kind])
        return f"({found})" if found.startswith("-") or (" " in found and not found.startswith("'")) else found

    number = iter(range(len(marks)))
    written = re.sub(r"\{(\w)\}", lambda found: argument(next(number), found[1]), call)
    match random.randrange(8):
        case 0 if written.endswith(")"):
            return f"{written[:-1]}, {random.choice(VALUES)})"
        case 1 if "," in written:
            return re.sub(r",[^,]*$", ")" if written.endswith(")") else "", written)
    return written
