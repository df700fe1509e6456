"""Every function with random arguments of its types, at their ends too: Google's answer, or a refusal."""

import re
from typing import Any

import pytest

from tests.warehouse.googlesql.calls import queries, read, with_nulls
from tests.warehouse.googlesql.compare import Outcome, compare
from tests.warehouse.googlesql.sweeps import SEED, Pair, agree, sized, verdict

ROUGH = re.compile(
    r"SELECT (?:SAFE\.)?(?:A?(?:COS|SIN|TAN)H?|ATAN2|CBRT|EXP|LN|LOG|LOG10|POW|CO[TS]H?|[CS][SE]CH?|SQRT)\("
)
"""The functions whose last digit is anybody's."""


def test_calls_have_arguments() -> None:
    kinds, calls = read()
    assert {kind for call in calls for kind in re.findall(r"\{(\w)\}", call)} <= set(kinds)


def lazy(sql: str, pair: Pair) -> Outcome:
    """`verdict`, but of exact numbers to the last digit. Beside NULL GoogleSQL need not compute what fails."""
    found = compare(sql, *pair, rough=ROUGH.match(sql) is not None)
    is_lazy = "GoogleSQL rejects it" in found.detail and "None" in found.detail
    return Outcome("both reject") if is_lazy else found


@pytest.mark.slow
def test_random_calls_have_googlesql_s_answer(pair: Any) -> None:
    agree(queries(SEED, sized(6)), lazy, pair)


@pytest.mark.slow
def test_calls_with_null_have_googlesql_s_answer(pair: Any) -> None:
    agree(with_nulls(), verdict, pair)
