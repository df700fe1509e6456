"""Telling people of a failed run."""

import logging
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect import flow
from prefect.client.schemas.objects import FlowRun
from prefect.states import Failed

from warehouse_refresh.flows import notify
from warehouse_refresh.flows.notify import message, post_failure

RUN = FlowRun(id=uuid4(), flow_id=uuid4(), name="eager-toad")


@flow
def some_flow() -> None:
    """A flow to hand to the hook."""


def test_the_message_has_the_failed_tables_and_the_address() -> None:
    rows: list[dict[str, Any]] = [
        {"table": "tmp.a", "state": "built", "error": None},
        {"table": "tmp.b", "state": "failed", "error": "wrong"},
        {"table": "tmp.c", "state": "not run", "error": "waits for tmp.b"},
        {"table": "tmp.d", "state": "blocked", "error": "3 rows"},
    ]
    told = message(RUN, Failed(message="1 of 3 tables built"), "http://prefect/run", rows)
    assert told["text"] == "refresh eager-toad: Failed\n1 of 3 tables built\nhttp://prefect/run"
    assert told["failed"] == [{"table": "tmp.b", "reason": "wrong"}]
    assert told["blocked"] == [{"table": "tmp.d", "reason": "3 rows"}]
    assert told["not_run"] == [{"table": "tmp.c", "reason": "waits for tmp.b"}]
    assert told["run"] == {"id": str(RUN.id), "name": "eager-toad", "state": "Failed", "url": "http://prefect/run"}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The statuses that the webhook answers with, one after the other; those used are taken away."""
    statuses: list[int] = []

    def post(url: str, **_: object) -> httpx.Response:
        return httpx.Response(statuses.pop(0), request=httpx.Request("POST", url))

    monkeypatch.setenv("REFRESH_WEBHOOK_URL", "http://hook.test/a-secret")
    monkeypatch.setattr(httpx, "post", post)
    monkeypatch.setattr(notify, "_rows", lambda _run, _state: [])
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    return statuses


def test_a_webhook_that_is_down_for_a_moment_is_asked_again(answers: list[int]) -> None:
    answers += [503, 429, 200]
    post_failure(some_flow, RUN, Failed())
    assert answers == []


def test_a_webhook_that_refuses_is_asked_once_and_its_address_is_not_logged(
    answers: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    answers += [404, 200]
    with caplog.at_level(logging.ERROR):
        post_failure(some_flow, RUN, Failed())
    assert answers == [200]
    assert "a-secret" not in caplog.text


def test_without_a_webhook_nothing_is_posted(answers: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REFRESH_WEBHOOK_URL")
    answers += [200]
    post_failure(some_flow, RUN, Failed())
    assert answers == [200]
