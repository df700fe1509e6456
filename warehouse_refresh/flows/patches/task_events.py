"""Send the states of task runs to Prefect's server as events, many at a time. Written for Prefect 3.9.1.

Prefect's own worker gets one event after the other from another thread. While eight threads build tables, each of these
steps waits for the interpreter. So the server was idle while tables were built, and a refresh of a thousand tables then
waited four seconds until its states were recorded.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from uuid import UUID

import prefect._internal.concurrency.api as concurrency
from prefect.events.schemas.events import Event
from prefect.events.worker import EventsWorker
from prefect.logging import get_logger

_TASK_RUN = "prefect.task-run."
_PENDING = "prefect.task-run.Pending"
_MANY = 64
"""With this many events in a second, tables are built faster than the server can record their states."""
_GATHERED_SECONDS = 0.2
_NEEDED = ("_queue", "_queue_get_thread", "_handle", "_context_cache", "_main_loop")
"""The names of Prefect's worker that this module uses. If one is missing, the worker works like Prefect's own."""


class EventsInBatches(EventsWorker):
    """Sends all events that have come since its last look, without states of task runs that are already over.

    It leaves out Pending, since a table is submitted only when a worker is free to build it. When many tables are built
    in a second, it also leaves out Running if the task run has ended within the same fifth of a second. The next state
    has the start time.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type] # it passes them on
        self._is_stock = not (all(hasattr(self, name) for name in _NEEDED) and hasattr(concurrency, "create_call"))
        self._left_out: dict[UUID, UUID | None] = {}
        self._sent: deque[float] = deque(maxlen=_MANY)

    def send(self, item: Event) -> None:
        """Queue the event."""
        if item.event == _PENDING and not self._is_stock:
            self._leave_out(item)
        else:
            super().send(item)

    async def _main_loop(self) -> None:
        if self._is_stock:
            await super()._main_loop()
            return
        is_last = False
        while not is_last:
            events = await self._queue_get_thread.submit(concurrency.create_call(self._queued)).aresult()  # type: ignore[no-untyped-call]
            if self._is_busy():
                await asyncio.sleep(_GATHERED_SECONDS)
                events = self._last_states([*events, *self._more()])
            for event in events:
                is_last = is_last or event is None
                await self._send_on(event)

    def _queued(self) -> list[Event | None]:
        """Wait for an event, and return all queued ones. None among them is the end of the queue."""
        return [self._queue.get(), *self._more()]

    def _more(self) -> list[Event | None]:
        more = []
        while not self._queue.empty():
            more.append(self._queue.get())
        return more

    def _is_busy(self) -> bool:
        return len(self._sent) == _MANY and time.monotonic() - self._sent[0] < 1

    def _last_states(self, events: Sequence[Event | None]) -> list[Event | None]:
        """The events, with only the last state of each task run."""
        last = {event.resource.id: event.id for event in events if event is not None}
        kept: list[Event | None] = []
        for event in events:
            if event is None or not event.event.startswith(_TASK_RUN) or last[event.resource.id] == event.id:
                kept.append(event)
            else:
                self._leave_out(event)
                self._context_cache.pop(event.id, None)
                self._queue.task_done()
        return kept

    def _leave_out(self, event: Event) -> None:
        self._left_out[event.id] = event.follows

    async def _send_on(self, event: Event | None) -> None:
        """Send an event. If it follows an event that was left out, let it follow that one's predecessor: the server
        waits until the event that another one follows has come."""
        try:
            if event is not None:
                while event.follows in self._left_out:
                    event.follows = self._left_out.pop(event.follows)
                await self._handle(event)
                self._sent.append(time.monotonic())
        except Exception:
            get_logger(__name__).exception("the event %s could not be sent", event and event.event)
        finally:
            self._queue.task_done()
