"""Build a project with commands, and say what was built."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main


def built_project(write: Write, files: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of a project with these files, whose tables are all built."""
    folder = write({**files})
    assert (main(["init"]), main(["build"])) == (0, 0)
    capsys.readouterr()
    return folder


def built(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> set[str]:
    """Run `refresh build` with these words. Returns the tables that it builds."""
    assert main(["build", "--json", *words]) == code
    return {row["table"] for row in json.loads(capsys.readouterr().out)["tables"]}
