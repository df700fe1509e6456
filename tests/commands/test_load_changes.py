"""`refresh load` of what has changed: append and merge, from a real PostgreSQL and a real MariaDB."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import Write
from tests.origins.servers import Database, MariaDatabase
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, Append, connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

ITEMS = TableName("raw", "items")
MERGE = """
    [source]
    connection = "shop"
    table = "items"
    mode = "merge"
    cursor = "changed"
    key = ["shop", "id"]
    overlap = 60
"""
TABLE = (
    "CREATE TABLE items (shop int NOT NULL, id int NOT NULL, name text, changed timestamp NULL, PRIMARY KEY (shop, id))"
)
Settings = Callable[[str], None]


@pytest.fixture
def settings(write: Write) -> Settings:
    """Writes the settings of the table."""
    write({"refresh.toml": '[connections.shop]\nurl_from = "SHOP_URL"\n', "res/tmp/x.sql": "SELECT 1 AS x"})
    write({"res/dependencies.toml": ""})

    def write_settings(text: str) -> None:
        write({"res/raw/items.toml": text})

    return write_settings


@pytest.fixture(params=["database", "maria"])
def shop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Database | MariaDatabase:
    """A database of either kind with the table."""
    found: Database | MariaDatabase = request.getfixturevalue(request.param)
    found.run(TABLE)
    monkeypatch.setenv("SHOP_URL", found.url)
    return found


def rows(url: str = DEFAULT_URL) -> list[tuple[Any, ...]]:
    with connect(url) as warehouse:
        return sorted(row[:3] for row in warehouse.first_rows(ITEMS, 1000))


def at(second: int) -> str:
    return f"'2024-03-01 10:{second // 60:02}:{second % 60:02}'"


def test_a_merge_equals_a_full_dump_in_the_end(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows come, change and go between loads; the last load compares the keys."""
    monkeypatch.setenv("SHOP_URL", database.url)
    database.run(TABLE)
    settings(MERGE)
    chance, there = random.Random(22), dict[tuple[int, int], str]()
    for load in range(3):
        statements = []
        for step in range(12):
            key, name = (chance.randrange(2), chance.randrange(9)), f"{load}.{step}"
            statements.append(f"DELETE FROM items WHERE shop = {key[0]} AND id = {key[1]}")
            if there.pop(key, None) is None or chance.random() < 0.7:
                there[key] = name
                statements.append(f"INSERT INTO items VALUES ({key[0]}, {key[1]}, '{name}', {at(100 * load + step)})")
        database.run("; ".join(statements))
        if load == 2:
            settings(f"{MERGE}\n    deletes_every = 24")
        assert main(["load"]) == 0
        expected = sorted((*key, name) for key, name in there.items())
        assert [row for row in rows() if (row[0], row[1]) in there] == expected  # what is gone may be there
    assert rows() == expected
    database.run("DELETE FROM items")
    assert main(["load"]) == 0  # within 24 hours
    assert rows() == expected


def test_only_what_is_new_or_has_changed_is_read(
    shop: Database | MariaDatabase, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(MERGE)
    shop.run(f"INSERT INTO items VALUES (1, 1, 'old', {at(0)}), (1, 2, 'late', {at(200)}), (1, 3, 'unknown', NULL)")
    assert main(["load"]) == 0
    shop.run("UPDATE items SET name = 'unseen' WHERE id = 1; UPDATE items SET name = 'seen' WHERE id > 1")
    assert main(["plan", "--load", "raw.items"]) == 0
    assert "of these only those with changed from 2024-03-01 10:02:20 on" in capsys.readouterr().out
    assert main(["load"]) == 0
    assert rows() == [(1, 1, "old"), (1, 2, "seen"), (1, 3, "seen")]
    assert main(["load", "--full"]) == 0
    assert rows() == [(1, 1, "unseen"), (1, 2, "seen"), (1, 3, "seen")]
    shop.run("UPDATE items SET name = 'again' WHERE id = 1; ALTER TABLE items ADD COLUMN more int")
    assert main(["load"]) == 0  # a new column: all rows are read, else it would be NULL in the old ones
    assert rows()[0] == (1, 1, "again")


def test_an_append_adds_new_keys_and_changes_no_row(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", database.url)
    settings(MERGE.replace("merge", "append").replace('"changed"', '"id"').replace("60", "1"))
    database.run(f"{TABLE}; INSERT INTO items VALUES (1, 1, 'a', NULL), (1, 5, 'b', NULL)")
    assert main(["load"]) == 0
    database.run("UPDATE items SET name = 'changed'")
    database.run("INSERT INTO items VALUES (1, 4, 'c', NULL), (1, 3, 'too late', NULL)")
    assert main(["load"]) == 0
    assert rows() == [(1, 1, "a"), (1, 4, "c"), (1, 5, "b")]
    with connect(DEFAULT_URL) as warehouse:  # not from this source any more: all is read
        warehouse.run_script(parse_script("INSERT INTO raw.items (shop, id) VALUES (9, 9)"))
    assert main(["load"]) == 0
    assert rows() == [(1, 1, "changed"), (1, 3, "too late"), (1, 4, "c"), (1, 5, "changed")]


def test_a_merge_on_bigquery(
    database: Database,
    settings: Settings,
    bigquery_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Rows are posted in between: the load reads what has changed all the same, and keeps them."""
    monkeypatch.setenv("SHOP_URL", database.url)
    monkeypatch.setenv("WAREHOUSE_URL", bigquery_url)
    settings(f'{MERGE}\n    deletes_every = 24\n    posted_column = "posted_at"')
    database.run(f"{TABLE}; INSERT INTO items VALUES (1, 1, 'a', {at(0)}), (1, 2, 'b', {at(0)}), (1, 3, 'c', {at(0)})")
    assert main(["load"]) == 0
    ahead = {"changed": datetime.fromisoformat("2030-01-01"), "posted_at": datetime.now(UTC)}
    posted = [{"shop": 1, "id": number, "name": f"posted {number}", **ahead} for number in (2, 4)]
    with connect(bigquery_url) as warehouse:
        warehouse.append(ITEMS, [Append(posted)])
    database.run(f"DELETE FROM items WHERE id = 1; UPDATE items SET name = 'd', changed = {at(1)} WHERE id = 2")
    assert main(["plan", "--load", "raw.items"]) == 0
    assert "of these only those with changed from 2024-03-01 09:59:00 on" in capsys.readouterr().out
    assert main(["load"]) == 0
    assert rows(bigquery_url) == [(1, 2, "d"), (1, 3, "c"), (1, 4, "posted 4")]


def test_a_key_that_tells_no_rows_apart_fails_the_load(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOP_URL", database.url)
    database.run(f"{TABLE}; INSERT INTO items VALUES (1, 1, 'a', NULL), (2, 1, 'b', NULL), (3, 2, NULL, NULL)")
    settings(MERGE.replace('"shop", "id"', '"id"'))
    assert main(["load"]) == 1
    assert "several rows have the id 1, which is the key" in capsys.readouterr().out
    settings(MERGE.replace('"shop", "id"', '"name"'))
    assert main(["load"]) == 1
    assert "a row has no name, which is the key" in capsys.readouterr().out
    settings(MERGE.replace('"changed"', '"name"').replace('"id"', '"ids"') + '    posted_column = "changed"\n')
    assert main(["load"]) == 2
    told = capsys.readouterr().err
    assert "items has a column changed itself: choose another name" in told
    assert "items gives no column ids" in told
    assert "name is STRING, which is no cursor" in told


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('"merge"', '"replace"'), "cursor, key and overlap are for mode"),
        (('cursor = "changed"', ""), 'mode = "merge" needs a cursor and a key'),
        (('"merge"', '"append"\n    deletes_every = 1'), "deletes_every is for mode"),
        (("overlap = 60", 'exclude = ["id"]'), "id is needed as it is"),
        (('"merge"', '"replace"\n    posted_column = "at"'), "posted_column is for mode"),
        (("overlap = 60", 'mask = { changed = "hash" }'), "changed is needed as it is"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    settings: Settings, change: tuple[str, str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(MERGE.replace(*change))
    assert main(["check"]) == 2
    assert reason in capsys.readouterr().out
