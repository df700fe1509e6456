"""warehouse.sql.cache: what was read once is not read again, and what is remembered is what reading would find."""

import fcntl
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT, Write
from tests.warehouse.test_types import names, nested, scalars
from warehouse.duckdb.translations import Translation, note, recalled
from warehouse.names import TableName
from warehouse.sql import cache as module
from warehouse.sql.cache import Memory, _Notes, code_in, memory
from warehouse.types import Column

NOTES = Path(".data/scripts.json")
PROJECT = {
    "db_init/items.sql": "CREATE OR REPLACE TABLE raw.items (id INT64, price INT64) AS SELECT 1, 7",
    "res/raw/items": "",
    "res/tmp/a.sql": "SELECT id, price / 2 AS half FROM `raw.items`",
    "res/final/b.sql": "SELECT a.* FROM `tmp.a` AS a",
    "res/dependencies.toml": '[final]\nb = ["tmp.a"]\n',
}
# Whether a process had to read SQL, and what it made.
BUILD = """
import sys
from commands.main import main
code = main(["build"])
print("read SQL" if "sqlglot" in sys.modules else "read none")
import duckdb
with duckdb.connect(".data/warehouse.duckdb") as connection:
    print(connection.sql("SELECT typeof(half), half FROM final.b").fetchall())
sys.exit(code)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "notes.json"


def build() -> list[str]:
    """Build in a process of its own, and answer the two lines that tell about it."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-2:]


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "commands.main", *arguments], env={"PYTHONPATH": str(ROOT)}, check=True)


def test_the_next_process_recalls_what_was_noted(path: Path) -> None:
    one, next_one = Memory(""), Memory("")
    with one.kept_in(path):
        assert one.recall("names", "SELECT 1") is None
        one.note("names", "SELECT 1", [1, "a"])
        assert one.recall("names", "SELECT 1") == [1, "a"]
    with next_one.kept_in(path):
        assert next_one.recall("names", "SELECT 1") == [1, "a"]
        assert next_one.recall("names", "SELECT 1 ") is None
        assert next_one.recall("duckdb", "SELECT 1") is None


def test_outside_of_the_block_nothing_is_known_or_noted(path: Path) -> None:
    one = Memory("")
    one.note("names", "SELECT 1", 1)
    with one.kept_in(path):
        assert one.recall("names", "SELECT 1") is None
        one.note("names", "SELECT 1", 1)
    assert one.recall("names", "SELECT 1") is None


def test_what_was_noted_before_an_error_is_kept(path: Path) -> None:
    one = Memory("")

    def fail() -> None:
        with one.kept_in(path):
            one.note("names", "SELECT 1", 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with one.kept_in(path):
        assert one.recall("names", "SELECT 1") == 1


def test_notes_of_other_code_are_forgotten(path: Path) -> None:
    one, other = Memory("one"), Memory("other")
    with one.kept_in(path):
        one.note("names", "SELECT 1", 1)
    with one.kept_in(path):
        assert one.recall("names", "SELECT 1") == 1
    with other.kept_in(path):
        assert other.recall("names", "SELECT 1") is None


def test_code_is_told_from_what_it_was_and_from_other_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "translate.py").write_text("x = 1")
    before = code_in(tmp_path)
    assert code_in(tmp_path) == before
    (tmp_path / "translate.py").write_text("x = 10")
    changed = code_in(tmp_path)
    monkeypatch.setattr(module, "_LIBRARIES", ("duckdb-",))
    assert len({before, changed, code_in(tmp_path)}) == 3


def test_two_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    shared, both = Memory(""), threading.Barrier(2)

    def work(name: str) -> None:
        for number in range(200):
            both.wait(timeout=30)
            with shared.kept_in(tmp_path / f"{name}.json"):
                assert shared.recall("names", name) in (None, "a", "b")
                shared.note("names", f"{name} {number}", name)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, name) for name in ("a", "b")]:
            done.result()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"made_by": 1}', '{"notes": {}}', "\x00", '{"made_by": "'])
def test_a_file_that_is_not_ours_is_done_without_and_replaced(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    one = Memory("")
    with one.kept_in(path):
        assert one.recall("names", "SELECT 1") is None
        one.note("names", "SELECT 1", 1)
    assert list(json.loads(path.read_text())["notes"].values()) == [1]


def test_a_process_that_was_killed_while_it_wrote_leaves_nothing_that_piles_up(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text('{"made_by": "", "notes": {"na')
    one = Memory("")
    with one.kept_in(path):
        one.note("names", "SELECT 1", 1)
    with one.kept_in(path):
        assert one.recall("names", "SELECT 1") == 1
    assert not draft.exists()


def test_a_process_that_comes_too_late_with_its_draft_leaves_the_file_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its opening of the draft and its lock another process makes the draft the file."""
    one, draft, lock = Memory(""), path.with_name(f"{path.name}.draft"), fcntl.flock

    def lock_later(*arguments: int) -> None:
        draft.write_text("of the other")
        draft.replace(path)
        lock(*arguments)

    with one.kept_in(path):
        one.note("names", "SELECT 1", 1)
        monkeypatch.setattr(fcntl, "flock", lambda file, how: lock_later(file.fileno(), how))
    assert path.read_text() == "of the other"


def test_a_place_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    one = Memory("")
    with one.kept_in(tmp_path / "taken" / "notes.json"):
        one.note("names", "SELECT 1", 1)
        assert one.recall("names", "SELECT 1") == 1


def test_the_file_is_left_alone_when_nothing_is_new(path: Path) -> None:
    one = Memory("")
    with one.kept_in(path):
        one.note("names", "SELECT 1", 1)
    written = path.stat()
    with one.kept_in(path):
        one.recall("names", "SELECT 1")
    assert path.stat().st_mtime_ns == written.st_mtime_ns
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_notes_about_texts_that_are_gone_do_not_pile_up(path: Path) -> None:
    one = Memory("")
    for number in range(100):
        with one.kept_in(path):
            assert one.recall("names", "SELECT 1") == (1 if number else None)
            one.note("names", "SELECT 1", 1)
            one.note("names", f"SELECT {number} AS draft", number)
    assert len(json.loads(path.read_text())["notes"]) <= 3


columns = st.lists(st.builds(Column, st.text(), nested(scalars, names), st.booleans()), max_size=3).map(tuple)
translations = st.builds(
    Translation, st.text(), columns, st.dictionaries(st.builds(TableName, names, names), columns, max_size=3)
)


@given(st.text(), translations)
def test_a_translation_is_recalled_as_it_was_made(text: str, made: Translation) -> None:
    with pytest.MonkeyPatch.context() as patch:
        notes = _Notes({})
        patch.setattr(memory, "_notes", notes)
        note(text, made)
        patch.setattr(memory, "_notes", _Notes(json.loads(json.dumps(notes.worth_keeping()))))
        assert recalled(text) == made


def test_a_refresh_reads_only_the_scripts_that_changed(write: Write) -> None:
    write(PROJECT)
    run("init")
    assert build() == ["read SQL", "[('DOUBLE', 3.5)]"]
    assert build() == ["read none", "[('DOUBLE', 3.5)]"]
    write({"res/tmp/a.sql": "SELECT id, price * 2 AS half FROM `raw.items`"})
    assert build() == ["read SQL", "[('BIGINT', 14)]"]
    assert build() == ["read none", "[('BIGINT', 14)]"]


def test_a_table_that_was_changed_has_the_scripts_that_read_it_translated_anew(write: Write) -> None:
    write(PROJECT)
    run("init")
    assert build() == ["read SQL", "[('DOUBLE', 3.5)]"]
    write({"db_init/items.sql": "CREATE OR REPLACE TABLE raw.items AS SELECT 1 AS id, NUMERIC '7' AS price"})
    run("init", "--replace", "--yes")
    assert build() == ["read SQL", "[('DECIMAL(38,9)', Decimal('3.500000000'))]"]


def test_what_is_wrong_is_told_again_each_time(write: Write) -> None:
    write(PROJECT | {"res/final/b.sql": "SELECT a.nope FROM `tmp.a` AS a"})
    run("init")
    told = [
        subprocess.run(
            [sys.executable, "-m", "commands.main", *command],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        for command in (["check"], ["build"], ["check"], ["build"])
    ]
    assert [done.returncode for done in told] == [2, 2, 2, 2]
    assert all("a has no column nope" in done.stdout + done.stderr for done in told)
    assert NOTES.exists()
