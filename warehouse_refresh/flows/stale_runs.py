"""End or restart runs whose worker or machine died: a run that seems to go on keeps the next one waiting.

Automations on Prefect's server do this, so it needs no process of ours:

- A run that was handed to a worker and does not begin is Lost, and scheduled again at once. It keeps its id, so that
  whoever was promised this run gets it.
- A run that has begun sends a heartbeat every 10 s. If none has come for 90 s, it is Silent.

Both are states of the type Crashed. The server does not give them to a run that has ended, even if it missed the event
of that. The server may be wrong after it was away, or slept with its laptop: it decides at the moment when it is back.
A run that lives looks at its state with each heartbeat, and sets it to Running again (`heartbeat`). Meanwhile the
warehouse's lock, not Prefect, prevents two refreshes from building at once.

See https://docs.prefect.io/v3/advanced/detect-zombie-flows. If the same event both starts and ends an automation's time
limit, each such event starts the limit again.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.contract import (
    LOST,
    SILENCE,
    SILENCE_MESSAGE,
    SILENT,
    START_OF_A_CONTAINER,
    START_OF_A_PROCESS,
    Names,
)

if TYPE_CHECKING:
    from prefect.events.schemas.automations import AutomationCore

HEARTBEAT = "prefect.flow-run.heartbeat"

_ENDS = {"Completed", "Failed", "Cancelled", "Cancelling", "Crashed", "Scheduled", "Late", "AwaitingRetry", LOST}
_LIFE = {"heartbeat", "Running", *_ENDS}


def automations(names: Names, pools: Collection[str]) -> "list[AutomationCore]":
    """The automations for the runs of a project's flow in these work pools."""
    flow = names.flow
    starts = {names.local_pool: START_OF_A_PROCESS, names.cloud_run_pool: START_OF_A_CONTAINER}
    lost = "it was handed to a worker, and did not begin"
    return [
        _crashed(
            f"{flow}: end runs whose machine died", SILENT, SILENCE_MESSAGE, {"heartbeat", "Running"}, SILENCE, [flow]
        ),
        *(
            _crashed(f"{flow}: find lost runs of {pool}", LOST, lost, {"Pending"}, within, [flow, pool])
            for pool, within in starts.items()
            if pool in pools
        ),
        _scheduled_again(f"{flow}: start lost runs again", flow),
    ]


def _crashed(name: str, state: str, why: str, after: set[str], within: timedelta, of: list[str]) -> "AutomationCore":
    """A run `of` this flow (and work pool) that gives no sign of life within that time `after` an event, is `state`."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    return AutomationCore(
        name=name,
        description="Made by `refresh deploy`; see flows/stale_runs.py.",
        trigger=EventTrigger(
            after=_events(after),
            expect=_events(_LIFE | after),
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=[
                ResourceSpecification({"prefect.resource.role": role, "prefect.resource.name": named})
                for role, named in zip(("flow", "work-pool"), of, strict=False)
            ],
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=within,
        ),
        actions=[ChangeFlowRunState(name=state, state=StateType.CRASHED, message=why, force=False)],
    )


def _scheduled_again(name: str, flow: str) -> "AutomationCore":
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    return AutomationCore(
        name=name,
        description="Made by `refresh deploy`; see flows/stale_runs.py.",
        trigger=EventTrigger(
            expect=_events({LOST}),
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": flow}),
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[
            ChangeFlowRunState(
                name=None, state=StateType.SCHEDULED, message="lost by its worker: scheduled again", force=False
            )
        ],
    )


def _events(names: set[str]) -> set[str]:
    return {f"prefect.flow-run.{name}" for name in names}
