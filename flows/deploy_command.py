"""`refresh deploy`: what Prefect needs to know for this project to be run from its UI, its CLI and the API.

Work pools, the deployments of prefect.yaml and the automation that ends runs whose machine died. It may be repeated:
what exists is brought up to date, and a schedule that somebody switched on stays on.
"""

import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flows.pools import CLOUD_RUN_POOL, LOCAL_POOL, cloud_run_template, local_template
from flows.server import NoServer, configured_url

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

FLOW = "refresh"
DEPLOYMENTS = ("warehouse", "warehouse-cloud-run")


def run(options: Namespace) -> int:  # noqa: ARG001 (the command has no options)
    """Create or update everything, say what was done, and answer the exit code. Raises NoServer."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.stale_runs import automation

    url = configured_url()
    _remember(url)
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        check_server(client, url)
        for name, type_, template in _pools(client):
            save_pool(client, name, type_, template)
            print(f"work pool {name}")
        with _schedules_kept(client):
            _deploy(url)
        for name in DEPLOYMENTS:
            print(f"deployment {FLOW}/{name}")
        save_automation(client, automation())
        print(f"automation {automation().name!r}")
    print("\nStart a worker with `make worker`, then a refresh with `prefect deployment run refresh/warehouse`.")
    return 0


def _remember(url: str) -> None:
    """Where nothing says so yet, let Prefect's profile say where the server is. Else each `prefect` command, such as
    `prefect deployment run`, would start a server of its own, which takes 20 s or fails."""
    from prefect.settings import PREFECT_API_URL, get_current_settings, update_current_profile

    if not get_current_settings().api.url:
        update_current_profile({PREFECT_API_URL: url})
        print(f"Prefect's profile now has PREFECT_API_URL={url}")


def check_server(client: "SyncPrefectClient", url: str) -> None:
    """Raises NoServer unless the server answers."""
    error = client.api_healthcheck()
    if error is not None:
        raise NoServer(f"no Prefect server answers at {url}: {error}; `make server` starts one here")


def save_pool(client: "SyncPrefectClient", name: str, type_: str, template: dict[str, Any]) -> None:
    """Create the work pool, or give the one that exists this base job template."""
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectAlreadyExists

    try:
        client.create_work_pool(WorkPoolCreate(name=name, type=type_, base_job_template=template))
    except ObjectAlreadyExists:
        client.update_work_pool(name, WorkPoolUpdate(base_job_template=template))


def save_automation(client: "SyncPrefectClient", automation: Any) -> None:
    """Create the automation, or bring those of its name up to date."""
    existing = client.read_automations_by_name(automation.name)
    for found in existing:
        client.update_automation(found.id, automation)
    if not existing:
        client.create_automation(automation)


def _pools(client: "SyncPrefectClient") -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield LOCAL_POOL, "process", local_template(_template_of(client, LOCAL_POOL))
    yield CLOUD_RUN_POOL, "cloud-run-v2", cloud_run_template(_template_of(client, CLOUD_RUN_POOL), os.environ)


def _template_of(client: "SyncPrefectClient", pool: str) -> dict[str, Any] | None:
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_work_pool(pool).base_job_template
    except ObjectNotFound:
        return None


@contextmanager
def _schedules_kept(client: "SyncPrefectClient") -> Iterator[None]:
    """Leave schedules as active as they are found: deploying sets them as prefect.yaml has them."""
    before = {(name, schedule.slug): schedule.active for name, _, schedule in _schedules(client)}
    yield
    for name, deployment, schedule in _schedules(client):
        active = before.get((name, schedule.slug), schedule.active)
        if active != schedule.active:
            client.update_deployment_schedule(deployment, schedule.id, active=active)


def _schedules(client: "SyncPrefectClient") -> Iterator[tuple[str, Any, Any]]:
    from prefect.exceptions import ObjectNotFound

    for name in DEPLOYMENTS:
        try:
            deployment = client.read_deployment_by_name(f"{FLOW}/{name}")
        except ObjectNotFound:
            continue
        for schedule in deployment.schedules:
            yield name, deployment.id, schedule


def _deploy(url: str) -> None:
    """Let Prefect deploy what prefect.yaml has. Raises NoServer with what Prefect says if it cannot."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PREFECT_API_URL": url},
    )
    if done.returncode != 0:
        raise NoServer(f"`prefect deploy --all` failed:\n{done.stdout}{done.stderr}".rstrip())
