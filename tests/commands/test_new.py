"""`refresh new`, and the options that every command has."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from tests.commands.test_cli import refresh
from tests.conftest import ROOT
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName


@pytest.fixture
def shop(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["new", "shop"]) == 0
    capsys.readouterr()
    return folder / "shop"


def test_a_new_project_is_clean_and_builds_at_once(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop)
    assert main(["check", "--strict"]) == 0
    assert main(["sync", "--check"]) == 0
    for command in re.findall(r"^\$ refresh (\w+)$", (shop / "README.md").read_text(), re.MULTILINE):
        assert main([command]) == 0
    capsys.readouterr()
    with connect(DEFAULT_URL) as warehouse:
        customers = sorted(warehouse.first_rows(TableName("final", "customers"), 9))
    assert [(name, orders) for _, name, orders, *_ in customers] == [("Ada", 2), ("Grace", 1), ("Edsger", 0)]


def test_it_has_its_own_name_and_the_settings_of_this_project(shop: Path) -> None:
    assert 'name = "shop"' in (shop / "refresh.toml").read_text()
    assert (shop / "README.md").read_text().startswith("# shop\n")
    assert (shop / "prefect.toml").read_bytes() == (ROOT / "prefect.toml").read_bytes()
    ours = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"][0]
    theirs = yaml.safe_load((shop / "prefect.yaml").read_text())
    assert theirs["name"] == "shop"
    [deployment] = theirs["deployments"]
    assert {**deployment, "description": ""} == {**ours, "description": ""}
    assert not [path for path in shop.rglob("*") if path.is_file() and "{{name}}" in path.read_text()]
    assert ".data/" in (shop / ".gitignore").read_text()


@pytest.mark.parametrize(
    ("folder_name", "message"),
    [
        ("shop", "error: shop: this folder is not empty"),
        ("shop/README.md", "error: shop/README.md: this folder is not empty"),
        ("shop/README.md/deeper", "error: shop/README.md/deeper: this cannot be written: Not a directory"),
        ("prefect", "error: the project's name, which is its folder's, is 'prefect'"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_nothing_that_is_there_is_overwritten(
    folder_name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("shop/README.md").read_text()
    assert main(["new", folder_name]) == 2
    assert message in capsys.readouterr().err
    assert Path("shop/README.md").read_text() == before


def test_an_empty_folder_is_taken(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert main(["new", "empty"]) == 0


def test_a_command_runs_in_another_folder(shop: Path, folder: Path) -> None:
    assert refresh("--project-dir", str(shop), "init").returncode == 0
    done = refresh("build", "tmp.orders", "--project-dir", "shop")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 of 1 tables built and published")
    assert (shop / ".data/warehouse.duckdb").is_file()
    assert not (folder / ".data").exists()


@pytest.mark.usefixtures("folder")
def test_a_folder_that_is_not_there_is_one_clear_message() -> None:
    done = refresh("--project-dir", "nowhere", "build")
    assert (done.returncode, done.stderr) == (2, "error: --project-dir nowhere: No such file or directory\n")


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"refresh {version('warehouse-refresh')}\n"
