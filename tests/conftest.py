"""What every test may use. Nothing of the user's home or environment is read or changed."""

import atexit
import fcntl
import gc
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["tests.emulator.fixtures", "tests.origins.servers", "tests.origins.shop"]

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "warehouse_refresh"

if "REFRESH_TESTS_SHARED" not in os.environ:  # else another process of this run of the tests has made the folder
    os.environ["REFRESH_TESTS_SHARED"] = tempfile.mkdtemp(prefix="refresh-tests-")
    _MAKER = os.getpid()
else:
    _MAKER = 0
SHARED = Path(os.environ["REFRESH_TESTS_SHARED"])
EMPTY_DATABASE = SHARED / "empty-prefect.db"

os.environ.pop("PYTHONDONTWRITEBYTECODE", "")  # else each process that the tests start compiles this project anew

for name in list(os.environ):
    if name.startswith(("PREFECT_", "REFRESH_PR", "REFRESH_W", "WAREHOUSE_", "API_", "GOOGLE_", "BIGQUERY_")):
        del os.environ[name]
os.environ["PREFECT_HOME"] = str(SHARED / "prefect")
os.environ["PREFECT_SERVER_EPHEMERAL_ENABLED"] = "false"

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # by `make test &` in a script; all programs would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


hypothesis.settings.register_profile("tests", deadline=None)  # no test asserts a time
hypothesis.settings.load_profile("tests")


@atexit.register  # before Prefect registers what it does at the end, and so after it
def _clean_up() -> None:
    """In the process that made the shared folder, stop the servers that fixtures started, in whichever process."""
    if os.getpid() != _MAKER:
        return
    pid = SHARED / "prefect.pid"
    if pid.exists():
        os.kill(int(pid.read_text()), signal.SIGKILL)
    from tests.origins.servers import stop_servers

    stop_servers()
    shutil.rmtree(SHARED, ignore_errors=True)


@pytest.fixture(scope="session")
def prefect_server() -> str:
    """The API's URL of a real Prefect server, one for all processes of this run of the tests."""
    address = SHARED / "prefect.url"
    with (SHARED / "prefect.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            address.write_text(_start_server())
    return address.read_text()


@pytest.fixture
def prefect_home(tmp_path: Path, prefect_server: str) -> Path:
    """A home for a Prefect server of a test's own, in the working folder. Its database has its tables already: to make
    them takes a server half of the time of its start. Nothing is in them."""
    assert prefect_server
    home = tmp_path / "prefect"
    home.mkdir()
    shutil.copy(EMPTY_DATABASE, home / "prefect.db")
    return home


@pytest.fixture
def prefect_api(prefect_server: str) -> Iterator[str]:
    """The server's API as what this process uses while the test runs."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: prefect_server}):
        yield prefect_server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working folder and has the default warehouse."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def demonstration(folder: Path) -> Path:
    """A working folder with the project's own res/ and db_init/."""
    for name in ("res", "db_init"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder]).returncode:
        pytest.skip("only root can make a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    """Fill the disk with one file."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def write(folder: Path) -> Write:
    """Write files, texts by path, into the working folder; answers the folder."""

    def write_files(files: dict[str, str]) -> Path:
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        return folder

    return write_files


def _start_server() -> str:
    """Start a server that outlives the process that starts it, and wait until it answers."""
    port = free_port()
    command = 'cd "$0" && exec "$1" -m prefect server start --port "$2" > "$3" 2>&1 & echo $!'
    log = SHARED / "prefect.log"
    pid = subprocess.run(
        ["setsid", "sh", "-c", command, ROOT, sys.executable, str(port), log],
        env=os.environ | {"PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1"},  # a test waits for an event
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    (SHARED / "prefect.pid").write_text(pid)
    url = f"http://127.0.0.1:{port}/api"
    deadline = time.monotonic() + 600
    while not _answers(f"{url}/health"):
        if time.monotonic() > deadline:
            pytest.fail(f"the Prefect server did not start:\n{log.read_text()}")
        time.sleep(0.1)
    _copy_database(SHARED / "prefect" / "prefect.db", EMPTY_DATABASE)
    return url


def _copy_database(source: Path, copy: Path) -> None:
    with closing(sqlite3.connect(source)) as database, closing(sqlite3.connect(copy)) as other:
        database.backup(other)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, nor look at them ever again: they stay to the end, and so does what
    they import."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_sessionfinish() -> None:
    """Let Python release at its end what the command line has frozen; DuckDB names each object that is left then."""
    gc.unfreeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the comparison of both engines came to."""
    from tests.warehouse.googlesql.summary import report

    report(terminalreporter)
