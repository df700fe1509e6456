"""Processes that open one DuckDB file in turns: no committed row is lost when one opens while another closes."""

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from tests.processes import child
from tests.waiting import wait_until
from warehouse_refresh.warehouse import Append
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.file import DuckDBFile
from warehouse_refresh.warehouse.duckdb.lock import Lock
from warehouse_refresh.warehouse.errors import Transient, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

ITEMS = TableName("raw", "items")
STRACE = shutil.which("strace")
WRITES = "INSERT INTO writes VALUES (?)"

# Stops before and after DuckDB opens the file, and before and after it closes it.
IN_STEPS = """
import duckdb, sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb import hold
from warehouse_refresh.warehouse.duckdb.file import DuckDBFile

def step(name):
    print(name, flush=True)
    sys.stdin.readline()

class InSteps:
    def __init__(self, connection):
        self._connection = connection
    def cursor(self):
        return self._connection.cursor()
    def execute(self, sql):
        if not sql.startswith("ATTACH"):
            return self._connection.execute(sql)
        step("opens")
        self._connection.execute(sql)
        step("opened")
    def close(self):
        step("closes")
        self._connection.close()
        step("closed")

def connect(*arguments, **options):
    return InSteps(duckdb_connect(*arguments, **options))

duckdb_connect, hold.duckdb.connect = duckdb.connect, connect
file = DuckDBFile(Path(sys.argv[1]), lambda connection: None)
with file.cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS writes (who VARCHAR)")
file.close()
print("done", flush=True)
"""

# Inserts a row for each line that it reads.
WRITER = """
import sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb.file import DuckDBFile
file = DuckDBFile(Path(sys.argv[1]), lambda connection: None)
for line in sys.stdin:
    with file.cursor() as cursor:
        cursor.execute("INSERT INTO writes VALUES ('late')")
    print("stored", flush=True)
"""

# Appends that many rows, one at a time, through the engine; then says so.
APPENDER = """
import sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse import Append
from warehouse_refresh.warehouse.names import TableName
with DuckDBWarehouse(Path(sys.argv[1])) as warehouse:
    for number in range(int(sys.argv[2])):
        warehouse.append(TableName("raw", "items"), [Append([{"id": number}])])
print("done", flush=True)
"""

# Builds a table again and again until it is killed.
BUILDER = """
import sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
warehouse = DuckDBWarehouse(Path(sys.argv[1]))
while True:
    items = TableBuild(TableName("tmp", "items"), parse_query("SELECT id FROM raw.items"))
    warehouse.build(items, BuildContext("test"))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.duckdb"


@pytest.fixture
def writes(path: Path) -> Path:
    """The file, with an empty table `writes`."""
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE writes (who VARCHAR)")
    return path


def prepare_nothing(_connection: duckdb.DuckDBPyConnection) -> None:
    """For files that need no preparation."""


def is_held(path: Path, lock: str = "lock") -> bool:
    return Lock(path.with_name(f"{path.name}.{lock}")).is_taken_elsewhere()


def counts(path: Path) -> dict[str, int]:
    file = DuckDBFile(path, prepare_nothing)
    with file.cursor() as cursor:
        found = cursor.execute("SELECT who, count(*) FROM writes GROUP BY who").fetchall()
    file.close()
    return dict(found)


def slow_writer(path: Path) -> list[str]:
    """The command before Python that makes a second pass between DuckDB's look at the headers and its lock."""
    # -D: the process that is started, and killed in the end, is Python and not strace
    trace = [STRACE or "", "-D", "-f", "-qq", "-o", "/dev/null", "-P", str(path), "-e", "trace=fcntl"]
    command = [*trace, "-e", "inject=fcntl:delay_enter=1000000"]
    if STRACE is None or subprocess.run([*command, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("strace is missing here, or may trace nothing")
    return command


def test_the_lock_is_held_from_before_the_file_is_opened_until_after_it_is_closed(path: Path) -> None:
    with child(IN_STEPS, path) as other:
        for step in ("opens", "opened", "closes", "closed"):
            assert other.hear() == step
            assert is_held(path)
            other.tell()
        assert other.hear() == "done"
        assert not is_held(path)


@pytest.mark.parametrize("step", ["opens", "opened", "closes", "closed"])
def test_nobody_else_opens_the_file_meanwhile(path: Path, step: str) -> None:
    file = DuckDBFile(path, prepare_nothing, patience=0.2)
    with child(IN_STEPS, path) as other:
        while other.hear() != step:
            other.tell()
        with pytest.raises(Transient, match="is held by another process"), file.cursor():
            pass
        other.kill()
        with file.cursor() as cursor:
            assert cursor.execute("SELECT 1").fetchall() == [(1,)]
    file.close()


def test_a_failed_opening_lets_go_of_the_lock(path: Path) -> None:
    path.write_text("no database")
    file = DuckDBFile(path, prepare_nothing)
    with pytest.raises(WarehouseError), file.cursor():
        pass
    assert not is_held(path)
    assert not is_held(path, "turn")

    def fail(_connection: duckdb.DuckDBPyConnection) -> None:
        raise RuntimeError

    path.unlink()
    file = DuckDBFile(path, fail)
    with pytest.raises(RuntimeError), file.cursor():
        pass
    assert not is_held(path)
    with duckdb.connect(path, config={"threads": 1}):  # of another configuration: the first is closed
        pass


@pytest.mark.parametrize("how", ["a symbolic link", "a folder's link", "a relative path"])
def test_another_path_to_the_file_is_the_same_file(path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    links = path.parent / "links"
    links.mkdir()
    (links / "other.duckdb").symlink_to(path)
    (links / "folder").symlink_to(path.parent)
    monkeypatch.chdir(path.parent)
    other_path = {
        "a symbolic link": links / "other.duckdb",
        "a folder's link": links / "folder" / path.name,
        "a relative path": Path("links/../shared.duckdb"),
    }[how]
    with child(IN_STEPS, path) as other:
        assert other.hear() == "opens"
        file = DuckDBFile(other_path, prepare_nothing, patience=0.1)
        with pytest.raises(Transient), file.cursor():
            pass


def test_a_lock_file_that_was_deleted_keeps_nobody_apart_for_ever(writes: Path) -> None:
    file = DuckDBFile(writes, prepare_nothing)
    with file.cursor() as cursor:
        cursor.execute(WRITES, ["me"])
    wait_until(lambda: not is_held(writes))
    for lock in ("lock", "turn"):
        writes.with_name(f"{writes.name}.{lock}").unlink()
    with file.cursor():
        assert is_held(writes)
    file.close()


def test_rows_of_who_closes_while_another_opens_are_there(writes: Path) -> None:
    file, stored = DuckDBFile(writes, prepare_nothing), 0

    def store() -> None:
        nonlocal stored
        with file.cursor() as cursor:
            cursor.execute(WRITES, ["early"])
        stored += 1

    with child(WRITER, writes, before=slow_writer(writes)) as late:
        store()
        late.tell()
        while not is_held(writes, "turn"):
            store()
        while is_held(writes, "turn"):
            store()
        assert late.hear() == "stored"
        file.close()
    assert counts(writes) == {"early": stored, "late": 1}


def test_rows_of_another_program_that_closes_while_we_open_are_there(writes: Path) -> None:
    with child(WRITER, writes, before=slow_writer(writes)) as late:
        with duckdb.connect(writes) as foreign:
            late.tell()
            wait_until(lambda: is_held(writes))
            foreign.execute(WRITES, ["foreign"])
        assert late.hear() == "stored"
    assert counts(writes) == {"foreign": 1, "late": 1}


def test_every_row_that_was_stored_by_several_processes_beside_builds_is_there(path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        warehouse.create_datasets(["raw", "tmp"])
        warehouse.run_script(parse_script("CREATE TABLE raw.items (id INT64)"))
        with ExitStack() as stack:
            appenders = [stack.enter_context(child(APPENDER, path, 40)) for _ in range(2)]
            stack.enter_context(child(BUILDER, path))
            for number in range(40):
                warehouse.append(ITEMS, [Append([{"id": number}])])
            assert [appender.hear() for appender in appenders] == ["done", "done"]
        stored = sorted(number for (number,) in warehouse.first_rows(ITEMS, 1000))
    assert stored == sorted([*range(40)] * 3)
