"""Names that hide each other: both engines take a name for the same thing, or both reject the query."""

from typing import Any

import pytest

from tests.warehouse.googlesql.scopes import LONGEST, queries
from tests.warehouse.googlesql.sweeps import SEED, agree, sized, verdict


def test_queries_are_others_with_another_seed() -> None:
    found = list(queries(1, 50))
    assert found == list(queries(1, 50))
    assert found != list(queries(2, 50))
    assert max(map(len, found)) <= LONGEST + len("SELECT * FROM ()")


@pytest.mark.slow
def test_a_name_means_what_it_means_in_googlesql(pair: Any) -> None:
    agree(queries(SEED, sized(8_000)), verdict, pair)
