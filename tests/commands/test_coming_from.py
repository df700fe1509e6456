"""docs/coming-from.md: the project that its examples make is built, and what the others write is refused as it says."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from warehouse_refresh.commands.main import main

PAGE = (ROOT / "docs/coming-from.md").read_text()
BLOCK = re.compile(r"```(csv|toml|sql|console)\n(.*?)```", re.DOTALL)
FOREIGN = re.compile(r"```(?:jinja|sqlx|sqlmesh)\n(.*?)```\n\nbecomes `(\S+)`", re.DOTALL)


@pytest.fixture
def project(folder: Path) -> Path:
    """The page's files in a new folder."""
    for block in BLOCK.finditer(PAGE):
        kind, text = block.groups()
        if kind != "console":
            path = folder / re.findall(r"`(\S+\.(?:csv|toml|sql))`:\n", PAGE[: block.start()])[-1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return folder


@pytest.mark.usefixtures("project")
def test_the_examples_make_a_project_that_builds(capsys: pytest.CaptureFixture[str]) -> None:
    [console] = [text for kind, text in BLOCK.findall(PAGE) if kind == "console"]
    for command, shown in re.findall(r"^\$ refresh (.*)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE):
        assert main(command.split()) == 0
        printed = capsys.readouterr().out
        assert not shown or printed == shown
    assert main(["check", "--strict"]) == 0


def test_what_the_others_write_is_refused_with_what_to_write(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync"]) == 0
    foreign = FOREIGN.findall(PAGE)
    assert len(foreign) == 3
    printed = ""
    for text, name in foreign:
        ours = (project / name).read_text()
        (project / name).write_text(text)
        capsys.readouterr()
        assert main(["check"]) == 2
        printed += "".join(capsys.readouterr())
        assert f"error: {name}:" in printed
        (project / name).write_text(ours)
    [shown] = re.findall(r"```\n(error: .*?)```", PAGE, re.DOTALL)
    assert shown in printed
