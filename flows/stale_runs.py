"""Runs whose machine died. Their process cannot say so, and a run that seems to go on keeps the next one waiting.

While a flow runs, its process sends a heartbeat every 30 s (prefect.toml, `heartbeat`). The server ends a run that has
sent none for three times as long: https://docs.prefect.io/v3/advanced/detect-zombie-flows
"""

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.events.schemas.automations import AutomationCore

HEARTBEAT = "prefect.flow-run.heartbeat"
SECONDS_BETWEEN_HEARTBEATS = 30
SILENCE = timedelta(seconds=3 * SECONDS_BETWEEN_HEARTBEATS)
_SIGNS_OF_LIFE = {"heartbeat", "Completed", "Failed", "Cancelled", "Crashed", "Scheduled", "AwaitingRetry"}


def automation(flow: str) -> "AutomationCore":
    """Prefect's automation that marks a run of that flow as Crashed when its heartbeats have stopped."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    message = f"no heartbeat for {SILENCE.seconds} s: the process or its machine died"
    return AutomationCore(
        name=f"{flow}: end runs whose machine died",
        description="Made by `refresh deploy`. Without it a run whose machine died stays Running for ever.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={f"prefect.flow-run.{sign}" for sign in _SIGNS_OF_LIFE},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": flow}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[ChangeFlowRunState(name=None, state=StateType.CRASHED, message=message, force=False)],
    )
