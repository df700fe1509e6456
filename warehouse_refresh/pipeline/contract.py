"""Names and times that flows/ and api/ must agree on: one of them writes a name in Prefect, and the other looks for it.

A flow, its deployments and its work pools are named after the project, so that several projects can share one Prefect
server. prefect.yaml and deploy/ use the same names. `python -m pipeline.contract` prints the project's name.
"""

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

ARTIFACT = "refresh"  # the key of each run's artifact, which has a row for each table
CHECKS_ARTIFACT = "refresh-checks"  # the key of the artifact of a run with checks, which has a row for each check
STAGED = "Staged"  # the last state, of type Completed, of a table's task run: the table is built, and not published yet
BLOCKED = "Blocked"  # the same, of type Failed, of a table that is built and that a check keeps from being published
PUBLISH = "publish"  # the name of the task run that publishes all of them
STEP = ": "  # in the name of a task run that builds partitions of a table: `tmp.events: 2024-01-01 up to 2024-02-01`
API_TAG = "api"  # the tag of runs that the API created
SILENT = "Silent"  # the state, of type Crashed, of a run without heartbeats; a live run sets itself to Running again
LOST = "Lost"  # the state of a run that its worker never started, before it is scheduled again
COVERED = "Covered"  # the state of a run that is not needed: another run that starts later builds all of its tables
NOTHING_SELECTED = "--select "  # the message of a run whose selectors name no table begins so; it has only names
COVERED_BY_TAG = "covered-by:"  # tag prefix; the id of that other run follows
REQUEST_TAG = "request:"  # tag prefix; the id of the API request that created the run follows

# After these times without a sign of life, the server's automations act. The API waits for DOUBT longer.
SECONDS_BETWEEN_HEARTBEATS = 10
SILENCE = timedelta(seconds=90)  # of a Running run
START_OF_A_PROCESS = timedelta(minutes=1)  # from Pending to Running
START_OF_A_CONTAINER = timedelta(minutes=10)  # the same, for a container, which pulls an image first
DOUBT = timedelta(minutes=1)  # time for a Silent run to say that it lives, and for a Lost run to be scheduled again
SILENCE_MESSAGE = (
    f"no sign of life for {SILENCE.seconds} s: the process or its machine died, unless the run says that it lives"
)

SETTING = "REFRESH_PROJECT"
_USABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RESERVED = "prefect"  # Prefect's server refuses a work pool whose name begins with it


class ProjectNameError(ValueError):
    """The project's name cannot be used in Prefect; the message says where to write another one."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a project has in Prefect."""

    project: str

    @property
    def flow(self) -> str:
        """The flow that builds the project's tables."""
        return self.project

    @property
    def deployment(self) -> str:
        """The deployment whose runs are processes of a worker on this machine, as `flow/name`."""
        return f"{self.project}/warehouse"

    @property
    def cloud_run_deployment(self) -> str:
        """The deployment whose runs are Cloud Run jobs, as `flow/name`."""
        return f"{self.project}/warehouse-cloud-run"

    @property
    def local_pool(self) -> str:
        """The work pool of `deployment`."""
        return f"{self.project}-local"

    @property
    def cloud_run_pool(self) -> str:
        """The work pool of `cloud_run_deployment`."""
        return f"{self.project}-cloud-run"


def beside_selection(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's parameters say beside which tables it builds, and how many at once. A run can take another one's
    place only if both say the same."""
    return {name: value for name, value in parameters.items() if value and name not in ("select", "in_order")}


def names_of(folder: Path, environment: Mapping[str, str] = os.environ) -> Names:
    """The names of the project in `folder`. Raises ProjectNameError."""
    return Names(project_name(folder, environment))


def project_name(folder: Path, environment: Mapping[str, str] = os.environ) -> str:
    """REFRESH_PROJECT if it is set, else the `name` in `folder`/refresh.toml, else the `name` under [project] in
    `folder`/pyproject.toml, else the folder's name.
    In the folder's name a dash replaces all characters but letters, digits, `.`, `_` and `-`. Raises
    ProjectNameError."""
    if setting := environment.get(SETTING):
        return _checked(setting, SETTING)
    for path, section in ((folder / "refresh.toml", None), (folder / "pyproject.toml", "project")):
        if written := _name_in(path, section):
            return _checked(written, f"the name in {path}")
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("._-")
    return _checked(cleaned, "the project's name, which is its folder's,")


def _name_in(path: Path, section: str | None) -> str:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        raise ProjectNameError(f"{path}, which holds the project's name, cannot be read: {error}") from error
    names = found.get(section) if section else found
    return str(names.get("name", "")) if isinstance(names, dict) else ""


def _checked(name: str, what: str) -> str:
    if _USABLE.fullmatch(name) and not name.lower().startswith(_RESERVED):
        return name
    raise ProjectNameError(
        f"{what} is {name!r}: set {SETTING} to a name of up to 100 letters, digits, dots, dashes and underscores that"
        f" begins with a letter or digit, and not with {_RESERVED!r}, which Prefect keeps for itself"
    )


if __name__ == "__main__":
    try:
        print(project_name(Path()))
    except ProjectNameError as error:
        sys.exit(f"error: {error}")
