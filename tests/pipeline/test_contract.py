"""The project's name, from which all its names in Prefect are made."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from warehouse_refresh.pipeline.contract import Names, ProjectNameError, project_name


def written(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_the_setting_comes_first_then_pyproject_then_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my shop (2)"
    folder.mkdir()
    assert project_name(folder, {}) == "my-shop-2"
    written(folder, "[tool.ruff]\nline-length = 120\n")
    assert project_name(folder, {"REFRESH_PROJECT": ""}) == "my-shop-2"
    written(folder, '[project]\nname = "shop"\n')
    assert project_name(folder, {}) == "shop"
    assert project_name(folder, {"REFRESH_PROJECT": "shop.v_2"}) == "shop.v_2"


@pytest.mark.parametrize(
    "name", ["my/shop", "a b", "shop%", "<shop>", "-shop", "Prefect-shop", "é", "x" * 101, "shop\n"]
)
def test_a_name_that_prefect_does_not_take_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProjectNameError, match=r"REFRESH_PROJECT is .*: set REFRESH_PROJECT to a name of"):
        project_name(tmp_path, {"REFRESH_PROJECT": name})


@pytest.mark.parametrize("text", ["[project", '[project]\nname = "a b"\n', "[project]\nname = [1]\n"])
def test_a_pyproject_that_names_nothing_usable_is_told_with_its_path(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProjectNameError, match=r"pyproject\.toml"):
        project_name(written(tmp_path, text), {})


def test_a_folder_without_a_usable_name_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "日本"
    folder.mkdir()
    with pytest.raises(ProjectNameError, match="its folder's, is '': set REFRESH_PROJECT"):
        project_name(folder, {})


def test_the_module_prints_the_name_for_a_shell() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "warehouse_refresh.pipeline.contract"], cwd=ROOT, capture_output=True, text=True
    )
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert done.stdout == f"{tomllib.load(file)['project']['name']}\n"


def test_prefect_yaml_has_the_same_names() -> None:
    written = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    names = Names("{{ $REFRESH_PROJECT }}")
    assert [f"{names.flow}/{deployment['name']}" for deployment in written] == [
        names.deployment,
        names.cloud_run_deployment,
    ]
    assert [deployment["work_pool"]["name"] for deployment in written] == [names.local_pool, names.cloud_run_pool]
