"""Each expression of the shapes in a clause that was picked at random: Google's answer, or a refusal."""

from typing import Any

import pytest

from tests.warehouse.googlesql.compare import Outcome
from tests.warehouse.googlesql.contexts import CLAUSES, in_clauses, is_single
from tests.warehouse.googlesql.shapes import shapes
from tests.warehouse.googlesql.sweeps import REFUSED_EARLY, SEED, Pair, agree, fails_late, verdict


def test_each_clause_has_a_place_for_an_expression() -> None:
    assert all("EXPR" in clause for clause in CLAUSES)


@pytest.mark.parametrize("text", ["1, 2", "1 AS a", "RAND() > 2", "COUNT(*) FROM d.one"])
def test_what_is_no_single_expression_is_left_out(text: str) -> None:
    assert not is_single(text)
    assert is_single(f"F({text})") == ("RAND" not in text)


@pytest.mark.slow
def test_an_expression_has_googlesql_s_answer_in_each_clause(pair: Any) -> None:
    alone = {sql: shape.sql for shape, sql in in_clauses(shapes(), SEED)}

    def judge(sql: str, pair: Pair) -> Outcome:
        found = verdict(sql, pair)
        is_late = found.detail.startswith(REFUSED_EARLY) and fails_late(alone[sql], pair[0])
        return Outcome("both reject") if is_late else found

    agree(alone, judge, pair)
