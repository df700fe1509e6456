"""Random expressions over random rows: the reference engine's answer, or a refusal."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.warehouse.googlesql.compare import compare
from tests.warehouse.googlesql.expressions import queries

SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],  # no shrinking: each example asks both engines, and the first one says enough
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def check(sql: str, pair: Any) -> None:
    """The answers are the same. Where one operand is NULL, whether another one that fails is computed at all is not
    promised by GoogleSQL: https://cloud.google.com/bigquery/docs/reference/standard-sql/operators"""
    outcome = compare(sql, *pair)
    skipped = "GoogleSQL rejects it" in outcome.detail and "None" in outcome.detail
    assert outcome.kind != "different" or skipped, f"{sql}\n{outcome.detail}"


@settings(SETTINGS, max_examples=40)
@given(sql=queries())
def test_random_expressions_have_googlesql_s_answer(sql: str, pair: Any) -> None:
    check(sql, pair)


@pytest.mark.slow
@settings(SETTINGS, max_examples=4000, derandomize=False)
@given(sql=queries())
def test_many_random_expressions_have_googlesql_s_answer(sql: str, pair: Any) -> None:
    check(sql, pair)
