"""Shapes with one slip: both engines take them and agree, or both reject them, or ours says that it cannot."""

from random import Random
from typing import Any

import pytest

from tests.warehouse.googlesql.mutations import TOKEN, mutant, mutants
from tests.warehouse.googlesql.shapes import shapes
from tests.warehouse.googlesql.sweeps import SEED, agree, determined, sized


def test_tokens_are_the_whole_text() -> None:
    assert all("".join(TOKEN.findall(shape.sql)) == shape.sql for shape in shapes())


def test_a_slip_changes_a_query() -> None:
    query = "SELECT id, COUNT(*) AS n FROM d.numbers WHERE i > 1 GROUP BY id"
    found = {mutant(query, Random(seed)) for seed in range(50)}
    assert len(found) > 30
    assert query not in found


@pytest.mark.slow
def test_a_slip_is_rejected_where_googlesql_rejects_it(pair: Any) -> None:
    agree(mutants(shapes(), SEED, sized(8_000)), determined, pair)
