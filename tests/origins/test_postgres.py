"""Tables of a real PostgreSQL, read as GoogleSQL's types: every value as it is, or refused."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.origins.servers import Database
from warehouse_refresh.origins import (
    ConnectionLost,
    Described,
    Limits,
    OriginError,
    Relation,
    Snapshot,
    TimedOut,
    open_snapshot,
    postgres,
)
from warehouse_refresh.origins.landing import land
from warehouse_refresh.warehouse.types import STRING, SqlType, parse_type

ODD = Relation("odd")
Rows = list[tuple[Any, ...]]


def read(
    snapshot: Snapshot, folder: Path, relation: Relation = ODD, wanted: Mapping[str, SqlType] | None = None
) -> tuple[Described, Rows]:
    """What the relation has, through the file that is loaded."""
    described = snapshot.describe(relation, wanted or {})
    with snapshot.reading(relation, described.columns) as stream:
        file = land(stream, described.columns, {}, "", folder / "landed")
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone = 'UTC'")
        return described, reader.execute(file.sql).fetchall()


@pytest.mark.parametrize("readers", [1, 3])
def test_a_large_table_is_read_in_ranges_at_once(
    readers: int, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_PAGES", 4)
    database.run(
        "CREATE TABLE odd AS SELECT i AS id, repeat('x', 100) AS x FROM generate_series(1, 3000) AS i;"
        "DELETE FROM odd WHERE id % 7 = 0; CREATE TABLE more () INHERITS (odd); INSERT INTO more VALUES (7, '')"
    )
    with open_snapshot(database.url, Limits(readers=readers)) as snapshot:
        database.run("INSERT INTO odd VALUES (0, '')")  # later than the snapshot
        columns = snapshot.describe(ODD, {}).columns
        with snapshot.reading(ODD, columns) as rows:
            assert len(cast("postgres.ArrowRows", rows).streams) == readers
            file = land(rows, columns, {}, "", tmp_path / "landed")
    with duckdb.connect() as reader:
        found = sorted(id_ for id_, _ in reader.execute(file.sql).fetchall())
    assert found == sorted([7, *(number for number in range(1, 3001) if number % 7)])


def test_a_large_table_is_read_by_one_connection_where_the_server_has_no_more(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_PAGES", 4)
    user = f"few_{uuid4().hex}"
    database.run("CREATE TABLE odd AS SELECT i AS id, repeat('x', 100) AS x FROM generate_series(1, 3000) AS i")
    database.run(f"CREATE ROLE {user} LOGIN CONNECTION LIMIT 2; GRANT SELECT ON odd TO {user}")
    try:
        with open_snapshot(database.url.replace("user=shop", f"user={user}"), Limits(readers=3)) as snapshot:
            assert len(read(snapshot, tmp_path)[1]) == 3000
            with (
                pytest.raises(ConnectionLost, match="too many connections for role"),
                snapshot.reading(ODD, snapshot.describe(ODD, {}).columns),
            ):
                snapshot.tables()
    finally:
        database.run(f"DROP OWNED BY {user}; DROP ROLE {user}")


def read_odd(database: Database, folder: Path, wanted: Mapping[str, SqlType] | None = None) -> tuple[list[str], Rows]:
    """The types and the rows of the table `odd`."""
    with open_snapshot(database.url) as snapshot:
        described, rows = read(snapshot, folder, wanted=wanted)
    assert not described.refused
    return [str(it.column.type) for it in described.columns], rows


KEPT: Mapping[str, tuple[str, str, Any]] = {
    "small": ("int2", "-32768", -32768),
    "whole": ("int8", "9223372036854775807", 2**63 - 1),
    "number": ("oid", "4294967295", 2**32 - 1),
    "single": ("float4", "1.1", 1.100000023841858),
    "double": ("float8", "-0.1", -0.1),
    "endless": ("float8", "'-Infinity'", float("-inf")),
    "price": ("numeric(12,2)", "'-1234567890.05'", Decimal("-1234567890.05")),
    "free": (
        "numeric",
        "'12345678901234567890123456789.123456789'",
        Decimal("12345678901234567890123456789.123456789"),
    ),
    "wide": (
        "numeric(38,20)",
        "'123456789012345678.00000000000000000001'",
        Decimal("123456789012345678.00000000000000000001"),
    ),
    "hundreds": ("numeric(5,-2)", "1234567", Decimal(1234600)),
    "cash": ("money", "'-92233720368547758.08'", Decimal("-92233720368547758.08")),
    "yes": ("boolean", "true", True),
    "words": ("text", "'ä\t\"quoted\"\n''x'' \\'", "ä\t\"quoted\"\n'x' \\"),
    "nothing": ("varchar(9)", "''", ""),
    "padded": ("char(5)", "'ab'", "ab"),
    "bytes": ("bytea", r"'\x00ff'", b"\x00\xff"),
    "day": ("date", "'0001-01-01'", date(1, 1, 1)),
    "clock": ("time", "'23:59:59.999999'", time(23, 59, 59, 999999)),
    "zoned_clock": ("timetz", "'10:00+02'", "10:00:00+02"),
    "moment": ("timestamp", "'9999-12-31 23:59:59.999999'", datetime.max),  # noqa: DTZ901 (a DATETIME has no zone)
    "instant": ("timestamptz", "'1969-12-31 23:00:00.000001-01'", datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
    "span": ("interval", "'1 year 2 mons 3 days 04:05:06.7'", "P1Y2M3DT4H5M6.7S"),
    "doc": ("json", """'{"b": 1e400,  "b": "\\u00e4"}'""", '{"b": 1e400,  "b": "\\u00e4"}'),
    "doc_b": ("jsonb", """'{"b": 12345678901234567890.10}'""", '{"b": 12345678901234567890.10}'),
    "id": ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "bits": ("bit varying", "B'0101'", "0101"),
    "host": ("inet", "'10.0.0.1/8'", "10.0.0.1/8"),
    "state": ("state", "'on hold'", "on hold"),
    "positive": ("positive", "'7.5'", Decimal("7.5")),
    "period": ("int4range", "'[1,5)'", "[1,5)"),
    "place": ("point", "'(1.1,2)'", "(1.1,2)"),
    "list": ("int4[]", "'{3,1,3}'", [3, 1, 3]),
    "no_list": ("text[]", "'{}'", []),
    "states": ("state[]", """'{"on hold",gone}'""", ["on hold", "gone"]),
    "ids": ("uuid[]", "'{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}'", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    "days": ("timestamptz[]", "'{2024-01-01 00:00+01}'", [datetime(2023, 12, 31, 23, tzinfo=UTC)]),
    'odd "name"': ("int4", "1", 1),
}
"""By column, its type, a value as SQL, and what it is."""
TYPES = """
    CREATE TYPE state AS ENUM ('on hold', 'gone');
    CREATE DOMAIN amount AS numeric(10, 3);
    CREATE DOMAIN positive AS amount CHECK (value > 0);
"""


def test_every_value_is_kept_as_it_is(database: Database, tmp_path: Path) -> None:
    names = ['"' + name.replace('"', '""') + '"' for name in KEPT]
    columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in zip(names, KEPT.values(), strict=True))
    values = ", ".join(sql for _, sql, _ in KEPT.values())
    database.run(f"{TYPES} CREATE TABLE odd ({columns}, dropped int); ALTER TABLE odd DROP dropped")
    database.run(f"INSERT INTO odd VALUES ({values}); INSERT INTO odd SELECT")
    types, rows = read_odd(database, tmp_path)
    first, empty = sorted(rows, key=lambda row: row[0] is None)
    assert dict(zip(KEPT, first, strict=True)) == {name: value for name, (_, _, value) in KEPT.items()}
    assert [value for value in empty if value is not None] == [[]] * sum(kind.startswith("ARRAY") for kind in types)
    found = dict(zip(KEPT, types, strict=True))
    wanted = {"whole": "INT64", "price": "NUMERIC", "free": "NUMERIC", "wide": "BIGNUMERIC", "doc": "STRING"}
    wanted |= {"instant": "TIMESTAMP", "moment": "DATETIME", "states": "ARRAY<STRING>"}
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("date", "'infinity'", "infinite, or outside of the years 1 to 9999"),
        ("date", "'0044-03-15 BC'", "infinite, or outside of the years 1 to 9999"),
        ("timestamp", "'-infinity'", "infinite, or outside of the years 1 to 9999"),
        ("timestamptz", "'infinity'", "infinite, or outside of the years 1 to 9999"),
        ("timestamptz", "'294276-01-01'", "infinite, or outside of the years 1 to 9999"),
        ("timestamp", "'10000-01-01'", "infinite, or outside of the years 1 to 9999"),
        ("time", "'24:00'", "24:00:00"),
        ("numeric", "'NaN'", "NaN, infinite, too large, or have more than 9 digits after the point"),
        ("numeric", "'-Infinity'", "NaN, infinite, too large, or have more than 9 digits after the point"),
        ("numeric", "0.0000000001", "NaN, infinite, too large, or have more than 9 digits after the point"),
        ("numeric", "1e29", "NaN, infinite, too large, or have more than 9 digits after the point"),
        ("numeric(12,2)", "'NaN'", "NaN, infinite, too large, or have more than 9 digits after the point"),
        ("int4[]", "'{1,NULL}'", "arrays with a NULL in them"),
        ("int4[]", "'{{1,2},{3,4}}'", "arrays with a NULL in them, with several dimensions"),
        ("int4[]", "'[2:3]={1,2}'", "that do not begin at 1"),
        ("date[]", "'{infinity}'", "infinite, or outside of the years 1 to 9999"),
    ],
)
def test_a_value_that_googlesql_does_not_have_is_refused_with_its_column(
    database: Database, tmp_path: Path, kind: str, value: str, reason: str
) -> None:
    database.run(f"CREATE TABLE odd (id int4, x {kind}); INSERT INTO odd VALUES (1, {value}), (2, NULL)")
    with pytest.raises(OriginError) as found:
        read_odd(database, tmp_path)
    assert reason in str(found.value)
    assert "x: 1 value is no" in str(found.value)
    if not kind.endswith("]"):
        assert read_odd(database, tmp_path, {"x": STRING})[1][1:] == [(2, None)]


def test_a_column_of_a_type_that_googlesql_does_not_have_is_refused_and_all_others_are_read(
    database: Database, tmp_path: Path
) -> None:
    database.run(
        "CREATE TYPE pair AS (a int, b int); CREATE TABLE odd (id int4, p pair, n numeric(50, 30), r int4range[])"
    )
    with open_snapshot(database.url) as snapshot:
        described, _ = read(snapshot, tmp_path)
        assert [it.column.name for it in described.columns] == ["id"]
        assert described.refused.keys() == {"p", "n", "r"}
        assert "more than 38 digits: give it the type STRING" in described.refused["n"]
        assert "exclude" in described.refused["p"]
        wrong = snapshot.describe(ODD, {"id": parse_type("DATE"), "n": STRING, "p": STRING})
    assert wrong.refused.keys() == {"id", "r"}
    assert "it is int4, and cannot be DATE: write INT64 or STRING" in wrong.refused["id"]


def test_a_query_has_types_and_rows_too(database: Database, tmp_path: Path) -> None:
    database.run("CREATE TABLE odd (id int4, price numeric(10, 2)); INSERT INTO odd VALUES (1, 2.50), (2, NULL)")
    query = Relation(query="SELECT id * 2 AS twice, price, ARRAY['a']::text[] AS list FROM odd WHERE id = 1 -- one\n;")
    with open_snapshot(database.url) as snapshot:
        described, rows = read(snapshot, tmp_path, query)
        assert [str(it.column.type) for it in described.columns] == ["INT64", "NUMERIC", "ARRAY<STRING>"]
        assert rows == [(2, Decimal("2.50"), ["a"])]
        with pytest.raises(OriginError, match="gives no name, or one name to two columns"):
            snapshot.describe(Relation(query="SELECT 1, 2 AS x"), {})


def test_all_that_is_read_is_of_one_moment(database: Database, tmp_path: Path) -> None:
    database.run("CREATE TABLE odd (id int4); CREATE TABLE even (id int4); INSERT INTO odd VALUES (1)")
    with open_snapshot(database.url) as snapshot:
        database.run("INSERT INTO odd VALUES (3); INSERT INTO even VALUES (2)")
        assert read(snapshot, tmp_path)[1] == [(1,)]
        database.run("DELETE FROM odd")
        assert read(snapshot, tmp_path)[1] == [(1,)]
        assert read(snapshot, tmp_path, Relation("public.even"))[1] == []
    assert read_odd(database, tmp_path)[1] == []


def test_faults_of_the_database_say_what_is_wrong_and_no_password(database: Database, tmp_path: Path) -> None:
    database.run(
        "CREATE SEQUENCE numbers; CREATE TABLE odd (id int4); INSERT INTO odd SELECT generate_series(1, 100000)"
    )
    with open_snapshot(database.url) as snapshot:
        with pytest.raises(OriginError, match=r"there is no table nope in localhost"):
            snapshot.describe(Relation("nope"), {})
        with pytest.raises(OriginError, match='column "nope" does not exist'):
            snapshot.describe(Relation(query="SELECT nope FROM odd"), {})
    with open_snapshot(database.url) as snapshot, pytest.raises(OriginError, match="division by zero"):
        read(snapshot, tmp_path, Relation(query="SELECT 1 / (100000 - id) AS x FROM odd"))
    too_late = "due to statement timeout: raise `timeout`"
    with open_snapshot(database.url, Limits(timeout=1)) as snapshot, pytest.raises(TimedOut, match=too_late):
        read(snapshot, tmp_path, Relation(query="SELECT pg_sleep(600)::text AS x"))
    with open_snapshot(database.url) as snapshot, pytest.raises(OriginError, match="read-only transaction"):
        read(snapshot, tmp_path, Relation(query="SELECT nextval('numbers') AS x"))
    with pytest.raises(OriginError) as found, open_snapshot("postgresql://me:secret@127.0.0.1:1/shop"):
        pass
    assert "127.0.0.1/shop" in str(found.value)
    assert "secret" not in str(found.value)
    with pytest.raises(OriginError, match="write postgresql://"), open_snapshot("oracle://x"):
        pass


DRAWN = st.lists(
    st.tuples(
        st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**28), max_value=10**28),
        st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        st.none() | st.binary(),
        st.none() | st.datetimes(),
        st.none() | st.floats(allow_nan=False),
        st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
    ),
    max_size=20,
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DRAWN)
def test_drawn_values_are_kept_as_they_are(database: Database, tmp_path: Path, drawn: Rows) -> None:
    _expect_kept(database, tmp_path, drawn)


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DRAWN)
def test_many_drawn_values_are_kept_as_they_are(database: Database, tmp_path: Path, drawn: Rows) -> None:
    _expect_kept(database, tmp_path, drawn)


def _expect_kept(database: Database, tmp_path: Path, drawn: Rows) -> None:
    """Write the rows into a table of PostgreSQL, and find them again as a load reads them."""
    kinds = ("numeric", "text", "bytea", "timestamp", "float8", "text[]")
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(kinds))
    database.run(f"DROP TABLE IF EXISTS odd; CREATE TABLE odd (row_number int4, {columns})")
    if drawn:
        lines = [", ".join(map(_sql, (number, *row))) for number, row in enumerate(drawn)]
        database.run("INSERT INTO odd VALUES " + ", ".join(f"({line})" for line in lines))
    rows = sorted(read_odd(database, tmp_path)[1])
    assert [row[1:] for row in rows] == drawn


def _sql(value: Any) -> str:
    """The value as PostgreSQL reads it."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(_sql, value))}]::text[]"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
