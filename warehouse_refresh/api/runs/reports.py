"""Report the state of a run and of its tables, from Prefect: from the flow's artifact, or else from its task runs.

Prefect's message about a failure may hold SQL, values and paths. The API shows only the kind of failure, and
which selector names no table.
"""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from warehouse_refresh.api.runs.prefect_client import Prefect
from warehouse_refresh.pipeline.contract import ARTIFACT, BLOCKED, NOTHING_SELECTED, PUBLISH, STAGED, STEP
from warehouse_refresh.pipeline.outcomes import Failure, State, Verdict

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, TaskRun

COPIED = ("table", "rows", "partitions", "bytes", "cost", "seconds", "checks", "job")
TASK_STATES = {
    "Completed": State.BUILT,
    STAGED: State.STAGED,
    "Failed": State.FAILED,
    BLOCKED: State.BLOCKED,
    "Crashed": State.FAILED,
    "Cancelled": State.FAILED,
    "NotReady": State.NOT_RUN,
    "Running": State.BUILDING,
    "Cancelling": State.BUILDING,
}
FAILURES = {
    "Crashed": Failure.LOST,
    "Cancelled": Failure.CANCELLED,
    BLOCKED: Failure.CHECK,
    "NotReady": Failure.NOT_RUN,
}
UNDER_WAY = (State.WAITING, State.BUILDING, State.STAGED)
Json = dict[str, Any]
ROWS = re.compile(r"([0-9,]+) rows?\b(?:, ([0-9,]+) partitions?\b)?")
PAGE = 200


async def report_of(prefect: Prefect, run: "FlowRun", tasks: "list[TaskRun] | None" = None) -> Json:
    """The JSON of a run with its tables. Prefect is asked for the `tasks` unless they are given."""
    tables = await tables_of(prefect, run, tasks)
    return {**run_to_json(run), "message": _message(run, tables), "tables": tables}


def run_to_json(run: "FlowRun") -> Json:
    """The JSON of a run without its tables."""
    moments = {"created": run.created, "started": run.start_time, "ended": run.end_time}
    return {
        "id": str(run.id),
        "name": run.name,
        "state": run.state.name if run.state else "Unknown",
        "message": None,
        "select": list(run.parameters.get("select") or []),
        "variables": dict(run.parameters.get("variables") or {}),
        "load": bool(run.parameters.get("load")),
        **{name: at.isoformat() if at else None for name, at in moments.items()},
        "seconds": round(run.total_run_time.total_seconds(), 3),
    }


async def tables_of(prefect: Prefect, run: "FlowRun", tasks: "list[TaskRun] | None" = None) -> list[Json]:
    """One entry for each table, sorted by name, with null for what is not known."""
    async with prefect.client() as client:
        tables = await _from_artifact(client, run.id)
        if tables is None:
            tasks = await tasks_of(client, run.id) if tasks is None else tasks
            is_published = any(task.name == PUBLISH and _name_of_state(task) == "Completed" for task in tasks)
            tables = [_of_task(task, _failure_of_open(run), is_published) for task in tasks if is_of_table(task)]
    return sorted(tables, key=lambda table: str(table["table"]))


def _failure_of_open(run: "FlowRun") -> Failure | None:
    """What has become of a table that was not published when the run ended; None for a run that has not ended."""
    if run.state is None or not run.state.is_final():
        return None
    return Failure.CANCELLED if run.state.is_cancelled() else Failure.LOST


def _message(run: "FlowRun", tables: list[Json]) -> str | None:
    """One sentence about a run that has ended."""
    if run.state is None or not run.state.is_final():
        return None
    if run.state.is_crashed():
        return "The process of the run ended before the run did."
    if run.state.is_cancelled():
        return "The run was cancelled."
    if not tables and run.state.is_failed():
        return _nothing_built(run.state.message or "")
    kept_back = (State.FAILED, State.BLOCKED, State.NOT_RUN)
    kept = [names for state in kept_back for names in _names(state.value, _in_state(tables, state))]
    warned = _names("warnings", [it for it in tables if Verdict.WARNING.value in (it["checks"] or "")])
    return "; ".join([_count(tables), *kept, *warned])


def _nothing_built(message: str) -> str:
    """The sentence for a run that failed with `message` in Prefect. It has no path, even one that a selector names."""
    if message.startswith(NOTHING_SELECTED) and "/" not in message:
        return f"Nothing was built: {message.removeprefix(NOTHING_SELECTED)}"
    return "Nothing was built; Prefect shows why."


def _count(tables: list[Json]) -> str:
    built = sum(table["state"] in (State.BUILT.value, State.BUILT_BEFORE.value) for table in tables)
    return f"{built} of {len(tables)} tables built and published"


def _in_state(tables: list[Json], state: State) -> list[Json]:
    return [table for table in tables if table["state"] == state.value]


def _names(what: str, tables: list[Json]) -> list[str]:
    """`failed: tmp.a, tmp.b`; nothing without tables."""
    return [f"{what}: {', '.join(table['table'] for table in tables)}"] if tables else []


async def _from_artifact(client: "PrefectClient", run: UUID) -> list[Json] | None:
    return (await tables_in_artifacts(client, [run])).get(run)


async def tables_in_artifacts(client: "PrefectClient", runs: Sequence[UUID]) -> dict[UUID, list[Json]]:
    """The tables of each of the runs that has written its artifact. Their last one counts: a retry writes another."""
    return {run: [_of_row(row) for row in rows] for run, rows in (await rows_of(client, ARTIFACT, runs)).items()}


async def rows_of(client: "PrefectClient", key: str, runs: Sequence[UUID]) -> dict[UUID, list[Json]]:
    """The rows of each run's last artifact of this key."""
    from prefect.client.schemas import filters, sorting

    found = await client.read_artifacts(
        artifact_filter=filters.ArtifactFilter(
            key=filters.ArtifactFilterKey(any_=[key]), flow_run_id=filters.ArtifactFilterFlowRunId(any_=list(runs))
        ),
        sort=sorting.ArtifactSort.CREATED_DESC,
        limit=1 if len(runs) == 1 else PAGE,
    )
    return {one.flow_run_id: json.loads(str(one.data)) for one in reversed(found) if one.flow_run_id is not None}


def _of_row(row: Json) -> Json:
    failure = Failure(row["failure"]) if row.get("failure") else None
    return {**{name: row.get(name) for name in COPIED}, "state": State(row["state"]).value, **_shown(failure)}


def _shown(failure: Failure | None) -> Json:
    return {"failure": failure.value, "error": failure.sentence} if failure else {"failure": None, "error": None}


async def tasks_of(client: "PrefectClient", run: UUID) -> "list[TaskRun]":
    """The task runs of a run."""
    from prefect.client.schemas import filters

    tasks: list[TaskRun] = []
    only_this = filters.FlowRunFilter(id=filters.FlowRunFilterId(any_=[run]))
    while len(page := await client.read_task_runs(flow_run_filter=only_this, limit=PAGE, offset=len(tasks))) == PAGE:
        tasks += page
    return tasks + page


def _name_of_state(task: "TaskRun") -> str:
    return (task.state.name or "") if task.state else ""


def is_of_table(task: "TaskRun") -> bool:
    """Whether it builds a whole table, and neither publishes tables nor builds some partitions of one."""
    return "." in task.name and STEP not in task.name


def _number(text: str | None) -> int | None:
    """`1,234` as a number."""
    return int(text.replace(",", "")) if text else None


def _of_task(task: "TaskRun", failure_of_open: Failure | None, is_published: bool) -> Json:
    """The JSON of a task run's table. If the run has ended, a table that was not published has failed with
    `failure_of_open`."""
    name, message = _name_of_state(task), (task.state.message or "") if task.state else ""
    state = TASK_STATES.get(name, State.WAITING)
    if is_published and state is State.STAGED:
        state = State.BUILT
    failure = FAILURES.get(name, Failure.UNKNOWN) if state in (State.FAILED, State.BLOCKED, State.NOT_RUN) else None
    if failure_of_open is not None and state in UNDER_WAY:
        state, failure = State.FAILED, failure_of_open
    found = ROWS.match(message) if name in ("Completed", STAGED) else None
    return {
        "table": task.name,
        "state": state.value,
        "rows": _number(found[1]) if found else None,
        "partitions": _number(found[2]) if found else None,
        "bytes": None,
        "cost": None,
        "checks": None,
        "job": None,
        "seconds": round(task.total_run_time.total_seconds(), 3) if task.start_time else None,
        **_shown(failure),
    }
