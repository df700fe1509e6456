"""Send heartbeats of a flow run. The automations of flows/stale_runs.py end runs that send none.

Prefect can send them too. But a run would wait at its end for a thread that sleeps a second at a time, and nobody would
look at what has become of the run on the server meanwhile.
"""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound, PrefectException, TerminationSignal
from prefect.states import Running

from warehouse_refresh.flows.local.settings import other_settings
from warehouse_refresh.flows.open_tasks import end_tasks_left_open
from warehouse_refresh.flows.records import this_flow_run
from warehouse_refresh.flows.stale_runs import HEARTBEAT
from warehouse_refresh.flows.surplus import cover_surplus
from warehouse_refresh.pipeline.contract import LOST, SECONDS_BETWEEN_HEARTBEATS, SILENT

LAST_WORDS_SECONDS = 10.0
logger = logging.getLogger(__name__)


class RunCancelled(Exception):
    """Somebody has cancelled the run in Prefect, and it has stopped."""


@contextmanager
def heartbeats() -> Iterator[None]:
    """Send a heartbeat to Prefect's server at once and every 10 s, until the block ends.

    If the server has marked the run as dead, set it to Running again. If somebody deleted the run or put it into a
    last state, stop it as SIGTERM does: nobody could cancel it any more. A run that no worker started also stops when
    somebody cancels it: raises RunCancelled. A deployment's run also ends the open task runs of killed runs, and
    surplus runs that wait.
    """
    run = this_flow_run()
    over = threading.Event()
    thread = threading.Thread(target=copy_context().run, args=[_beat, run, over], name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    except TerminationSignal:
        if is_cancelling(run):
            raise RunCancelled("the run was cancelled in Prefect") from None
        raise
    finally:
        over.set()
        thread.join(LAST_WORDS_SECONDS)  # what it is about to say of this run or another comes before the run's end


def _beat(run: FlowRun, over: threading.Event) -> None:
    resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name}
    with get_client(sync_client=True) as client:
        while True:
            emit_event(HEARTBEAT, resource)  # Prefect adds the flow, the deployment and the tags, from the context
            try:
                with other_settings(client={"max_retries": 0}):
                    say_alive(client, run, over)
                    if run.deployment_id:
                        cover_surplus(client, run.deployment_id)
                        end_tasks_left_open(client, run.deployment_id)
            except (httpx.HTTPError, PrefectException) as error:  # the server is away: it is asked again
                logger.debug("Prefect's server could not be asked: %s", error)
            except Exception:
                logger.exception("what Prefect's server has on record could not be looked at")
            if over.wait(SECONDS_BETWEEN_HEARTBEATS):
                return


def say_alive(client: SyncPrefectClient, run: FlowRun, over: threading.Event) -> None:
    """Correct the run's state on the server, since the run is alive; or stop the run, if it was ended there."""
    try:
        state = client.read_flow_run(run.id).state
    except ObjectNotFound:
        state = None
    if over.is_set():
        return  # the run is ending by itself
    if state is not None and (state.name in (SILENT, LOST) or state.is_scheduled() or state.is_pending()):
        client.set_flow_run_state(run.id, Running(message="it is alive: it was only not heard of"), force=True)
    elif state is None or state.is_final():
        logger.warning("the run was %s: it stops", "deleted" if state is None else f"set to {state.name}")
        os.kill(os.getpid(), signal.SIGTERM)
    elif state.is_cancelling() and not run.deployment_id:  # a deployment's run is ended by its worker
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        client.update_flow_run(run.id)  # changes nothing but when it was last updated: what the API goes by


def is_cancelling(run: FlowRun) -> bool:
    """Whether somebody has asked Prefect's server to cancel the run; False if the server does not answer."""
    try:
        with other_settings(client={"max_retries": 0}), get_client(sync_client=True) as client:
            state = client.read_flow_run(run.id).state
    except (httpx.HTTPError, PrefectException):
        return False
    return state is not None and state.is_cancelling()
