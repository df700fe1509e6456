"""Tables of an SQLite file, read as GoogleSQL's types: every value as it is, or refused."""

import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from threading import Timer
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.origins.test_postgres import read
from warehouse_refresh.origins import Described, OriginError, Relation, Since, open_snapshot
from warehouse_refresh.origins.landing import land
from warehouse_refresh.origins.sqlite import SqliteRows
from warehouse_refresh.warehouse.types import BOOL, BYTES, FLOAT64, INT64, NUMERIC, STRING, SqlType, parse_type

ODD = Relation("odd")
Rows = list[tuple[Any, ...]]
KEPT: Mapping[str, tuple[str, Any, Any]] = {
    "whole": ("INTEGER", -(2**63), -(2**63)),
    "small": ("unsigned big int", 7, 7),
    "flag": ("BOOLEAN", 1, True),
    "real": ("DOUBLE PRECISION", 0.1, 0.1),
    "tiniest": ("REAL", 5e-324, 5e-324),
    "endless": ("FLOAT", float("-inf"), float("-inf")),
    "whole_real": ("REAL", 3, 3.0),
    "price": ("DECIMAL(10,2)", 19.99, Decimal("19.99")),
    "fine": ("NUMERIC", 1.5e-07, Decimal("0.00000015")),
    "large": ("NUMERIC", 1.23456789012345e20, Decimal("123456789012345000000")),
    "count": ("NUMERIC", 2**62 + 1, Decimal(2**62 + 1)),
    "wide": ("DECIMAL(38,20)", 0.1, Decimal("0.1")),
    "words": ("VARCHAR(9)", "ä\t\"quoted\"\r\n'x' \0 😀", "ä\t\"quoted\"\r\n'x' \0 😀"),
    "nothing": ("TEXT", "", ""),
    "number": ("TEXT", "007", "007"),
    "doc": ("JSON", '{"b": 1e400,  "b": "ä"}', '{"b": 1e400,  "b": "ä"}'),
    "one_doc": ("JSON", 5, "5"),
    "bytes": ("BLOB", b"\x00\xff", b"\x00\xff"),
    "no_bytes": ("BLOB", b"", b""),
    "day": ("DATE", "9999-12-31", date(9999, 12, 31)),
    "clock": ("TIME", "23:59:59.999999", time(23, 59, 59, 999999)),
    "early": ("TIME", "07:30", time(7, 30)),
    "moment": ("DATETIME", "0001-01-01T00:00:00.000001", datetime(1, 1, 1, 0, 0, 0, 1)),  # noqa: DTZ001 (none)
    "midnight": ("DATETIME", "2024-03-01", datetime(2024, 3, 1)),  # noqa: DTZ001 (it has no zone)
    "instant": ("TIMESTAMP", "2024-03-31 02:30:00.5", datetime(2024, 3, 31, 2, 30, 0, 500000, UTC)),
    "zoned": ("TIMESTAMP", "2024-03-31T02:30+01:00", datetime(2024, 3, 31, 1, 30, tzinfo=UTC)),
    "zulu": ("TIMESTAMP", "2024-03-31 02:30:00Z", datetime(2024, 3, 31, 2, 30, tzinfo=UTC)),
    'odd "name"': ("INT", 1, 1),
}
"""By column, its declared type, a value as Python's sqlite3 stores it, and what it is."""


class Lite:
    """A database file of a test."""

    def __init__(self, path: Path) -> None:
        self.path, self.url = path, f"sqlite:///{path}"

    def run(self, sql: str, rows: Sequence[Sequence[Any]] = ()) -> None:
        """Run statements, or one with these rows."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            if rows:
                connection.executemany(sql, rows)
            else:
                connection.executescript(sql)

    def read(
        self, folder: Path, wanted: Mapping[str, SqlType] | None = None, relation: Relation = ODD
    ) -> tuple[Described, Rows]:
        with open_snapshot(self.url) as snapshot:
            return read(snapshot, folder, relation, wanted)


@pytest.fixture
def lite(tmp_path: Path) -> Lite:
    """An empty database."""
    return Lite(tmp_path / "shop 50%?.db")


def _create(kinds: Mapping[str, str]) -> str:
    names = ['"' + name.replace('"', '""') + '"' for name in kinds]
    return f"CREATE TABLE odd ({', '.join(map(' '.join, zip(names, kinds.values(), strict=True)))})"


def test_every_value_is_kept_as_it_is(lite: Lite, tmp_path: Path) -> None:
    lite.run(_create({name: kind for name, (kind, _, _) in KEPT.items()}))
    marks = ", ".join("?" for _ in KEPT)
    values = [value for _, value, _ in KEPT.values()]
    lite.run(f"INSERT INTO odd VALUES ({marks})", [[None] * len(KEPT)] * 20 + [values])
    described, rows = lite.read(tmp_path)
    assert not described.refused
    assert described.rows == 21
    empty, last = rows[:20], rows[20]
    assert dict(zip(KEPT, last, strict=True)) == {name: value for name, (_, _, value) in KEPT.items()}
    assert set(empty) == {(None,) * len(KEPT)}
    found = {it.column.name: str(it.column.type) for it in described.columns}
    wanted = {"whole": "INT64", "flag": "BOOL", "price": "NUMERIC", "wide": "BIGNUMERIC", "doc": "STRING"}
    assert {name: found[name] for name in wanted} == wanted


WRONG = [
    ("INTEGER", "abc", "1 value is no INT64, the first one in row 2: they have to be whole numbers"),
    ("INTEGER", 1.5, "they have to be whole numbers"),
    ("INTEGER", b"1", "they have to be whole numbers"),
    ("BOOLEAN", 2, "they have to be 0 or 1"),
    ("BOOLEAN", "t", "they have to be 0 or 1"),
    ("REAL", "1,5", "they have to be numbers"),
    ("TEXT", b"a", "they have to be texts in UTF-8"),
    ("BLOB", "a", "they have to be blobs"),
    ("NUMERIC", 0.1 + 0.2, "they have to be numbers of at most 15 digits"),
    ("NUMERIC", float("inf"), "they have to be numbers of at most 15 digits"),
    ("DATE", 1709251200, "1 value is no DATE, the first one in row 2: they have to be texts such as 2024-03-01"),
    ("DATETIME", 2460370.5, "they have to be texts such as 2024-03-01 10:30:00, without a zone"),
]
WRONG_TEXTS = [
    ("NUMERIC", "abc", "1 value is no NUMERIC: too large, or too long"),
    ("NUMERIC", 1.2345678901, "too large, or too long"),
    ("NUMERIC", 1e-10, "too large, or too long"),
    ("NUMERIC", 1.5e-40, "too large, or too long"),
    ("NUMERIC", 1e30, "too large, or too long"),
    ("DATE", "2024-02-30", "they have to be texts such as 2024-03-01"),
    ("DATE", "0000-01-01", "they have to be texts such as 2024-03-01"),
    ("DATE", "01.03.2024", "they have to be texts such as 2024-03-01"),
    ("DATETIME", "2024-03-01 10:30:00Z", "without a zone"),
    ("DATETIME", "now", "without a zone"),
    ("DATETIME", "2024-03-01 10:30:00.1234567", "without a zone"),
    ("TIMESTAMP", "2024-03-01 25:00", "in UTC or with +01:00"),
    ("TIMESTAMP", "infinity", "in UTC or with +01:00"),
    ("TIME", "24:00", "they have to be texts such as 10:30:00"),
]


@pytest.mark.parametrize("cases", [WRONG, WRONG_TEXTS], ids=["other kinds", "texts"])
def test_a_value_that_does_not_fit_its_column_is_refused(
    lite: Lite, tmp_path: Path, cases: list[tuple[str, Any, str]]
) -> None:
    names = [f"x{number}" for number in range(len(cases))]
    values = [value for _, value, _ in cases]
    lite.run(_create(dict(zip(names, (kind for kind, _, _ in cases), strict=True))))
    lite.run(f"INSERT INTO odd VALUES ({', '.join('?' for _ in cases)})", [[None] * len(cases), values])
    with pytest.raises(OriginError) as found:
        lite.read(tmp_path)
    told = dict(line.split(": ", 1) for line in str(found.value).splitlines()[:-1])
    assert told.keys() == set(names)
    assert [reason for name, (_, _, reason) in zip(names, cases, strict=True) if reason not in told[name]] == []
    texts = [name for name, value in zip(names, values, strict=True) if not isinstance(value, bytes)]
    _, [_, row] = lite.read(tmp_path, {name: STRING if name in texts else BYTES for name in names})
    kept = [(value, text) for value, text in zip(values, row, strict=True) if isinstance(value, str | bytes)]
    assert all(value == text for value, text in kept)


def test_all_columns_with_wrong_values_are_named_at_once(lite: Lite, tmp_path: Path) -> None:
    lite.run(_create({"a": "INT", "b": "TEXT", "c": "TEXT", "d": "REAL"}))
    lite.run("INSERT INTO odd VALUES ('x', x'00', CAST(x'ff41' AS TEXT), 1), (2.5, 'b', CAST(x'80' AS TEXT), 'one')")
    with pytest.raises(OriginError) as found:
        lite.read(tmp_path)
    lines = str(found.value).splitlines()
    assert lines[:4] == [
        "a: 2 values are no INT64, the first one in row 1: they have to be whole numbers",
        "b: 1 value is no STRING, the first one in row 1: they have to be texts in UTF-8",
        "c: 2 values are no STRING: they have to be texts in UTF-8",
        "d: 1 value is no FLOAT64, the first one in row 2: they have to be numbers, and whole ones within 2^53",
    ]
    assert "exclude" in lines[4]


def test_the_settings_give_a_column_any_type_that_its_values_have(lite: Lite, tmp_path: Path) -> None:
    lite.run("CREATE TABLE odd (a, b DATETIME, c TEXT, d INT, e REAL, f GEOMETRY)")
    lite.run("INSERT INTO odd VALUES (1, 1709251200, '00.10', 3, 0.1, x'01')")
    with open_snapshot(lite.url) as snapshot:
        refused = snapshot.describe(ODD, {"c": parse_type("JSON")}).refused
    assert refused == {
        "c": "a value of SQLite cannot be JSON: write STRING, and CAST it in a script",
        "a": 'SQLite knows no type of it: give it one, a = { type = "STRING" } in [columns]',
        "f": 'SQLite says no more than GEOMETRY of it: give it one, f = { type = "STRING" } in [columns]',
    }
    wanted = {"a": BOOL, "b": INT64, "c": NUMERIC, "d": FLOAT64, "e": STRING, "f": BYTES}
    assert lite.read(tmp_path, wanted)[1] == [(True, 1709251200, Decimal("0.1"), 3.0, "0.1", b"\x01")]


def test_a_query_has_types_and_rows_too(lite: Lite, tmp_path: Path) -> None:
    lite.run(
        "CREATE TABLE odd (id INT, price DECIMAL(10,2), twice AS (id * 2)) ; INSERT INTO odd VALUES (1, 2.5), (2, 3)"
    )
    query = Relation(
        query="SELECT id, price AS cost, CAST(id AS TEXT) AS text, count(*) AS n FROM odd WHERE id = 1 -- one\n;"
    )
    described, rows = lite.read(tmp_path, {"n": INT64}, query)
    assert [str(it.column.type) for it in described.columns] == ["INT64", "NUMERIC", "STRING", "INT64"]
    assert rows == [(1, Decimal("2.50"), "1", 1)]
    assert lite.read(tmp_path, {"twice": INT64})[1] == [(1, Decimal("2.5"), 2), (2, Decimal(3), 4)]
    with open_snapshot(lite.url) as snapshot:
        with pytest.raises(OriginError, match="no such column: nope"):
            snapshot.describe(Relation(query="SELECT nope FROM odd"), {})
        with pytest.raises(OriginError, match=r"there is no table nope in .*shop 50"):
            snapshot.describe(Relation("nope"), {})
        with pytest.raises(OriginError, match="there is no table odd; DROP"):
            snapshot.describe(Relation("odd; DROP TABLE odd"), {})


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_all_that_is_read_is_of_one_moment(lite: Lite, tmp_path: Path, journal: str) -> None:
    """The writer is a process of its own: locks of SQLite are between processes."""
    lite.run(f"PRAGMA journal_mode = {journal}; CREATE TABLE odd (id INT); CREATE TABLE even (id INT)")
    lite.run("INSERT INTO odd VALUES (1)")
    write = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1], timeout=0)\n"
        "with connection:\n"
        "    connection.execute('INSERT INTO odd VALUES (3)'); connection.execute('INSERT INTO even VALUES (2)')"
    )
    with open_snapshot(lite.url) as snapshot:
        done = subprocess.run([sys.executable, "-c", write, lite.path], capture_output=True, text=True, check=False)
        assert ("database is locked" in done.stderr) is (journal == "delete")
        assert read(snapshot, tmp_path)[1] == [(1,)]
        assert read(snapshot, tmp_path, Relation("even"))[1] == []
        assert snapshot.tables() == ["even", "odd"]
    assert subprocess.run([sys.executable, "-c", write, lite.path], check=False).returncode == 0
    assert read_ids(lite, tmp_path)[-1] == 3


def read_ids(lite: Lite, folder: Path) -> list[int]:
    return [row[0] for row in lite.read(folder)[1]]


def test_rows_since_a_moment_are_never_too_few(lite: Lite, tmp_path: Path) -> None:
    lite.run("CREATE TABLE odd (id INT, at TIMESTAMP, price NUMERIC)")
    moments = ["2024-02-27 10:00", "2024-02-29 23:30-05:00", "2024-03-01T04:30:00Z", "2024-03-01", None]
    lite.run("INSERT INTO odd VALUES (?, ?, ?)", [(n, moment, n / 2) for n, moment in enumerate(moments)])

    def ids(since: Since) -> list[int]:
        with open_snapshot(lite.url) as snapshot:
            columns = snapshot.describe(ODD, {}).columns
            with snapshot.reading(ODD, columns, since) as stream:
                land(stream, columns, {}, "", tmp_path / "landed")
        with duckdb.connect() as reader:
            found = reader.execute(f"SELECT id FROM '{tmp_path}/landed/*.parquet' ORDER BY 1").fetchall()
        return [row[0] for row in found]

    assert ids(Since("at", "2024-03-01 04:30:00.000000")) == [1, 2, 3, 4]
    assert ids(Since("price", "1.5", is_number=True)) == [3, 4]


def test_faults_of_the_file_say_what_is_wrong(lite: Lite) -> None:
    with pytest.raises(OriginError, match=r"there is no file .*shop 50"), open_snapshot(lite.url):
        pass
    lite.path.write_text("no database" * 100)
    with pytest.raises(OriginError, match=r"shop 50.*: file is not a database"), open_snapshot(lite.url):
        pass
    with pytest.raises(OriginError, match="write sqlite:///path/to/file"), open_snapshot("sqlite://shop.db"):
        pass


def test_what_is_being_read_ends_when_the_snapshot_is_closed(lite: Lite, tmp_path: Path) -> None:
    lite.run("CREATE TABLE odd (id INT); INSERT INTO odd VALUES (1), (2)")
    query = Relation(query="WITH RECURSIVE n (id) AS (SELECT id FROM odd UNION ALL SELECT id FROM n) SELECT id FROM n")
    with open_snapshot(lite.url) as snapshot:
        columns = snapshot.describe(query, {"id": INT64}).columns
        stop = Timer(0.2, snapshot.close)
        stop.start()
        with (
            pytest.raises(OriginError, match=r"Interrupted|AdbcConnectionInit"),
            snapshot.reading(query, columns) as rows,
        ):
            land(rows, columns, {}, "", tmp_path / "landed")
        stop.join()


def test_what_has_been_read_to_its_end_can_be_interrupted_in_vain(lite: Lite, tmp_path: Path) -> None:
    """As a snapshot does that is closed while a thread is done reading."""
    lite.run("CREATE TABLE odd (id INT); INSERT INTO odd VALUES (1), (2)")
    with open_snapshot(lite.url) as snapshot:
        columns = snapshot.describe(ODD, {}).columns
        with snapshot.reading(ODD, columns) as rows:
            assert land(rows, columns, {}, "", tmp_path / "landed").row_count == 2
            assert isinstance(rows, SqliteRows)
            rows.interrupt()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(allow_nan=False),
            st.none() | st.text(st.characters(exclude_categories=["Cs"])),
            st.none() | st.binary(),
            st.none() | st.datetimes(),
            st.none() | st.dates(),
            st.none() | st.integers(-(10**15) + 1, 10**15 - 1),
        ),
        max_size=60,
    ),
    st.integers(0, 9),
)
def test_drawn_values_are_kept_as_they_are(lite: Lite, tmp_path: Path, drawn: Rows, scale: int) -> None:
    kinds = ("INT", "REAL", "TEXT", "BLOB", "DATETIME", "DATE", "NUMERIC")
    lite.run("DROP TABLE IF EXISTS odd")
    lite.run(_create({f"c{number}": kind for number, kind in enumerate(kinds)}))
    stored = [(*row[:4], *map(_text, row[4:6]), row[6] and row[6] / 10**scale) for row in drawn]
    if stored:
        lite.run("INSERT INTO odd VALUES (?, ?, ?, ?, ?, ?, ?)", stored)
    expected = [(*row[:6], row[6] if row[6] is None else Decimal(row[6]).scaleb(-scale)) for row in drawn]
    assert lite.read(tmp_path)[1] == expected


def _text(value: Any) -> str | None:
    return None if value is None else value.isoformat(" ") if isinstance(value, datetime) else str(value)
