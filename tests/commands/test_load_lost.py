"""Connections that are lost while rows are read: read once more, of one moment; or else the old tables stand."""

from collections.abc import Callable
from typing import Any

import pytest
import tenacity

from tests.conftest import Write
from tests.origins.servers import Database
from warehouse_refresh.commands.building import again
from warehouse_refresh.commands.main import main
from warehouse_refresh.origins import landing, moment
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.sql.query import parse_query

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
KILL = f"SELECT pg_terminate_backend(pid) {OTHERS}"
KILL_READERS = f"{KILL} AND query LIKE 'COPY%' AND query NOT LIKE '%export%'"
TABLES = """
    CREATE TABLE a AS SELECT i AS id, 0 AS n, repeat('x', 900) AS t FROM generate_series(1, 30000) AS i;
    CREATE TABLE b AS SELECT * FROM a;
"""
"""Tables that do not fit into what a connection has sent before anybody reads it."""
CHANGE = "UPDATE a SET n = n + 1 WHERE id = 1; UPDATE b SET n = n + 1 WHERE id = 1"


def loaded() -> tuple[int, int]:
    """The number that the first row of each table has."""
    query = "SELECT n, (SELECT COUNT(*) FROM raw.{0}) FROM raw.{0} WHERE id = 1"
    with connect(DEFAULT_URL) as warehouse:
        (a, of_a), (b, of_b) = (warehouse.fetch(parse_query(query.format(name)), None).rows[0] for name in "ab")
    assert of_a == of_b == 30000
    return a, b


@pytest.fixture
def project(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that loads a and then b."""
    source = '[source]\nconnection = "shop"\ntable = '
    write({"refresh.toml": '[connections.shop]\nurl_from = "SHOP_URL"\n', "res/dependencies.toml": ""})
    write({"res/raw/a.toml": f'{source}"a"\n', "res/raw/b.toml": f'{source}"b"\n'})
    monkeypatch.setenv("REFRESH_WORKERS", "1")
    monkeypatch.setattr(moment, "_WAIT", tenacity.wait_none())
    monkeypatch.setattr(moment, "_ATTEMPTS", 2)
    monkeypatch.setattr(again, "_WAITS", (0,))


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[int, Callable[[], Any]]], None]:
    """Do something before the first, second … table's rows are read."""
    real = landing.land

    def does(what: dict[int, Callable[[], Any]]) -> None:
        count = iter(range(1, 100))

        def land(*given: Any) -> Any:
            what.get(next(count), lambda: None)()
            return real(*given)

        monkeypatch.setattr(landing, "land", land)

    return does


Before = Callable[[dict[int, Callable[[], Any]]], None]


@pytest.mark.usefixtures("project")
def test_what_was_lost_is_read_once_more_of_one_moment(
    database: Database, monkeypatch: pytest.MonkeyPatch, before: Before, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOP_URL", database.url)
    database.run(TABLES)
    before({1: lambda: database.run(f"{KILL}; {CHANGE}")})  # nothing was read: a new moment for both
    assert main(["load"]) == 0
    assert "once more" not in capsys.readouterr().out
    assert loaded() == (1, 1)
    before({2: lambda: database.run(f"{KILL_READERS}; {CHANGE}")})  # the moment is there: read that
    assert main(["load"]) == 0
    assert loaded() == (1, 1)
    before({2: lambda: database.run(f"{KILL}; {CHANGE}")})  # the first table would not match the second one
    assert main(["load"]) == 0
    assert "A database was lost: loading once more" in capsys.readouterr().out
    assert loaded() == (3, 3)
    before(dict.fromkeys(range(1, 100), lambda: database.run(f"{KILL}; {CHANGE}")))
    assert main(["load"]) == 1
    assert "server closed the connection" in capsys.readouterr().out
    assert loaded() == (3, 3)
