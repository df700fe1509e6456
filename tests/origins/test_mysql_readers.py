"""Several connections that read one moment of a MariaDB, or one where that cannot be; and what a MySQL is sent."""

from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import duckdb
import pymysql
import pytest

from tests.conftest import Write
from tests.origins.servers import MariaDatabase
from tests.origins.test_postgres import read
from warehouse_refresh.origins import Limits, OriginError, Relation, mysql, mysql_readers, open_snapshot
from warehouse_refresh.origins.landing import land
from warehouse_refresh.origins.mysql_readers import open_readers
from warehouse_refresh.pipeline.project.reading import project_in
from warehouse_refresh.pipeline.raw.loading.findings import connection_findings
from warehouse_refresh.pipeline.settings import read_settings

ODD = Relation("odd")
THREE = Limits(readers=3)


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_readers, "LARGE", 1)
    monkeypatch.setattr(mysql, "_SLICE", 1000)


def test_a_large_table_is_read_in_ranges_of_its_key_at_one_moment(
    maria: MariaDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_readers, "_LOCK_SECONDS", 60)  # other tests write to the same server
    maria.run(
        """CREATE TABLE odd (shop bigint, id bigint, t text, PRIMARY KEY (id, shop));
        INSERT INTO odd SELECT seq % 2, IF(seq = 7, -9223372036854775808, seq * seq), repeat('x', 50)
        FROM seq_1_to_3000"""
    )
    with open_snapshot(maria.url, THREE) as snapshot:
        maria.run("INSERT INTO odd VALUES (0, 0, ''); DELETE FROM odd WHERE id > 100")
        columns = snapshot.describe(ODD, {}).columns
        with snapshot.reading(ODD, columns) as rows:
            assert len(rows.parts()) == 3
            file = land(rows, columns, {}, "", tmp_path / "landed")
        with duckdb.connect() as reader:
            found = reader.execute(f"SELECT id FROM ({file.sql}) ORDER BY 1").fetchall()
        assert found == [(-(2**63),), *((n * n,) for n in range(1, 3001) if n != 7)]
        asked = f"SELECT id FROM information_schema.processlist WHERE db = '{maria.name}' AND id <> CONNECTION_ID()"
        first, *others = maria.run(asked).split()
        maria.run("; ".join(f"KILL {number}" for number in others))
        for _ in (first, *others):
            with suppress(OriginError):  # it finds that one is lost, or that one is there
                snapshot.tables()
        assert len(read(snapshot, tmp_path)[1]) == 3000  # one is left, at the same moment
        assert snapshot.note == ""


def test_without_the_lock_one_connection_reads_and_doctor_says_so(
    maria: MariaDatabase, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_readers, "_LOCK_SECONDS", "'refused'")  # as the lock is to a user who may not take it
    maria.run("CREATE TABLE odd (id int PRIMARY KEY); INSERT INTO odd VALUES (1)")
    with open_snapshot(maria.url, THREE) as snapshot:
        maria.run("INSERT INTO odd VALUES (2)")
        assert read(snapshot, tmp_path)[1] == [(1,)]
        assert "Incorrect argument type to variable 'lock_wait_timeout'" in snapshot.note
        write({"refresh.toml": '[connections.shop]\nurl_from = "SHOP_URL"\n', "res/dependencies.toml": ""})
        write({"res/raw/odd.toml": '[source]\nconnection = "shop"\ntable = "odd"\n'})
        monkeypatch.setenv("SHOP_URL", maria.url)
        [found] = connection_findings(read_settings(), project_in(read_settings()))
        assert str(found).startswith("note     connection shop    it answers, and gives raw.odd\n")
        assert "GRANT RELOAD" in found.detail


class Fake:
    """A connection, and a cursor, of a MySQL that notes what it is sent."""

    def __init__(self, sent: list[str], answers: dict[str, list[Any]]) -> None:
        self.sent, self.answers, self.found = sent, answers, list[Any]()

    def cursor(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""

    def execute(self, sql: str) -> None:
        self.sent.append(sql)
        self.found = next((found for start, found in self.answers.items() if sql.startswith(start)), [])

    def fetchall(self) -> list[Any]:
        return self.found

    def thread_id(self) -> int:
        return 7

    def close(self) -> None:
        self.sent.append("closed")


@pytest.mark.parametrize(
    ("right", "running", "reason"),
    [
        ([(1,)], [(7, b"", b"", b"", b"Query", 9), (8, b"", b"", b"", b"Sleep", 9)], ""),
        ([(1,)], [(8, b"", b"", b"", b"Query", 9)], "a statement has been running for 9 s"),
        ([], [], "no right PROCESS"),
    ],
)
def test_a_mysql_is_locked_for_a_moment_only_if_nothing_long_runs(
    monkeypatch: pytest.MonkeyPatch, right: list[Any], running: list[Any], reason: str
) -> None:
    answers: dict[str, list[Any]] = {
        "SELECT VERSION": [(b"8.4.3",)],
        "SELECT 1 FROM information_schema.tables": [(1,)],
        "SELECT 1 FROM information_schema.user": right,
        "SHOW PROCESSLIST": running,
    }
    sent = list[str]()
    monkeypatch.setattr(pymysql, "connect", lambda **_: Fake(sent, answers))
    with open_readers("mysql://me@host/shop", Limits(timeout=60)) as readers:
        assert reason in readers.note
    start = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
    usual = "SET SESSION lock_wait_timeout = 30, wait_timeout = 86400"
    assert sent[1].startswith("SET SESSION max_execution_time = 60000, ")  # milliseconds
    assert sent[2] == "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    if reason:
        assert sent[-3:] == ["closed", start, "closed"]
        assert not any("FLUSH" in sql for sql in sent)
    else:
        lock = ["SET SESSION lock_wait_timeout = 2, wait_timeout = 10", "FLUSH TABLES WITH READ LOCK"]
        assert sent[-8:] == [*lock, start, start, "UNLOCK TABLES", usual, "closed", "closed"]
