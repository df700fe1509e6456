"""Tables that are loaded, and to which rows are posted as well: they have what the source has, and what was posted."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, Append, connect
from warehouse_refresh.warehouse.builds.posted import NO_EARLIER
from warehouse_refresh.warehouse.names import TableName

ITEMS = TableName("raw", "items")
SETTINGS = """
    [source]
    connection = "shop"
    table = "items"
    mode = "{}"
    cursor = "changed"
    key = ["id"]
    overlap = 0
    posted_column = "posted_at"
"""


@pytest.fixture
def shop(write: Write) -> Iterator[sqlite3.Connection]:
    """A database with the table that is loaded."""
    folder: Path = write({"refresh.toml": '[connections.shop]\nurl = "sqlite:///shop.db"\n'})
    write({"res/tmp/x.sql": "SELECT 1 AS x", "res/dependencies.toml": ""})
    with closing(sqlite3.connect(folder / "shop.db", isolation_level=None)) as database:
        database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, changed INTEGER)")
        yield database


def post(rows: list[tuple[int, str]], url: str = DEFAULT_URL) -> None:
    """Store rows as the API does. Their cursors are far ahead of all that the source has."""
    now = datetime.now(UTC)
    stored = [{"id": key, "name": name, "changed": 10**6 + key, "posted_at": now} for key, name in rows]
    with connect(url) as warehouse:
        warehouse.append(ITEMS, [Append(stored)])


def rows(url: str = DEFAULT_URL) -> list[tuple[int, str, bool]]:
    with connect(url) as warehouse:
        return sorted((key, name, at is not None) for key, name, _, at in warehouse.first_rows(ITEMS, 1000))


def walk(shop: sqlite3.Connection, write: Write, mode: str, seed: int, loads: int) -> None:
    """Rows come, change and go, others are posted, in any order; posted ones have the keys of others, too. After each
    load the table has what is loaded, and what is posted under other keys."""
    write({"res/raw/items.toml": SETTINGS.format(mode) + ("    deletes_every = 0\n" if mode == "merge" else "")})
    chance, clock = random.Random(seed), 0
    source, loaded, posted = dict[int, str](), dict[int, str](), list[tuple[int, str]]()
    for load in range(loads):
        if load:
            new = [(chance.randrange(30), f"posted {load}.{number}") for number in range(4)]
            post(new)
            posted += new
        for step in range(12):
            key, name, clock = chance.randrange(30), f"{load}.{step}", clock + 1
            if chance.random() < 0.3:
                shop.execute("DELETE FROM items WHERE id = ?", [key])
                source.pop(key, None)
            elif mode == "merge" or key not in source:
                shop.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", [key, name, clock])
                source[key] = name
        is_full = load > 2 and chance.random() < 0.3
        assert main(["load", *(["--full"] if is_full else [])]) == 0
        loaded = {**source} if mode == "merge" or is_full else {**source, **loaded}
        posted = [(key, name) for key, name in posted if key not in loaded]
        assert rows() == sorted([*((*it, False) for it in loaded.items()), *((*it, True) for it in posted)])


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_a_table_has_what_is_loaded_and_what_is_posted(mode: str, shop: sqlite3.Connection, write: Write) -> None:
    walk(shop, write, mode, seed=22, loads=3)


def test_a_load_is_rolled_back_unless_rows_are_posted(
    shop: sqlite3.Connection, write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFRESH_KEEP_PREVIOUS", "true")
    write({"res/raw/items.toml": SETTINGS.format("merge").replace("posted_column", "# posted_column")})
    shop.execute("INSERT INTO items VALUES (1, 'a', 1)")
    assert main(["load"]) == 0
    shop.execute("INSERT INTO items VALUES (2, 'b', 2)")
    assert main(["load"]) == 0
    assert main(["rollback", "raw.items", "--yes"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.row_count(ITEMS) == 1
    write({"res/raw/items.toml": SETTINGS.format("merge")})
    assert main(["load"]) == 0
    assert main(["rollback", "--yes"]) == 1
    assert f"raw.items stays as it is: {NO_EARLIER}" in capsys.readouterr().err
    assert len(rows()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("mode", ["merge", "append"])
def test_so_it_does_after_any_walk(mode: str, seed: int, shop: sqlite3.Connection, write: Write) -> None:
    walk(shop, write, mode, seed, loads=12)
