"""warehouse.duckdb.file: threads and processes get along on one DuckDB file."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaits
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
import pytest

from tests.processes import child
from tests.waiting import wait_until
from warehouse_refresh.warehouse.duckdb.file import HELD_SECONDS, DuckDBFile
from warehouse_refresh.warehouse.duckdb.hold import Hold, _start
from warehouse_refresh.warehouse.duckdb.lock import Lock
from warehouse_refresh.warehouse.errors import Cancelled, Transient, WarehouseError

FOREIGN = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("holds it", flush=True)
sys.stdin.readline()
connection.close()
print("closed it", flush=True)
sys.stdin.readline()
"""

FOREIGN_THAT_TRIES = """
import duckdb, sys, time
while True:
    try:
        duckdb.connect(sys.argv[1]).close()
        break
    except duckdb.IOException:
        time.sleep(0.005)
print("opened it", flush=True)
"""

IN_TURN = """
import sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb.lock import Lock
turn = Lock(Path(sys.argv[1] + ".turn"))
print(turn.take(), flush=True)
sys.stdin.readline()
"""

# Stores rows as fast as it can, until every process has stored 20.
WRITER = """
import sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb.file import DuckDBFile
path, me, processes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
file = DuckDBFile(path, lambda connection: None)
print("ready", flush=True)
sys.stdin.readline()
stored = []
while len(stored) < processes or min(stored) < 20:
    with file.cursor() as cursor:
        cursor.execute("INSERT INTO writes VALUES (?)", [me])
        stored = [count for (count,) in cursor.execute("SELECT count(*) FROM writes GROUP BY who").fetchall()]
file.close()
print("done", flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.duckdb"


def prepare_nothing(_connection: duckdb.DuckDBPyConnection) -> None:
    """For files that need no preparation."""


@contextmanager
def opened(path: Path, patience: float = 600.0) -> Iterator[DuckDBFile]:
    file = DuckDBFile(path, prepare_nothing, patience)
    try:
        yield file
    finally:
        file.close()


def answer(file: DuckDBFile) -> int:
    with file.cursor() as cursor:
        [(value,)] = cursor.execute("SELECT 42").fetchall()
    return int(value)


def is_waited_for(path: Path) -> bool:
    return Lock(path.with_name(f"{path.name}.turn")).is_taken_elsewhere()


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_take_turns_and_none_starves(path: Path, processes: int) -> None:
    with opened(path) as file, file.cursor() as cursor:
        cursor.execute("CREATE TABLE writes (who INTEGER)")
    with ExitStack() as stack:
        writers = [stack.enter_context(child(WRITER, path, me, processes)) for me in range(processes)]
        assert [writer.hear() for writer in writers] == ["ready"] * processes
        for writer in writers:
            writer.tell()
        assert [writer.hear() for writer in writers] == ["done"] * processes
    with opened(path) as file, file.cursor() as cursor:
        counts = cursor.execute("SELECT who, count(*) FROM writes GROUP BY who ORDER BY who").fetchall()
    assert [who for who, _ in counts] == list(range(processes))
    assert all(count >= 20 for _, count in counts)


def test_a_file_held_by_a_foreign_process_is_waited_for(path: Path) -> None:
    with child(FOREIGN, path) as foreign, opened(path) as file, ThreadPoolExecutor() as pool:
        assert foreign.hear() == "holds it"
        waiting = pool.submit(answer, file)
        wait_until(lambda: is_waited_for(path))
        assert not waiting.done()
        foreign.tell()
        assert waiting.result(timeout=600) == 42


def test_the_wait_is_bounded_and_ends_in_a_clear_passing_error(path: Path) -> None:
    with child(FOREIGN, path) as foreign, opened(path, patience=0.2) as file:
        assert foreign.hear() == "holds it"
        with pytest.raises(Transient, match=r"is held by another process, and still was after 0\.2 s") as caught:
            answer(file)
        assert str(path) in str(caught.value)
        assert caught.value.retry_after > 0
        foreign.tell()
        assert foreign.hear() == "closed it"
        assert answer(file) == 42


def test_all_threads_of_a_process_give_up(path: Path) -> None:
    with child(FOREIGN, path) as foreign, opened(path, patience=0.2) as file, ThreadPoolExecutor(8) as pool:
        assert foreign.hear() == "holds it"
        waiting = [pool.submit(answer, file) for _ in range(8)]
        assert all(isinstance(each.exception(), Transient) for each in waiting)


def test_a_killed_holder_frees_the_file(path: Path) -> None:
    with child(FOREIGN, path) as foreign, opened(path) as file, ThreadPoolExecutor() as pool:
        assert foreign.hear() == "holds it"
        waiting = pool.submit(answer, file)
        wait_until(lambda: is_waited_for(path))
        foreign.kill()
        assert waiting.result(timeout=600) == 42


def test_a_process_killed_in_its_turn_does_not_keep_the_others_out(path: Path) -> None:
    with child(IN_TURN, path) as other, opened(path) as file, ThreadPoolExecutor() as pool:
        assert other.hear() == "True"
        waiting = pool.submit(answer, file)
        with pytest.raises(StillWaits):
            waiting.result(timeout=0.1)
        other.kill()
        assert waiting.result(timeout=600) == 42


def test_an_idle_file_is_closed_so_that_a_foreign_process_can_open_it(path: Path) -> None:
    with opened(path) as file:
        assert answer(file) == 42
        with child(FOREIGN_THAT_TRIES, path) as foreign:
            assert foreign.hear() == "opened it"
        assert answer(file) == 42


def test_an_idle_file_is_closed_once_another_process_waits_for_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse_refresh.warehouse.duckdb.file.IDLE_SECONDS", 3600.0)
    with opened(path) as file, child(IN_TURN, path) as other:
        assert answer(file) == 42
        assert other.hear() == "True"
        with child(FOREIGN_THAT_TRIES, path) as foreign:
            assert foreign.hear() == "opened it"


def test_a_busy_file_is_given_to_who_waits_as_soon_as_nothing_runs_on_it(path: Path) -> None:
    with opened(path) as file, ThreadPoolExecutor() as pool, ExitStack() as stack:
        with file.cursor() as cursor:
            other = stack.enter_context(child(IN_TURN, path))
            assert other.hear() == "True"
            time.sleep(HELD_SECONDS)  # what is tested is what happens after that long
            late = pool.submit(answer, file)
            with pytest.raises(StillWaits):
                late.result(timeout=0.1)
            assert cursor.execute("SELECT 1").fetchall() == [(1,)]
        with child(FOREIGN_THAT_TRIES, path) as foreign:
            assert foreign.hear() == "opened it"
        assert not late.done()
        other.kill()
        assert late.result(timeout=600) == 42


def test_a_long_query_of_this_process_is_not_taken_for_another_process(path: Path) -> None:
    with opened(path, patience=0.2) as file, ThreadPoolExecutor() as pool, ExitStack() as stack:
        with file.cursor():
            other = stack.enter_context(child(IN_TURN, path))
            assert other.hear() == "True"
            time.sleep(HELD_SECONDS)  # what is tested is what happens after that long
            late = pool.submit(answer, file)
            with pytest.raises(StillWaits):
                late.result(timeout=0.5)
            other.kill()
        assert late.result(timeout=600) == 42


def test_threads_share_the_file(path: Path) -> None:
    everybody = threading.Barrier(8)

    def work() -> None:
        with file.cursor() as cursor:
            everybody.wait(timeout=600)
            assert cursor.execute("SELECT 1").fetchall() == [(1,)]

    with opened(path) as file, ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for _ in range(8)]:
            done.result()


def test_a_cursor_is_handed_out_again_and_one_at_a_time(path: Path) -> None:
    with opened(path) as file:
        with file.cursor() as one, file.cursor() as other:
            assert one is not other
        with file.cursor() as again:
            assert again in (one, other)


def test_a_block_that_fails_ends_its_transaction(path: Path) -> None:
    def fail() -> None:
        with file.cursor() as cursor:
            cursor.begin()
            cursor.execute("INSERT INTO writes VALUES (2)")
            raise RuntimeError

    with opened(path) as file:
        with file.cursor() as cursor:
            cursor.execute("CREATE TABLE writes AS SELECT 1 AS who")
        with pytest.raises(RuntimeError):
            fail()
        with file.cursor() as cursor:
            assert cursor.execute("SELECT who FROM writes").fetchall() == [(1,)]
            cursor.begin()


def test_each_opening_is_prepared(path: Path) -> None:
    openings: list[duckdb.DuckDBPyConnection] = []
    file = DuckDBFile(path, openings.append)
    answer(file)
    answer(file)
    assert len(openings) == 1
    with child(FOREIGN_THAT_TRIES, path) as foreign:
        assert foreign.hear() == "opened it"
    answer(file)
    assert len(openings) == 2
    file.close()


def test_an_interrupt_stops_what_runs_and_what_is_about_to(path: Path) -> None:
    about_to = threading.Barrier(3)

    def count() -> None:
        with file.cursor() as cursor:
            about_to.wait(timeout=600)
            cursor.execute("SELECT count(*) FROM range(100_000_000_000) WHERE random() > 2").fetchall()

    with opened(path) as file, ThreadPoolExecutor() as pool:
        work = [pool.submit(count), pool.submit(count)]
        about_to.wait(timeout=600)
        file.interrupt()
        for each in work:
            with pytest.raises(duckdb.InterruptException):
                each.result(timeout=600)
        with pytest.raises(Cancelled):
            answer(file)


def test_an_interrupt_ends_the_wait_for_the_file(path: Path) -> None:
    with child(FOREIGN, path) as foreign, opened(path) as file, ThreadPoolExecutor() as pool:
        assert foreign.hear() == "holds it"
        waiting = [pool.submit(answer, file) for _ in range(3)]
        wait_until(lambda: is_waited_for(path))
        file.interrupt()
        for each in waiting:
            with pytest.raises(Cancelled):
                each.result(timeout=600)


def test_close_frees_the_file_at_once_and_leaves_no_thread(path: Path) -> None:
    before = set(threading.enumerate())
    file = DuckDBFile(path, prepare_nothing)
    assert answer(file) == 42
    assert set(threading.enumerate()) != before
    file.close()
    assert set(threading.enumerate()) == before
    with child(FOREIGN, path) as foreign:
        assert foreign.hear() == "holds it"
    with pytest.raises(Cancelled, match="was closed"):
        answer(file)


def test_close_while_the_file_is_waited_for_leaves_nothing_open(path: Path) -> None:
    file = DuckDBFile(path, prepare_nothing)
    with child(FOREIGN, path) as foreign, ThreadPoolExecutor() as pool:
        assert foreign.hear() == "holds it"
        waiting = pool.submit(answer, file)
        wait_until(lambda: is_waited_for(path))
        file.close()
        with pytest.raises(Cancelled):
            waiting.result(timeout=600)
        assert not is_waited_for(path)


def test_what_runs_while_the_file_is_closed_runs_to_its_end(path: Path) -> None:
    file = DuckDBFile(path, prepare_nothing)
    with file.cursor() as cursor:
        file.close()
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]
    with child(FOREIGN, path) as foreign:
        assert foreign.hear() == "holds it"


def test_closing_what_was_never_opened_is_no_error(path: Path) -> None:
    with opened(path) as file:
        file.close()
    assert not path.exists()


def test_the_folder_is_made_at_need(tmp_path: Path) -> None:
    with opened(tmp_path / "new" / "folder" / "x.duckdb") as file:
        assert answer(file) == 42


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    expected = pytest.raises(WarehouseError, match=r"taken/x\.duckdb cannot be opened: File exists")
    with opened(tmp_path / "taken" / "x.duckdb") as file, expected:
        answer(file)


def test_a_file_that_is_no_duckdb_file_is_told_and_left_alone(path: Path) -> None:
    path.write_text("id,name\n" * 1000)
    with opened(path) as file:
        with pytest.raises(WarehouseError, match="not a valid DuckDB database file"):
            answer(file)
        with pytest.raises(WarehouseError, match="not a valid DuckDB database file"):
            answer(file)
    assert path.read_text() == "id,name\n" * 1000


def test_duckdb_starts_before_the_lock_is_taken_so_that_nobody_waits_for_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    def noted(name: str) -> Callable[[Hold], object]:
        step: Callable[[Hold], object] = getattr(Hold, name)

        def run(hold: Hold) -> object:
            steps.append(name)
            return step(hold)

        return run

    for name in ("start", "take", "open"):
        monkeypatch.setattr(Hold, name, noted(name))
    monkeypatch.setattr("warehouse_refresh.warehouse.duckdb.hold._start", once(_start))
    file = DuckDBFile(path, prepare_nothing)
    with file.cursor() as cursor:
        cursor.execute("SELECT 1")
    file.close()
    assert steps[:3] == ["start", "take", "open"]


def once(start: Callable[[Path], duckdb.DuckDBPyConnection]) -> Callable[[Path], duckdb.DuckDBPyConnection]:
    """What starts DuckDB, for the first time only."""
    starts = iter([start])
    return lambda path: next(starts)(path)
