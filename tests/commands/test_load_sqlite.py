"""`refresh source add`, `load` and `plan` of an SQLite file, as a user goes."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.project.reading import project_in
from warehouse_refresh.pipeline.raw.loading.findings import connection_findings
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

ORDERS = TableName("raw", "orders")
SHOP = """
    CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, extra);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, person INT, price DECIMAL(10,2), changed DATETIME);
    INSERT INTO people VALUES (1, 'ada@example.com', 'x'), (2, NULL, 5);
    INSERT INTO orders VALUES (10, 1, 19.99, '2024-03-01 10:00:00'), (11, 2, 5, '2024-03-05 10:00:00');
"""
MERGE = """
    [source]
    connection = "shop"
    table = "orders"
    mode = "merge"
    cursor = "changed"
    key = ["id"]
    deletes_every = 0
"""


def run(sql: str) -> None:
    with closing(sqlite3.connect("data/shop.db")) as connection, connection:
        connection.executescript(sql)


def ids() -> list[tuple[int, float]]:
    with connect(DEFAULT_URL) as warehouse:
        return sorted((row[0], float(row[2])) for row in warehouse.first_rows(ORDERS, 100))


def test_a_file_of_sqlite_is_a_connection_as_others_are(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write({"res/tmp/x.sql": "SELECT 1 AS x", "res/dependencies.toml": "", "data/none": ""})
    assert main(["source", "add", "sqlite:///data/shop.db"]) == 2
    assert "there is no file data/shop.db" in capsys.readouterr().err
    run(SHOP)
    assert main(["source", "add", "sqlite:///data/shop.db"]) == 0
    told = capsys.readouterr().out
    assert "wrote" in told
    assert "refresh.toml has a new connection, shop: `refresh load` reads it" in told
    assert (folder / "refresh.toml").read_text() == '[connections.shop]\nurl = "sqlite:///data/shop.db"\n'
    people = folder / "res/raw/people.toml"
    assert '"extra", # SQLite knows no type of it' in people.read_text()
    write({"refresh.toml": (folder / "refresh.toml").read_text() + 'salt_from = "SALT"\n'})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALT", "pepper")
        write({"res/raw/people.toml": people.read_text() + 'mask = { email = "hash" }\n'})
        assert main(["load"]) == 0
        assert main(["plan", "--load", "raw.*"]) == 0
        told = capsys.readouterr().out
        assert "orders of shop: about 2 rows" in told
        settings = read_settings()
        [found] = connection_findings(settings, project_in(settings))
        assert str(found).startswith("ok       connection shop    it answers, and gives raw.orders, raw.people")
        with connect(DEFAULT_URL) as warehouse:
            [(_, first), _] = sorted(warehouse.first_rows(TableName("raw", "people"), 9))
        assert first == sha256(b"pepperada@example.com").hexdigest()
        run("UPDATE orders SET person = 'Ada' WHERE id = 11")
        assert main(["load", "raw.orders"]) == 1
    told = capsys.readouterr().out
    assert "person: 1 value is no INT64, the first one in row 11: they have to be whole numbers" in told
    assert ids() == [(10, 19.99), (11, 5.0)]


def test_only_what_has_changed_in_a_file_of_sqlite_is_read(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    refresh = '[connections.shop]\nurl = "sqlite:///data/shop.db"\n'
    write({"refresh.toml": refresh, "data/none": "", "res/raw/orders.toml": MERGE, "res/dependencies.toml": ""})
    run(SHOP)
    assert main(["load"]) == 0
    run("UPDATE orders SET price = 1; INSERT INTO orders VALUES (12, 1, 2, '2024-03-06 10:00:00')")
    assert main(["load"]) == 0
    assert ids() == [(10, 19.99), (11, 1.0), (12, 2.0)]
    run("DELETE FROM orders WHERE id = 10")
    assert main(["load"]) == 0
    assert ids() == [(11, 1.0), (12, 2.0)]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('url = "postgresql://me:secret@host/shop"', "a URL with a password belongs into a variable"),
        ('url = "sqlite:///a.db"\nurl_from = "A"', "needs the name of a variable with its URL"),
        ("url = 1", "connections.shop.url takes the URL of a file"),
    ],
)
def test_only_the_url_of_a_file_stands_in_the_settings(
    write: Write, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Path.cwd() == write({"refresh.toml": f"[connections.shop]\n{text}\n"})
    assert main(["load"]) == 2
    told = capsys.readouterr().err
    assert reason in told
    assert "secret@" not in told
