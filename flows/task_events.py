"""How the states of task runs get to Prefect's server: as events, many at a time.

Prefect's own worker has another thread fetch it one event after the other. While eight threads build tables, each of
these turns waits for the interpreter: the server was idle for as long as tables were built, and a refresh of a
thousand then waited four seconds for its record.
"""

from uuid import UUID

from prefect._internal.concurrency.api import create_call
from prefect.events import utilities
from prefect.events.schemas.events import Event
from prefect.events.worker import EventsWorker
from prefect.logging import get_logger

_PENDING = "prefect.task-run.Pending"


class EventsInBatches(EventsWorker):
    """Sends what has come since it looked last. Leaves out that a task run is pending: a table is handed on when a
    worker is free to build it, and the event that follows at once says all that this one does."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type] # it passes them on
        self._left_out: set[UUID] = set()

    def send(self, item: Event) -> None:
        """Queue the event. One that follows what was left out follows nothing: the server would wait for that."""
        if item.event == _PENDING:
            self._left_out.add(item.id)
            return
        if item.follows in self._left_out:
            self._left_out.discard(item.follows)
            item.follows = None
        super().send(item)

    async def _main_loop(self) -> None:
        while True:
            for event in await self._queue_get_thread.submit(create_call(self._waiting)).aresult():  # type: ignore[no-untyped-call]
                if event is None:
                    self._queue.task_done()
                    return
                await self._send_on(event)

    def _waiting(self) -> list[Event | None]:
        """What is queued, once anything is; None at its end."""
        waiting = [self._queue.get()]
        while not self._queue.empty():
            waiting.append(self._queue.get())
        return waiting

    async def _send_on(self, event: Event) -> None:
        try:
            await self._handle(event)
        except Exception:
            get_logger(__name__).exception("the event %s could not be sent", event.event)
        finally:
            self._queue.task_done()


def send_in_batches() -> None:
    """Have this process send its events so, from now on."""
    utilities.EventsWorker = EventsInBatches  # type: ignore[attr-defined, assignment]
