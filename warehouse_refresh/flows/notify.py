"""Post a message about a failed refresh to the webhook that REFRESH_WEBHOOK_URL names.

The message is JSON. Its `text` is all that Slack, Mattermost, Google Chat and Teams (through a workflow) need; the rest
is for programs.
"""

import json
import os
from typing import TYPE_CHECKING, Any

from warehouse_refresh.pipeline.contract import ARTIFACT
from warehouse_refresh.pipeline.outcomes import State

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.objects import State as PrefectState

TRIES = 4
TIMEOUT_SECONDS = 10


def post_failure(flow: "Flow[..., Any]", flow_run: "FlowRun", state: "PrefectState[Any]") -> None:  # noqa: ARG001 (Prefect names them)
    """Prefect's hook for a run that failed or crashed. An error here is logged, and changes nothing."""
    url = os.environ.get("REFRESH_WEBHOOK_URL")
    if not url:
        return
    from prefect.logging import get_logger

    try:
        _post(url, message(flow_run, state, _address(flow_run), _rows(flow_run, state)))
    except Exception as error:  # the address may hold a secret: neither it nor a trace that shows it is logged
        get_logger("refresh").error("cannot post the failed run to the webhook: %s", type(error).__name__)


def message(run: "FlowRun", state: "PrefectState[Any]", address: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The message: `text` for people, and the tables that failed, were blocked or not run, each with its reason."""
    failed, blocked, not_run = (_with_reason(rows, state) for state in (State.FAILED, State.BLOCKED, State.NOT_RUN))
    return {
        "text": "\n".join([f"refresh {run.name}: {state.name}", state.message or "", address]).replace("\n\n", "\n"),
        "run": {"id": str(run.id), "name": run.name, "state": state.name, "url": address},
        "message": state.message,
        "failed": failed,
        "blocked": blocked,
        "not_run": not_run,
    }


def _with_reason(rows: list[dict[str, Any]], state: State) -> list[dict[str, str]]:
    return [{"table": row["table"], "reason": row["error"]} for row in rows if row["state"] == state.value]


def _rows(run: "FlowRun", state: "PrefectState[Any]") -> list[dict[str, Any]]:
    """The rows of this attempt's artifact, if it has one. An earlier attempt's has another description than `state`."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters

    wanted = filters.ArtifactFilter(
        key=filters.ArtifactFilterKey(any_=[ARTIFACT]), flow_run_id=filters.ArtifactFilterFlowRunId(any_=[run.id])
    )
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=wanted)
    current = [artifact for artifact in found if artifact.description == state.message]
    return list(json.loads(str(current[-1].data))) if current else []


def _address(run: "FlowRun") -> str:
    from prefect.utilities.urls import url_for

    return url_for("flow-run", obj_id=run.id) or ""


def _post(url: str, content: dict[str, Any]) -> None:
    import httpx
    import tenacity

    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        wait=tenacity.wait_random_exponential(0.5, max=5),
        stop=tenacity.stop_after_attempt(TRIES),
        reraise=True,
    ):
        with attempt:
            httpx.post(url, json=content, timeout=TIMEOUT_SECONDS).raise_for_status()


def _may_pass(error: BaseException) -> bool:
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, httpx.TransportError)
