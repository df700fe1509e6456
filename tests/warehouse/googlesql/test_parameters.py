"""Queries with parameters: the reference engine's answer, or a refusal."""

from typing import Any

import pytest

from tests.warehouse.googlesql.compare import difference
from tests.warehouse.googlesql.oracle import Rejected
from warehouse_refresh.pipeline.project.variables import read_variables
from warehouse_refresh.warehouse.errors import SqlError

VARIABLES = {
    "d": ({"type": "DATE", "value": "2024-02-29"}, "DATE '2024-02-29'"),
    "i": (2, "2"),
    "f": (0.1, "0.1"),
    "n": ({"type": "NUMERIC", "value": "0.1"}, "NUMERIC '0.1'"),
    "g": ({"type": "BIGNUMERIC", "value": "0.00000000000000000000000000000000000001"}, "BIGNUMERIC '1e-38'"),
    "s": ("2024-03-01", "'2024-03-01'"),
    "w": ("a_%'\\", r'''"a_%'\\"'''),
    "b": (True, "TRUE"),
    "y": ({"type": "BYTES", "value": "YWL/"}, r"b'ab\xff'"),
    "t": ({"type": "TIME", "value": "01:02:03.5"}, "TIME '01:02:03.5'"),
    "l": ({"type": "DATETIME", "value": "2024-02-29T01:02:03"}, "DATETIME '2024-02-29 01:02:03'"),
    "m": ({"type": "TIMESTAMP", "value": "2024-02-29T01:02:03+02:00"}, "TIMESTAMP '2024-02-28 23:02:03+00'"),
    "a": ([1, 2], "[1, 2]"),
    "e": ({"type": "ARRAY<STRING>", "value": []}, "CAST([] AS ARRAY<STRING>)"),
    "nan": ({"type": "FLOAT64", "value": "NaN"}, "CAST('NaN' AS FLOAT64)"),
}
GIVEN = read_variables({name: written for name, (written, _) in VARIABLES.items()}, "the test")
TEXTS = {name: text for name, (_, text) in VARIABLES.items()}
OPERANDS = ["1", "1.5", "NUMERIC '1.5'", "DATE '2024-03-01'", "'2024-03-01'", "TIMESTAMP '2024-03-01 00:00:00+00'", "x"]
QUERIES = [
    "SELECT @d AS d, @i AS i, @f AS f, @n AS n, @s AS s, @w AS w, @b AS b, @y AS y, @t AS t, @l AS l, @m AS m, @a AS a",
    "SELECT @e AS e, @nan AS nan, @D = @d AS same",
    "SELECT x FROM UNNEST([1, 2, 3, 4]) AS x ORDER BY x LIMIT @i OFFSET @i",
    "SELECT x FROM UNNEST(@a) AS x WHERE x IN UNNEST(@a) AND x IN (@i, 7) ORDER BY x",
    "SELECT x LIKE @w AS y, REGEXP_CONTAINS(x, @s) AS z FROM UNNEST(['a_%', 'ab']) AS x ORDER BY x",
    "SELECT DATE_ADD(@d, INTERVAL @i MONTH) AS x, DATE_DIFF(@s, @d, DAY) AS y, EXTRACT(YEAR FROM @m) AS z",
    "SELECT @a[OFFSET(0)] AS x, @a[SAFE_OFFSET(@i)] AS y, ARRAY_LENGTH(@e) AS z, @s || @w AS t",
    "SELECT ROUND(1.2345, @i) AS x, SUBSTR(@s, @i, @i) AS y, FORMAT('%d %s', @i, @s) AS z, CAST(@s AS DATE) AS d",
    "SELECT IF(@b, @i, @f) AS x, COALESCE(NULL, @n) AS y, @f + @n AS z, @i + @n AS u, @i / @i AS v, -@i AS w",
    "SELECT STRUCT(@i AS i, @s AS s) AS x, [@i, 3] AS y, [@f, 1] AS z, TO_JSON_STRING(@l) AS t",
    "WITH q AS (SELECT @i AS i) SELECT i + @i AS x, @i AS z, COUNT(*) AS n FROM q GROUP BY i",
    *(f"SELECT @{name} < {other} AS y FROM (SELECT 1 AS x)" for name in "difgns" for other in OPERANDS),
    *(f"SELECT COALESCE(@{name}, {other}) AS y FROM (SELECT 1 AS x)" for name in "difns" for other in OPERANDS),
    *(f"SELECT COALESCE({other}, @{name}) AS y FROM (SELECT 1 AS x)" for name in "difns" for other in OPERANDS),
]


@pytest.mark.parametrize("sql", QUERIES)
def test_a_parameter_counts_as_in_googlesql(pair: Any, sql: str) -> None:
    oracle, engine = pair
    used = {name: text for name, text in TEXTS.items() if f"@{name}".casefold() in sql.casefold()}
    try:
        expected = oracle.answer(sql, used)
    except Rejected:
        with pytest.raises(SqlError):
            engine.answer(sql, GIVEN)
        return
    outcome = difference(sql, expected, engine.answer(sql, GIVEN))
    assert outcome.kind == "same", outcome.detail
