"""The work pools that refreshes run in: what Prefect calls their base job templates."""

import sys
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from warehouse_refresh.warehouse.extras import needs_extra

LOCAL_TYPE = "process"
CLOUD_RUN_TYPE = "cloud-run-v2"

# Environment variable at `refresh deploy` -> the variable of the pool that it is the default of.
CLOUD_RUN_VARIABLES = {
    "REFRESH_IMAGE": "image",
    "REFRESH_REGION": "region",
    "REFRESH_SERVICE_ACCOUNT": "service_account_name",
}
# Environment variable at `refresh deploy` -> the variable of the pool that names a secret in Secret Manager.
CLOUD_RUN_SECRETS = {
    "REFRESH_API_KEY_SECRET": "prefect_api_key_secret",
    "REFRESH_AUTH_STRING_SECRET": "prefect_api_auth_string_secret",
}
# What a refresh itself reads, handed on to the jobs.
HANDED_ON = (
    "WAREHOUSE_URL",
    "REFRESH_PROJECT",
    "REFRESH_WORKERS",
    "REFRESH_PUBLISH",
    "REFRESH_KEEP_PREVIOUS",
    "REFRESH_PRICE_PER_TIB",
    "REFRESH_WEBHOOK_URL",
    "REFRESH_PREFECT_PATCHES",
)


class NotDeployed(Exception):
    """Deploying cannot go on; the message says why, and what to do."""


def local_template(existing: dict[str, Any] | None) -> dict[str, Any]:
    """The template of the pool for processes on this machine: the existing one, or Prefect's own, with the command.

    Prefect's own command starts three Python processes one after the other, which costs 6 s more until the first table.
    Raises NotDeployed.
    """
    from prefect.workers.process import ProcessWorker

    template = deepcopy(existing or ProcessWorker.get_default_base_job_template())
    _set_default(template, "command", f"{sys.executable} -m prefect.engine")
    return template


def cloud_run_template(existing: dict[str, Any] | None, environment: Mapping[str, str]) -> dict[str, Any]:
    """The template of the pool for Cloud Run jobs: the existing one, or Prefect's own, with what `environment` says.

    A variable that is not set leaves the template as it is. Raises NotDeployed.
    """
    with needs_extra("bigquery", "a work pool of Cloud Run"):
        from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2

    template = deepcopy(existing or CloudRunWorkerV2.get_default_base_job_template())
    for variable, name in CLOUD_RUN_VARIABLES.items():
        if value := environment.get(variable):
            _set_default(template, name, value)
    for variable, name in CLOUD_RUN_SECRETS.items():
        if value := environment.get(variable):
            _set_default(template, name, {"secret": value, "version": "latest"})
    handed_on = {name: environment[name] for name in HANDED_ON if environment.get(name)}
    if handed_on:
        before = template["variables"]["properties"].get("env", {}).get("default") or {}
        _set_default(template, "env", {**before, **handed_on})
    return template


def _set_default(template: dict[str, Any], name: str, value: Any) -> None:
    variables = template["variables"]["properties"]
    if name not in variables:
        raise NotDeployed(
            f"a base job template without the variable {name!r}: give it back, or let `prefect work-pool delete` end"
            " the pool and `refresh deploy` make it anew"
        )
    variables[name]["default"] = value
