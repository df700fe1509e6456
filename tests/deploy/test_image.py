"""The image and the compose file. There is no container engine in the tests: the Dockerfile is linted, and the steps
that make its content are run in an empty folder; its users, ports and layers are not."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from dockerfile_parse import DockerfileParser

import warehouse_refresh
from tests.conftest import PACKAGE, ROOT, free_port
from tests.operation.installation import wait_for
from warehouse_refresh.flows.pools import HANDED_ON, LOCAL_TYPE
from warehouse_refresh.pipeline.contract import project_name

# The image has the package's files on Python's path, and nothing that says of which version they are.
WITHOUT_METADATA = """
import importlib.metadata as metadata
known = metadata.Distribution.from_name
def from_name(name):
    if name.replace("_", "-") == "warehouse-refresh":
        raise metadata.PackageNotFoundError(name)
    return known(name)
metadata.Distribution.from_name = from_name
from warehouse_refresh.commands.main import main
for words in (["init"], ["build"], ["docs"], ["--version"]):
    print(*words, flush=True)
    assert main(words) == 0
"""
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())


def dockerfile() -> list[tuple[str, str]]:
    """The instructions with what they are given, in order."""
    steps = DockerfileParser(str(ROOT / "Dockerfile")).structure
    return [(step["instruction"], step["value"]) for step in steps if step["instruction"] != "COMMENT"]


def test_hadolint_finds_nothing() -> None:
    tool = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([tool, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


def test_what_the_image_copies_is_what_the_context_lets_in() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for instruction, value in dockerfile()
        if instruction == "COPY" and "--from" not in value
        for source in value.split()[:-1]
    }
    assert copied == let_in
    assert all((ROOT / name).exists() for name in let_in)


def test_the_image_runs_as_nobody_in_particular() -> None:
    [user] = [value for instruction, value in dockerfile() if instruction == "USER"]
    assert user != "0"


def test_compose_follows_its_schema() -> None:
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(vendored.read_text()))


def test_compose_names_only_what_it_has() -> None:
    volumes = {
        volume.split(":")[0]
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", [])
        if isinstance(volume, str)
    }
    needed = {name for service in COMPOSE["services"].values() for name in service.get("depends_on", {})}
    assert volumes == set(COMPOSE["volumes"])
    assert needed <= set(COMPOSE["services"])


def test_worker_and_api_share_the_warehouse_and_prefects_database_outlives_it() -> None:
    services = COMPOSE["services"]
    assert services["worker"]["volumes"] == services["api"]["volumes"] == services["setup"]["volumes"]
    assert "warehouse:/data" in services["api"]["volumes"]
    assert services["prefect"]["volumes"] == ["prefect:/home/refresh/.prefect"]
    assert services["worker"]["environment"]["WAREHOUSE_URL"] == services["api"]["environment"]["WAREHOUSE_URL"]


def test_what_a_refresh_reads_reaches_the_containers() -> None:
    for name in ("setup", "worker", "api"):
        assert set(HANDED_ON) <= set(COMPOSE["services"][name]["environment"])


def test_a_worker_makes_no_pool_of_a_type_that_was_not_meant() -> None:
    command = " ".join(COMPOSE["services"]["worker"]["command"])
    assert f"prefect worker start --type {LOCAL_TYPE} --pool" in command


def test_credentials_for_bigquery_are_handed_in_as_a_file_where_they_are_set() -> None:
    service = COMPOSE["services"]["worker"]
    [mount] = [volume for volume in service["volumes"] if not isinstance(volume, str)]
    assert mount["source"] == "${GOOGLE_APPLICATION_CREDENTIALS:-/dev/null}"
    assert mount["read_only"]
    inside = service["environment"]["GOOGLE_APPLICATION_CREDENTIALS"]
    assert inside == f"${{GOOGLE_APPLICATION_CREDENTIALS:+{mount['target']}}}"


def test_the_page_names_every_setting_that_compose_takes() -> None:
    page = (ROOT / "docs/deploy.md").read_text()
    taken = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text())) - {"GIT_COMMIT", "PREFECT_UI_API_URL"}
    assert {name for name in taken if f"`{name}`" not in page} == set()


def test_prefects_server_is_not_open_to_the_network() -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"]["prefect"]["ports"])


def test_commands_need_no_metadata_of_the_package(demonstration: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_METADATA]
    done = subprocess.run(command, cwd=demonstration, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_asks_for_metadata_of_the_package() -> None:
    asks = re.compile(r"""\b(version|distribution|metadata)\(["']warehouse[-_]refresh""")
    assert [path.name for path in PACKAGE.rglob("*.py") if asks.search(path.read_text())] == []


def test_the_image_has_the_version_of_the_package() -> None:
    [said] = [value for instruction, value in dockerfile() if instruction == "ARG" and value.startswith("VERSION=")]
    assert said == f'VERSION="{warehouse_refresh.__version__}"'
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == warehouse_refresh.__version__


class Container:
    """What the Dockerfile makes, in a folder in place of the root."""

    def __init__(self, root: Path) -> None:
        self.root, self.app = root, root / "app"
        self.app.mkdir()
        venv.create(root / "usr", with_pip=True)  # in place of the base image's Python
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self.environment["PATH"] = f"{root}/usr/bin:{os.defpath}"

    def build(self) -> None:
        """Copy what the Dockerfile copies, and run the RUNs that do not need root."""
        for instruction, value in dockerfile():
            if instruction == "COPY" and "--from" not in value:
                self._copy(value.split())
            elif instruction == "RUN" and "groupadd" not in value:
                self.run(["sh", "-ec", value])
            elif instruction == "ENV":
                self._set(value)

    def run(self, command: list[str]) -> str:
        done = subprocess.run(command, cwd=self.app, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def started(self, command: list[str]) -> Iterator[None]:
        process = subprocess.Popen(command, cwd=self.app, env=self.environment)
        try:
            yield
        finally:
            process.terminate()
            process.wait()

    def _copy(self, words: list[str]) -> None:
        *sources, target = words
        for source in sources:
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", ".*")
                shutil.copytree(ROOT / source, self.app / target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, self.app / target)

    def _set(self, text: str) -> None:
        for name, value in re.findall(r'(\w+)="([^"]*)"', text):
            here = re.sub(r"/(app|data|home)\b", rf"{self.root}/\1", value)
            self.environment[name] = here.replace("${PATH}", self.environment["PATH"]).replace("${GIT_COMMIT}", "abc")


@pytest.mark.slow
def test_the_images_steps_make_an_api_a_worker_and_a_refresh(tmp_path: Path) -> None:
    container = Container(tmp_path)
    container.build()
    shell = [value for instruction, value in dockerfile() if instruction == "CMD"][-1]
    assert "created raw.products" in container.run(["python", "-m", "warehouse_refresh.commands.main", "init"])
    assert "8 of 8 tables built" in container.run(["python", "-m", "warehouse_refresh.commands.main", "build"])
    assert "3." in container.run(["prefect", "--version"])
    assert container.run(["python", "-m", "warehouse_refresh.pipeline.contract"]) == f"{project_name(ROOT, {})}\n"
    assert "process" in container.run(["prefect", "worker", "start", "--help"])
    container.environment["PORT"] = str(free_port())
    with container.started(json.loads(shell)):
        address = f"http://127.0.0.1:{container.environment['PORT']}"
        wait_for(lambda: _answers(f"{address}/health/live"))
        for page in ("/schema/openapi.json", "/schema", "/catalogue/runs.html"):
            assert _answers(f"{address}{page}"), page


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
