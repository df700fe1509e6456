"""What the API takes from refresh.toml."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.pipeline.settings_file import SettingError


def test_the_api_reads_the_projects_file_and_the_environment_wins(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        {
            "refresh.toml": 'name = "shop"\nwarehouse = "duckdb:///shop.duckdb"\n[datasets]\nraw = "source"\n'
            "[api]\nrate_limit = 7\nport = 8123\n"
        }
    )
    monkeypatch.delenv("WAREHOUSE_URL", raising=False)
    monkeypatch.setenv("API_PORT", "8124")
    settings = ApiSettings()
    assert (settings.warehouse_url, settings.raw, settings.deployment) == (
        "duckdb:///shop.duckdb",
        "source",
        "shop/warehouse",
    )
    assert (settings.rate_limit, settings.port) == (7, 8124)
    monkeypatch.setenv("WAREHOUSE_URL", "duckdb:///other.duckdb")
    assert ApiSettings().warehouse_url == "duckdb:///other.duckdb"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[api]\nrate_limits = 7", "there is no setting api.rate_limits; did you mean rate_limit?"),
        ("[api]\ntoken = 'x'", "there is no setting api.token; it is secret: set API_TOKEN in the environment"),
        ("[api]\nwarehouse_url = 'x'", "there is no setting api.warehouse_url"),
    ],
)
def test_a_setting_that_the_api_does_not_have_is_an_error(write: Write, text: str, message: str) -> None:
    write({"refresh.toml": text})
    with pytest.raises(SettingError, match=message.replace("?", r"\?")):
        ApiSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [("[api]\nport = 'x'", "API_PORT: Input should be a valid integer"), ("[ap]", "there is no setting ap; did you")],
)
def test_the_api_ends_with_2_and_says_which_setting_is_wrong(write: Write, text: str, message: str) -> None:
    folder = write({"refresh.toml": text})
    done = subprocess.run(
        [sys.executable, "-m", "warehouse_refresh.api"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env=_environment(),
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def _environment() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {name: value for name, value in os.environ.items() if not name.startswith("API_")} | {"PYTHONPATH": root}
