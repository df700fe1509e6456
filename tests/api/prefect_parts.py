"""A deployment on a real Prefect server, without a worker: tests move its runs from state to state themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.actions import DeploymentCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions, FlowRun, State
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.waiting import wait_until


@dataclass(frozen=True)
class Deployment:
    """A deployment that allows one run at a time and lets further ones wait."""

    prefect: SyncPrefectClient
    flow: str
    id: UUID

    @property
    def name(self) -> str:
        """As in API_DEPLOYMENT."""
        return f"{self.flow}/warehouse"

    def run(self, identity: str) -> FlowRun:
        """The run as Prefect has it."""
        return self.prefect.read_flow_run(UUID(identity))

    def runs(self) -> list[FlowRun]:
        """All runs of this deployment, at most 200, in any order; the server has those of other tests, too."""
        return self.prefect.read_flow_runs(flow_run_filter=self.only_its_runs(), limit=200)

    def only_its_runs(self) -> filters.FlowRunFilter:
        """The condition that a run is of this deployment."""
        return filters.FlowRunFilter(deployment_id=filters.FlowRunFilterDeploymentId(any_=[self.id]))

    def move(self, identity: str, state: State[None]) -> None:
        """Put the run into a state, as its worker or its process would."""
        self.prefect.set_flow_run_state(UUID(identity), state, force=True)

    def schedule_a_run(self) -> FlowRun:
        """A run that a schedule has asked for, due a moment ago."""
        hourly = [{"schedule": {"interval": 3600, "anchor_date": _text(timedelta(seconds=1))}, "active": True}]
        path = {"id": self.id}
        self.prefect.request("POST", "/deployments/{id}/schedules", path_params=path, json=hourly)
        since = _text(timedelta(seconds=60))

        def planned() -> list[FlowRun]:
            backfill = {"start_time": since, "end_time": _text(timedelta(0))}
            self.prefect.request("POST", "/deployments/{id}/schedule", path_params=path, json=backfill)
            return [run for run in self.runs() if run.auto_scheduled]

        wait_until(lambda: bool(planned()))  # the server may be busy; it plans no run twice
        return min(planned(), key=lambda run: str(run.expected_start_time))

    def end_schedules(self) -> None:
        """Delete the schedules. Prefect deletes their runs that wait."""
        for schedule in self.prefect.read_deployment(self.id).schedules:
            path = {"id": self.id, "schedule_id": schedule.id}
            self.prefect.request("DELETE", "/deployments/{id}/schedules/{schedule_id}", path_params=path)


def _text(ago: timedelta) -> str:
    return (datetime.now(UTC) - ago).isoformat()


@contextmanager
def deployed(url: str) -> Iterator[Deployment]:
    """A new flow with a deployment, on the server at `url`, which is Prefect's server inside the `with` block."""
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as prefect:
        flow = f"refresh-{uuid4()}"
        flow_id = prefect.create_flow_from_name(flow)
        asked = DeploymentCreate(
            name="warehouse",
            flow_id=flow_id,
            parameters={"select": [], "in_order": False},
            concurrency_limit=1,
            concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
        )
        answer = prefect.request("POST", "/deployments/", json=asked.model_dump(mode="json", exclude_unset=True))
        yield Deployment(prefect, flow, UUID(answer.json()["id"]))
