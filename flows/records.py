"""What Prefect's server has on record of the flow run that is under way."""

from collections.abc import Iterator
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.runtime import flow_run

from warehouse.names import TableName

_PAGE = 200


def completed_tables() -> set[TableName]:
    """The tables that earlier attempts of this flow run have built; none in its first attempt.

    Prefect's records tell, not results kept in files: the next attempt may run on another machine.
    """
    if (flow_run.run_count or 1) <= 1:
        return set()
    return {TableName.parse(task_run.name) for task_run in _completed_task_runs(UUID(str(flow_run.id)))}


def _completed_task_runs(flow_run_id: UUID) -> Iterator[TaskRun]:
    with get_client(sync_client=True) as client:
        offset = 0
        while page := client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])),
            task_run_filter=TaskRunFilter(
                state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.COMPLETED]))
            ),
            limit=_PAGE,
            offset=offset,
        ):
            yield from page
            offset += len(page)
