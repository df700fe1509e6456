"""Values of all types wherever they may be coerced: both engines take them and give the same type, or both do not."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.warehouse.googlesql.kinds import COLUMNS, PLACES, VALUES, pairs, slips, unions
from tests.warehouse.googlesql.sweeps import SEED, agree, sized, typed


def test_each_value_has_a_type(pair: Any) -> None:
    found = [typed(f"SELECT {value} AS o FROM {COLUMNS}", pair) for value in VALUES]
    assert {outcome.kind for outcome in found} <= {"same", "both reject"}
    assert all("A" in place for place in PLACES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("queries", "count"), [(pairs, 6_000), (unions, 1_500), (slips, 3)], ids=["pairs", "unions", "slips"]
)
def test_a_value_is_coerced_where_googlesql_does_it(
    queries: Callable[[int, int], Iterator[str]], count: int, pair: Any
) -> None:
    agree(queries(SEED, sized(count)), typed, pair)
