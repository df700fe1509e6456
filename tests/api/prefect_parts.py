"""A deployment on a real Prefect server, without a worker: tests move its runs from state to state themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions, FlowRun, State
from prefect.settings import PREFECT_API_URL, temporary_settings


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
        """All runs, the newest first."""
        return [run for run in self.prefect.read_flow_runs(limit=200) if run.deployment_id == self.id]

    def move(self, identity: str, state: State[None]) -> None:
        """Put the run into a state, as its worker or its process would."""
        self.prefect.set_flow_run_state(UUID(identity), state, force=True)


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
