"""Names that hide each other: both engines take a name for the same thing, or both reject the query."""

import re
from typing import Any

import pytest

from tests.warehouse.googlesql.compare import Outcome, asked
from tests.warehouse.googlesql.scopes import LONGEST, queries
from tests.warehouse.googlesql.sweeps import SEED, Pair, agree, sized, verdict


def test_queries_are_others_with_another_seed() -> None:
    found = list(queries(1, 50))
    assert found == list(queries(1, 50))
    assert found != list(queries(2, 50))
    assert max(map(len, found)) <= LONGEST + len("SELECT * FROM ()")


NOT_JUDGED = re.compile(
    "GoogleSQL rejects it: .*(?:RET_CHECK failure|More than one element)|DuckDB fails: .*More than one row"
)
"""A fault of the reference engine's own; and what fails in a subquery that ours need not compute."""


NOT_ASKED = re.compile("DuckDB fails: .*More than one row")
"""DuckDB computes a subquery that reads nothing around it even if no row asks for it."""


def judge(sql: str, pair: Pair) -> Outcome:
    found = verdict(sql, pair)
    is_asked_by_none = NOT_ASKED.match(found.detail) and getattr(asked(sql, pair[0]), "rows", None) == []
    return Outcome("both reject") if is_asked_by_none or NOT_JUDGED.match(found.detail) else found


@pytest.mark.slow
def test_a_name_means_what_it_means_in_googlesql(pair: Any) -> None:
    agree(queries(SEED, sized(8_000)), judge, pair)
