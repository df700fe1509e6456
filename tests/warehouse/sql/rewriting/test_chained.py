"""Chained calls are read as the calls within calls that they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot.dialects.bigquery import BigQuery

from warehouse_refresh.warehouse.sql.calls import calls_in
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.sql.rewriting.chained import unchained

VALUES = (
    "(a)",
    "'a'",
    "[1, 2]",
    "ARRAY<INT64>[1]",
    "(SELECT 1)",
    "a[0]",
    "t.a[0]",
    "F(a)",
    "d.F(a, (b))",
    "(a).b",
    "(a).b[0]",
    "f(a)[0].b",
    "DATE '2024-01-31'",
)
"""What may stand before the first dot."""
calls = st.tuples(
    st.sampled_from(["UPPER", "IF", "REPLACE", "SAFE.SQRT", "NET.HOST"]),
    st.lists(st.sampled_from(["1", "b.c", "(2)", "[a[0]]", "(c).LOWER()"]), max_size=2),
)


def texts(sql: str) -> list[str]:
    return [token.text for token in unchained(BigQuery().tokenize(sql))]


@given(
    st.sampled_from(VALUES), st.lists(calls, max_size=4), st.sampled_from(["", "1 + ", "x IN UNNEST(y) OR ", "NOT "])
)
def test_a_chain_is_read_as_calls_within_calls(value: str, chain: list[tuple[str, list[str]]], before: str) -> None:
    chained = nested = value
    for name, arguments in chain:
        written = name if "." not in name else f"({name})"
        chained += f".{written}({', '.join(arguments)})"
        inner = [argument.replace("(c).LOWER()", "LOWER((c))") for argument in arguments]
        nested = f"{name}({', '.join([nested, *inner])})"
    assert texts(f"SELECT {before}{chained} + 1") == texts(f"SELECT {before}{nested} + 1")


@pytest.mark.parametrize(
    ("chained", "nested"),
    [
        ("(a).COUNT(DISTINCT)", "COUNT(DISTINCT (a))"),
        ("(a).ARRAY_AGG(ORDER BY b LIMIT 1)", "ARRAY_AGG((a) ORDER BY b LIMIT 1)"),
        ("(a).LAST_VALUE(IGNORE NULLS) OVER (w)", "LAST_VALUE((a) IGNORE NULLS) OVER (w)"),
        ("a IN ('b').UPPER()", "a IN UPPER(('b'))"),
        ("'a' 'b'.UPPER()", "UPPER('a' 'b')"),
    ],
)
def test_modifiers_come_after_the_value(chained: str, nested: str) -> None:
    assert texts(f"SELECT {chained}") == texts(f"SELECT {nested}")


@pytest.mark.parametrize(
    "sql", ["SELECT d.f(a)", "SELECT (a).b", "SELECT (a).CAST(b)", "SELECT @p.f(1)", "SELECT (a).(b)"]
)
def test_what_is_no_chained_call_is_left_alone(sql: str) -> None:
    assert texts(sql) == [token.text for token in BigQuery().tokenize(sql)]


def test_the_tables_of_a_chained_call_are_read_and_its_function_is_no_dataset_s() -> None:
    query = parse_query("SELECT ((SELECT a FROM raw.t)).COALESCE((SELECT b FROM raw.u)) AS c")
    assert [str(read.table) for read in query.reads] == ["raw.t", "raw.u"]
    assert calls_in(query.text) == ()


def test_a_function_of_a_dataset_is_called_by_its_path_in_parentheses() -> None:
    text = "SELECT (a).(d.f)(1).UPPER() AS c"
    [call] = calls_in(text)
    assert (str(call.name), text[call.start : call.end]) == ("d.f", "d.f")


def test_tokens_keep_their_places() -> None:
    sql = "SELECT (a).REPLACE('b', 'c')"
    assert all(
        sql[token.start : token.end + 1].strip("'") == token.text
        for token in unchained(BigQuery().tokenize(sql))
        if token.text != ","
    )
