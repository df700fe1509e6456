"""Signs of life of a flow run in a terminal; `stale_runs` is what the server makes of their absence.

Prefect can send them too, and does so in a worker. But then the run waits at its end for a thread that sleeps a second
at a time.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context

from prefect.events import emit_event

from flows.records import this_flow_run
from flows.stale_runs import HEARTBEAT, SECONDS_BETWEEN_HEARTBEATS


@contextmanager
def heartbeats() -> Iterator[None]:
    """Tell Prefect's server at once and every 30 s that the flow run is alive, until the block ends."""
    run = this_flow_run()
    resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name}
    over = threading.Event()

    def beat() -> None:
        emit_event(HEARTBEAT, resource)  # Prefect adds the flow, the deployment and the tags, from the context
        while not over.wait(SECONDS_BETWEEN_HEARTBEATS):
            emit_event(HEARTBEAT, resource)

    threading.Thread(target=copy_context().run, args=[beat], name="heartbeat", daemon=True).start()
    try:
        yield
    finally:
        over.set()
