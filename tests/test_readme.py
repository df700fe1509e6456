"""README says what is so."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PACKAGE, ROOT
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import DEFAULT_URL

README = (ROOT / "README.md").read_text()


def test_the_picture_is_the_graph(demonstration: Path) -> None:
    project = read_project(demonstration)
    picture = set(re.findall(r"^  (\S+) --> (\S+)$", README, re.MULTILINE))
    assert picture == {
        (str(read.table), str(script.table)) for script in project.scripts.values() for read in script.query.reads
    }


def test_every_make_target_that_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", README + (ROOT / "CONTRIBUTING.md").read_text()))
    assert named - {"and"} <= targets


def test_every_link_leads_to_a_file() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README):
        path, _, heading = link.partition("#")
        assert link.startswith("https://") or (ROOT / path).exists(), link
        assert not (heading and path.endswith(".md")) or heading in _headings(ROOT / path), link


def _headings(page: Path) -> set[str]:
    """The page's headings as links name them."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_the_rows_that_make_run_prints_are_those_that_are_built(
    demonstration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init"]) == main(["build"]) == 0
    pattern = re.compile(r"✓ (\S+) +built +(\d+) rows")
    shown = README[: README.index("## Two requests")]
    assert set(pattern.findall(shown)) == set(pattern.findall(capsys.readouterr().out))
    assert (demonstration / ".data").is_dir()


def test_a_line_left_out_of_the_map_gives_the_message_shown(
    demonstration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = demonstration / "res/dependencies.toml"
    path.write_text(path.read_text().replace(', "tmp.variants"', ""))
    assert main(["build"]) == 2
    assert capsys.readouterr().err in README


def test_the_settings_have_the_defaults_that_it_names() -> None:
    settings = read_settings({})
    assert f"| `WAREHOUSE_URL` | `{DEFAULT_URL}` |" in README
    assert settings.warehouse_url == DEFAULT_URL
    assert f"| `REFRESH_WORKERS` | `{settings.workers}` |" in README


def test_every_command_is_listed() -> None:
    names = re.findall(r' add\("(\w+)"', (PACKAGE / "commands/main.py").read_text())
    assert names
    for command in names:
        assert f"| `refresh {command}` |" in README


def test_a_planted_fault_is_found_as_shown(demonstration: Path) -> None:
    assert main(["init"]) == main(["build"]) == 0
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    [block] = re.findall(r"^```console\n(\$ sed .*?)^```$", README, re.MULTILINE | re.DOTALL)
    for example in re.split(r"^(?=\$ )", block, flags=re.MULTILINE)[1:]:
        command, _, shown = example.removeprefix("$ ").partition("\n")
        done = subprocess.run(
            ["bash", "-c", command], cwd=demonstration, env=environment, capture_output=True, text=True, check=False
        )
        assert (command, done.stdout + done.stderr) == (command, shown)
