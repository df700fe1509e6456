"""docs/by-date.md: its example, command for command."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from warehouse_refresh.commands.main import main

PAGE = (ROOT / "docs/by-date.md").read_text()
EXAMPLE = re.findall(r"^## Try it$.*?(?=^## )", PAGE, re.MULTILINE | re.DOTALL)[0]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = (ROOT / "README.md").read_text()


def test_the_example_does_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in BLOCK.finditer(EXAMPLE):
        kind, text = block.groups()
        if kind != "console":
            path = Path(re.findall(r"^`(\S+)`: ", EXAMPLE[: block.start()], re.MULTILINE)[-1])
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            continue
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
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


def test_readme_shows_commands_of_the_example() -> None:
    [block] = re.findall(r"^```console\n(\$ refresh build tmp.views.*?)^```$", README, re.MULTILINE | re.DOTALL)
    commands = [line for line in block.splitlines() if not line.startswith("$ refresh plan")]
    assert commands
    assert all(command in EXAMPLE for command in commands)
