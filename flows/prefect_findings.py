"""The part of `refresh doctor` that looks at Prefect."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flows.findings import Finding, fine, note, wrong
from flows.pools import LOCAL_POOL
from flows.server import configured_url
from flows.stale_runs import automation

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

DEPLOYMENT = "refresh/warehouse"
LONGEST_START = timedelta(minutes=15)


def prefect_findings() -> Iterator[Finding]:
    """Whether the server answers and has the deployment, its work pool, a worker and the automation."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

    url = configured_url()
    if not get_current_settings().api.url:
        yield note(
            "PREFECT_API_URL",
            "not set: each `prefect` command starts a server of its own, which takes 20 s",
            f"prefect config set PREFECT_API_URL={url}",
        )
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        error = client.api_healthcheck()
        if error is not None:
            yield wrong("Prefect server", f"none answers at {url}: {error}", "make server")
            return
        yield fine("Prefect server", url)
        yield from _deployment(client)
        yield _automation(client)


def _deployment(client: "SyncPrefectClient") -> Iterator[Finding]:
    from prefect.exceptions import ObjectNotFound

    try:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
    except ObjectNotFound:
        yield wrong("deployment", f"{DEPLOYMENT} is not there", "make deploy")
        return
    if deployment.paused:
        yield wrong("deployment", f"{DEPLOYMENT} is paused", f"prefect deployment resume {DEPLOYMENT}")
    limit = deployment.global_concurrency_limit
    if limit is None or limit.limit != 1:
        yield wrong("deployment", f"{DEPLOYMENT} does not see to it that one refresh runs at a time", "make deploy")
    else:
        yield fine("deployment", f"{DEPLOYMENT}, one run at a time")
    yield from _pool(client, deployment.work_pool_name or LOCAL_POOL)
    yield from _stuck(client, deployment)


def _pool(client: "SyncPrefectClient", name: str) -> Iterator[Finding]:
    from prefect.client.schemas.objects import WorkerStatus
    from prefect.exceptions import ObjectNotFound

    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        yield wrong("work pool", f"{name} is not there", "make deploy")
        return
    if pool.is_paused:
        yield wrong("work pool", f"{name} is paused", f"prefect work-pool resume {name}")
    workers = client.read_workers_for_work_pool(name)
    online = [worker.name for worker in workers if worker.status == WorkerStatus.ONLINE]
    if online:
        yield fine("worker", f"{len(online)} online in the pool {name}")
    else:
        yield wrong("worker", f"none is online in the pool {name}: runs wait", "make worker")


def _stuck(client: "SyncPrefectClient", deployment: "DeploymentResponse") -> Iterator[Finding]:
    """Runs that were handed to a machine and did not start there, and would hold their place for ever."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    wanted = filters.FlowRunFilter(
        deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment.id]),
        state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.PENDING])),
    )
    for run in client.read_flow_runs(flow_run_filter=wanted, limit=50):
        if run.state and datetime.now(UTC) - run.state.timestamp > LONGEST_START:
            detail = f"{run.name} has been about to start since {run.state.timestamp:%Y-%m-%d %H:%M} UTC"
            yield wrong("run", detail, f"prefect flow-run cancel {run.id}")


def _automation(client: "SyncPrefectClient") -> Finding:
    name = automation().name
    found = client.read_automations_by_name(name)
    if any(existing.enabled for existing in found):
        return fine("automation", name)
    detail = f"{name!r} is {'off' if found else 'not there'}: a run whose machine died stays Running"
    return wrong("automation", detail, "make deploy")
