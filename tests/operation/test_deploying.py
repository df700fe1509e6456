"""`refresh deploy` and `refresh doctor` on a real server that several projects use."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound

from flows.cli import main
from flows.deploy_command import folder_of
from pipeline.contract import Names
from tests.conftest import ROOT


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
