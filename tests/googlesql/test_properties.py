"""Random expressions over random rows: the reference engine's answer, or a refusal."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.googlesql.compare import compare
from tests.googlesql.expressions import queries

SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],  # no shrinking: each example asks both engines, and the first one says enough
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@settings(SETTINGS, max_examples=80)
@given(sql=queries())
def test_random_expressions_have_googlesql_s_answer(sql: str, pair: Any) -> None:
    outcome = compare(sql, *pair)
    assert outcome.kind != "different", f"{sql}\n{outcome.detail}"


@pytest.mark.slow
@settings(SETTINGS, max_examples=5000, derandomize=False)
@given(sql=queries())
def test_many_random_expressions_have_googlesql_s_answer(sql: str, pair: Any) -> None:
    outcome = compare(sql, *pair)
    assert outcome.kind != "different", f"{sql}\n{outcome.detail}"
