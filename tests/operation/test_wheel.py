"""What a user has who installs the wheel, and nothing else: docs/own-project.md, command for command."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, free_port
from tests.operation.installation import ended, wait_for

PAGE = (ROOT / "docs/own-project.md").read_text()
BLOCK = re.compile(r"```(console|csv|sql)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel and what it needs, in the locked versions, without its extras."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = folder / "venv"
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    [wheel] = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    uv = Path(sys.executable).parent / "uv"
    words: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", environment / "bin/python"]
    subprocess.run([*words, "--constraint", ROOT / "requirements.txt", wheel], check=True)
    share_bytecode(environment)
    return environment


def share_bytecode(environment: Path) -> None:
    """Give the environment the bytecode that these tests have of the same files: several processes would compile them
    at once. Python compiles what differs, as always."""
    here, there = (Path(sysconfig.get_path("purelib", vars={"base": base})) for base in (sys.prefix, environment))
    for folder in there.rglob("*/"):
        compiled = here / folder.relative_to(there) / "__pycache__"
        if compiled.is_dir():
            shutil.copytree(compiled, folder / "__pycache__", copy_function=os.link, dirs_exist_ok=True)


class Shell:
    """A terminal in a folder, where the commands of the environment are found first."""

    def __init__(self, environment: Path, folder: Path) -> None:
        self.folder = folder
        self.prefect = f"http://127.0.0.1:{free_port()}"
        self.api = f"http://127.0.0.1:{free_port()}"
        self.variables = {
            **os.environ,
            "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"{self.prefect}/api",
            "API_PORT": self.api.rpartition(":")[2],
        }

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        words = ["sh", "-c", command]
        return subprocess.run(words, cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """`refresh serve`, ended by Ctrl-C."""
        with (self.folder / "serve.log").open("wb") as log:
            words = ["sh", "-c", "exec refresh serve"]
            serve = subprocess.Popen(words, cwd=self.folder, env=self.variables, stdout=log, stderr=log)
        try:
            wait_for(lambda: "Ctrl-C stops everything" in (self.folder / "serve.log").read_text() or serve.poll())
            yield
        finally:
            serve.send_signal(signal.SIGINT)
            serve.wait(timeout=600)


@pytest.fixture
def shell(installed: Path, tmp_path: Path) -> Shell:
    return Shell(installed, tmp_path)


def follow(shell: Shell) -> None:
    """Do what the page says: write its files, run its commands; each line that it shows must be printed."""
    for block in BLOCK.finditer(PAGE):
        kind, text = block.groups()
        if kind != "console":
            name = re.findall(r"Write `(\S+)`", PAGE[: block.start()])[-1]
            (shell.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (shell.folder / name).write_text(text)
            continue
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            if command.startswith("cd "):
                shell.folder /= shlex.split(command)[1]
                continue
            done = shell.run(command)
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            printed = set(map(without_seconds, done.stdout.splitlines()))
            assert set(map(without_seconds, shown.splitlines())) - {"…"} <= printed, command


def without_seconds(line: str) -> str:
    return re.sub(r"\d+\.\d\d s$", "0.00 s", line)


@pytest.mark.usefixtures("prefect_home")
def test_the_page_does_what_it_shows_from_the_wheel_alone(shell: Shell) -> None:
    follow(shell)
    assert '\nbest = ["final.customers", "tmp.revenue"]\n' in (shell.folder / "res/dependencies.toml").read_text()
    stored, started = re.findall(r"^curl -X POST (.*)$", PAGE, re.MULTILINE)
    with shell.serving():
        [target] = re.findall(r"'http://127.0.0.1:8000(/.*)'", stored)
        assert httpx.post(f"{shell.api}{target}", timeout=60).status_code == 201
        header, value = re.findall(r"-H '(\w+): (\S+)'", started)[0]
        answer = httpx.post(f"{shell.api}/run", headers={header: value}, timeout=600)
        run = ended(shell.api, answer)
        assert run["state"] == "Completed", (run, (shell.folder / "serve.log").read_text())
    assert shell.run("refresh show tmp.revenue --csv").stdout.splitlines()[1:] == ["1,24.99,2", "2,61.5,2"]


@pytest.mark.parametrize(
    ("command", "extra"),
    [("WAREHOUSE_URL=bigquery://project refresh plan", "bigquery"), ("refresh graph --svg graph.svg", "graph")],
)
def test_a_command_that_needs_an_extra_says_which(shell: Shell, command: str, extra: str) -> None:
    shell.run("refresh new shop")
    shell.folder /= "shop"
    done = shell.run(command)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert f"which is not installed: pip install 'warehouse-refresh[{extra}]'" in done.stderr


def test_the_wheel_brings_one_name_to_import(installed: Path) -> None:
    [record] = installed.glob("lib/*/site-packages/warehouse_refresh-*.dist-info/RECORD")
    names = {line.split("/")[0] for line in record.read_text().splitlines()}
    assert {name for name in names if not name.endswith(".dist-info")} <= {"warehouse_refresh", ".."}
