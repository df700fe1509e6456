"""Real PostgreSQL and MariaDB servers for tests, of the distribution's packages, and databases in them."""

import fcntl
import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import SHARED

_STARTED, _STARTED_MARIADB = "postgres.folder", "mariadb.folder"
_SERVER = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=50")


def programs() -> Path | None:
    """The folder of the newest PostgreSQL of this machine; Debian keeps it out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Database:
    """A database of one test: its URL, and statements in it. `command` is a program that takes statements."""

    def __init__(self, folder: Path, name: str) -> None:
        self.url = f"postgresql:///{name}?host={folder}&user=shop"
        psql = programs()
        assert psql is not None
        self.command = [str(psql / "psql"), "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", self.url]

    def run(self, sql: str) -> str:
        """Run statements as somebody else would. Returns what the last one answers, without headings."""
        done = subprocess.run(self.command, input=sql, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr
        return done.stdout


class MariaDatabase:
    """The same in MariaDB."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.command = ["mariadb", "--no-defaults", "--user=shop", f"--socket={folder}/socket", "-N", "-B"]
        self.command += ["--default-character-set=utf8mb4", "--delimiter=//", name]
        self.url = f"mysql://shop@localhost/{name}?unix_socket={folder}/socket"

    def run(self, sql: str) -> str:
        """Run statements as somebody else would. Returns what they answer, without headings."""
        done = subprocess.run(self.command, input=sql, capture_output=True, text=True, check=False)
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
            (SHARED / _STARTED).write_text(str(start_postgres()))
    return Path((SHARED / _STARTED).read_text())


@pytest.fixture
def database(postgres_folder: Path) -> Iterator[Database]:
    """An empty database."""
    name = f"test_{uuid4().hex}"
    whole = Database(postgres_folder, "postgres")
    whole.run(f"CREATE DATABASE {name}")
    yield Database(postgres_folder, name)
    whole.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def mariadb_folder() -> Path:
    """The folder with the socket of a MariaDB; one server for all processes of this run of the tests."""
    if not shutil.which("mariadbd"):
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    with (SHARED / "mariadb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (SHARED / _STARTED_MARIADB).exists():
            (SHARED / _STARTED_MARIADB).write_text(str(start_mariadb()))
    return Path((SHARED / _STARTED_MARIADB).read_text())


@pytest.fixture
def maria(mariadb_folder: Path) -> Iterator[MariaDatabase]:
    """An empty database of MariaDB."""
    name = f"test_{uuid4().hex}"
    whole = MariaDatabase(mariadb_folder, "")
    whole.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield MariaDatabase(mariadb_folder, name)
    whole.run(f"DROP DATABASE {name}")


def start_mariadb(*options: str) -> Path:
    """Start a server that outlives this process, without tables of users: whoever reaches its socket may do all."""
    folder = Path(tempfile.mkdtemp(prefix="refresh-mariadb-"))
    server = ["mariadbd", "--no-defaults", f"--datadir={folder}", f"--socket={folder}/socket", "--skip-networking"]
    server += ["--skip-grant-tables", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--sql-mode="]
    server += [f"--pid-file={folder}/pid", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M"]
    server += [f"--user={'root' if os.geteuid() == 0 else getpass.getuser()}", *options]
    log = folder / "log"
    subprocess.run(["setsid", "sh", "-c", '"$@" > "$0" 2>&1 &', log, *server], check=True)
    deadline = time.monotonic() + 120
    while not log.exists() or "ready for connections" not in log.read_text():
        if time.monotonic() > deadline:
            pytest.fail(f"MariaDB did not start:\n{log.read_text()}")
        time.sleep(0.05)
    return folder


def stop_mariadb(folder: Path) -> None:
    """Stop the server in this folder, and delete it."""
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def start_postgres(*options: str, keys: Mapping[str, str] | None = None) -> Path:
    """Start a server that outlives this process. It does not run as root, so the folder is another user's; `keys` are
    files in it that only that user may read."""
    found = programs()
    assert found is not None
    folder = Path(tempfile.mkdtemp(prefix="refresh-postgres-"))
    other = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    if other:
        shutil.chown(folder, "nobody", "nogroup")
    folder.chmod(0o755)
    for name, text in (keys or {}).items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
        if other:
            shutil.chown(folder / name, "nobody", "nogroup")
    initdb = [found / "initdb", "-D", folder / "data", "-A", "trust", "-U", "shop", "-E", "UTF8", "--locale", "C", "-N"]
    start = [found / "pg_ctl", "start", "-w", "-D", folder / "data", "-l", folder / "log"]
    for command in (initdb, [*start, "-o", " ".join([*_SERVER, "-k", str(folder), *options])]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **other)  # type: ignore[call-overload]
    return folder


def stop_servers() -> None:
    """Stop the servers that a process of this run of the tests has started."""
    maria = SHARED / _STARTED_MARIADB
    if maria.exists():
        stop_mariadb(Path(maria.read_text()))
    started = SHARED / _STARTED
    if started.exists():
        stop_postgres(Path(started.read_text()))


def stop_postgres(folder: Path) -> None:
    """Stop the server in this folder, and delete it."""
    os.kill(int((folder / "data/postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)
