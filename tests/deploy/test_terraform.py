"""deploy/ is read as Terraform reads it. The provider cannot be had without Terraform's own registry, so `terraform
validate` cannot run here; instead every argument is held against the provider's schema (make_provider_schema.py)."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.conftest import PACKAGE, ROOT
from warehouse_refresh.api.middleware.client_address import parse_proxies
from warehouse_refresh.flows.pools import CLOUD_RUN_SECRETS, CLOUD_RUN_TYPE, CLOUD_RUN_VARIABLES, HANDED_ON
from warehouse_refresh.pipeline.contract import Names, project_name

DEPLOY = ROOT / "deploy"
SCHEMA = Path(__file__).parent / "google_provider.json"
META = {"count", "depends_on", "for_each", "lifecycle", "provider"}


def files() -> dict[str, dict[str, Any]]:
    """Each file, parsed."""
    return {path.name: hcl2.loads(path.read_text()) for path in sorted(DEPLOY.glob("*.tf"))}


def blocks(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The blocks such as `variable "name" { … }`, by name."""
    for content in files().values():
        for block in content.get(kind, []):
            for name, body in block.items():
                yield name.strip('"'), body


def resources() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each resource: its kind, its name, its arguments."""
    for kind, named in blocks("resource"):
        for name, body in named.items():
            if not name.startswith("__"):
                yield kind, name.strip('"'), body


def faults(body: dict[str, Any], schema: dict[str, Any], where: str) -> Iterator[str]:
    """Arguments that the provider does not know, or wants and does not get."""
    body = _with_dynamic_blocks(body)
    for name, value in body.items():
        wanted = schema.get(name)
        if wanted is None:
            yield f"{where}.{name} is not known"
        elif isinstance(wanted, dict):
            for block in value:
                yield from faults(block, wanted, f"{where}.{name}")
        elif isinstance(value, list) and any(isinstance(item, dict) and "__is_block__" in item for item in value):
            yield f"{where}.{name} is no block"
    yield from (f"{where}.{name} is missing" for name, wanted in schema.items() if wanted is True and name not in body)


def _with_dynamic_blocks(body: dict[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in body.items() if not name.startswith("__")}
    for dynamic in body.pop("dynamic", []):
        for name, block in dynamic.items():
            if not name.startswith("__"):
                body.setdefault(name.strip('"'), []).extend(block["content"])
    return body


@pytest.mark.parametrize(("kind", "name", "body"), list(resources()))
def test_the_provider_knows_every_argument(kind: str, name: str, body: dict[str, Any]) -> None:
    given = {argument: value for argument, value in body.items() if argument not in META}
    assert list(faults(given, json.loads(SCHEMA.read_text())[kind], f"{kind}.{name}")) == []


def test_a_wrong_argument_is_found() -> None:
    schema = json.loads(SCHEMA.read_text())["google_bigquery_dataset"]
    wrong = {"locaton": "EU", "access": [{"rôle": "READER", "__is_block__": True}]}
    assert set(faults(wrong, schema, "x")) == {
        "x.locaton is not known",
        "x.access.rôle is not known",
        "x.dataset_id is missing",
    }


def test_every_reference_leads_to_something() -> None:
    text = "\n".join(path.read_text() for path in sorted(DEPLOY.glob("*.tf")))
    text = re.sub(r"#.*", "", text)
    defined = {f"var.{name}" for name, _ in blocks("variable")}
    defined |= {
        f"local.{name}" for content in files().values() for block in content.get("locals", []) for name in block
    }
    defined |= {f"{kind}.{name}" for kind, name, _ in resources()}
    used = set(re.findall(r"\b(?:var|local|google_\w+)\.\w+", text))
    assert used - defined == set()
    assert {name for name in defined if name.startswith("var.")} - used == set(), "nobody uses these"


def test_the_example_sets_variables_that_exist() -> None:
    example = hcl2.loads((DEPLOY / "terraform.tfvars.example").read_text())
    assert {name for name in example if not name.startswith("__")} <= {name for name, _ in blocks("variable")}


def test_each_account_has_no_more_than_it_needs() -> None:
    granted: dict[str, set[str]] = {}
    for kind, name, body in resources():
        if kind.endswith("_iam_member") and "dataset" in kind:
            granted.setdefault(name, set()).add(body["role"].strip('"'))
    assert granted == {
        "own": {"roles/bigquery.dataEditor"},
        "api_raw": {"roles/bigquery.dataEditor"},
        "refresh_raw": {"roles/bigquery.dataViewer"},
        "refresh_built": {"roles/bigquery.dataEditor"},
        "refresh_staged": {"roles/bigquery.dataEditor"},
        "viewers": {"roles/bigquery.dataViewer"},
    }
    on_project = {body["role"].strip('"') for kind, _, body in resources() if kind == "google_project_iam_member"}
    assert on_project == {
        "roles/bigquery.jobUser",
        "roles/run.developer",
        "${google_project_iam_custom_role.row_policies.id}",
    }


def test_the_worker_may_read_the_image_of_the_jobs_that_it_creates() -> None:
    [body] = [body for kind, _, body in resources() if kind == "google_artifact_registry_repository_iam_member"]
    assert body["role"] == '"roles/artifactregistry.reader"'
    assert body["member"] == "${google_service_account.worker.member}"


def test_a_role_on_the_project_waits_for_the_service_that_gives_it() -> None:
    [(_, _, services)] = [found for found in resources() if found[0] == "google_project_service"]
    assert "cloudresourcemanager.googleapis.com" in str(services["for_each"])
    for kind, name, body in resources():
        if kind == "google_project_iam_member":
            assert "google_project_service.needed" in str(body["depends_on"]), name


def test_names_in_prefect_are_the_projects() -> None:
    [name] = [body["default"].strip('"') for variable, body in blocks("variable") if variable == "refresh_project"]
    assert name == project_name(ROOT, {})
    names = Names("${var.refresh_project}")
    text = "\n".join(path.read_text() for path in sorted(DEPLOY.glob("*.tf")))
    assert f'"{names.cloud_run_deployment}"' in text
    assert f'"--type", "{CLOUD_RUN_TYPE}", "--pool", "{names.cloud_run_pool}"' in text


def test_what_is_set_up_for_refresh_deploy_is_what_it_reads() -> None:
    given = set(re.findall(r"export (\w+)=", (DEPLOY / "outputs.tf").read_text()))
    assert given <= {*HANDED_ON, *CLOUD_RUN_VARIABLES, *CLOUD_RUN_SECRETS}


def test_viewers_are_accounts_and_no_example() -> None:
    [body] = [body for variable, body in blocks("variable") if variable == "viewers"]
    [validation] = body["validation"]
    [pattern] = re.findall(r'regex\("(.*?)", viewer\)', validation["condition"])
    right = ["user:a.b@shop.com", "group:all@shop.com", "serviceAccount:x@p.iam.gserviceaccount.com", "domain:shop.com"]
    wrong = ["a@shop.com", "user: a@shop.com", "user:", "user:a@b@c", "allUsers"]
    pattern = pattern.replace("\\\\", "\\")
    assert [viewer for viewer in right + wrong if re.search(pattern, viewer)] == right
    assert '!endswith(viewer, "example.com")' in validation["condition"]
    example = hcl2.loads((DEPLOY / "terraform.tfvars.example").read_text())
    assert example["viewers"] == []


def test_a_public_api_is_warned_of_with_the_setting_that_closes_it() -> None:
    [(_, check)] = blocks("check")
    [assertion] = check["assert"]
    assert assertion["condition"] == "${local.deployed == 0 || !var.public || var.require_token}"
    assert "require_token = true" in assertion["error_message"]
    assert "require_token = true" in (DEPLOY / "README.md").read_text()


def test_the_api_believes_the_front_end_that_alone_can_connect() -> None:
    [api] = [body for kind, name, body in resources() if (kind, name) == ("google_cloud_run_v2_service", "api")]
    [template] = api["template"]
    [container] = template["containers"]
    given = {env["name"].strip('"'): env["value"].strip('"') for env in container["env"]}
    assert parse_proxies(given["API_TRUSTED_PROXIES"]).anybody
    assert given["REFRESH_PROJECT"] == "${var.refresh_project}"


def test_the_dataset_that_the_warehouse_keeps_for_itself_is_there_for_accounts_that_may_make_none() -> None:
    [own] = [body for kind, name, body in resources() if (kind, name) == ("google_bigquery_dataset", "own")]
    modules = (PACKAGE / "warehouse").rglob("*.py")
    assert any(own["dataset_id"].strip('"') in path.read_text() for path in modules)


def test_no_secret_stands_in_a_file() -> None:
    assert not [kind for kind, _, _ in resources() if kind in ("google_secret_manager_secret_version",)]


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_terraform_finds_the_files_well_formed() -> None:
    done = subprocess.run(["terraform", "fmt", "-check", "-diff"], cwd=DEPLOY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
