"""The work pools' templates: what deploying says is kept, what it does not say is left alone."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

import warehouse_refresh.flows.notify
import warehouse_refresh.flows.patches
import warehouse_refresh.pipeline.settings
from tests.conftest import ROOT
from warehouse_refresh.flows.pools import HANDED_ON, NotDeployed, cloud_run_template, local_template
from warehouse_refresh.flows.stale_runs import automations
from warehouse_refresh.pipeline.contract import SETTING, Names


def defaults(template: dict[str, Any]) -> dict[str, Any]:
    return {
        name: variable["default"]
        for name, variable in template["variables"]["properties"].items()
        if variable.get("default") is not None
    }


def test_processes_are_started_with_this_environments_python() -> None:
    first = local_template(None)
    assert defaults(first)["command"] == f"{sys.executable} -m prefect.engine"
    first["variables"]["properties"]["command"]["default"] = "/gone/python -m prefect.engine"
    first["variables"]["properties"]["stream_output"]["default"] = False
    assert defaults(local_template(first)) == {**defaults(first), "command": f"{sys.executable} -m prefect.engine"}


def test_jobs_get_image_region_account_secret_and_environment() -> None:
    given = {
        "REFRESH_IMAGE": "image:1",
        "REFRESH_REGION": "europe-west1",
        "REFRESH_SERVICE_ACCOUNT": "a@b",
        "REFRESH_API_KEY_SECRET": "prefect-auth",
        "WAREHOUSE_URL": "bigquery://p?location=EU",
        "REFRESH_PRICE_PER_TIB": "5",
        "HOME": "/root",
    }
    found = defaults(cloud_run_template(None, given))
    assert found["image"] == "image:1"
    assert found["region"] == "europe-west1"
    assert found["service_account_name"] == "a@b"
    assert found["prefect_api_key_secret"] == {"secret": "prefect-auth", "version": "latest"}
    assert found["env"] == {"WAREHOUSE_URL": "bigquery://p?location=EU", "REFRESH_PRICE_PER_TIB": "5"}


def test_what_is_not_said_again_stays() -> None:
    first = cloud_run_template(None, {"REFRESH_IMAGE": "image:1", "WAREHOUSE_URL": "bigquery://p"})
    second = cloud_run_template(first, {"REFRESH_IMAGE": "image:2", "REFRESH_WORKERS": "4"})
    assert defaults(second)["image"] == "image:2"
    assert defaults(second)["env"] == {"WAREHOUSE_URL": "bigquery://p", "REFRESH_WORKERS": "4"}
    assert cloud_run_template(second, {}) == second


def test_all_that_a_refresh_reads_is_handed_on_to_the_jobs() -> None:
    read = {
        name
        for module in (
            warehouse_refresh.pipeline.settings,
            warehouse_refresh.flows.notify,
            warehouse_refresh.flows.patches,
        )
        for name in re.findall(r'"((?:REFRESH|WAREHOUSE)_\w+)"', Path(str(module.__file__)).read_text())
    }
    # A run has parameters instead.
    of_the_command_line = {"REFRESH_ENV", "REFRESH_ENVIRONMENTS", "REFRESH_SELECT", "REFRESH_GUARD_PRODUCTION"}
    assert set(HANDED_ON) == read - of_the_command_line | {SETTING}


def test_compose_hands_the_same_on_to_its_containers() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    assert set(re.findall(r"^    (\w+): \$\{\1:-", compose, re.MULTILINE)) >= set(HANDED_ON)


@pytest.mark.parametrize("template", [{"variables": {"properties": {}}}, {"variables": {"properties": {"env": {}}}}])
def test_a_template_that_cannot_take_the_settings_is_told(template: dict[str, Any]) -> None:
    with pytest.raises(NotDeployed, match="without the variable 'image'"):
        cloud_run_template(template, {"REFRESH_IMAGE": "image:1"})


def test_only_work_pools_that_are_deployed_get_automations() -> None:
    names = Names("shop")
    local = [automation.name for automation in automations(names, [names.local_pool])]
    both = [automation.name for automation in automations(names, [names.local_pool, names.cloud_run_pool])]
    assert [name for name in both if name not in local] == [f"{names.flow}: find lost runs of {names.cloud_run_pool}"]
