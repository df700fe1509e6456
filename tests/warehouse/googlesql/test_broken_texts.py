"""Any text at all is planned, or refused with its place; nothing else is raised."""

import re
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.warehouse.googlesql.shapes import shapes
from warehouse_refresh.warehouse import Planner, offline_planner
from warehouse_refresh.warehouse.errors import SqlError, TranslationFault
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import Column, parse_type

SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
QUERIES = [shape.sql for shape in shapes()]
TOKEN = re.compile(
    r"""\s+|[rbRB]{0,2}'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|\w+|\|>|\|\||<<|>>|<=|>=|!=|<>|.""", re.DOTALL
)
WORDS = "SELECT FROM WHERE OVER WITH AS NULL CASE END UNNEST STRUCT ARRAY CAST INTERVAL DAY OFFSET EXCEPT IN NOT"
SIGNS = "( ) [ ] { } , . .. ; : :: |> | || < > = => @ ? $ % * # */ ' ` \\ ’ é 😀"
PIECES = [
    *WORDS.split(),
    *SIGNS.split(),
    *("GROUP BY", "ORDER BY", "UNION ALL", "QUALIFY", "PIVOT", "DECLARE", "'a'", '"b"', "0x", "1e", "1.", "--", "/*"),
    *('"', "\n", "\0", "\ufeff", "\u200b"),
]
TABLES = {
    "numbers": "id INT64, i INT64, f FLOAT64, n NUMERIC, b BOOL, k STRING",
    "texts": "id INT64, s STRING, t STRING, raw BYTES",
    "times": "id INT64, d DATE, t TIME, dt DATETIME, ts TIMESTAMP",
    "orders": "id INT64, customer_id INT64, day DATE, amount NUMERIC, status STRING, tags ARRAY<STRING>",
    "customers": "id INT64, name STRING, city STRING",
    "one": "x INT64",
}


def columns(kinds: str) -> tuple[Column, ...]:
    return tuple(Column(name, parse_type(kind)) for name, kind in (pair.split(" ") for pair in kinds.split(", ")))


COLUMNS = {TableName("d", name): columns(kinds) for name, kinds in TABLES.items()}


@pytest.fixture(scope="module")
def planner() -> Planner:
    return offline_planner()


def refusal(text: str, planner: Planner) -> SqlError | None:
    """Why the text is refused; None if it is planned."""
    try:
        found = parse_definition(text)
        planner.plan(parse_query(found.query_text, preamble=found.preamble), COLUMNS)
    except SqlError as error:
        return error
    return None


def check(text: str, planner: Planner) -> None:
    error = refusal(text, planner)
    assert not isinstance(error, TranslationFault), text
    assert error is None or error.place is not None or error.reason == "the script is empty", text


def changed(query: str, random: Random) -> str:
    """The query with some of its tokens left out, doubled, exchanged, or with others between them."""
    tokens: list[str] = TOKEN.findall(query)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        at, other = random.randrange(len(tokens)), random.randrange(len(tokens))
        match random.randrange(4):
            case 0 if len(tokens) > 1:
                del tokens[at]
            case 1:
                tokens.insert(at, f"{tokens[at]} ")
            case 2:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case _:
                tokens.insert(at, f" {random.choice(PIECES)} ")
    return "".join(tokens)


def any_text() -> st.SearchStrategy[str]:
    """Bytes as a file may hold them, pieces of SQL in any order, and queries that were changed."""
    return st.one_of(
        st.binary(max_size=80).map(lambda data: data.decode("utf-8", "replace")),
        st.text(max_size=60),
        st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join),
        *[st.builds(changed, st.sampled_from(QUERIES), st.randoms(use_true_random=False))] * 5,
    )


@settings(SETTINGS, max_examples=200)
@given(text=any_text())
def test_any_text_is_planned_or_refused_with_its_place(text: str, planner: Planner) -> None:
    check(text, planner)


@pytest.mark.slow
@settings(SETTINGS, max_examples=20_000, derandomize=False)
@given(text=any_text())
def test_many_texts_are_planned_or_refused_with_their_place(text: str, planner: Planner) -> None:
    check(text, planner)
