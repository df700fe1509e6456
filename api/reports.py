"""What a run did to each table, from Prefect's records: the artifact that the flow leaves, or its task runs."""

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from api.prefect_client import Prefect
from pipeline.contract import ARTIFACT

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import TaskRun

SHOWN = ("table", "state", "rows", "bytes", "seconds", "error")
ROWS = re.compile(r"([0-9]+) rows?\b")
PAGE = 200


async def tables_of(prefect: Prefect, run: UUID) -> list[dict[str, Any]]:
    """One entry per table, sorted by name: table, state, rows, bytes, seconds, error; null where not known."""
    async with prefect.client() as client:
        tables = await _from_artifact(client, run)
        if tables is None:
            tables = [_of_task(task) for task in await _tasks(client, run)]
    return sorted(tables, key=lambda table: str(table["table"]))


async def _from_artifact(client: "PrefectClient", run: UUID) -> list[dict[str, Any]] | None:
    from prefect.client.schemas import filters, sorting

    found = await client.read_artifacts(
        artifact_filter=filters.ArtifactFilter(
            key=filters.ArtifactFilterKey(any_=[ARTIFACT]), flow_run_id=filters.ArtifactFilterFlowRunId(any_=[run])
        ),
        sort=sorting.ArtifactSort.CREATED_DESC,
        limit=1,
    )
    if not found:
        return None
    return [{name: row.get(name) for name in SHOWN} for row in json.loads(str(found[0].data))]


async def _tasks(client: "PrefectClient", run: UUID) -> "list[TaskRun]":
    from prefect.client.schemas import filters

    tasks: list[TaskRun] = []
    only_this = filters.FlowRunFilter(id=filters.FlowRunFilterId(any_=[run]))
    while len(page := await client.read_task_runs(flow_run_filter=only_this, limit=PAGE, offset=len(tasks))) == PAGE:
        tasks += page
    return [task for task in tasks + page if "." in task.name]


def _of_task(task: "TaskRun") -> dict[str, Any]:
    state, message = (task.state.name, task.state.message or "") if task.state else ("Unknown", "")
    done = task.state is not None and task.state.is_completed()
    rows = ROWS.match(message) if done else None
    return {
        "table": task.name,
        "state": state,
        "rows": int(rows[1]) if rows else None,
        "bytes": None,
        "seconds": round(task.total_run_time.total_seconds(), 3) if task.start_time else None,
        "error": None if done or not message else message,
    }
