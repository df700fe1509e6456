"""Rows that are values: both engines have the same columns, or both reject the query."""

import re
from typing import Any

import pytest

from tests.warehouse.googlesql.compare import Outcome
from tests.warehouse.googlesql.elements import queries
from tests.warehouse.googlesql.sweeps import SEED, Pair, agree, sized, verdict


def test_queries_are_others_with_another_seed() -> None:
    found = list(queries(1, 50))
    assert found == list(queries(1, 50))
    assert found != list(queries(2, 50))


HIDDEN = re.compile("GoogleSQL rejects it: .*(?:Unrecognized name|not found in input table)")
"""What GoogleSQL says of a column that has had its table's name, once |> AS has given the table another one."""


def judge(sql: str, pair: Pair) -> Outcome:
    found = verdict(sql, pair)
    return Outcome("both reject") if "|> AS" in sql and HIDDEN.match(found.detail) else found


@pytest.mark.slow
def test_rows_that_are_values_have_the_columns_that_they_have_in_googlesql(pair: Any) -> None:
    agree(queries(SEED, sized(5_000)), judge, pair)
