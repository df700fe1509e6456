"""A DuckDB file that cannot be used says so at once, with what to do; what was stored before is there afterwards."""

import shutil
import tempfile
from pathlib import Path

import duckdb
import pytest

from tests.conftest import fill
from tests.processes import child
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import Append, BuildContext, Outcome, TableBuild, connect
from warehouse_refresh.warehouse.deadline import waiting_until
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.faults import faults_of
from warehouse_refresh.warehouse.errors import OutcomeUnknown, TableNotFound, Transient, Unavailable, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

ITEMS = TableName("raw", "items")
CONTEXT = BuildContext("test")
LARGE = "SELECT x, REPEAT(CAST(x AS STRING), 100) AS y FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS x"
PROJECT = {
    "db_init/items.sql": "CREATE SCHEMA IF NOT EXISTS raw; CREATE OR REPLACE TABLE raw.items AS SELECT 1 AS id",
    "res/raw/items": "",
    "res/tmp/a.sql": "SELECT id FROM raw.items",
    "res/dependencies.toml": "",
}

# Stores rows until that fails, with files that may have only so many bytes; then goes on without that bound.
WITHIN_A_BOUND = """
import resource, signal, sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.faults import faults_of
from warehouse_refresh.warehouse import Append
from warehouse_refresh.warehouse.names import TableName
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
warehouse, stored = DuckDBWarehouse(Path(sys.argv[1])), 0
def store():
    rows = [{"id": stored, "name": f"{stored} {number}" * 50} for number in range(100)]
    warehouse.append(TableName("raw", "items"), [Append(rows)])
try:
    while stored < 1000:
        store()
        stored += 1
except Exception as error:
    print(f"{type(error).__name__}: {error}", flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store()
print(stored + 1, flush=True)
sys.stdin.readline()
"""

# Opens the file as somebody who is not root.
AS_NOBODY = """
import os, sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.faults import faults_of
from warehouse_refresh.warehouse import Append
from warehouse_refresh.warehouse.names import TableName
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    DuckDBWarehouse(Path(sys.argv[1])).append(TableName("raw", "items"), [Append([{"id": 1, "name": "x"}])])
except Exception as error:
    print(f"{type(error).__name__}: {error}", flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return with_items(tmp_path / "shop.duckdb")


def with_items(path: Path) -> Path:
    """Make the file with an empty table of items."""
    with DuckDBWarehouse(path) as warehouse:
        warehouse.create_datasets(["raw", "tmp"])
        warehouse.run_script(parse_script("CREATE TABLE raw.items (id INT64, name STRING)"))
    return path


def count(path: Path) -> int:
    with DuckDBWarehouse(path) as warehouse:
        return warehouse.row_count(ITEMS)


def damage(path: Path, start: int, end: int) -> None:
    """Spoil one byte in each 4 KB from `start` to `end`."""
    with path.open("r+b") as file:
        for place in range(start, min(end, path.stat().st_size), 4096):
            file.seek(place + 100)
            byte = file.read(1)
            file.seek(place + 100)
            file.write(bytes([byte[0] ^ 255]))


# A full disk


def test_a_file_that_may_not_grow_is_told_and_nothing_that_was_stored_is_lost(path: Path) -> None:
    with child(WITHIN_A_BOUND, path) as writer:
        assert writer.hear().startswith(f"Unavailable: no space left on the disk of {path} (File too large): free some")
        stored = int(writer.hear())
        writer.kill()
    assert stored > 1
    assert count(path) == stored * 100


def test_a_full_disk_fails_a_build_and_its_old_table_stands(small_disk: Path) -> None:
    path = with_items(small_disk / "shop.duckdb")
    with DuckDBWarehouse(path) as warehouse:
        table = TableName("tmp", "large")
        warehouse.build(TableBuild(table, parse_query("SELECT 1 AS x")), CONTEXT)
        with pytest.raises(Unavailable, match="no space left on the disk of"):
            warehouse.build(TableBuild(table, parse_query(LARGE)), CONTEXT)
        assert warehouse.first_rows(table, 10) == [(1,)]


def test_rows_for_which_there_is_no_room_are_refused_and_later_ones_stored(small_disk: Path) -> None:
    path = with_items(small_disk / "shop.duckdb")
    filling = small_disk / "filling"
    with DuckDBWarehouse(path) as warehouse:
        assert warehouse.append(ITEMS, [Append([{"id": 1}])]) == [Outcome.STORED]
        fill(filling)
        rows = [{"id": 2, "name": "x" * 1000}] * 100
        with pytest.raises(Unavailable, match="no space left on the disk of"):
            warehouse.append(ITEMS, [Append(rows)])
        filling.unlink()
        assert warehouse.append(ITEMS, [Append([{"id": 3}])]) == [Outcome.STORED]
    with DuckDBWarehouse(path) as again:
        assert sorted(id_ for id_, _ in again.first_rows(ITEMS, 1000)) == [1, 3]


# A file that cannot be read or written


@pytest.mark.parametrize(("start", "end"), [(0, 1), (4096, 12288), (12288, 1 << 40)])
@pytest.mark.parametrize("command", ["build", "plan", "init"])
def test_a_damaged_file_is_told_by_every_command(
    folder: Path, capsys: pytest.CaptureFixture[str], start: int, end: int, command: str
) -> None:
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert main(["init"]) == 0
    damage(folder / ".data/warehouse.duckdb", start, end)
    capsys.readouterr()
    assert main([command]) == 2
    printed = capsys.readouterr().err
    assert "is no DuckDB file, or a damaged one" in printed
    assert "put a copy in its place, or move it away" in printed
    assert main(["check"]) == 0


def test_a_block_of_a_table_that_is_damaged_fails_what_reads_it(path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        whole = path.stat().st_size
        warehouse.build(TableBuild(TableName("tmp", "large"), parse_query(LARGE)), CONTEXT)
    damage(path, whole + 65536, whole + 3 * 65536)
    with DuckDBWarehouse(path) as warehouse:
        with pytest.raises(Unavailable, match="a damaged one"):
            warehouse.build(TableBuild(TableName("tmp", "copy"), parse_query("SELECT * FROM tmp.large")), CONTEXT)
        assert warehouse.append(ITEMS, [Append([{"id": 1}])]) == [Outcome.STORED]


def test_a_folder_in_the_files_place_is_told(path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        path.unlink()
        path.mkdir()
        with pytest.raises(Unavailable, match=r"shop\.duckdb is a folder"):
            warehouse.tables("raw")


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        ((0o444, 0o777), "cannot be opened for writing: Permission denied; let this account write the file"),
        ((0o666, 0o555), "cannot be opened: Permission denied; the file's folder must be one"),
        ((0o666, 0o000), "cannot be opened: Permission denied; the file's folder must be one"),
    ],
)
def test_a_file_or_a_folder_that_cannot_be_written_is_told(modes: tuple[int, int], expected: str) -> None:
    folder = Path(tempfile.mkdtemp())
    path = with_items(folder / "shop.duckdb")
    try:
        for lock in ("lock", "turn"):
            path.with_name(f"{path.name}.{lock}").unlink()
        path.chmod(modes[0])
        folder.chmod(modes[1])
        with child(AS_NOBODY, path) as nobody:
            said = nobody.hear()
        assert said.startswith(f"Unavailable: {path} {expected}")
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


# A file that is gone


def test_a_file_that_vanished_is_not_with_or_replace(path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        warehouse.append(ITEMS, [Append([{"id": 1}])])
        kept = path.rename(path.with_suffix(".kept"))
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"shop\.duckdb is gone"):
                warehouse.append(ITEMS, [Append([{"id": 2}])])
        assert not path.exists()
        kept.rename(path)
        assert warehouse.append(ITEMS, [Append([{"id": 3}])]) == [Outcome.STORED]
    with DuckDBWarehouse(path) as again:
        assert sorted(id_ for id_, _ in again.first_rows(ITEMS, 10)) == [1, 3]


def test_rows_for_a_file_that_is_removed_while_they_are_stored_are_refused(path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        with pytest.raises(OutcomeUnknown, match="what was written may be lost"):
            warehouse._database.in_transaction(lambda _cursor: path.unlink())
        with pytest.raises(Unavailable, match="is gone"):
            warehouse.tables("raw")
    with DuckDBWarehouse(path) as first_start:
        assert first_start.tables("raw") == []


def test_a_folder_that_vanished_is_not_with_or_replace(tmp_path: Path) -> None:
    path = tmp_path / "data" / "shop.duckdb"
    with_items(path)
    with DuckDBWarehouse(path) as warehouse:
        assert warehouse.tables("raw") == [ITEMS]
        shutil.rmtree(path.parent)
        with pytest.raises(Unavailable, match="is gone"):
            warehouse.tables("raw")
    assert not path.parent.exists()


# Waiting


def test_nothing_waits_for_longer_than_whoever_asked(path: Path) -> None:
    """With a patience of hours, this test would not end."""
    holder = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.readline()"
    with child(holder, path) as foreign, DuckDBWarehouse(path, patience=10_000) as warehouse:
        assert foreign.hear() == "held"
        with waiting_until(0), pytest.raises(Transient, match="is held by another process"):
            warehouse.append(ITEMS, [Append([{"id": 1}])])


def test_a_conflict_is_not_tried_again_for_longer_than_whoever_asked_waits(path: Path) -> None:
    tries = 0

    def conflict(_cursor: duckdb.DuckDBPyConnection) -> None:
        nonlocal tries
        tries += 1
        raise duckdb.TransactionException("TransactionContext Error: Conflict on update!")

    with DuckDBWarehouse(path) as warehouse, waiting_until(0):
        assert warehouse.tables("raw") == [ITEMS]
        with pytest.raises(Transient, match="other transactions kept changing the same tables"):
            warehouse._database.in_transaction(conflict)
    assert tries == 1


# Names


@pytest.mark.parametrize("dataset", ["shop", "warehouse", "memory", "temp", "system", "main", "duckdb", "Shop"])
def test_a_dataset_may_be_named_as_the_file_or_as_something_of_duckdbs(tmp_path: Path, dataset: str) -> None:
    table, copy = TableName(dataset, "t"), TableName(dataset, "copy")
    with DuckDBWarehouse(tmp_path / "shop.duckdb") as warehouse:
        warehouse.run_script(
            parse_script(
                f"CREATE SCHEMA IF NOT EXISTS {dataset}; CREATE OR REPLACE TABLE {dataset}.t AS SELECT 1 AS x;"
                f"INSERT INTO {dataset}.t (x) SELECT x + 1 FROM {dataset}.t"
            )
        )
        warehouse.create_datasets([dataset])
        assert warehouse.append(table, [Append([{"x": 3}], "key")]) == [Outcome.STORED]
        assert (
            warehouse.build(TableBuild(copy, parse_query(f"SELECT t.x FROM {dataset}.t WHERE t.x > 1")), CONTEXT).rows
            == 2
        )
        assert warehouse.tables(dataset) == [copy, table]
        assert [column.name for column in warehouse.columns(copy)] == ["x"]
        assert sorted(warehouse.first_rows(table, 10)) == [(1,), (2,), (3,)]


def test_a_table_that_is_missing_is_no_variable_of_that_name(path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        warehouse.create_datasets(["raw"])
        for name in ("cursor", "durations", "Path"):  # DuckDB would look for such names in our code
            with pytest.raises(TableNotFound):
                warehouse.row_count(TableName("raw", name))


@pytest.mark.parametrize("dataset", ["information_schema", "PG_CATALOG", "_warehouse"])
def test_a_dataset_that_the_engine_needs_itself_is_refused(path: Path, dataset: str) -> None:
    with DuckDBWarehouse(path) as warehouse, pytest.raises(WarehouseError, match=f"needs the name {dataset} itself"):
        warehouse.create_datasets(["tmp", dataset])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("duckdb:///.", r"that is a folder; write duckdb:///\./warehouse\.duckdb"),
        ("duckdb:////", "that is a folder"),
        ("duckdb:///no/such/folder/", "that is a folder; write duckdb:///no/such/folder/warehouse"),
        ("duckdb://", "write duckdb:///path/to/file"),
        ("duckdb:///", "write duckdb:///path/to/file"),
        ("duckdb:///a\0b", "write duckdb:///path/to/file"),
        ("duckdb:///:memory:", "in memory would be lost between two commands"),
        ("duckdb:///~/x.duckdb", "~ has no meaning in it"),
        ("duckdb:x", "write duckdb:///path/to/file"),
        ("duckdb://[", "Invalid IPv6 URL"),
        ("bigquery://[", "Invalid IPv6 URL"),
        ("", "write duckdb:///path/to/file or bigquery"),
    ],
)
def test_a_url_that_names_no_file_is_told_with_what_to_write(url: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=message) as caught:
        connect(url)
    assert f"WAREHOUSE_URL is {url!r}" in str(caught.value)


def test_a_signal_during_a_statement_is_an_interrupt_and_no_bug(tmp_path: Path) -> None:
    """DuckDB's client raises this at some moments of a statement, and KeyboardInterrupt at others."""
    with pytest.raises(KeyboardInterrupt), faults_of(tmp_path):
        raise RuntimeError("Query interrupted")
    with pytest.raises(RuntimeError, match="another"), faults_of(tmp_path):
        raise RuntimeError("another one")
