"""`refresh deploy` and `refresh doctor` on a real server that several projects use, and the walk of docs/deploy.md."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import WorkPool
from prefect.exceptions import ObjectNotFound

from tests.conftest import ROOT
from tests.operation.installation import wait_for
from warehouse_refresh.commands.main import main
from warehouse_refresh.flows.deploy import folder_of
from warehouse_refresh.pipeline.contract import Names

PAGE = (ROOT / "docs/deploy.md").read_text()


@pytest.fixture
def client(prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncPrefectClient]:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    with get_client(sync_client=True) as it:
        yield it


def project(folder: Path, name: str) -> Path:
    """A project of that name in a folder."""
    folder.mkdir(exist_ok=True)
    for file in ("prefect.yaml", "prefect.toml"):
        shutil.copy(ROOT / file, folder / file)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    (folder / "res").mkdir(exist_ok=True)
    return folder


def owner(client: SyncPrefectClient, names: Names) -> Path | None:
    return folder_of(client.read_deployment_by_name(names.deployment))


def test_projects_on_one_server_have_deployments_of_their_own_and_none_is_taken_over_in_silence(
    tmp_path: Path, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, wine = Names("deploy-shop"), Names("deploy-wine")
    first, second = project(tmp_path / "first", shop.project), project(tmp_path / "second", shop.project)
    monkeypatch.chdir(first)
    assert main(["deploy"]) == 0
    said = capsys.readouterr().out
    for line in (f"deployment {shop.deployment}", f"work pool {shop.local_pool}", f"work pool {shop.cloud_run_pool}"):
        assert f"{line}\n" in said
    assert f"`prefect deployment run {shop.deployment}`" in said
    assert client.read_deployment_by_name(shop.cloud_run_deployment).work_pool_name == shop.cloud_run_pool

    monkeypatch.chdir(second)
    assert main(["deploy"]) == 2
    said = capsys.readouterr().err
    assert f"{shop.deployment} on this Prefect server belongs to the folder {first}, not to {second}" in said
    assert "REFRESH_PROJECT" in said
    assert "`refresh deploy --take-over`" in said
    assert owner(client, shop) == first
    main(["doctor"])
    assert (
        f"missing  deployment         {shop.deployment} belongs to another folder, {first}" in capsys.readouterr().out
    )

    project(second, wine.project)
    assert main(["deploy"]) == 0
    assert (owner(client, shop), owner(client, wine)) == (first, second)
    assert client.read_work_pool(wine.local_pool).type == "process"

    project(second, shop.project)
    assert main(["deploy", "--take-over"]) == 0
    assert owner(client, shop) == second


def test_a_work_pool_of_the_wrong_type_is_told_and_nothing_is_changed(
    tmp_path: Path, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = Names("deploy-late")
    client.create_work_pool(WorkPoolCreate(name=names.cloud_run_pool, type="process"))
    monkeypatch.chdir(project(tmp_path / "late", names.project))
    assert main(["deploy"]) == 2
    said = capsys.readouterr().err
    assert f"the work pool {names.cloud_run_pool} is of the type 'process', and 'cloud-run-v2' is needed" in said
    assert f"`prefect work-pool delete {names.cloud_run_pool}`" in said
    with pytest.raises(ObjectNotFound):
        client.read_work_pool(names.local_pool)


def test_a_schedule_that_prefect_yaml_switches_on_has_runs_and_stays_off_once_somebody_has_switched_it_off(
    tmp_path: Path, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = Names("deploy-daily")
    monkeypatch.chdir(project(tmp_path / "daily", names.project))
    file = Path("prefect.yaml")
    file.write_text(file.read_text().replace("active: false", "active: true"))
    assert main(["deploy"]) == 0
    assert "stays off" not in capsys.readouterr().out
    deployment = client.read_deployment_by_name(names.deployment)
    of_it = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    planned = wait_for(lambda: client.read_flow_runs(deployment_filter=of_it))
    assert {run.expected_start_time.hour for run in planned if run.expected_start_time} == {4}
    assert all(run.auto_scheduled for run in planned)

    [schedule] = deployment.schedules
    client.update_deployment_schedule(deployment.id, schedule.id, active=False)
    assert main(["deploy"]) == 0
    said = capsys.readouterr().out
    assert f"schedule daily of {names.deployment} stays off, as on the server; switch it on there\n" in said
    assert not client.read_deployment_by_name(names.deployment).schedules[0].active


@pytest.mark.slow
def test_the_page_leads_through_one_machine_in_its_own_order(tmp_path: Path, client: SyncPrefectClient) -> None:
    folder, names = clone(tmp_path / "walk"), Names("deploy-walk")
    section = PAGE.partition("## One machine")[2].partition("\n## ")[0].replace("warehouse-refresh", names.project)
    commands = re.findall(r"^\$ (.*?)(?: +#.*)?$", section, re.MULTILINE)
    [service] = re.findall(r"^ExecStart=/srv/warehouse/(.* worker .*)$", section, re.MULTILINE)
    assert "refresh worker" in run("make --dry-run worker", folder)
    with started(service, folder):
        assert wait_for(lambda: pool(client, names.local_pool)).type == "process", "made by the worker"
        for command in commands:
            if command != "make worker":  # the service is such a worker; of the other one see tests/api/test_serve.py
                printed = run(command, folder)
        last = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", printed)[0]
        assert wait_for(lambda: state_when_final(client, last)) == "Completed"
        [check] = re.findall(r"^Check: `(.*?)` ends with `(.*?)`", section, re.MULTILINE)
        assert run(check[0], folder).endswith(f"{check[1]}\n")


def clone(folder: Path) -> Path:
    """The project in another folder, with the virtual environment of the tests."""
    for name in ("res", "db_init"):
        shutil.copytree(ROOT / name, folder / name)
    for name in (
        "Makefile",
        "pyproject.toml",
        "prefect.yaml",
        "prefect.toml",
        *map(str, ROOT.glob("requirements*.txt")),
    ):
        copied = shutil.copy(ROOT / name, folder)
        os.utime(copied, (0, 0))  # older than the environment, which make would else bring up to date
    (folder / ".venv").symlink_to(sys.prefix)
    named = folder / "pyproject.toml"
    named.write_text(named.read_text().replace('name = "warehouse-refresh"', 'name = "deploy-walk"'))
    os.utime(named, (0, 0))
    return folder


def run(command: str, folder: Path) -> str:
    """What a line of the page prints; it must succeed."""
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def started(command: str, folder: Path) -> Iterator[None]:
    """A command that stays, in a process group of its own, as a service."""
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(shlex.split(command), cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def pool(client: SyncPrefectClient, name: str) -> WorkPool | None:
    try:
        return client.read_work_pool(name)
    except ObjectNotFound:
        return None


def state_when_final(client: SyncPrefectClient, run_id: str) -> str | None:
    state = client.read_flow_run(UUID(run_id)).state
    return state.name if state and state.is_final() else None
