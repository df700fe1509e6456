"""Every shape of shapes.txt in both engines: the same answer, a refusal, or rejected by both."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.warehouse.googlesql.page import KINDS, PAGE, page
from tests.warehouse.googlesql.shapes import shapes
from tests.warehouse.googlesql.together import compare_all

SHAPES = shapes()
SIZE = 50  # a test for each shape would cost more than the shapes


@pytest.mark.parametrize("start", range(0, len(SHAPES), SIZE), ids=lambda start: f"{SHAPES[start].topic}-{start}")
def test_no_answer_differs_in_silence(start: int, pair: Any, record_property: Callable[[str, object], None]) -> None:
    found = SHAPES[start : start + SIZE]
    outcomes = compare_all(found, *pair)
    record_property("outcomes", [outcome.kind for outcome in outcomes])
    differing = [
        f"{shape.sql}\n{outcome.detail}"
        for shape, outcome in zip(found, outcomes, strict=True)
        if outcome.kind == "different"
    ]
    assert not differing, "\n".join(differing)


def test_there_are_enough_shapes_and_each_is_there_once() -> None:
    texts = [shape.text for shape in SHAPES]
    assert len(texts) >= 300
    assert len(set(texts)) == len(texts)


def test_at_most_a_tenth_of_what_is_accepted_is_refused() -> None:
    """As the page counts them, which the next test holds to the shapes."""
    [counts] = re.findall(r"^\| \*\*all\*\* \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    kinds = dict(zip(KINDS, map(int, counts.split(" | ")), strict=True))
    accepted = sum(kinds.values()) - kinds["wrong"]
    assert kinds["not yet"] + kinds["only BigQuery"] <= accepted / 10


def test_the_page_says_what_the_shapes_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.warehouse.googlesql.page`"


def test_no_shape_is_refused_as_a_bug_of_this_tool() -> None:
    refused = PAGE.read_text(encoding="utf-8").partition("## What is refused")[2]
    assert refused
    assert "this is a bug of this tool" not in refused
