"""Whatever a folder holds, each command ends with an exit code and with words: a stack trace is for a bug of ours."""

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.commands.random_projects import Thing, odd_maps, things
from tests.conftest import Write
from warehouse_refresh.commands.main import main

COMMANDS = [
    *(
        ["sync", "--check"],
        ["sync"],
        ["check"],
        ["check", "--live"],
        ["check", "--json"],
        ["plan"],
        ["init"],
        ["build"],
    ),
    *(["graph"], ["graph", "--columns", "tmp.a"], ["graph", "--svg", "picture.svg"]),
]
some = settings(max_examples=12, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def in_a_folder() -> Iterator[Path]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


def end(command: list[str]) -> tuple[int, str]:
    """A command's exit code and what it printed. An exception is a bug."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main(command)
    return code, printed.getvalue()


def end_with_words() -> None:
    for command in COMMANDS:
        code, printed = end(command)
        assert code in (0, 1, 2)
        assert "Traceback" not in printed
        assert code != 2 or "error: " in printed or '"severity": "error"' in printed, command


def end_with_words_in_a_folder_of(found: list[Thing]) -> None:
    with in_a_folder() as folder:
        for thing in found:
            thing.put(folder)
        end_with_words()


def with_map(text: str) -> list[Thing]:
    """A project of two scripts with this map."""
    return [
        Thing("res/dependencies.toml", "file", text.encode()),
        Thing("res/tmp/a.sql", "file", b"SELECT 1 AS x"),
        Thing("res/tmp/b.sql", "file", b"SELECT x FROM tmp.a"),
    ]


@some
@given(things())
def test_no_folder_brings_a_command_down(found: list[Thing]) -> None:
    end_with_words_in_a_folder_of(found)


@some
@given(odd_maps())
def test_no_map_brings_a_command_down(text: str) -> None:
    end_with_words_in_a_folder_of(with_map(text))


@pytest.mark.slow
@many
@given(things() | odd_maps().map(with_map))
def test_none_of_many_projects_brings_a_command_down(found: list[Thing]) -> None:
    end_with_words_in_a_folder_of(found)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", [command for command in COMMANDS if command[0] != "graph"])
def test_in_an_empty_folder_each_command_says_what_is_missing_and_how_to_begin(command: list[str]) -> None:
    code, printed = end(command)
    assert code == 2
    assert "error: res: there is no such folder" in printed
    assert "`refresh new FOLDER` creates a project" in printed
    assert list(Path().iterdir()) == []


GOOD = {"res/tmp/a.sql": "SELECT 1 AS x", "res/dependencies.toml": ""}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("folder", "this is a folder"),
        ("pipe", "this is something else"),
        ("broken link", "this is a link that leads nowhere"),
    ],
)
@pytest.mark.parametrize("path", ["res/tmp/b.sql", "db_init/b.sql", "res/dependencies.toml"])
def test_what_stands_in_a_files_place_is_named(write: Write, path: str, kind: str, words: str) -> None:
    folder = write(GOOD)
    (folder / path).unlink(missing_ok=True)
    Thing(path, kind, b"").put(folder)
    if (kind, path) != ("broken link", "res/dependencies.toml"):
        code, printed = end(["init"] if path.startswith("db_init") else ["sync"])
        assert code == 2
        assert f"error: {path}: {words}" in printed
    code, printed = end(["check"])
    assert code == 2
    assert f"error: {path}: " in printed


def test_a_folder_of_scripts_that_is_a_broken_link_is_named(write: Write) -> None:
    folder = write({"res/dependencies.toml": ""})
    (folder / "res/tmp").symlink_to("gone")
    code, printed = end(["build"])
    assert code == 2
    assert "error: res/tmp: this link leads nowhere" in printed


def denied(*_: object, **__: object) -> object:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *[("open", "res/tmp/a.sql"), ("open", "res/dependencies.toml")],
        *[("scandir", "res"), ("scandir", "res/tmp"), ("scandir", "res/raw")],
    ],
)
def test_what_may_not_be_read_is_named(write: Write, name: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal is a fake: permissions do not bind root, whom tests may run as."""
    write({**GOOD, "res/raw/t": ""})
    real = getattr(os, name)
    monkeypatch.setattr(os, name, lambda it, *rest, **more: (denied if str(it) == path else real)(it, *rest, **more))
    for command in (["check"], ["plan"], ["build"]):
        code, printed = end(command)
        assert code == 2
        assert re.search(f"error: {path}: the (file|folder) cannot be read: Permission denied", printed)


def test_a_map_that_may_not_be_written_is_named(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal is a fake, as above."""
    write({**GOOD, "res/tmp/b.sql": "SELECT x FROM tmp.a"})
    monkeypatch.setattr(Path, "write_bytes", denied)
    code, printed = end(["sync"])
    assert code == 2
    assert "error: res/dependencies.toml: the map cannot be written: Permission denied" in printed


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("res/tmp/products.old.sql", "error: res/tmp/products.old.sql: '.' cannot be in a table's name"),
        ("res/tmp/x;y.sql", "error: res/tmp/x;y.sql: ';' cannot be in a table's name"),
        ("res/tmp/`.sql", "error: res/tmp/`.sql: '`' cannot be in a table's name"),
        ("res/my-data/a.sql", "error: res/my-data: 'my-data' cannot be a dataset's name"),
        ("res/tmp/A.SQL", "error: res/tmp/a.sql: tmp.a is also built by res/tmp/A.SQL"),
    ],
)
def test_a_name_that_no_table_can_have_is_refused(write: Write, path: str, message: str) -> None:
    write({**GOOD, path: "SELECT 1 AS x"})
    for command in (["sync"], ["check"], ["build"]):
        code, printed = end(command)
        assert code == 2
        assert message in printed


def test_an_ending_in_capitals_is_an_ending(write: Write) -> None:
    write({"res/tmp/a b-é_1.SQL": "SELECT x FROM `raw.t`", "db_init/t.SQL": "CREATE TABLE raw.t (x INT64)"})
    assert end(["sync"])[0] == end(["init"])[0] == 0
    code, printed = end(["build"])
    assert (code, "tmp.a b-é_1" in printed) == (0, True)


@pytest.mark.parametrize("selector", ["", " ", "+", "\t"])
@pytest.mark.parametrize("command", ["build", "plan", "run"])
def test_an_empty_selector_is_no_wish_for_everything(write: Write, command: str, selector: str) -> None:
    write(GOOD)
    code, printed = end([command, "--select", selector])
    assert code == 2
    assert "selects nothing: name a table or a pattern" in printed
    assert not Path(".data/warehouse.duckdb").exists()


DEEP = {
    "brackets": (f"SELECT {'(' * 400}1{')' * 400} AS x", "the SQL is nested too deeply to be read", 2),
    "types": (f"SELECT CAST(NULL AS {'ARRAY<STRUCT<a ' * 9000}INT64{'>>' * 9000}) AS x", "nested too deeply", 2),
    "subqueries": (f"SELECT x FROM {'(SELECT x FROM ' * 9000}tmp.b{')' * 9000}", "nested too deeply", 2),
    "a chain": (f"SELECT {' + '.join(['x'] * 3000)} AS y FROM tmp.b", "has no room for an expression", 0),
    "CASE": (f"SELECT {'CASE WHEN x = 1 THEN 1 ELSE ' * 2000}1{' END' * 2000} AS y FROM tmp.b", "nested too deeply", 2),
}


@pytest.mark.parametrize("shape", DEEP)
def test_a_script_that_is_too_deep_is_named(write: Write, shape: str) -> None:
    text, words, code = DEEP[shape]
    write({"res/tmp/a.sql": text, "res/tmp/b.sql": "SELECT 1 AS x", "res/dependencies.toml": '[tmp]\na = ["tmp.b"]\n'})
    found, printed = end(["check"])
    assert found == code
    assert words in printed
    assert "res/tmp/a.sql:" in printed
    for command in (["build"], ["plan"], ["graph", "--columns", "tmp.a"]):
        found, printed = end(command)
        assert found == 2
        assert "error: res/tmp/a.sql:" in printed


def test_a_db_init_script_that_is_too_deep_is_named(write: Write) -> None:
    write({**GOOD, "db_init/t.sql": f"CREATE TABLE raw.t AS SELECT {' + '.join(['1'] * 3000)} AS x"})
    for command in (["check"], ["init"]):
        code, printed = end(command)
        assert code == 2
        assert "error: db_init/t.sql:1:1: " in printed


def test_a_chain_of_a_thousand_tables_is_checked_planned_and_followed(write: Write) -> None:
    files = {f"res/tmp/t{number}.sql": f"SELECT x FROM tmp.t{number - 1}" for number in range(1, 1000)}
    write({**files, "res/tmp/t0.sql": "SELECT 1 AS x"})
    assert end(["sync"])[0] == end(["check"])[0] == 0
    code, printed = end(["graph", "--columns", "tmp.t999"])
    assert code == 0
    assert printed.splitlines()[-1].endswith("└─ tmp.t0.x")
    code, printed = end(["plan"])
    assert "1000 tables in 1000 steps" in printed
