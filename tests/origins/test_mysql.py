"""Tables of a real MariaDB, read as GoogleSQL's types: every value as it is, or refused."""

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Write
from tests.origins.servers import MariaDatabase
from tests.origins.shop import PROJECT
from tests.origins.test_postgres import read
from tests.waiting import wait_until
from warehouse_refresh.commands.main import main
from warehouse_refresh.origins import ConnectionLost, OriginError, Relation, TimedOut, open_snapshot
from warehouse_refresh.origins.mysql_readers import faults
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import BOOL, INT64, STRING, SqlType

ODD = Relation("odd")
MINE = "WHERE db = DATABASE() AND id <> CONNECTION_ID()"
KEPT: Mapping[str, tuple[str, str, Any]] = {
    "tiny": ("tinyint", "-128", -128),
    "flag": ("boolean", "TRUE", 1),
    "whole": ("bigint", "-9223372036854775808", -(2**63)),
    "wide_whole": ("bigint unsigned", "18446744073709551615", Decimal(2**64 - 1)),
    "filled": ("int(6) unsigned zerofill", "42", 42),
    "price": ("decimal(12,2)", "-1234567890.05", Decimal("-1234567890.05")),
    "wide": (
        "decimal(38,20)",
        "123456789012345678.00000000000000000001",
        Decimal("123456789012345678.00000000000000000001"),
    ),
    "single": ("float", "1.1", 1.100000023841858),
    "double_": ("double", "-0.1", -0.1),
    "tiniest": ("double", "2.2250738585072014e-308", 2.2250738585072014e-308),
    "words": ("text", """'ä\\t"quoted",\\r\\n''x'' \\\\ \\0 😀'""", """ä\t"quoted",\r\n'x' \\ \0 😀"""),
    "nothing": ("varchar(9)", "''", ""),
    "null_word": ("varchar(9)", "'NULL'", "NULL"),
    "old": ("varchar(9) character set latin1 collate latin1_german1_ci", "'é€'", "é€"),
    "bytes_": ("varbinary(9)", "x'00ff0a2c'", b"\x00\xff\n,"),
    "no_bytes": ("blob", "''", b""),
    "day": ("date", "'9999-12-31'", date(9999, 12, 31)),
    "clock": ("time(6)", "'23:59:59.999999'", time(23, 59, 59, 999999)),
    "moment": ("datetime(6)", "'1000-01-01 00:00:00.000001'", datetime(1000, 1, 1, 0, 0, 0, 1)),  # noqa: DTZ001 (none)
    "instant": ("timestamp(3)", "'2024-03-31 02:30:00.5'", datetime(2024, 3, 31, 2, 30, 0, 500000, UTC)),
    "year_": ("year", "2155", 2155),
    "state": ("enum('new','on hold')", "'on hold'", "on hold"),
    "tags": ("set('a','b','c')", "'c,a'", "a,c"),
    "bits": ("bit(10)", "b'1000000001'", 513),
    "doc": ("json", """'{"b": 1e400,  "b": "ä"}'""", """{"b": 1e400,  "b": "ä"}"""),
    "id": ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "odd `name`": ("int", "1", 1),
}
"""By column, its type, a value as SQL, and what it is."""


def read_odd(
    database: MariaDatabase, folder: Path, relation: Relation = ODD, wanted: Mapping[str, SqlType] | None = None
) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """The types and the rows of the table `odd`, or of another relation."""
    with open_snapshot(database.url) as snapshot:
        described, rows = read(snapshot, folder, relation, wanted)
    assert not described.refused
    return {it.column.name: str(it.column.type) for it in described.columns}, rows


def test_every_value_is_kept_as_it_is_also_by_a_query(maria: MariaDatabase, tmp_path: Path) -> None:
    names = ["`" + name.replace("`", "``") + "`" for name in KEPT]
    columns = ", ".join(f"{name} {kind} NULL" for name, (kind, _, _) in zip(names, KEPT.values(), strict=True))
    values = ", ".join(sql for _, sql, _ in KEPT.values())
    nothing = ", ".join(["NULL"] * len(KEPT))
    maria.run(f"SET time_zone = '+00:00'; CREATE TABLE odd ({columns}); INSERT INTO odd VALUES ({values}), ({nothing})")
    types, rows = read_odd(maria, tmp_path)
    first, empty = sorted(rows, key=lambda row: row[0] is None)
    expected = {name: value for name, (_, _, value) in KEPT.items()}
    assert dict(zip(KEPT, first, strict=True)) == expected
    assert set(empty) == {None}
    wanted = {"flag": "INT64", "wide_whole": "NUMERIC", "wide": "BIGNUMERIC", "doc": "STRING", "instant": "TIMESTAMP"}
    assert {name: types[name] for name in wanted} == wanted
    asked = Relation(query="SELECT * FROM odd WHERE tiny IS NOT NULL;")
    types, [row] = read_odd(maria, tmp_path, asked, {"wide_whole": STRING})
    assert dict(zip(KEPT, row, strict=True)) == {**expected, "wide_whole": "18446744073709551615"}
    assert (types["price"], types["bits"], types["bytes_"], types["old"]) == ("NUMERIC", "NUMERIC", "BYTES", "STRING")


@pytest.mark.parametrize(
    ("kind", "value", "wanted", "reason"),
    [
        ("date", "'0000-00-00'", None, "x: 1 value is no DATE: with a year, month or day of zero"),
        ("date NOT", "'0000-00-00'", None, "x: 1 value is no DATE"),  # where it IS NULL, for ODBC
        ("date", "'2024-02-00'", None, "x: 1 value is no DATE"),
        ("datetime", "'0000-01-01 10:00'", None, "x: 1 value is no DATETIME"),
        ("timestamp", "0", None, "x: 1 value is no TIMESTAMP"),
        ("time", "'-00:00:01'", None, "x: 1 value is no TIME: negative, or 24 hours and more"),
        ("time", "'838:59:59'", None, "x: 1 value is no TIME"),
        ("tinyint(1)", "2", BOOL, "x: 1 value is no BOOL: neither 0 nor 1"),
        ("bigint unsigned", "9223372036854775808", INT64, "x: 1 value is no INT64"),
        ("decimal(5,2)", "1.50", INT64, "x: 1 value is no INT64"),
    ],
)
def test_a_value_that_googlesql_does_not_have_is_refused_or_kept_as_text(
    maria: MariaDatabase, tmp_path: Path, kind: str, value: str, wanted: SqlType | None, reason: str
) -> None:
    maria.run(f"CREATE TABLE odd (id int, x {kind} NULL); INSERT INTO odd VALUES (1, {value})")
    with pytest.raises(OriginError) as found:
        read_odd(maria, tmp_path, wanted={"x": wanted} if wanted else None)
    assert reason in str(found.value)
    _, rows = read_odd(maria, tmp_path, wanted={"x": STRING})
    assert str(sorted(rows)[0][1]).startswith(value.strip("'")[:4])


def test_what_cannot_be_read_is_told_with_its_column_and_the_way_out(maria: MariaDatabase, tmp_path: Path) -> None:
    maria.run(
        """CREATE TABLE odd (id int, place point, long_ decimal(50,10), x longblob);
        CREATE TABLE plain (id int) ENGINE=Aria;
        INSERT INTO odd VALUES (1, NULL, 1, repeat('x', 1000)), (2, NULL, 1, repeat('x', 9000000))"""
    )
    with open_snapshot(maria.url) as snapshot:
        assert snapshot.tables() == ["odd", "plain"]
        refused = snapshot.describe(ODD, {"x": STRING}).refused
        assert "GoogleSQL has no type for point" in refused["place"]
        assert "give it the type STRING" in refused["long_"]
        assert "it is longblob, and cannot be STRING" in refused["x"]
        for relation, reason in (
            (Relation("plain"), "has the engine Aria, which has no snapshots"),
            (Relation("nope"), "there is no table nope"),
            (Relation(query="SELECT nope FROM odd"), "Unknown column 'nope'"),
        ):
            with pytest.raises(OriginError, match=reason):
                snapshot.describe(relation, {})
        with pytest.raises(OriginError, match="a row is larger than the server's max_allowed_packet"):
            read(snapshot, tmp_path, Relation(query="SELECT id, x FROM odd"))
        assert read(snapshot, tmp_path, Relation(query="SELECT id FROM odd"))[1] == [(1,), (2,)]
    for option, reason in (
        ("x=1", "may have unix_socket, sslmode, ssl_ca"),
        ("sslmode=maybe", "write require, or verify-full"),
        ("ssl_ca=no.crt", "the certificates in no.crt cannot be read"),
    ):
        with pytest.raises(OriginError, match=reason), open_snapshot(f"{maria.url}&{option}"):
            pass


def test_a_snapshot_is_of_one_moment_and_closing_it_ends_what_is_read(maria: MariaDatabase, tmp_path: Path) -> None:
    maria.run("CREATE TABLE odd (x int); INSERT INTO odd SELECT seq FROM seq_1_to_9")
    with open_snapshot(maria.url) as snapshot:
        maria.run("UPDATE odd SET x = 0")
        _, rows = read(snapshot, tmp_path)
        assert sorted(rows) == [(number,) for number in range(1, 10)]
        asked = Relation(query="SELECT a.seq AS x FROM seq_1_to_1000000 AS a, seq_1_to_1000000 AS endless")
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read, snapshot, tmp_path, asked)
            running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT CONCAT(%endless%'"
            wait_until(lambda: int(maria.run(running)) == 1)
            snapshot.close()
            assert isinstance(reading.exception(), OriginError)


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.none() | st.text(st.characters(codec="utf-8")), st.none() | st.binary()), max_size=5))
def test_any_text_and_any_bytes_come_as_they_are(
    maria: MariaDatabase, tmp_path: Path, values: list[tuple[str | None, bytes | None]]
) -> None:
    def hexed(value: bytes | None, kind: str) -> str:
        return "NULL" if value is None else f"CAST(x'{value.hex()}' AS {kind})"

    rows = ", ".join(
        f"({number}, CONVERT({hexed(None if text is None else text.encode(), 'BINARY')} USING utf8mb4),"
        f" {hexed(data, 'BINARY')})"
        for number, (text, data) in enumerate(values)
    )
    maria.run(
        "CREATE OR REPLACE TABLE odd (id int, x longtext, y blob)"
        + (f"; INSERT INTO odd VALUES {rows}" if rows else "")
    )
    found = sorted(read_odd(maria, tmp_path)[1])
    assert [(text, data) for _, text, data in found] == values


def test_rows_in_several_pieces_are_all_there(
    maria: MariaDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse_refresh.origins.mysql_lines._PIECE", 1)
    _, rows = read_odd(maria, tmp_path, Relation(query="SELECT seq FROM seq_1_to_5000"))
    assert sorted(rows) == [(number,) for number in range(1, 5001)]
    assert [path.name for path in tmp_path.iterdir()] == ["landed"]


@pytest.mark.parametrize(
    ("code", "cause", "kind", "hint"),
    [
        (1969, None, TimedOut, ": raise `timeout` of the connection in refresh.toml"),  # MariaDB
        (3024, None, TimedOut, ": raise `timeout` of the connection in refresh.toml"),  # MySQL
        (1205, None, TimedOut, ""),  # another one's lock
        (1040, None, ConnectionLost, ""),
        (2003, ConnectionRefusedError(), ConnectionLost, ""),
        (2003, socket.gaierror(), OriginError, ""),
        (1045, None, OriginError, ""),
    ],
)
def test_errors_say_what_to_do_and_whether_they_may_pass(
    code: int, cause: Exception | None, kind: type[OriginError], hint: str
) -> None:
    error = pymysql.OperationalError(code, "no")
    error.__context__ = cause
    with pytest.raises(OriginError, match=f"^host/shop: no{hint}") as found, faults("mysql://me:secret@host/shop"):
        raise error
    assert type(found.value) is kind


def test_a_connection_that_is_lost_between_rows_is_an_error(
    maria: MariaDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse_refresh.origins.mysql_lines._PIECE", 1)
    relation = Relation(query="SELECT seq, repeat('x', 900) AS x FROM seq_1_to_100000")  # more than is sent ahead
    with open_snapshot(maria.url) as snapshot, duckdb.connect() as reader:
        columns = snapshot.describe(relation, {}).columns
        with pytest.raises(ConnectionLost), snapshot.reading(relation, columns) as rows:  # noqa: PT012
            for number, _ in enumerate(rows.parts()[0].offer(reader)):
                reader.execute("SELECT count(*) FROM stream").fetchall()
                if number == 1:
                    maria.run(maria.run(f"SELECT concat('KILL ', id) FROM information_schema.processlist {MINE}"))


def test_a_refresh_loads_tables_of_mariadb(
    maria: MariaDatabase, write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    maria.run(
        """CREATE TABLE people (id int PRIMARY KEY, name text, email text, secret text);
        CREATE TABLE orders (id int PRIMARY KEY, person int, price decimal(10, 2), paid timestamp NULL);
        INSERT INTO people VALUES (1, 'Ada', 'ada@example.com', 'x'), (2, 'Bo', NULL, NULL);
        INSERT INTO orders VALUES (10, 1, 19.99, NULL), (11, 2, 5, NULL)"""
    )
    query = PROJECT["res/raw/orders.toml"].replace("public.orders", "orders")
    write({**PROJECT, "res/raw/orders.toml": query})
    monkeypatch.setenv("SHOP_URL", maria.url)
    monkeypatch.setenv("SHOP_SALT", "pepper")
    assert main(["build", "--load"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert sorted(warehouse.first_rows(TableName("final", "sums"), 9)) == [(1, Decimal("19.99")), (2, Decimal(5))]
    maria.run("INSERT INTO orders VALUES (12, 3, 1, NULL)")
    assert main(["load"]) == 3
    assert "raw.orders" in capsys.readouterr().out
