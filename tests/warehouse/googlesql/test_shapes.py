"""Every shape of shapes.txt in both engines: the same answer, a refusal, or rejected by both."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.warehouse.googlesql.compare import compare
from tests.warehouse.googlesql.page import KINDS, PAGE, page
from tests.warehouse.googlesql.shapes import Shape, shapes

SHAPES = shapes()


@pytest.mark.parametrize("shape", SHAPES, ids=[f"{shape.topic}-{i}" for i, shape in enumerate(SHAPES)])
def test_no_answer_differs_in_silence(shape: Shape, pair: Any, record_property: Callable[[str, object], None]) -> None:
    outcome = compare(shape.sql, *pair, rough=shape.rough)
    record_property("outcome", outcome.kind)
    assert outcome.kind != "different", f"{shape.sql}\n{outcome.detail}"


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
