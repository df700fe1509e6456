"""flows.patches.task_events: what reaches Prefect's server of the events that this process emits."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest
from prefect.events import Event, Resource, utilities
from prefect.events.clients import EventsClient
from prefect.events.worker import EventsWorker

from tests.operation.installation import wait_for
from warehouse_refresh.flows.patches import send_events_in_batches
from warehouse_refresh.flows.patches.task_events import EventsInBatches

SENT: list[Event] = []


class Client(EventsClient):
    """In a server's place: keeps what it is handed, and refuses what is named so."""

    async def _emit(self, event: Event) -> None:
        if event.event == "refused":
            raise ValueError(event.event)
        SENT.append(event)


@pytest.fixture
def worker(prefect_api: str) -> Iterator[EventsInBatches]:  # noqa: ARG001 (a worker asks it what an event is about)
    SENT.clear()
    found = EventsInBatches.instance(Client)
    yield found
    found.drain()


def event(name: str, follows: UUID | None = None, of: str = "a.table") -> Event:
    resource = Resource({"prefect.resource.id": of})
    return Event.model_validate(
        {"event": name, "resource": resource, "occurred": datetime.now(UTC), "follows": follows}
    )


def sent(count: int) -> list[Event]:
    """What the client was handed, when it is `count` events."""
    return wait_for(lambda: SENT if len(SENT) >= count else None)


def test_a_refresh_emits_its_events_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utilities, "EventsWorker", EventsWorker)
    send_events_in_batches()
    assert utilities.EventsWorker is EventsInBatches  # type: ignore[attr-defined]


def test_events_are_sent_in_their_order_each_once(worker: EventsInBatches) -> None:
    emitted = [event(f"number {number}") for number in range(500)]
    for each in emitted:
        worker.send(each)
    assert [each.id for each in sent(500)] == [each.id for each in emitted]


def test_that_a_task_run_is_pending_is_left_out_and_nothing_waits_for_it(worker: EventsInBatches) -> None:
    pending = event("prefect.task-run.Pending")
    running = event("prefect.task-run.Running", follows=pending.id)
    completed = event("prefect.task-run.Completed", follows=running.id)
    for each in (pending, running, completed):
        worker.send(each)
    assert [(each.event, each.follows) for each in sent(2)] == [
        ("prefect.task-run.Running", None),
        ("prefect.task-run.Completed", running.id),
    ]


def test_a_task_run_that_is_not_ready_is_told(worker: EventsInBatches) -> None:
    pending = event("prefect.task-run.Pending")
    for each in (pending, event("prefect.task-run.NotReady", follows=pending.id)):
        worker.send(each)
    assert [(each.event, each.follows) for each in sent(1)] == [("prefect.task-run.NotReady", None)]


def test_each_state_is_told_as_long_as_few_tables_are_built(worker: EventsInBatches) -> None:
    running = event("prefect.task-run.Running")
    completed = event("prefect.task-run.Completed", follows=running.id)
    for each in (running, completed):
        worker.send(each)
    assert [each.id for each in sent(2)] == [running.id, completed.id]


def test_of_many_tables_a_second_each_one_s_last_state_is_told(
    worker: EventsInBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse_refresh.flows.patches.task_events._GATHERED_SECONDS", 2)
    monkeypatch.setattr(worker, "_is_busy", lambda: True)
    last = []
    for number in range(32):
        running = event("prefect.task-run.Running", of=f"table {number}")
        last.append(event("prefect.task-run.Completed", follows=running.id, of=f"table {number}"))
        worker.send(running)
        worker.send(last[-1])
    last.append(event("prefect.task-run.Running", of="table 32"))
    worker.send(last[-1])
    told = sent(33)
    assert [each.id for each in told] == [each.id for each in last]
    assert all(each.follows is None for each in told)


def test_many_tables_a_second_are_64_events_and_more(worker: EventsInBatches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse_refresh.flows.patches.task_events.time", SimpleNamespace(monotonic=lambda: 0.0))
    for number in range(63):
        worker.send(event(f"number {number}"))
    sent(63)
    assert not worker._is_busy()
    worker.send(event("number 64"))
    wait_for(worker._is_busy)


def test_no_event_but_a_task_run_s_is_left_out(worker: EventsInBatches) -> None:
    for _ in range(200):
        worker.send(event("prefect.flow-run.heartbeat", of="a.run"))
    assert len(sent(200)) == 200


def test_an_event_that_cannot_be_sent_is_logged_and_keeps_none_back(
    worker: EventsInBatches, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("before", "refused", "after"):
        worker.send(event(name))
    assert [each.event for each in sent(2)] == ["before", "after"]
    assert "the event refused could not be sent" in caplog.text


def test_what_is_queued_is_sent_before_the_end(worker: EventsInBatches) -> None:
    for number in range(100):
        worker.send(event(f"number {number}"))
    worker.drain()
    assert len(SENT) == 100
    with pytest.raises(RuntimeError, match="stopped"):
        worker.send(event("late"))
