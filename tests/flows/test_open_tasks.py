"""Task runs that a run leaves open which was broken off."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State, StateType
from prefect.states import Completed, Crashed, Pending, Running

from tests.api.prefect_parts import Deployment, deployed
from warehouse_refresh.flows import open_tasks, records
from warehouse_refresh.flows.open_tasks import end_tasks_left_open

LEFT: dict[str, State[None]] = {
    "tmp.running": Running(),
    "tmp.pending": Pending(),
    "tmp.built": Completed(),
    "tmp.not_run": State(type=StateType.PENDING, name="NotReady"),
}


@pytest.fixture
def deployment(prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    monkeypatch.setattr(open_tasks, "_GRACE", timedelta(0))
    with deployed(prefect_server) as it:
        yield it


def with_tasks(deployment: Deployment, state: State[None]) -> dict[str, UUID]:
    """The task runs of a run that is in this state, by table."""
    run = deployment.prefect.create_flow_run_from_deployment(deployment.id)
    made = {}
    for name, of_task in LEFT.items():
        task = {"flow_run_id": str(run.id), "name": name, "task_key": name, "dynamic_key": name}
        made[name] = UUID(deployment.prefect.request("POST", "/task_runs/", json=task).json()["id"])
        deployment.prefect.set_task_run_state(made[name], of_task, force=True)
    deployment.move(str(run.id), state)
    return made


def states(deployment: Deployment, tasks: dict[str, UUID]) -> dict[str, str | None]:
    return {name: deployment.prefect.read_task_run(task).state_name for name, task in tasks.items()}


def test_what_was_open_ends_with_its_run_and_the_rest_stays(deployment: Deployment) -> None:
    broken_off, under_way = with_tasks(deployment, Crashed()), with_tasks(deployment, Running())
    before = states(deployment, under_way)
    end_tasks_left_open(deployment.prefect, deployment.id)
    assert states(deployment, broken_off) == {
        "tmp.running": "Crashed",
        "tmp.pending": "Crashed",
        "tmp.built": "Completed",
        "tmp.not_run": "NotReady",
    }
    assert states(deployment, under_way) == before


def test_all_open_tasks_end_however_many_there_are(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PAGE", 1)
    broken_off = [with_tasks(deployment, Crashed()) for _ in range(2)]
    end_tasks_left_open(deployment.prefect, deployment.id)
    for tasks in broken_off:
        found = states(deployment, tasks)
        assert (found["tmp.running"], found["tmp.pending"]) == ("Crashed", "Crashed")
