"""Functions of a script's own: a call has the answer of what it stands for, or is refused."""

from typing import Any

import pytest

from tests.warehouse.googlesql.compare import asked, outcome, tried
from tests.warehouse.googlesql.own_functions import scripts
from tests.warehouse.googlesql.sweeps import SEED, Pair, sized


@pytest.mark.slow
def test_many_functions_have_the_answers_of_what_they_stand_for(pair: Any) -> None:
    check(SEED, sized(1500), pair)


def test_functions_have_the_answers_of_what_they_stand_for(pair: Any) -> None:
    check(1, 30, pair)


def check(seed: int, count: int, pair: Pair) -> None:
    oracle, engine = pair
    outcomes = [
        (script, outcome(query, asked(query, oracle), tried(script, engine), rough=True))
        for script, query in scripts(seed, count)
    ]
    different = [f"{script}\n{found.detail}" for script, found in outcomes if found.kind == "different"]
    assert not different, "\n\n".join(different)
    assert sum(found.kind == "same" for _, found in outcomes) > count / 2
