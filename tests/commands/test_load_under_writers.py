"""`refresh load` while others write to the database, and killed in the middle: each load is one moment of it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Write
from tests.origins.servers import Database, MariaDatabase
from tests.processes import child
from tests.waiting import wait_until
from warehouse_refresh.commands.main import main
from warehouse_refresh.origins import mysql_readers
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

TABLES = "CREATE TABLE a (n int PRIMARY KEY); CREATE TABLE b (n int PRIMARY KEY);"
TABLES += "INSERT INTO a VALUES (0); INSERT INTO b VALUES (0)"
STEP = "UPDATE a SET n = n + 1; UPDATE b SET n = n + 1; COMMIT;"
POSTGRES = f"DO $$ BEGIN LOOP {STEP} PERFORM pg_sleep(0.001); END LOOP; END $$"
MARIA = f"SET autocommit = 0; BEGIN NOT ATOMIC WHILE TRUE DO {STEP} DO SLEEP(0.001); END WHILE; END"
DIES = """
import os, signal
from warehouse_refresh.commands.main import main
from warehouse_refresh.origins import mysql_readers
from warehouse_refresh.pipeline.running.builder import Builder

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

Builder.publish = die  # both tables are staged then
main(["load"])
"""


@contextmanager
def writing(shop: Database | MariaDatabase, statements: str) -> Iterator[None]:
    """Somebody adds 1 to both tables in each transaction, again and again."""
    shop.run(TABLES)
    with subprocess.Popen(shop.command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as writer:
        assert writer.stdin is not None
        writer.stdin.write(f"{statements};\n")
        writer.stdin.close()
        wait_until(lambda: int(shop.run("SELECT n FROM a")) > 0)
        yield
        assert writer.poll() is None
        writer.kill()


@pytest.fixture
def project(write: Write) -> None:
    """Loads both tables."""
    write({"refresh.toml": '[connections.shop]\nurl_from = "SHOP_URL"\n', "res/dependencies.toml": ""})
    write({f"res/raw/{name}.toml": f'[source]\nconnection = "shop"\ntable = "{name}"\n' for name in "ab"})


def loaded() -> Any:
    """What both tables have; it is the same."""
    with connect(DEFAULT_URL) as warehouse:
        [(first,)], [(second,)] = (warehouse.first_rows(TableName("raw", name), 2) for name in "ab")
    assert first == second
    return first


@pytest.mark.usefixtures("project")
def test_each_load_is_one_moment_also_after_one_that_was_killed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where a killed load leaves its files
    monkeypatch.setenv("SHOP_URL", database.url)
    with writing(database, POSTGRES):
        assert main(["load"]) == 0
        before = loaded()
        with child(DIES) as process:
            while process.hear():
                pass
        assert loaded() == before
        assert main(["load"]) == 0
        assert loaded() > before


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("large", [mysql_readers.LARGE, 1])
def test_a_load_from_mariadb_is_one_moment_also_by_several_connections(
    maria: MariaDatabase, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(mysql_readers, "LARGE", large)
    monkeypatch.setenv("SHOP_URL", maria.url)
    with writing(maria, MARIA):
        assert main(["load"]) == 0
        before = loaded()
        assert main(["load"]) == 0
        assert loaded() > before
