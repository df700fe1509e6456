"""Files as a source: every value of CSV, NDJSON and Parquet as it is, or refused with its file and line."""

import gzip
import json
import os
import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.origins.test_postgres import read
from warehouse_refresh.origins import Described, OriginError, Relation, open_files
from warehouse_refresh.origins.files.texts import KNOWN, fault, value
from warehouse_refresh.origins.landing import land
from warehouse_refresh.warehouse.types import BIGNUMERIC, INT64, NUMERIC, STRING, SqlType, parse_type
from warehouse_refresh.warehouse.values.invalid import InvalidValue
from warehouse_refresh.warehouse.values.reading import from_text, iso

Rows = list[tuple[Any, ...]]
KINDS = {
    **dict.fromkeys(("int", "least"), "INT64"),
    "price": "NUMERIC",
    "wide": "BIGNUMERIC",
    "real": "FLOAT64",
    "yes": "BOOL",
    "words": "STRING",
    "bytes": "BYTES",
    "day": "DATE",
    "clock": "TIME",
    "moment": "DATETIME",
    "instant": "TIMESTAMP",
}
TEXTS = {
    "int": "4",
    "least": "-9223372036854775808",
    "price": "-12345678901234567890123456789.123456789",
    "wide": "0.000000000000000001",
    "real": "2e-3",
    "yes": "TRUE",
    "words": 'ä,"quoted"\r\nx',
    "bytes": "AP8=",
    "day": "9999-12-31",
    "clock": "23:59:59.999999",
    "moment": "0001-01-01 00:00:00.5",
    "instant": "2024-03-01 10:00:00+01",
}
VALUES = (
    4,
    -(2**63),
    Decimal("-12345678901234567890123456789.123456789"),
    Decimal("0.000000000000000001"),
    0.002,
    True,
    'ä,"quoted"\r\nx',
    b"\x00\xff",
    date(9999, 12, 31),
    time(23, 59, 59, 999999),
    datetime(1, 1, 1, 0, 0, 0, 500000),  # noqa: DTZ001 (a DATETIME has no zone)
    datetime(2024, 3, 1, 9, tzinfo=UTC),
)
WANTED = {name: parse_type(kind) for name, kind in KINDS.items()}


def csv_of(*rows: tuple[str, ...]) -> str:
    return "".join(",".join('"' + text.replace('"', '""') + '"' for text in row) + "\n" for row in rows)


def read_file(folder: Path, where: str, wanted: Mapping[str, SqlType] | None = None) -> tuple[Described, Rows]:
    with open_files(folder) as files:
        return read(files, folder, Relation(file=where), wanted)


def types_of(described: Described) -> dict[str, str]:
    return {it.column.name: str(it.column.type) for it in described.columns}


def test_every_value_of_a_csv_is_kept_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        csv_of(tuple(TEXTS), tuple(TEXTS.values())) + "," * (len(TEXTS) - 1) + "\n", newline=""
    )
    described, rows = read_file(tmp_path, "a.csv", WANTED)
    assert types_of(described) == KINDS
    assert sorted(rows, key=str, reverse=True) == [(None,) * len(KINDS), VALUES]
    assert described.bytes == (tmp_path / "a.csv").stat().st_size


def test_every_value_of_an_ndjson_is_kept_as_it_is(tmp_path: Path) -> None:
    lines = [TEXTS | {"yes": True, "real": 0.002, "int": 4}, {}, dict.fromkeys(TEXTS)]
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, lines)))
    described, rows = read_file(tmp_path, "a.ndjson", WANTED)
    assert types_of(described) == KINDS
    assert sorted(rows, key=str, reverse=True) == [(None,) * len(KINDS), (None,) * len(KINDS), VALUES]


def test_the_types_are_those_that_take_all_values(tmp_path: Path) -> None:
    texts = {"a": "7", "b": "1.5", "c": "1e3", "d": "true", "e": "2024-03-01", "f": "2024-03-01 10:00:00"}
    texts |= {"g": "2024-03-01T10:00:00Z", "h": "007", "i": "", "j": "10:00:00"}
    guessed = ["INT64", "NUMERIC", "FLOAT64", "BOOL", "DATE", "DATETIME", "TIMESTAMP", "STRING", "STRING", "STRING"]
    (tmp_path / "a.csv").write_text(f"\ufeff{csv_of(tuple(texts), tuple(texts.values()))}")
    (tmp_path / "b.csv").write_text(csv_of(tuple(reversed(texts)), tuple(reversed(texts.values()))))
    described, rows = read_file(tmp_path, "*.csv")
    assert types_of(described) == dict(zip(texts, guessed, strict=True))
    assert rows[0] == rows[1]
    lines = [
        {"a": 7, "b": 1.5, "c": 1e30, "d": True, "e": "2024-03-01", "h": "7", "k": {"x": 1}},
        {"a": None, "l": [1]},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    described, rows = read_file(tmp_path, "a.jsonl")
    guessed = ["INT64", "NUMERIC", "FLOAT64", "BOOL", "DATE", "STRING", "STRING", "STRING"]
    assert types_of(described) == dict(zip("abcdehkl", guessed, strict=True))
    assert {row[-2:] for row in rows} == {('{"x":1}', None), (None, "[1]")}


def test_a_parquet_has_types_itself(tmp_path: Path) -> None:
    values = "1::UTINYINT AS a, 1.5::DECIMAL(38,20) AS b, 'x' AS c, TIMESTAMP '2024-03-01 10:00:00' AS d, [1, 2] AS e"
    (tmp_path / "[x").mkdir()
    duckdb.execute(f"COPY (SELECT {values}, INTERVAL 1 DAY AS f) TO '{tmp_path}/[x/a.parquet' (FORMAT parquet)")
    described, rows = read_file(tmp_path, "[[]x/*.parquet", {"a": NUMERIC, "d": parse_type("TIMESTAMP"), "c": INT64})
    assert types_of(described) == {"a": "NUMERIC", "b": "BIGNUMERIC", "d": "TIMESTAMP", "e": "ARRAY<INT64>"}
    assert rows == [(1, Decimal("1.5"), datetime(2024, 3, 1, 10, tzinfo=UTC), [1, 2])]
    assert described.refused["c"] == "c is VARCHAR, and cannot be INT64: write STRING, and CAST it in a script"
    assert "GoogleSQL has no type for INTERVAL: write months" in described.refused["f"]


def damaged(text: bytes) -> bytes:
    packed = bytearray(gzip.compress(text))
    packed[-6] ^= 255  # the checksum
    return bytes(packed)


BROKEN: list[tuple[str, bytes, str]] = [
    ("a.csv", b"", "a.csv is empty: its first line has to name the columns"),
    ("a.csv", b"id,id\n1,2\n", "a.csv:1: two columns are named id"),
    ("a.csv", b"id,name\n1,a\n2\n", "a.csv:3: the line has 1 values, and the first line 2 names"),
    ("a.csv", b"id,name\n1,a,b\n", "a.csv:2: the line has 3 values, and the first line 2 names"),
    ("a.csv", b'id,name\n1,"a\nb"\nx,c\n', "a.csv:4: id: 'x' is not INT64: write a whole number such as 4"),
    ("a.csv", b"id,name\n4.0,b\n 4,\n", "a.csv:3: id: ' 4' is not INT64"),
    ("a.csv", b"id,name\n1,\xff\n", "a.csv:2: the text is not UTF-8"),
    ("a.csv", b"id,\xffname\n1,2\n", "a.csv:1: the text is not UTF-8"),
    ("a.csv", b'id,name\n1,"a\n', "a.csv:2: this is not CSV"),
    ("a.csv", b'id,name\n1,"a"b\n', "a.csv:2: this is not CSV"),
    ("a.csv", b"id,name\n1,a\0b\n", "a.csv:2: name: a STRING cannot hold the character NUL"),
    ("a.csv.gz", gzip.compress(b"id,name\n" + b"1,a\n" * 9)[:-9], "a.csv.gz is no whole file of gzip"),
    ("a.csv.gz", damaged(b"id,name\n1,a\n"), "a.csv.gz is no whole file of gzip: CRC check failed"),
    ("a.csv.gz", b"id,name\n1,a\n", "a.csv.gz is no whole file of gzip: Not a gzipped file"),
    ("a.ndjson", b'{"id": 1}\n{"id": "x"}\n', "a.ndjson:2: id: 'x' is not INT64"),
    ("a.ndjson", b'{"id": 1.5}\n', "a.ndjson:1: id: '1.5' is not INT64"),
    ("a.ndjson", b'{"id": 1, "name": 5}\n', "a.ndjson:1: name: JSON number is not a value of STRING"),
    ("a.ndjson", b'{"id": 1, "id": 2}\n', "a.ndjson:1: the line names id twice"),
    ("a.ndjson", b'{"id": 1}\n[1]\n', "a.ndjson:2: this line is no object"),
    ("a.ndjson", b'{"id": 1}\n{"id":\n', "not JSON"),
    ("a.ndjson", b'{"name": "\xff"}\n', "a.ndjson"),
    ("a.ndjson", b'{"id": 1, "price": 0.1234567890123456}\n', "a.ndjson:1: price: 0.1234567890123456 has more than 15"),
    ("a.parquet", b"PAR1", "a.parquet: the file cannot be read as Parquet"),
    ("a.xlsx", b"PK", "a.xlsx: the name ends in none of .csv"),
]


@pytest.mark.parametrize(("name", "content", "reason"), BROKEN, ids=[f"{it[0]} {it[2][-20:]}" for it in BROKEN])
def test_a_broken_file_is_refused_with_the_place(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OriginError) as found:
        read_file(tmp_path, name, {"id": INT64, "name": STRING, "price": NUMERIC})
    assert reason in str(found.value)


def test_all_faults_of_a_file_are_named_up_to_twenty(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,day\n" + "x,2024-02-30\n" * 30)
    with pytest.raises(OriginError) as found:
        read_file(tmp_path, "a.csv", {"id": INT64, "day": parse_type("DATE")})
    lines = str(found.value).splitlines()
    assert len(lines) == 20
    assert lines[1] == "a.csv:2: day: '2024-02-30' is not in the calendar of DATE, or out of its range"


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("nope.csv", "there is no file nope.csv"),
        ("nope/*.csv", "no file matches nope/*.csv"),
        ("[ab].*", "files of several forms are no table: .csv, .ndjson"),
        ("c*.csv", "c2.csv:1: there is no column name, which others of these files have"),
        ("d*.parquet", "d2.parquet: a is another column than in others of these files"),
    ],
)
def test_files_that_are_missing_or_do_not_go_together_are_refused(tmp_path: Path, where: str, reason: str) -> None:
    texts = {"a.csv": "id\n1\n", "b.ndjson": '{"id": 1}', "c1.csv": "id,name\n1,a\n", "c2.csv": "id,nmae\n1,a\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    for number in (1, 2):
        duckdb.execute(
            f"COPY (SELECT {number}::{'INT' if number == 1 else 'BIGINT'} AS a) TO '{tmp_path}/d{number}.parquet'"
        )
    with pytest.raises(OriginError) as found:
        read_file(tmp_path, where)
    assert reason in str(found.value)


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, when: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id\n1\n")
    relation = Relation(file="a.csv")
    with open_files(tmp_path) as files:
        columns = files.describe(relation, {}).columns

        def change() -> None:
            path.write_text("id\n2\n")
            os.utime(path, ns=(1, 1))

        with pytest.raises(OriginError, match=r"a\.csv has changed while it was read"):  # noqa: PT012, SIM117
            with files.reading(relation, columns) as rows, duckdb.connect() as reader:
                if when == "before":
                    change()
                for _ in rows.parts()[0].offer(reader):
                    change()


def test_files_are_packed_and_left_out_and_say_which_they_are(tmp_path: Path) -> None:
    for name, text in {"a.csv.gz": "id;x\n1;a\n", "b.csv": "x\tid\nb\t2\n", "c.csv": "id,x\n"}.items():
        (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    every = Relation(file="*.csv*", file_column="file")
    with open_files(tmp_path) as files:
        assert sorted(read(files, tmp_path, every)[1]) == [(1, "a", "a.csv.gz"), (2, "b", "b.csv")]
        columns = files.describe(every, {}).columns
        for without, left in (("a.csv.gz", 1), ("nothing", 2)):
            relation = Relation(file=every.file, file_column="file", without=frozenset([without]))
            with files.reading(relation, columns) as rows:
                assert land(rows, columns, {}, "", tmp_path / "landed").row_count == left
        none = Relation(file=every.file, file_column="file", without=frozenset(["a.csv.gz", "b.csv", "c.csv"]))
        with files.reading(none, columns) as rows:
            assert land(rows, columns, {}, "", tmp_path / "landed").row_count == 0
        with pytest.raises(OriginError, match="has a column x: write another file_column"):
            files.describe(Relation(file="c.csv", file_column="x"), {})


FORMS = (
    *("-?9", "99.99", "-0.000000009", "9e9", "9.9E-99", "9999999999999999999"),
    *("99999999999999999999999999999.999999999", "9999-09-19", "9999-19-39T29:59:69.999999", "2024-09-19 19:59:59Z"),
    *("2024-09-19T09:59:59+19:59", "0001-01-01T00:00:00+09", "29:59:59", "09:69:59.9999999", "true", "FALSE"),
    *("NaN", "-Infinity", "inf", "YQ==", "YWI9", "abc", " 9", "0009", "9."),
)


def texts() -> list[str]:
    """Texts of these forms with other digits, and some with one character changed."""
    chance, found = random.Random(22), []
    for form in FORMS * 60:
        text = "".join(str(chance.randrange(int(each) + 1)) if each.isdigit() else each for each in form)
        at = chance.randrange(len(text))
        found.append(text if chance.random() < 0.7 else text[:at] + chance.choice("0e.:-T Z+=a") + text[at + 1 :])
    return found


def test_a_text_is_a_value_of_a_type_in_sql_if_it_is_one_in_python() -> None:
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone = 'UTC'")
        reader.execute("CREATE TABLE texts AS SELECT unnest($1) AS x", [texts()])
        for type_ in KNOWN:
            test = f"CASE WHEN {fault('x', type_)} THEN NULL ELSE {value('x', type_)} END"
            found = reader.execute(f"SELECT x, {test} FROM texts").fetchall()
            assert [(text, type_, got) for text, got in found if not same(got, expected(text, type_))] == []


def same(found: Any, wanted: Any) -> bool:
    return bool(found == wanted or str(found) == str(wanted) == "nan")


def expected(text: str, type_: SqlType) -> Any:
    try:
        found = from_text(iso(text, type_), type_)
        return None if type_ == BIGNUMERIC and abs(found) >= 10**20 else found  # more than DuckDB has
    except InvalidValue as error:
        return float(text) if error.code == "not-exact" else None
