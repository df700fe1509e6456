"""A real PostgreSQL server for tests, of the distribution's package, and databases in it."""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import SHARED

_STARTED = "postgres.folder"
_SERVER = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=50")


def programs() -> Path | None:
    """The folder of the newest PostgreSQL of this machine; Debian keeps it out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Database:
    """A database of one test: its URL, and statements in it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.url = f"postgresql:///{name}?host={folder}&user=shop"

    def run(self, sql: str) -> str:
        """Run statements as somebody else would. Returns what the last one answers, without headings."""
        psql = programs()
        assert psql is not None
        command = [str(psql / "psql"), "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", self.url]
        done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr
        return done.stdout


NewDatabase = Callable[[], Database]


@pytest.fixture(scope="session")
def postgres_folder() -> Path:
    """The folder with the server's socket; one server for all processes of this run of the tests."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with (SHARED / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (SHARED / _STARTED).exists():
            (SHARED / _STARTED).write_text(str(_start()))
    return Path((SHARED / _STARTED).read_text())


@pytest.fixture
def database(postgres_folder: Path) -> Iterator[Database]:
    """An empty database."""
    name = f"test_{uuid4().hex}"
    whole = Database(postgres_folder, "postgres")
    whole.run(f"CREATE DATABASE {name}")
    yield Database(postgres_folder, name)
    whole.run(f"DROP DATABASE {name} WITH (FORCE)")


def _start() -> Path:
    """Start a server that outlives this process. It does not run as root, so the folder is another user's."""
    found = programs()
    assert found is not None
    folder = Path(tempfile.mkdtemp(prefix="refresh-postgres-"))
    other = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    if other:
        shutil.chown(folder, "nobody", "nogroup")
    folder.chmod(0o755)
    initdb = [found / "initdb", "-D", folder / "data", "-A", "trust", "-U", "shop", "-E", "UTF8", "--locale", "C", "-N"]
    start = [found / "pg_ctl", "start", "-w", "-D", folder / "data", "-l", folder / "log"]
    for command in (initdb, [*start, "-o", " ".join([*_SERVER, "-k", str(folder)])]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **other)  # type: ignore[call-overload]
    return folder


def stop_servers() -> None:
    """Stop the server that a process of this run of the tests has started."""
    started = SHARED / _STARTED
    if started.exists():
        folder = Path(started.read_text())
        os.kill(int((folder / "data/postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
