"""Every shape of shapes.txt in both engines: the same answer, a refusal, or rejected by both."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.warehouse.googlesql.known import FAILS, FILE, asked_how, key_of, known, recalled, said_of
from tests.warehouse.googlesql.oracle import Rejected
from tests.warehouse.googlesql.page import KINDS, PAGE, kind_of, page, topic_of, topics, written
from tests.warehouse.googlesql.shapes import by_topic, shapes
from tests.warehouse.googlesql.together import compare_all
from tests.warehouse.googlesql.values import Answer
from warehouse_refresh.warehouse import Planner, offline_planner
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.types import Column, SqlType

SHAPES = shapes()
TOPICS = by_topic()
WRITE = "run `python -m tests.warehouse.googlesql.page`"
PLANNED = 10  # one in so many shapes with the same answer is planned, too; all of them in the slow test


@pytest.fixture(scope="module")
def planner() -> Planner:
    return offline_planner()


@pytest.mark.parametrize("topic", TOPICS)
def test_no_answer_differs_in_silence_and_the_page_says_so(
    topic: str, pair: Any, planner: Planner, record_property: Callable[[str, object], None]
) -> None:
    (oracle, engine), found = pair, TOPICS[topic]
    outcomes = compare_all(found, oracle, engine, known())
    record_property("outcomes", [outcome.kind for outcome in outcomes])
    differing = [
        f"{shape.sql}\n{outcome.detail}"
        for shape, outcome in zip(found, outcomes, strict=True)
        if outcome.kind == "different"
    ]
    assert not differing, "\n".join(differing)
    told = [
        ("same", "") if outcome.kind == "same" and place % PLANNED else kind_of(shape, planner)
        for place, (shape, outcome) in enumerate(zip(found, outcomes, strict=True))
    ]
    assert written()[topic] == topic_of(zip(found, told, strict=True)), WRITE


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


def test_the_page_has_each_topic_and_adds_up() -> None:
    assert list(written()) == list(TOPICS), WRITE
    assert PAGE.read_text(encoding="utf-8") == page(written()), WRITE


def test_what_google_s_engine_said_was_asked_as_it_is_now() -> None:
    assert FILE.read_text(encoding="utf-8").startswith(asked_how()), WRITE


def test_only_what_google_s_engine_said_is_recalled() -> None:
    shape, column = SHAPES[0], Column("x", SqlType("INT64"))
    one, two = (Answer((column,), [(value,)]) for value in (1, 2))
    said = {key_of(shape): said_of(shape, one)}
    assert recalled(shape, one, said) == one
    assert recalled(shape, two, said) is None
    assert recalled(shape, two, {}) is None
    rejected = recalled(shape, SqlError("no"), {key_of(shape): FAILS})
    assert isinstance(rejected, Rejected)
    assert not rejected.analysis


@pytest.mark.slow
def test_the_page_says_what_the_translation_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(topics()), WRITE


@pytest.mark.slow
@pytest.mark.parametrize("topic", TOPICS)
def test_what_google_s_engine_said_it_says_again(topic: str, pair: Any) -> None:
    oracle, engine = pair
    asked, remembered = (compare_all(TOPICS[topic], oracle, engine, said) for said in ({}, known()))
    assert [outcome.kind for outcome in asked] == [outcome.kind for outcome in remembered]


def test_no_shape_is_refused_as_a_bug_of_this_tool() -> None:
    refused = PAGE.read_text(encoding="utf-8").partition("## What is refused")[2]
    assert refused
    assert "this is a bug of this tool" not in refused
