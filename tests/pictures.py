"""Make the pictures of README anew, as `make pictures` does: the demonstration's pages in Chromium, and what commands
print."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import httpx
from rich.console import Console
from rich.text import Text
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.catalogue.browser import chromium
from tests.conftest import ROOT
from tests.operation.installation import wait_for

FOLDER = ROOT / "docs" / "pictures"
SIZE = (1000, 760)
PAGES = {
    "first": ("/", ".live"),
    "table": ("/catalogue/tmp.variants.html", "#state .plot"),
    "runs": ("/catalogue/runs.html", "#timeline .tag"),
}
"""By the name of each picture its page, and what the page must have before it is looked at."""
COMMANDS = ("refresh build", "refresh plan stale")
PAUSE = 1.0
"""How many seconds the recording waits before and after a command."""
REFRESH = [sys.executable, "-m", "warehouse_refresh.commands.main"]


def main() -> None:
    """Write the pictures into docs/pictures/."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        project, environment = installed(Path(place))
        (FOLDER / "terminal.svg").write_text(_recorded(project, environment))
        with served(project, environment) as url, chromium(Path(place) / "browser") as browser:
            for _ in range(5):
                httpx.post(f"{url}/run", headers={"Prefer": "wait=120"}, timeout=150).raise_for_status()
            for name, (path, wanted) in PAGES.items():
                _look(browser, f"{url}{path}", wanted, FOLDER / f"{name}.png")


def installed(place: Path) -> tuple[Path, dict[str, str]]:
    """The demonstration with its raw tables, in a folder of `place`, and the environment for its commands."""
    project = place / "shop"
    for name in ("res", "db_init"):
        shutil.copytree(ROOT / name, project / name)
    for name in ("prefect.yaml", "prefect.toml"):
        shutil.copy(ROOT / name, project)
    environment = {**os.environ, **ports(), "PREFECT_HOME": f"{place}/prefect", "COLUMNS": "90"}
    subprocess.run([*REFRESH, "init"], cwd=project, env=environment, check=True)
    return project, environment


def ports() -> dict[str, str]:
    """Settings with ports that are free."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        api = f"http://127.0.0.1:{one.getsockname()[1]}/api"
        return {"PREFECT_API_URL": api, "API_PORT": str(other.getsockname()[1])}


@contextmanager
def served(project: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run Prefect's server, a worker and the API; gives the address of the API."""
    url = f"http://127.0.0.1:{environment['API_PORT']}"
    serving = subprocess.Popen([*REFRESH, "serve"], cwd=project, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _is_ready(serving, url) or None)
        yield url
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait()


def _is_ready(serving: "subprocess.Popen[bytes]", url: str) -> bool:
    assert serving.poll() is None, "refresh serve has ended"
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.TransportError:
        return False


def _look(browser: Chrome, url: str, wanted: str, path: Path) -> None:
    browser.set_window_size(*SIZE)
    browser.get(url)
    WebDriverWait(browser, 60).until(lambda it: it.find_elements(By.CSS_SELECTOR, wanted))
    browser.save_screenshot(str(path))


def _recorded(project: Path, environment: dict[str, str]) -> str:
    """What the commands print, as a recording of a terminal: each line appears when it was printed."""
    console = Console(record=True, width=90, file=StringIO())
    times, begun = list[float](), 0.0
    for command in COMMANDS:
        lines, ended = _printed([*REFRESH, *command.split()[1:]], project, environment)
        text = Text(f"$ {command}\n", style="bold") + Text("".join(line for line, _ in lines), style="not bold")
        text.highlight_words(["✓"], "green")
        console.print(text)
        after = begun + PAUSE
        times += [begun, *(after + at for _, at in lines), after + ended]  # the last one is an empty line
        begun = after + ended + PAUSE
    svg = console.export_svg(title="refresh")
    svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)  # they are on another host
    return _played(svg, times)


def _printed(words: list[str], project: Path, environment: dict[str, str]) -> tuple[list[tuple[str, float]], float]:
    """The lines that a command prints, with the second of each, and the second of its end."""
    started = time.monotonic()
    with subprocess.Popen(words, cwd=project, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [(line, time.monotonic() - started) for line in process.stdout]
    assert process.returncode == 0
    return lines, time.monotonic() - started


def _played(svg: str, times: list[float]) -> str:
    """The picture with each of its lines hidden until its time. Whoever wants no motion sees all lines at once."""
    shown = "@keyframes shown { from { visibility: hidden } }"
    still = "@media (prefers-reduced-motion: reduce) { text { animation: none !important } }"
    svg = svg.replace("<style>", f"<style>\n    {shown}\n    {still}\n", 1)

    def appear(found: re.Match[str]) -> str:
        at = times[min(int(found[2]), len(times) - 1)]
        return f'{found[1]} style="animation: shown {at:.2f}s step-end"' if at else found[1]

    return re.sub(r'(clip-path="url\(#[\w-]+-line-(\d+)\)")', appear, svg)


if __name__ == "__main__":
    main()
