"""The part of `refresh doctor` that looks at Prefect."""

from collections.abc import Iterator
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import StateType, WorkerStatus
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

from warehouse_refresh.flows.deploy import AT_A_TIME, deployments_of, folder_of
from warehouse_refresh.flows.local.server import configured_url
from warehouse_refresh.flows.records import read_all, server_time
from warehouse_refresh.flows.stale_runs import automations
from warehouse_refresh.pipeline.contract import SETTING, START_OF_A_CONTAINER, Names, ProjectNameError, names_of
from warehouse_refresh.pipeline.findings import Finding, fine, note, wrong


def prefect_findings() -> Iterator[Finding]:
    """Whether the server answers and has the deployments, their work pools, a worker and the automations."""
    url = configured_url()
    if not get_current_settings().api.url:
        yield note(
            "PREFECT_API_URL",
            "not set: each `prefect` command starts another server, which takes 20 s",
            f"prefect config set PREFECT_API_URL={url}",
        )
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        error = client.api_healthcheck()
        if error is not None:
            yield wrong("Prefect server", f"none answers at {url}: {error}", "refresh server")
            return
        yield fine("Prefect server", url)
        try:
            names = names_of(Path())
        except ProjectNameError as error:
            yield wrong("project", str(error))
            return
        yield from _deployments(client, names)
        yield from _automations(client, names)


def _deployments(client: SyncPrefectClient, names: Names) -> Iterator[Finding]:
    """Each deployment of the project's flow, and whether any of them has a worker."""
    found = deployments_of(client, names)
    if not found:
        yield wrong("deployment", f"{names.deployment} is not there", "refresh deploy")
        return
    for deployment in found:
        yield from _deployment(client, deployment, names)
    yield from _workers(client, [deployment.work_pool_name for deployment in found if deployment.work_pool_name])


def _deployment(client: SyncPrefectClient, deployment: DeploymentResponse, names: Names) -> Iterator[Finding]:
    name = f"{names.flow}/{deployment.name}"
    if deployment.paused:
        yield wrong("deployment", f"{name} is paused", f"prefect deployment resume {name}")
    if deployment.global_concurrency_limit is not None:
        yield wrong("deployment", f"{name} has a limit, by which Prefect ends runs that live", "refresh deploy")
    else:
        yield fine("deployment", name)
    if name == names.deployment:
        yield from _owner(deployment, name)
    yield from _stuck(client, deployment)


def _owner(deployment: DeploymentResponse, name: str) -> Iterator[Finding]:
    """Whether the runs in processes of this machine work in this folder."""
    folder = folder_of(deployment)
    if folder and folder != Path().resolve():
        yield wrong(
            "deployment",
            f"{name} belongs to another folder, {folder}",
            f"`refresh deploy --take-over`, or {SETTING} for a name of this project's own",
        )


def _workers(client: SyncPrefectClient, pools: list[str]) -> Iterator[Finding]:
    """Where workers are online. A pool without one is only wrong when no other has any: of one machine and Google
    Cloud most projects use one."""
    online = {}
    for pool in sorted(pools):
        workers = client.read_workers_for_work_pool(pool)
        online[pool] = sum(worker.status == WorkerStatus.ONLINE for worker in workers)
        found = client.read_work_pool(pool)
        if found.is_paused:
            yield wrong("work pool", f"{pool} is paused", f"prefect work-pool resume {pool}")
        if found.concurrency_limit != AT_A_TIME:
            yield wrong("work pool", f"{pool} does not see to it that one refresh runs at a time", "refresh deploy")
        else:
            yield fine("work pool", f"{pool}, one run at a time")
    for pool, count in online.items():
        if count:
            yield fine("worker", f"{count} online in the pool {pool}")
        elif any(online.values()):
            yield note("worker", f"none is online in the pool {pool}: runs of its deployment wait")
    if not any(online.values()):
        yield wrong("worker", f"none is online in the pools {', '.join(online)}: runs wait", "refresh worker")


def _stuck(client: SyncPrefectClient, deployment: DeploymentResponse) -> Iterator[Finding]:
    """Runs that were handed to a machine and did not start there, and would hold their place for ever."""
    wanted = filters.FlowRunFilter(
        deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment.id]),
        state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.PENDING])),
    )
    now = server_time(client)
    for run in read_all(client.read_flow_runs, flow_run_filter=wanted):
        if run.state and now - run.state.timestamp > START_OF_A_CONTAINER:
            detail = f"{run.name} has been about to start since {run.state.timestamp:%Y-%m-%d %H:%M} UTC"
            yield wrong("run", detail, f"prefect flow-run cancel {run.id}")


def _automations(client: SyncPrefectClient, names: Names) -> Iterator[Finding]:
    pools = {names.local_pool, *(deployment.work_pool_name or "" for deployment in deployments_of(client, names))}
    for name in [wanted.name for wanted in automations(names, pools)]:
        found = client.read_automations_by_name(name)
        if any(existing.enabled for existing in found):
            yield fine("automation", name)
        else:
            detail = f"{name!r} is {'off' if found else 'not there'}: a run whose machine died goes on for ever"
            yield wrong("automation", detail, "refresh deploy")
