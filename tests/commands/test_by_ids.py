"""Tables that are built by ranges of ids, from their settings to their rows."""

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

ORDERS, RANGES = TableName("tmp", "orders"), TableName("final", "ranges")
BUILD = '[build]\nby = "range"\ncolumn = "id"\nstart = 0\nstep = 100\n'
PROJECT = {
    "db_init/raw.sql": "CREATE TABLE raw.orders (id INT64, amount NUMERIC)",
    "res/raw/orders": "",
    "res/tmp/orders.sql": "SELECT id, amount FROM `raw.orders` WHERE id >= @start AND id < @end",
    "res/tmp/orders.toml": f'{BUILD}until = "raw.orders.id"\nlookback = 1\n[checks]\nrow_count = {{ at_least = 1 }}\n',
    "res/final/ranges.sql": "SELECT @start AS id, COUNT(*) AS n FROM `tmp.orders` WHERE id >= @start AND id < @end",
    "res/final/ranges.toml": BUILD,
    "res/dependencies.toml": '[final]\nranges = ["tmp.orders"]\n',
}


def arrive(url: str, *ids: int) -> None:
    with connect(url) as warehouse:
        rows = ", ".join(f"({number}, 1.5)" for number in ids)
        warehouse.run_script(parse_script(f"INSERT INTO raw.orders (id, amount) VALUES {rows}"))


def rows(url: str, table: TableName) -> list[Any]:
    with connect(url) as warehouse:
        return sorted(row[:2] for row in warehouse.first_rows(table, 1000))


@pytest.fixture(params=["duckdb", pytest.param("bigquery", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the tables are."""
    found = DEFAULT_URL if request.param == "duckdb" else str(request.getfixturevalue("bigquery_url"))
    monkeypatch.setenv("WAREHOUSE_URL", found)
    return found


def test_ranges_are_built_up_to_the_highest_id(write: Write, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A refresh, late rows within the lookback and before it, a backfill, a changed script, and a full build."""
    folder = write(PROJECT)
    assert main(["init"]) == 0
    assert main(["build"]) == 0  # there is no id yet
    arrive(url, 1, 99, 100, 250)
    capsys.readouterr()
    assert main(["plan", "--json"]) == 0
    [orders, ranges] = json.loads(capsys.readouterr().out)["tables"]
    first = {"start": 0, "end": 100, "why": "not built yet"}
    assert [orders["partitions"]["build"][0], ranges["partitions"]["build"][0]] == [first, first]
    assert main(["build"]) == 0
    assert rows(url, RANGES) == [(0, 2), (100, 1), (200, 1)]
    arrive(url, 340, 210, 2)  # the last one is late for more than the lookback
    assert main(["build"]) == 0
    assert rows(url, RANGES) == [(0, 2), (100, 1), (200, 2), (300, 1)]
    assert main(["backfill", "tmp.orders", "--from", "0", "--to", "199", "--again", "--yes"]) == 0
    assert "tmp.orders\n  2 of 2 partitions: 2 to be built again\n" in capsys.readouterr().out
    assert rows(url, RANGES) == [(0, 3), (100, 1), (200, 2), (300, 1)]

    script = folder / "res/tmp/orders.sql"
    script.write_text(f"{script.read_text()} AND id != 99")
    assert main(["plan"]) == 0
    assert "refresh backfill tmp.orders --from 0 --to 199\n" in capsys.readouterr().out
    arrive(url, 510)
    assert main(["build", "tmp.orders"]) == 3
    wrong = "1 of 4 partitions of tmp.orders has a wrong number of rows: 400 up to 500 has 0 rows, and must have"
    assert wrong in capsys.readouterr().out  # the last one may get more rows
    arrive(url, 499)
    assert main(["build"]) == 0

    settings = folder / "res/tmp/orders.toml"
    settings.write_text(settings.read_text().replace("step = 100", "step = 1000"))
    assert main(["build", "tmp.orders"]) == 2
    assert "refresh build --full tmp.orders" in capsys.readouterr().err
    assert main(["build", "--full", "tmp.orders"]) == main(["build"]) == 0
    assert [number for number, _ in rows(url, ORDERS)] == [1, 2, 100, 210, 250, 340, 499, 510]
    assert rows(url, RANGES) == [(0, 2), (100, 1), (200, 2), (300, 1), (400, 1), (500, 1)]
    assert main(["check", "--live"]) == 0


def test_the_highest_id_is_asked_on_bigquery(
    write: Write, bigquery_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only_orders = {name: text for name, text in PROJECT.items() if "final" not in name}
    write({**only_orders, "res/dependencies.toml": ""})
    monkeypatch.setenv("WAREHOUSE_URL", bigquery_url)
    assert main(["init"]) == 0
    arrive(bigquery_url, 7, 107)
    assert main(["build", "tmp.orders"]) == 0
    arrive(bigquery_url, 250, 350)
    assert main(["plan"]) == 0
    assert "4 of 4 partitions: 2 not built yet, 2 current or in the lookback when last built" in capsys.readouterr().out


@pytest.mark.parametrize("more", ["", 'mode = "append"\ncursor = "id"\nkey = ["id"]\n'])
def test_ranges_go_up_to_the_highest_id_that_a_load_brings(write: Write, more: str) -> None:
    source = f'[source]\nconnection = "shop"\ntable = "orders"\n{more}'
    shop = '[connections.shop]\nurl = "sqlite:///data/shop.db"\n'
    files = {name: text for name, text in PROJECT.items() if name.startswith(("res/tmp", "res/final", "res/dep"))}
    write({**files, "refresh.toml": shop, "res/raw/orders.toml": source, "data/none": ""})
    in_shop("CREATE TABLE orders (id INT, amount INT); INSERT INTO orders VALUES (1, 5), (150, 6)")
    assert main(["build", "--load"]) == 0
    assert rows(DEFAULT_URL, RANGES) == [(0, 1), (100, 1)]
    in_shop("INSERT INTO orders VALUES (160, 7), (200, 8), (399, 9)")
    assert main(["build", "--load"]) == 0
    assert rows(DEFAULT_URL, RANGES) == [(0, 1), (100, 2), (200, 1), (300, 1)]


def in_shop(sql: str) -> None:
    with closing(sqlite3.connect("data/shop.db")) as connection, connection:
        connection.executescript(sql)


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        ("tmp/orders", "start = 0", 'start = "2024-03-01"', 'by = "range" takes ids'),
        ("tmp/orders", "step = 100", "", 'by = "range" takes ids'),
        ("tmp/orders", '"range"', '"day"', 'start as a number, step and until are for by = "range"'),
        ("tmp/orders", "start = 0", "start = 0.5", "start is 0.5"),
        ("tmp/orders", 'column = "id"', 'column = "amount"', "amount is of the type NUMERIC, and start is a INT64"),
        ("tmp/orders", 'until = "raw.orders.id"\n', "", "nothing says up to which id final.ranges has rows"),
        ("tmp/orders", "orders.id", "orders", "until"),
        ("tmp/orders", "raw.orders", "raw.order", "did you mean raw.orders?"),
        ("tmp/orders", "orders.id", "orders.it", "raw.orders has no column it"),
        ("tmp/orders", "orders.id", "orders.amount", "amount of raw.orders is NUMERIC, and ids are INT64"),
        ("final/ranges", "start", 'until = "tmp.orders.id"\nstart', "a script builds tmp.orders"),
    ],
)
def test_what_cannot_be_built_by_ranges_is_a_problem(
    write: Write, capsys: pytest.CaptureFixture[str], path: str, old: str, new: str, message: str
) -> None:
    name = f"res/{path}.toml"
    write({**PROJECT, name: PROJECT[name].replace(old, new, 1)})
    assert main(["check"]) == 2
    assert message in "".join(capsys.readouterr())


def test_more_ranges_than_a_table_can_have_are_refused(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(PROJECT)
    assert main(["init"]) == 0
    arrive(DEFAULT_URL, 1, 2**63 - 1)
    assert main(["build"]) == 2
    assert "raw.orders.id goes up to 9,223,372,036,854,775,807, which makes" in capsys.readouterr().err
