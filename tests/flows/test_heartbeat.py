"""A run that lives says so, whatever the server has made of its silence; one that is ended by others stops."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Cancelling, Crashed, Pending, Running, Scheduled

from tests.api.prefect_parts import Deployment, deployed
from warehouse_refresh.flows import heartbeat
from warehouse_refresh.flows.heartbeat import say_alive
from warehouse_refresh.pipeline.contract import LOST, SILENT


@pytest.fixture
def deployment(prefect_server: str) -> Iterator[Deployment]:
    with deployed(prefect_server) as it:
        yield it


@pytest.fixture
def run(deployment: Deployment) -> FlowRun:
    return deployment.prefect.create_flow_run_from_deployment(deployment.id)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The signals that the process sends itself, which would end the tests."""
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _pid, number: sent.append(number))
    return sent


def test_a_run_that_lives_runs_again_whatever_it_was_taken_for(
    deployment: Deployment, run: FlowRun, signals: list[int]
) -> None:
    taken_for: list[State[None]] = [Crashed(name=SILENT), Crashed(name=LOST), Scheduled(), Pending()]
    for state in taken_for:
        deployment.move(str(run.id), state)
        say_alive(deployment.prefect, run, threading.Event())
        assert deployment.run(str(run.id)).state_name == "Running"
    assert signals == []


@pytest.mark.parametrize("state", [Running(), Cancelling()], ids=["running", "cancelling"])
def test_a_run_that_goes_on_or_is_being_cancelled_is_left_alone(
    deployment: Deployment, run: FlowRun, signals: list[int], state: State[None]
) -> None:
    deployment.move(str(run.id), Running())
    deployment.move(str(run.id), state)
    say_alive(deployment.prefect, run, threading.Event())
    assert (deployment.run(str(run.id)).state_name, signals) == (state.name, [])


def test_the_record_of_a_run_that_lives_is_updated(deployment: Deployment, run: FlowRun) -> None:
    deployment.move(str(run.id), Running())
    before = deployment.run(str(run.id)).updated
    say_alive(deployment.prefect, run, threading.Event())
    assert deployment.run(str(run.id)).updated != before


def test_a_run_that_somebody_has_ended_or_deleted_stops(
    deployment: Deployment, run: FlowRun, signals: list[int]
) -> None:
    deployment.move(str(run.id), Cancelled())
    say_alive(deployment.prefect, run, threading.Event())
    deployment.prefect.delete_flow_run(run.id)
    say_alive(deployment.prefect, run, threading.Event())
    assert signals == [signal.SIGTERM, signal.SIGTERM]


def test_a_run_without_a_worker_stops_when_somebody_cancels_it(
    deployment: Deployment, run: FlowRun, signals: list[int]
) -> None:
    deployment.move(str(run.id), Running())
    deployment.move(str(run.id), Cancelling())
    say_alive(deployment.prefect, run.model_copy(update={"deployment_id": None}), threading.Event())
    assert signals == [signal.SIGTERM]


def test_a_run_that_is_ending_by_itself_is_left_alone(deployment: Deployment, run: FlowRun, signals: list[int]) -> None:
    over = threading.Event()
    over.set()
    deployment.move(str(run.id), Cancelled())
    say_alive(deployment.prefect, run, over)
    assert signals == []


def test_what_is_being_said_when_the_run_ends_is_said_before_its_end(
    run: FlowRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said later, it would have the run go on for ever, or leave half of what concerns another run undone."""
    looks, said = threading.Event(), []

    def looks_and_says(client: SyncPrefectClient, run: FlowRun, over: threading.Event) -> None:
        looks.set()
        assert over.wait(60)
        said.append(client.read_flow_run(run.id).id)

    monkeypatch.setattr(heartbeat, "this_flow_run", lambda: run)
    monkeypatch.setattr(heartbeat, "say_alive", looks_and_says)
    with heartbeat.heartbeats():
        assert looks.wait(60)
    assert said == [run.id]
