"""Random scripts with functions of their own, and the same queries without: what a call stands for is written out.

`f(x)` is `(SELECT body FROM (SELECT CAST(x AS type) AS parameter))`, which Google's engine answers:
https://cloud.google.com/bigquery/docs/user-defined-functions
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ROWS = """(
  SELECT 1 AS k, 'a' AS s, 2.5 AS f, DATE '2024-01-31' AS d, [1, 2] AS r, STRUCT(1 AS p, 'x' AS q) AS z, TRUE AS b,
    NUMERIC '1.5' AS n
  UNION ALL SELECT 2, 'b', -1.0, DATE '2023-12-01', [], (2, 'y'), FALSE, 2
  UNION ALL SELECT 2, NULL, NULL, NULL, [5], (NULL, 'z'), NULL, NULL
  UNION ALL SELECT NULL, 'a', 0.5, DATE '2024-01-31', [7, 8, 9], (4, NULL), TRUE, -3)"""
STRUCT = "STRUCT<p INT64, q STRING>"
ARGUMENTS = {
    "INT64": ["k", "1", "NULL", "k + 1", "t.k", "ARRAY_LENGTH(r)", "z.p", "(SELECT MAX(x) FROM UNNEST(r) AS x)"],
    "STRING": ["s", "'a'", "NULL", "t.s", "CONCAT(s, 'x')", "z.q", "FORMAT('%t', d)"],
    "FLOAT64": ["f", "1", "2.5", "NULL", "k / 2", "n"],
    "NUMERIC": ["n", "1", "k", "NULL", "n * 2", "NUMERIC '0.1'"],
    "DATE": ["d", "'2024-02-01'", "NULL", "DATE '2024-02-29'", "DATE_ADD(d, INTERVAL 1 DAY)"],
    "BOOL": ["b", "TRUE", "k > 1", "NULL", "s IS NULL"],
    "ARRAY<INT64>": ["r", "[1, 2]", "[]", "NULL", "ARRAY(SELECT x FROM UNNEST(r) AS x ORDER BY x DESC)"],
    STRUCT: ["z", "STRUCT(1 AS p, 'a' AS q)", "(1, 'a')", "NULL"],
}
"""By type, expressions over the rows that a parameter of the type takes."""
BODIES = [
    ("INT64", ["INT64"], "a + 1"),
    ("INT64", ["INT64", "INT64"], "IF(a > b, a, b)"),
    ("INT64", ["ARRAY<INT64>", "INT64"], "(SELECT COUNT(*) FROM UNNEST(a) AS x WHERE x > b)"),
    ("INT64", ["ARRAY<INT64>", "INT64"], "a[SAFE_OFFSET(b)]"),
    ("INT64", ["BOOL", "INT64"], "CASE WHEN a THEN b ELSE -b END"),
    ("INT64", ["INT64"], "IFNULL(a, 0) - (SELECT COUNT(*) FROM UNNEST([1, 2, 3]) AS k WHERE k <= a)"),
    ("INT64", ["INT64", "ARRAY<INT64>"], "(SELECT AS STRUCT MAX(x) AS m, a AS c FROM UNNEST(b) AS x).m"),
    ("INT64", [STRUCT], "a.p"),
    ("STRING", ["STRING", "INT64"], "SUBSTR(a, b)"),
    ("STRING", ["STRING", "STRING"], "COALESCE(a, b, 'none')"),
    ("STRING", ["DATE"], "FORMAT_DATE('%Y-%m', a)"),
    ("STRING", [STRUCT], "FORMAT('%t %s', a.p, a.q)"),
    ("STRING", ["NUMERIC"], "CAST(a AS STRING)"),
    ("STRING", ["STRING"], r"REGEXP_REPLACE(a, r'^(\w)', r'<\1>')"),
    ("FLOAT64", ["FLOAT64", "FLOAT64"], "SAFE_DIVIDE(a, b)"),
    ("FLOAT64", ["INT64"], "a / 2"),
    ("NUMERIC", ["NUMERIC", "NUMERIC"], "a * b"),
    ("DATE", ["DATE", "INT64"], "DATE_ADD(a, INTERVAL b DAY)"),
    ("DATE", ["STRING"], "SAFE.PARSE_DATE('%Y', a)"),
    ("BOOL", ["STRING"], "a LIKE '%a%'"),
    ("BOOL", ["ARRAY<INT64>", "INT64"], "b IN UNNEST(a)"),
    ("BOOL", ["INT64"], "EXISTS (SELECT 1 FROM UNNEST([1, 2]) AS x WHERE x = a)"),
    ("ARRAY<INT64>", ["ARRAY<INT64>"], "ARRAY(SELECT x * 2 FROM UNNEST(a) AS x ORDER BY 1)"),
    ("ARRAY<INT64>", ["INT64", "INT64"], "[a, b, 3]"),
    (STRUCT, ["INT64", "STRING"], "STRUCT(a AS p, b AS q)"),
    (STRUCT, ["ARRAY<INT64>"], "(SELECT AS STRUCT MAX(x) AS p, 'm' AS q FROM UNNEST(a) AS x)"),
]
OF_ANY_TYPE = ["a", "[a, a]", "STRUCT(a AS v, a IS NULL AS e)", "FORMAT('%T', a)", "TO_JSON_STRING(a)", "a + b"]
OF_ANY_TYPE += ["a / b", "COALESCE(a, b)", "IF(a = b, 0, 1)", "GREATEST(a, b)", "NULLIF(a, b)", "a = '2024-02-01'"]
NAMES = [("a", "b"), ("k", "s"), ("x", "y"), ("t", "r"), ("value", "format"), ("K", "S")]
PLACES = [
    "SELECT CALL AS c FROM ROWS AS t",
    "SELECT CALL AS c, COUNT(*) AS n FROM ROWS AS t GROUP BY c",
    "SELECT k FROM ROWS AS t WHERE CALL IS NOT NULL",
    "SELECT k, s FROM ROWS AS t ORDER BY CALL, k, s",
    "SELECT COUNT(DISTINCT CALL) AS c FROM ROWS AS t",
    "SELECT ARRAY_AGG(CALL IGNORE NULLS ORDER BY k, s, f) AS c FROM ROWS AS t",
    "SELECT k, ROW_NUMBER() OVER (PARTITION BY CALL ORDER BY k, s, f) AS c FROM ROWS AS t",
    "SELECT t.k, u.c FROM ROWS AS t JOIN (SELECT DISTINCT CALL AS c FROM ROWS AS t) AS u ON u.c = CALL",
    "SELECT k FROM ROWS AS t QUALIFY ROW_NUMBER() OVER (ORDER BY CALL, k, s) = 1",
    "FROM ROWS AS t |> EXTEND CALL AS c |> SELECT k, c",
    "FROM ROWS AS t |> WHERE CALL IS NULL |> AGGREGATE COUNT(*) AS n",
    "SELECT (SELECT CALL) AS c FROM ROWS AS t",
    "SELECT ARRAY(SELECT CALL FROM UNNEST([1, 2])) AS c FROM ROWS AS t",
    "SELECT s, MIN(CALL) AS c FROM ROWS AS t GROUP BY s HAVING MIN(CALL) IS NOT NULL",
    "SELECT k, LAG(CALL) OVER (ORDER BY k, s, f) AS c FROM ROWS AS t",
    "SELECT CALL AS c FROM ROWS AS t UNION ALL SELECT CALL FROM ROWS AS t WHERE FALSE",
]


@dataclass(frozen=True, slots=True)
class Function:
    """A function; `types` are those of its parameters, `returns` that of its result, "" for ANY TYPE and for none."""

    name: str
    parameters: Sequence[str]
    types: Sequence[str]
    returns: str
    body: str

    @property
    def text(self) -> str:
        """The statement that creates it."""
        pairs = zip(self.parameters, self.types, strict=True)
        listed = ", ".join(f"{name} {kind or 'ANY TYPE'}" for name, kind in pairs)
        returns = f" RETURNS {self.returns}" if self.returns else ""
        return f"CREATE TEMP FUNCTION {self.name}({listed}){returns} AS ({self.body})"

    def written_out(self, arguments: Sequence[str]) -> str:
        """What a call of it stands for."""
        given = zip(arguments, self.types, self.parameters, strict=True)
        columns = ", ".join(f"{_cast(value, kind)} AS {name}" for value, kind, name in given)
        return f"(SELECT {_cast(self.body, self.returns)} FROM (SELECT {columns}))"


def scripts(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Scripts that create one or two functions and call the last one, each with its query without a function."""
    drawn = random.Random(seed)
    for _ in range(count):
        functions = [_function(drawn, f"f{number}") for number in range(drawn.choice([1, 2]))]
        called = functions[-1]
        kinds = [drawn.choice(list(ARGUMENTS))] * 2
        arguments = [drawn.choice(ARGUMENTS[kind or kinds.pop()]) for kind in called.types]
        place = drawn.choice(PLACES).replace("ROWS", ROWS)
        call = f"{called.name}({', '.join(arguments)})"
        created = ";\n".join(function.text for function in functions)
        yield f"{created};\n{place.replace('CALL', call)}", place.replace("CALL", called.written_out(arguments))


def _function(drawn: random.Random, name: str) -> Function:
    returns, types, body = drawn.choice(BODIES)
    if drawn.random() < 0.3:
        body = drawn.choice(OF_ANY_TYPE)
        returns, types = "", ["", ""] if re.search(r"\bb\b", body) else [""]
    names = drawn.choice(NAMES)[: len(types)]
    return Function(name, names, types, returns if drawn.random() < 0.5 else "", _renamed(body, names))


def _renamed(body: str, names: Sequence[str]) -> str:
    """The body with these names for its parameters a and b."""
    to = dict(zip("ab", names, strict=False))
    return re.sub(r"(r?'[^']*')|(?<![\w.])([ab])\b", lambda found: found[1] or to[found[2]], body)


def _cast(value: str, kind: str) -> str:
    return f"CAST({value} AS {kind})" if kind else value
