"""warehouse.sql.cache: what was read once is not read again, and what is remembered is what reading would find."""

import fcntl
import json
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import PACKAGE, ROOT, Write
from tests.warehouse.test_types import names, nested, scalars
from warehouse_refresh.pipeline.project.reading import project_in, sql_cache
from warehouse_refresh.pipeline.raw.sources import declared_sources
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse.duckdb.translations import Translation, note, recall
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql import cache as module
from warehouse_refresh.warehouse.sql.cache import SqlCache, code_in, open_cache
from warehouse_refresh.warehouse.types import INT64, Column, columns_as_json, columns_from_json

NOTES = Path(".data/scripts.json")
PROJECT = {
    "db_init/items.sql": "CREATE OR REPLACE TABLE raw.items (id INT64, price INT64) AS SELECT 1, 7",
    "res/tmp/a.sql": "SELECT id, price / 2 AS half FROM `raw.items`",
    "res/final/b.sql": "SELECT a.* FROM `tmp.a` AS a",
    "res/dependencies.toml": '[final]\nb = ["tmp.a"]\n',
}
# Whether a process had to read SQL, and what it made.
BUILD = """
import sys
from warehouse_refresh.commands.main import main
code = main(["build"])
print("read SQL" if "sqlglot" in sys.modules else "read none")
import duckdb
with duckdb.connect(".data/warehouse.duckdb") as connection:
    print(connection.sql("SELECT typeof(half), half FROM final.b").fetchall())
sys.exit(code)
"""

CHECK = """
import sys
from warehouse_refresh.commands.main import main
assert main(["check"]) == 0
print("read SQL" if "sqlglot" in sys.modules else "read none")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "notes.json"


def build() -> list[str]:
    """Build in a process of its own, and answer the two lines that tell about it."""
    return printed(BUILD)[-2:]


def printed(code: str) -> list[str]:
    """The lines that a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def run(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "warehouse_refresh.commands.main", *arguments], env={"PYTHONPATH": str(ROOT)}, check=True
    )


def test_the_next_process_recalls_what_was_noted(path: Path) -> None:
    with SqlCache(path, "") as one:
        assert one.recall("names", "SELECT 1") is None
        one.note("names", "SELECT 1", [1, "a"])
        assert one.recall("names", "SELECT 1") == [1, "a"]
    with SqlCache(path, "") as next_one:
        assert next_one.recall("names", "SELECT 1") == [1, "a"]
        assert next_one.recall("names", "SELECT 1 ") is None
        assert next_one.recall("duckdb", "SELECT 1") is None


def test_a_check_of_known_scripts_reads_no_sql(write: Write) -> None:
    price = "price NUMERIC(10, 2) DEFAULT 1 OPTIONS(description = 'net')"
    columns = f"id INT64 NOT NULL, {price}, s ARRAY<STRUCT<a STRING(5)>>"
    write({**PROJECT, "db_init/items.sql": f"CREATE OR REPLACE TABLE raw.items ({columns})"})
    settings = read_settings()
    found = []
    for _ in range(2):
        with sql_cache(settings.folder) as cache:
            found.append(declared_sources(project_in(settings, cache), cache).columns)
    types = [str(column.type) for column in found[1][TableName("raw", "items")]]
    assert (found[0], types) == (found[1], ["INT64", "NUMERIC(10, 2)", "ARRAY<STRUCT<a STRING(5)>>"])
    assert [printed(CHECK)[-1] for _ in range(2)] == ["read SQL", "read none"]


def test_a_noted_column_keeps_its_description_and_its_default() -> None:
    columns = (Column("a", INT64, description="net", default="1"), Column("b", INT64, required=True))
    assert columns_from_json(json.loads(json.dumps(columns_as_json(columns)))) == columns


def test_outside_of_the_block_nothing_is_known_or_noted(path: Path) -> None:
    one = SqlCache(path, "")
    one.note("names", "SELECT 1", 1)
    with one:
        assert one.recall("names", "SELECT 1") is None
        one.note("names", "SELECT 1", 1)
    assert one.recall("names", "SELECT 1") is None


def test_what_was_noted_before_an_error_is_kept(path: Path) -> None:
    one = SqlCache(path, "")

    def fail() -> None:
        with one:
            one.note("names", "SELECT 1", 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with one:
        assert one.recall("names", "SELECT 1") == 1


def test_notes_of_other_code_are_forgotten(path: Path) -> None:
    one, other = SqlCache(path, "one"), SqlCache(path, "other")
    with one:
        one.note("names", "SELECT 1", 1)
    with one:
        assert one.recall("names", "SELECT 1") == 1
    with other:
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


def test_many_threads_recall_what_each_of_them_has_noted(path: Path) -> None:
    together = threading.Barrier(4)
    with SqlCache(path, "") as one:

        def work(name: int) -> None:
            together.wait(timeout=60)
            for number in range(200):
                one.note("names", f"{name} {number}", number)
                assert one.recall("names", f"{name} {number}") == number

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(work, name) for name in range(4)]:
                done.result()
    assert len(json.loads(path.read_text())["notes"]) == 800


def test_notes_are_forgotten_when_the_translator_or_the_parser_changes(path: Path) -> None:
    with SqlCache(path, code_in(PACKAGE / "warehouse")) as one:
        one.note("names", "SELECT 1", 1)
    with open_cache(path) as known:
        assert known.recall("names", "SELECT 1") == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"made_by": 1}', '{"notes": {}}', "\x00", '{"made_by": "'])
def test_a_file_that_is_not_ours_is_done_without_and_replaced(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    one = SqlCache(path, "")
    with one:
        assert one.recall("names", "SELECT 1") is None
        one.note("names", "SELECT 1", 1)
    assert list(json.loads(path.read_text())["notes"].values()) == [1]


def test_a_process_that_was_killed_while_it_wrote_leaves_nothing_that_piles_up(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text('{"made_by": "", "notes": {"na')
    one = SqlCache(path, "")
    with one:
        one.note("names", "SELECT 1", 1)
    with one:
        assert one.recall("names", "SELECT 1") == 1
    assert not draft.exists()


def test_a_process_that_comes_too_late_with_its_draft_leaves_the_file_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its opening of the draft and its lock another process makes the draft the file."""
    one, draft, lock = SqlCache(path, ""), path.with_name(f"{path.name}.draft"), fcntl.flock

    def lock_later(*arguments: int) -> None:
        draft.write_text("of the other")
        draft.replace(path)
        lock(*arguments)

    with one:
        one.note("names", "SELECT 1", 1)
        monkeypatch.setattr(fcntl, "flock", lambda file, how: lock_later(file.fileno(), how))
    assert path.read_text() == "of the other"


def test_a_place_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with SqlCache(tmp_path / "taken" / "notes.json", "") as one:
        one.note("names", "SELECT 1", 1)
        assert one.recall("names", "SELECT 1") == 1


def test_the_file_is_left_alone_when_nothing_is_new(path: Path) -> None:
    one = SqlCache(path, "")
    with one:
        one.note("names", "SELECT 1", 1)
    written = path.stat()
    with one:
        one.recall("names", "SELECT 1")
    assert path.stat().st_mtime_ns == written.st_mtime_ns
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_notes_about_texts_that_are_gone_do_not_pile_up(path: Path) -> None:
    for number in range(100):
        with SqlCache(path, "") as one:
            assert one.recall("names", "SELECT 1") == (1 if number else None)
            one.note("names", "SELECT 1", 1)
            one.note("names", f"SELECT {number} AS draft", number)
    assert len(json.loads(path.read_text())["notes"]) <= 3


def test_what_an_earlier_block_used_is_kept_by_a_later_one_that_uses_little(path: Path) -> None:
    one = SqlCache(path, "")
    with one:
        for number in range(10):
            one.note("names", f"SELECT {number}", number)
    with one:
        one.note("names", "SELECT 'a check'", 1)
    with SqlCache(path, "") as next_one:
        assert [next_one.recall("names", f"SELECT {number}") for number in range(10)] == list(range(10))


columns = st.lists(st.builds(Column, st.text(), nested(scalars, names), st.booleans()), max_size=3).map(tuple)
translations = st.builds(
    Translation, st.text(), columns, st.dictionaries(st.builds(TableName, names, names), columns, max_size=3)
)


@given(st.text(), translations)
def test_a_translation_is_recalled_as_it_was_made(text: str, made: Translation) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = SqlCache(Path(folder, "notes.json"), "")
        with cache:
            note(cache, text, made)
        with cache:
            assert recall(cache, text) == made


def test_a_refresh_reads_only_the_scripts_that_changed(write: Write) -> None:
    write(PROJECT | {"res/tmp/a.toml": '[checks]\nnot_null = ["id"]\n'})
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
            [sys.executable, "-m", "warehouse_refresh.commands.main", *command],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        for command in (["check"], ["build"], ["check"], ["build"])
    ]
    assert [done.returncode for done in told] == [2, 2, 2, 2]
    assert all("a has no column nope" in done.stdout + done.stderr for done in told)
    assert NOTES.exists()
