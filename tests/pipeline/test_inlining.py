"""Given rows written into a query."""

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_refresh.pipeline.testing.inlining import inlined
from warehouse_refresh.warehouse import Given, Scratch, scratches
from warehouse_refresh.warehouse.errors import UnsupportedSql
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import INT64, STRING, Column, parse_type

TABLE = TableName("raw", "t")
VALUES: list[tuple[str, Any]] = [
    ("INT64", -(2**63)),
    ("FLOAT64", 0.1),
    ("FLOAT64", math.inf),
    ("NUMERIC", Decimal("-12.5")),
    ("BIGNUMERIC", Decimal("0.00000000000000000000000000000000000001")),
    ("BOOL", False),
    ("STRING", 'it\'s "a" \\ line\nbreak \t🍌 -- /* {{'),
    ("BYTES", b"\x00'\\\xff"),
    ("DATE", date(1, 1, 1)),
    ("TIME", time(23, 59, 59, 999999)),
    ("DATETIME", datetime(2026, 1, 31, 12)),  # noqa: DTZ001 (DATETIME has no zone)
    ("TIMESTAMP", datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC)),
    ("JSON", '{"a":[1,null]}'),
    ("ARRAY<STRING>", ["a", "b'"]),
    ("ARRAY<INT64>", []),
    ("STRUCT<a INT64, b ARRAY<STRUCT<c STRING>>>", {"a": 1, "b": [{"c": "x"}, {"c": None}]}),
    ("NUMERIC(10, 2)", Decimal("1.25")),
    *((kind, None) for kind in ("INT64", "STRING", "DATE", "JSON", "STRUCT<a INT64>")),
]


@pytest.fixture(scope="module")
def scratch() -> Any:
    made = scratches()()
    yield made
    made.close()


@pytest.mark.parametrize("other", [(), (Column("other", INT64),)], ids=["one column", "two columns"])
@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_a_value_of_each_type_is_the_same(scratch: Scratch, kind: str, value: Any, other: tuple[Column, ...]) -> None:
    rows = Given((Column("x", parse_type(kind)), *other), [{"x": value}])
    query = inlined(parse_query("SELECT x FROM `raw.t`"), {TABLE: rows})
    assert query.reads == ()
    assert [row[0] for row in scratch.answer(query, {}).rows] == [value]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_any_text_is_the_same(text: str) -> None:
    made = scratches()()
    query = inlined(parse_query("SELECT x FROM raw.t"), {TABLE: Given((Column("x", STRING),), [{"x": text}])})
    assert made.answer(query, {}).rows == [(text,)]
    made.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT t.x FROM raw.t",
        "SELECT a.x FROM `raw`.`t` AS a JOIN raw.t b ON a.x = b.x",
        "WITH t AS (SELECT * FROM raw.t) SELECT x FROM t",
        "SELECT x FROM (\n  SELECT * FROM `raw.t`\n)\n-- raw.t\n",
    ],
)
def test_tables_are_replaced_wherever_they_stand(scratch: Scratch, sql: str) -> None:
    query = inlined(parse_query(sql), {TABLE: Given((Column("x", INT64),), [{"x": 7}])})
    assert scratch.answer(query, {}).rows == [(7,)]
    assert query.text.count("\n") == sql.count("\n")


def test_a_wildcard_table_is_refused() -> None:
    query = parse_query("SELECT x FROM `raw.t*`").matched([TABLE])
    with pytest.raises(UnsupportedSql, match="wildcard"):
        inlined(query, {TABLE: Given((Column("x", INT64),))})
