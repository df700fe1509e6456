"""End task runs that a killed flow run has left open: its process could not record their last states."""

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.states import Cancelled, Crashed

from warehouse_refresh.flows.records import read_all, server_time

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.objects import State as PrefectState

_OPEN = ["Running", "Retrying", "Pending"]  # not NotReady, which is Pending for good, and of which there may be many
_BROKEN_OFF = [StateType.CRASHED, StateType.CANCELLED]
_RECORDED_WITHIN = 2.0  # seconds; the server stores the states of task runs once a second
_LOOKS = 10
_GRACE = timedelta(minutes=1)  # its worker does it, if that lives


def end_open_tasks(flow: "Flow[..., Any]", flow_run: "FlowRun", state: "PrefectState[Any]") -> None:  # noqa: ARG001 (Prefect names them)
    """Prefect's hook for a run that crashed or was cancelled: end its task runs as it ended, those too that the server
    stores a moment later."""
    with get_client(sync_client=True) as client:
        for _ in range(_LOOKS):
            time.sleep(_RECORDED_WITHIN)
            found = _open(client, filters.FlowRunFilter(id=filters.FlowRunFilterId(any_=[flow_run.id])))
            if not found:
                return
            _end(client, found, is_cancelled=state.is_cancelled())


def end_tasks_left_open(client: SyncPrefectClient, deployment: UUID) -> None:
    """End the task runs of the deployment's runs that were broken off together with their worker."""
    broken_off = filters.FlowRunFilter(
        deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment]),
        state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=_BROKEN_OFF)),
        end_time=filters.FlowRunFilterEndTime.model_validate({"before_": server_time(client) - _GRACE}),
    )
    _end(client, _open(client, broken_off), is_cancelled=False)


def _open(client: SyncPrefectClient, of: filters.FlowRunFilter) -> list[TaskRun]:
    state = filters.TaskRunFilterState(name=filters.TaskRunFilterStateName(any_=_OPEN))
    return read_all(client.read_task_runs, flow_run_filter=of, task_run_filter=filters.TaskRunFilter(state=state))


def _end(client: SyncPrefectClient, task_runs: list[TaskRun], *, is_cancelled: bool) -> None:
    ended = Cancelled if is_cancelled else Crashed
    for task_run in task_runs:
        client.set_task_run_state(task_run.id, ended(message="its flow run was broken off"), force=True)
