"""Every function with random arguments of its types, at their ends too: Google's answer, or a refusal."""

import re
from typing import Any

import pytest

from tests.warehouse.googlesql.calls import queries, read
from tests.warehouse.googlesql.compare import compare

ROUGH = re.compile(
    r"SELECT (?:SAFE\.)?(?:A?(?:COS|SIN|TAN)H?|ATAN2|CBRT|EXP|LN|LOG|LOG10|POW|CO[TS]H?|[CS][SE]CH?|SQRT)\("
)
"""The functions whose last digit is anybody's."""
LATE = re.compile(r"Overflow in negation|to_microseconds\(HUGEINT\)")
"""What is not as in Google's engine yet: the smallest INT64 in TIME_SUB."""


def test_calls_have_arguments() -> None:
    kinds, calls = read()
    assert {kind for call in calls for kind in re.findall(r"\{(\w)\}", call)} <= set(kinds)


@pytest.mark.slow
def test_random_calls_have_googlesql_s_answer(pair: Any) -> None:
    found = []
    for sql in queries(seed=1, times=6):
        outcome = compare(sql, *pair, rough=ROUGH.match(sql) is not None)
        is_lazy = "GoogleSQL rejects it" in outcome.detail and "None" in outcome.detail
        if outcome.kind == "different" and not is_lazy and not LATE.search(outcome.detail):
            found.append(f"{sql}\n{outcome.detail}")
    assert not found, "\n".join(found)
