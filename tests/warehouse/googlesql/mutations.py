"""Queries with one slip of the pen: a token left out, doubled, exchanged with the next one, replaced or put between."""

import re
from collections.abc import Iterator, Sequence
from random import Random

from tests.warehouse.googlesql.shapes import Shape

TOKEN = re.compile(
    r"""\s+|--[^\n]*|\bd\.\w+|[rbRB]{0,2}(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|`[^`]*`|\d+\.\d*(?:[eE][+-]?\d+)?|@?\w+"""
    r"""|\|>|\|\||<<|>>|<=|>=|!=|<>|=>|.""",
    re.DOTALL,
)
ALIKE = (
    "SELECT FROM WHERE HAVING QUALIFY WINDOW LIMIT OFFSET",
    "GROUP ORDER PARTITION",
    "JOIN INNER LEFT RIGHT FULL CROSS OUTER NATURAL",
    "UNION INTERSECT EXCEPT REPLACE ALL DISTINCT",
    "ON USING AS IN IS LIKE BETWEEN AND OR NOT",
    "NULL TRUE FALSE UNKNOWN 1 1.5 'a' b'a' DATE",
    "CASE WHEN THEN ELSE END IF",
    "ASC DESC NULLS FIRST LAST",
    "OVER ROWS RANGE UNBOUNDED PRECEDING FOLLOWING CURRENT ROW",
    "ARRAY STRUCT UNNEST",
    "INT64 FLOAT64 NUMERIC BIGNUMERIC STRING BYTES BOOL DATE DATETIME TIMESTAMP TIME INTERVAL JSON",
    "CAST SAFE_CAST EXTRACT",
    "DAY WEEK MONTH QUARTER YEAR HOUR MINUTE SECOND",
    "ROLLUP CUBE GROUPING SETS",
    "+ - * / || << >> & | ^",
    "= != <> < <= > >=",
    "( [ { < ) ] } >",
    ", . ; : |>",
    "SUM COUNT MAX MIN AVG ANY_VALUE ARRAY_AGG STRING_AGG COUNTIF LOGICAL_OR",
    "UPPER LENGTH ABS ROUND CONCAT COALESCE MOD SUBSTR GREATEST",
)
"""Tokens that people take for each other."""
GROUPS = [group.split(" ") for group in ALIKE]
INSERTED = (
    *(",", "(", ")", ".", "-", "*", "=", "NOT", "DISTINCT", "NULL", "IN", "AND", "DESC", "1", "'a'", "SAFE.", "[0]"),
    *(".a", "AS x", "LIMIT 1", "ORDER BY 1", "OVER ()"),
)
LITERALS = ("1", "1.5", "-1", "'a'", "'2024-01-31'", "b'a'", "NULL", "TRUE", "DATE '2024-01-31'", "[1]", "(1, 2)", "@p")


MISPLACED = re.compile(r"(?<!FROM)(?<!JOIN)(?<![,(\s])\s+d\.(?!one\.)\w+|\w\(\s*d\.\w+\s*\)", re.IGNORECASE)
"""A table where none is read. The engines are given other names for the tables, and one of these may be an alias."""


def mutants(shapes: Sequence[Shape], seed: int, count: int) -> Iterator[str]:
    """Queries of shapes that were picked at random, each with one slip. Recursion is left out: after a slip it may have
    no end, and Google's engine has no limit."""
    random = Random(seed)
    found = [shape for shape in shapes if "RECURSIVE" not in shape.sql.upper()]
    queries = [shape for shape in found if not shape.is_expression]
    made = (mutant(random.choice(random.choice((queries, found))).sql, random) for _ in range(count))
    return (sql for sql in made if not MISPLACED.search(sql))


def mutant(query: str, random: Random) -> str:
    """The query with one slip."""
    tokens: list[str] = TOKEN.findall(query)
    places = [place for place, token in enumerate(tokens) if not token.isspace()]
    at = random.randrange(len(places))
    place = places[at]
    match random.randrange(6):
        case 0:
            tokens[place] = " "
        case 1:
            tokens[place] += f" {tokens[place]}"
        case 2 if at + 1 < len(places):
            after = places[at + 1]
            tokens[place], tokens[after] = tokens[after], tokens[place]
        case 3:
            tokens[place] += f" {random.choice(INSERTED)} "
        case _:
            tokens[place] = f" {_other(tokens[place], tokens, random)} "
    return "".join(tokens)


def _other(token: str, tokens: list[str], random: Random) -> str:
    """What somebody may have written instead of the token."""
    groups = [group for group in GROUPS if token.upper() in group]
    if groups:
        return random.choice(random.choice(groups))
    if token[0].isdigit() or token[-1] in "'\"":
        return random.choice(LITERALS)
    return random.choice([other for other in tokens if re.match(r"\w", other)] or LITERALS)
