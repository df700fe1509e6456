"""Create in Prefect what it needs to run this project from its UI, its CLI and the API.

Work pools, the deployments of prefect.yaml and the automations for runs whose worker or machine died. It may be
repeated: what exists is brought up to date, and a schedule that somebody switched on or off stays so.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import DeploymentSort
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings, update_current_profile

from warehouse_refresh.flows.local.server import NoServer, configured_url
from warehouse_refresh.flows.pools import CLOUD_RUN_TYPE, LOCAL_TYPE, NotDeployed, cloud_run_template, local_template
from warehouse_refresh.flows.stale_runs import automations
from warehouse_refresh.pipeline.contract import SETTING, Names, names_of

PREFECT_YAML = "prefect.yaml"
AT_A_TIME = 1  # refreshes in a work pool; a second one would only wait for the warehouse


def deploy(folder: Path, *, take_over: bool, say: Callable[[str], None]) -> list[str]:
    """Create or update everything, and `say` what was done. Returns the names of the deployments.

    `take_over` replaces a deployment of this name that belongs to another folder. Raises NoServer, NotDeployed and
    ProjectNameError.
    """
    names = names_of(folder)
    _check_folder(folder)
    url = configured_url()
    _remember(url, say)
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        check_server(client, url)
        if not take_over:
            _check_owner(client, names, folder)
        pools = list(_pools(client, names, (folder / PREFECT_YAML).read_text()))
        for name, type_, template in pools:
            save_pool(client, name, type_, template)
            say(f"work pool {name}")
        with _schedules_kept(client, names, say):
            _deploy(url, names)
        deployed = _deployed(client, names)
        for name in deployed:
            say(f"deployment {name}")
        for automation in automations(names, [name for name, _, _ in pools]):
            save_automation(client, automation)
            say(f"automation {automation.name!r}")
    return deployed


def _remember(url: str, say: Callable[[str], None]) -> None:
    """Write the server's address into Prefect's profile, unless it is configured already. Without it each `prefect`
    command, such as `prefect deployment run`, would start another server, which takes 20 s or fails."""
    if not get_current_settings().api.url:
        update_current_profile({PREFECT_API_URL: url})
        say(f"Prefect's profile now has PREFECT_API_URL={url}")


def check_server(client: SyncPrefectClient, url: str) -> None:
    """Raises NoServer unless the server answers."""
    error = client.api_healthcheck()
    if error is not None:
        raise NoServer(f"no Prefect server answers at {url}: {error}; `refresh server` starts one here")


def _check_folder(folder: Path) -> None:
    """Raises NotDeployed if the folder has nothing to deploy."""
    if not (folder / PREFECT_YAML).is_file():
        raise NotDeployed(f"there is no {PREFECT_YAML} in {folder}: run this in the project's folder")


def _deployed(client: SyncPrefectClient, names: Names) -> list[str]:
    """The names of the deployments that the server has. Raises NotDeployed if there are none."""
    found = [f"{names.flow}/{deployment.name}" for deployment in deployments_of(client, names)]
    if not found:
        raise NotDeployed(f"{PREFECT_YAML} has no deployment of warehouse_refresh.flows.refresh.refresh: give it back")
    return found


def deployments_of(client: SyncPrefectClient, names: Names) -> list[DeploymentResponse]:
    """The deployments that the project's flow has on the server, by name."""
    only = FlowFilter(name=FlowFilterName(any_=[names.flow]))
    return client.read_deployments(flow_filter=only, sort=DeploymentSort.NAME_ASC)


def folder_of(deployment: DeploymentResponse) -> Path | None:
    """The folder that the deployment's runs work in, as `prefect deploy` recorded it."""
    for step in deployment.pull_steps or []:
        for name, given in step.items():
            if name.endswith(".set_working_directory"):
                return Path(given["directory"])
    return None


def _check_owner(client: SyncPrefectClient, names: Names, folder: Path) -> None:
    """Raises NotDeployed if the project's deployment on this server is another folder's: its runs would from now on
    build what this folder has."""
    for deployment in deployments_of(client, names):
        other = folder_of(deployment)
        if f"{names.flow}/{deployment.name}" == names.deployment and other and other != folder:
            raise NotDeployed(
                f"the deployment {names.deployment} on this Prefect server belongs to the folder {other}"
                f"{'' if other.is_dir() else ' (which this machine does not have)'}, not to"
                f" {folder}.\nAre these two projects? Give this one a name of its own: set {SETTING}, or change the"
                " name in pyproject.toml.\nDoes this folder take the other's place? `refresh deploy --take-over`"
            )


def save_pool(client: SyncPrefectClient, name: str, type_: str, template: dict[str, Any]) -> None:
    """Create the work pool, or give the one that exists this base job template. It runs one refresh at a time.

    A limit of the deployment would do so too, but Prefect ends a run that could not renew its place for five minutes:
    when the server is away, or a laptop sleeps.
    """
    try:
        client.create_work_pool(
            WorkPoolCreate(name=name, type=type_, base_job_template=template, concurrency_limit=AT_A_TIME)
        )
    except ObjectAlreadyExists:
        client.update_work_pool(name, WorkPoolUpdate(base_job_template=template, concurrency_limit=AT_A_TIME))


def save_automation(client: SyncPrefectClient, automation: Any) -> None:
    """Create the automation, or bring those of its name up to date."""
    existing = client.read_automations_by_name(automation.name)
    for found in existing:
        client.update_automation(found.id, automation)
    if not existing:
        client.create_automation(automation)


def _pools(client: SyncPrefectClient, names: Names, prefect_yaml: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The name, type and base job template of each work pool: the local one, and that of Cloud Run if the text of
    prefect.yaml names it. Raises NotDeployed if one exists and cannot be used."""
    environment = {**os.environ, SETTING: names.project}
    local = _template_of(client, names.local_pool, LOCAL_TYPE)
    yield names.local_pool, LOCAL_TYPE, local_template(local)
    if names.cloud_run_pool.removeprefix(names.project) not in prefect_yaml:
        return
    cloud_run = _template_of(client, names.cloud_run_pool, CLOUD_RUN_TYPE)
    yield names.cloud_run_pool, CLOUD_RUN_TYPE, cloud_run_template(cloud_run, environment)


def _template_of(client: SyncPrefectClient, pool: str, type_: str) -> dict[str, Any] | None:

    try:
        found = client.read_work_pool(pool)
    except ObjectNotFound:
        return None
    if found.type != type_:
        raise NotDeployed(
            f"the work pool {pool} is of the type {found.type!r}, and {type_!r} is needed. A worker makes such a pool"
            f" when it starts without `--type {type_}` before the pool is there.\nEnd that worker, then"
            f" `prefect work-pool delete {pool}`, `refresh deploy`, and start the worker again"
        )
    return found.base_job_template


@contextmanager
def _schedules_kept(client: SyncPrefectClient, names: Names, say: Callable[[str], None]) -> Iterator[None]:
    """Restore after the `with` block whether each schedule is active: deploying sets them as prefect.yaml has them.
    Says which one stays off although the file switches it on."""
    before = {(name, schedule.slug): schedule.active for name, _, schedule in _schedules(client, names)}
    yield
    for name, deployment, schedule in _schedules(client, names):
        active = before.get((name, schedule.slug), schedule.active)
        if active != schedule.active:
            client.update_deployment_schedule(deployment, schedule.id, active=active)
            if not active:
                say(f"schedule {schedule.slug} of {names.flow}/{name} stays off, as on the server; switch it on there")


def _schedules(client: SyncPrefectClient, names: Names) -> Iterator[tuple[str, Any, Any]]:
    for deployment in deployments_of(client, names):
        for schedule in deployment.schedules:
            yield deployment.name, deployment.id, schedule


def _deploy(url: str, names: Names) -> None:
    """Have Prefect deploy prefect.yaml. Raises NotDeployed with Prefect's message if it cannot."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PREFECT_API_URL": url, SETTING: names.project},
    )
    if done.returncode != 0:
        raise NotDeployed(f"`prefect deploy --all` failed:\n{done.stdout}{done.stderr}".rstrip())
