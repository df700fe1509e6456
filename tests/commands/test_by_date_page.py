"""docs/by-date.md and README: their examples of a table by date, command for command."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PACKAGE, ROOT
from warehouse_refresh.commands.main import main

PAGE = (ROOT / "docs/by-date.md").read_text()
EXAMPLE = re.findall(r"^## Try it$.*?(?=^## )", PAGE, re.MULTILINE | re.DOTALL)[0]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = (ROOT / "README.md").read_text()
SHORT = [block for block in CONSOLE.findall(README) if "--example by-date" in block]


def test_the_page_shows_the_files_of_the_example() -> None:
    folder = PACKAGE / "commands/project/examples/by-date"
    files = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    shown = re.findall(r"^`(res/\S+)`: [^`]*(?:`[^`\n]+`[^`]*)*?```\w+\n(.*?)^```$", EXAMPLE, re.MULTILINE | re.DOTALL)
    assert dict(shown) == files


@pytest.mark.parametrize("blocks", [CONSOLE.findall(EXAMPLE), SHORT], ids=["page", "README"])
def test_the_example_does_what_it_shows(
    blocks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert blocks
    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE):
        words = shlex.split(command)
        if words[0] == "refresh":
            assert main(words[1:]) == 0, command
        elif words[0] == "cd":
            monkeypatch.chdir(words[1])
        else:
            subprocess.run(["sh", "-c", command], check=True)
        printed = capsys.readouterr().out.splitlines()
        for line in shown.splitlines():
            wanted = re.escape(line).replace("…", ".*")
            assert any(re.fullmatch(wanted, one) for one in printed), (command, line, printed)
