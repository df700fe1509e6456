"""Rows that are values: both engines have the same columns, or both reject the query."""

from typing import Any

import pytest

from tests.warehouse.googlesql.elements import queries
from tests.warehouse.googlesql.sweeps import SEED, agree, sized, verdict


def test_queries_are_others_with_another_seed() -> None:
    found = list(queries(1, 50))
    assert found == list(queries(1, 50))
    assert found != list(queries(2, 50))


@pytest.mark.slow
def test_rows_that_are_values_have_the_columns_that_they_have_in_googlesql(pair: Any) -> None:
    agree(queries(SEED, sized(5_000)), verdict, pair)
