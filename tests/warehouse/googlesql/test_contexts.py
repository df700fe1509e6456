"""Each expression of the shapes in a clause that was picked at random: Google's answer, or a refusal."""

from typing import Any

import pytest

from tests.warehouse.googlesql.contexts import CLAUSES, in_clauses, is_single
from tests.warehouse.googlesql.shapes import shapes
from tests.warehouse.googlesql.sweeps import REFUSED_EARLY, fails_late, verdict


def test_each_clause_has_a_place_for_an_expression() -> None:
    assert all("EXPR" in clause for clause in CLAUSES)


@pytest.mark.parametrize("text", ["1, 2", "1 AS a", "RAND() > 2", "COUNT(*) FROM d.one"])
def test_what_is_no_single_expression_is_left_out(text: str) -> None:
    assert not is_single(text)
    assert is_single(f"F({text})") == ("RAND" not in text)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_an_expression_has_googlesql_s_answer_in_each_clause(seed: int, pair: Any) -> None:
    found = []
    for shape, sql in in_clauses(shapes(), seed):
        outcome = verdict(sql, pair)
        is_late = outcome.detail.startswith(REFUSED_EARLY) and fails_late(shape.sql, pair[0])
        if outcome.kind == "different" and not is_late:
            found.append(f"{sql}\n{outcome.detail}")
    assert not found, "\n".join(found)
