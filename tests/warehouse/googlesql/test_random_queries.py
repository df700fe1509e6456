"""Random queries over random tables: the reference engine's answer, or a refusal."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.googlesql.compare import compare
from tests.warehouse.googlesql.engine import Engine
from tests.warehouse.googlesql.random_queries import statements
from tests.warehouse.googlesql.random_tables import tables
from tests.warehouse.googlesql.test_properties import SETTINGS


@pytest.fixture(scope="session")
def random_pair(pair: Any) -> Any:
    """Both engines over random tables, and the columns of these."""
    from tests.warehouse.googlesql.oracle import Oracle

    del pair  # it says so where Google's engine is missing
    made = []

    @settings(SETTINGS, max_examples=2)
    @given(tables())
    def make(found: Any) -> None:
        made.append(found)

    make()
    oracle = Oracle()
    answers = oracle.load(made[-1])
    schema = {str(name): [column.name for column in answer.columns] for name, answer in answers.items()}
    return oracle, Engine(answers), schema


NOT_JUDGED = ("Cannot construct array Value larger than", "Unimplemented feature")
"""Errors of the reference engine: a value of more than 1 MB, and a part of a plan that it does not know."""


def check(sql: str, random_pair: Any) -> None:
    """The answers are the same, unless the reference engine has no room for one of its own, or cannot run the query."""
    outcome = compare(sql, *random_pair[:2])
    is_judged = not any(reason in outcome.detail for reason in NOT_JUDGED)
    assert outcome.kind != "different" or not is_judged, f"{sql}\n{outcome.detail}"


@settings(SETTINGS, max_examples=40)
@given(data=st.data())
def test_random_queries_have_googlesql_s_answer(data: st.DataObject, random_pair: Any) -> None:
    check(data.draw(statements(random_pair[2], size=1)), random_pair)


@pytest.mark.slow
@settings(SETTINGS, max_examples=2500, derandomize=False)
@given(data=st.data())
def test_many_random_queries_have_googlesql_s_answer(data: st.DataObject, random_pair: Any) -> None:
    check(data.draw(statements(random_pair[2], size=2)), random_pair)
