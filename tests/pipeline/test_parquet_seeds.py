"""Parquet files with rows: each value exactly as it is in the table, or refused."""

import base64
import zlib
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.raw.seeds import Seed, read_seed
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

TABLE = TableName("raw", "x")
# What DuckDB does not write itself: made by pyarrow, and compressed.
INT96 = (
    "eNoLcAwyFGUQVRHV0BFlAjLYRNlkGBgYhFyYgCQTIwMUPGpRZRBlkdQxZZBgK07OSM1NFGUCKlZlkmBMZBBjkpSRlFFjkBFlk1RlY5AEiokyiTGJ"
    "eYn5qXF4ygBNZQCqttFkk1RjABkLlGBS4xDzY9BQKEgsKixNLdFNLijQTSwqyi9XKEstKs7Mz1MwMtMz0DOUlAG5pgqIA4AOBQBnmBq0"
)
WIDE_DECIMAL = (
    "eNoVjr0OgkAQhJcNuRALur1w8QoaLmqAiIlUNtJpRaxpLkiihYKHP+/gA/i8LsV+2WRmdqfenwoCKkmnhLwIEhoA5hEy0YOjB/AjX6VbiMTYXrqb"
    "JQQKaUUYeTaZkU/ntJnIAYlKK21AU6gSAYodhBJlIysTHDTfB07vlkIZmB6wgCaQFSziwbrHq3tm7TBk1rn+E787N177e7wp83VeKD31+vLUXPkP"
    "WBQcIw=="
)


def seed(folder: Path, query: str, settings: str = "", options: str = "") -> Seed:
    path = folder / "x.parquet"
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet{options})")
    if settings:
        path.with_suffix(".toml").write_text(f"[columns]\n{settings}")
    return read_seed(TABLE, path)


def values(found: Seed) -> list[object]:
    assert found.parquet
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    rows = connection.execute(f"SELECT CAST(a AS VARCHAR) FROM ({found.parquet.sql})").fetchall()
    assert len(rows) == found.row_count
    return [value for (value,) in rows]


@pytest.mark.parametrize(
    ("value", "settings", "kind", "read"),
    [
        ("1::TINYINT", "", "INT64", "1"),
        ("255::UTINYINT", "", "INT64", "255"),
        ("4294967295::UINTEGER", "", "INT64", "4294967295"),
        ("9223372036854775807::UBIGINT", "", "INT64", "9223372036854775807"),
        ("18446744073709551615::UBIGINT", "NUMERIC", "NUMERIC", "18446744073709551615.000000000"),
        ("7::INTEGER", "STRING", "STRING", "7"),
        ("9007199254740992::BIGINT", "FLOAT64", "FLOAT64", "9007199254740992.0"),
        ("0.1::FLOAT", "", "FLOAT64", "0.10000000149011612"),
        ("'nan'::DOUBLE", "", "FLOAT64", "nan"),
        ("1.50::DECIMAL(9,2)", "", "NUMERIC", "1.500000000"),
        ("1.5::DECIMAL(38,9)", "NUMERIC(5,1)", "NUMERIC(5, 1)", "1.5"),
        ("1.5::DECIMAL(38,20)", "NUMERIC", "NUMERIC", "1.500000000"),
        ("1.5::DECIMAL(38,20)", "", "BIGNUMERIC", "1.50000000000000000000"),
        ("true", "", "BOOL", "true"),
        ("'a'::ENUM('a', 'b')", "", "STRING", "a"),
        ("'5a12b3c4-0000-4000-8000-000000000000'::UUID", "", "STRING", "5a12b3c4-0000-4000-8000-000000000000"),
        ("'{\"a\": 1}'::JSON", "STRING", "STRING", '{"a": 1}'),
        ("'abc'", "STRING(3)", "STRING(3)", "abc"),
        ("'abc'::BLOB", "", "BYTES", "abc"),
        ("'\\xC3\\xA9'::BLOB", "STRING", "STRING", "é"),
        ("DATE '0001-01-01'", "", "DATE", "0001-01-01"),
        ("TIME '23:59:59.999999'", "", "TIME", "23:59:59.999999"),
        ("TIMESTAMP '2026-01-31 09:30:00.000001'", "", "DATETIME", "2026-01-31 09:30:00.000001"),
        ("TIMESTAMP '2026-01-31 09:30:00'", "TIMESTAMP", "TIMESTAMP", "2026-01-31 09:30:00+00"),
        ("TIMESTAMPTZ '2026-01-31 09:30:00+01:00'", "", "TIMESTAMP", "2026-01-31 08:30:00+00"),
        ("'2026-01-31 09:30:00.000001'::TIMESTAMP_NS", "", "DATETIME", "2026-01-31 09:30:00.000001"),
        ("'2026-01-31 09:30:00.000001'::TIMESTAMP_NS", "TIMESTAMP", "TIMESTAMP", "2026-01-31 09:30:00.000001+00"),
        ("[1, 2]::UTINYINT[]", "", "ARRAY<INT64>", "[1, 2]"),
        ("NULL::INTEGER[]", "", "ARRAY<INT64>", "[]"),
        ("{a: 1, b: ['x']}", "", "STRUCT<a INT64, b ARRAY<STRING>>", "{'a': 1, 'b': [x]}"),
        ("{a: NULL::INTEGER, b: NULL::VARCHAR[]}", "", "STRUCT<a INT64, b ARRAY<STRING>>", "{'a': NULL, 'b': []}"),
        ("[{a: 1.5::DECIMAL(3,1)}]", "", "ARRAY<STRUCT<a NUMERIC>>", "[{'a': 1.500000000}]"),
        ("NULL::INTEGER", "", "INT64", None),
    ],
)
def test_a_value_is_held_exactly(tmp_path: Path, value: str, settings: str, kind: str, read: str | None) -> None:
    found = seed(tmp_path, f"SELECT {value} AS a", f'a = {{ type = "{settings}" }}' if settings else "")
    assert [str(column.type) for column in found.columns] == [kind]
    assert values(found) == [read]


@pytest.mark.parametrize(
    ("value", "settings", "problem"),
    [
        ("18446744073709551615::UBIGINT", "", "row 2: a: '18446744073709551615' cannot be INT64 unchanged"),
        ("9007199254740993::BIGINT", "FLOAT64", "row 2: a: '9007199254740993' cannot be FLOAT64 unchanged"),
        ("1.0000000001::DECIMAL(38,10)", "NUMERIC", "row 2: a: '1.0000000001' cannot be NUMERIC unchanged"),
        ("10.55::DECIMAL(9,2)", "NUMERIC(3,1)", "row 2: a: '10.55' cannot be NUMERIC(3, 1) unchanged"),
        ("100.5::DECIMAL(9,1)", "NUMERIC(3,1)", "row 2: a: '100.5' cannot be NUMERIC(3, 1) unchanged"),
        ("'abcd'", "STRING(3)", "row 2: a: 'abcd' cannot be STRING(3) unchanged"),
        ("'a' || chr(0)", "", "row 2: a: 'a\ufffd' cannot be STRING unchanged"),
        ("'\\xFF'::BLOB", "STRING", "row 2: a: '\\xFF' cannot be STRING unchanged"),
        ("'ab'::BLOB", "BYTES(1)", "row 2: a: 'ab' cannot be BYTES(1) unchanged"),
        ("DATE '10000-01-01'", "", "row 2: a: '10000-01-01' cannot be DATE unchanged"),
        ("DATE 'infinity'", "", "row 2: a: 'infinity' cannot be DATE unchanged"),
        ("TIMESTAMP '0001-01-01 00:00:00' - INTERVAL 1 SECOND", "", "cannot be DATETIME unchanged"),
        ("TIMESTAMPTZ '10000-01-01 00:00:00Z'", "", "cannot be TIMESTAMP unchanged"),
        ("TIME '24:00:00'", "", "row 2: a: '24:00:00' cannot be TIME unchanged"),
        ("'2026-01-31 09:30:00.000000001'::TIMESTAMP_NS", "", "cannot be DATETIME unchanged"),
        ("[1, NULL]", "", "row 2: a: '[1, NULL]' cannot be ARRAY<INT64> unchanged"),
        ("{b: 18446744073709551615::UBIGINT}", "", "cannot be STRUCT<b INT64> unchanged"),
        ("[{b: [DATE 'infinity']}]", "", "cannot be ARRAY<STRUCT<b ARRAY<DATE>>> unchanged"),
        ("[[1]]", "", "a: GoogleSQL has no array of arrays"),
        ("{b: [[1]]}", "", "a.b: GoogleSQL has no array of arrays"),
        ("MAP {'a': 1}", "", "a: GoogleSQL has no type for MAP(VARCHAR, INTEGER)"),
        ("'{}'::JSON", "", "a: GoogleSQL has no type for JSON"),
        ("INTERVAL 1 DAY", "", "a: GoogleSQL has no type for INTERVAL"),
        ("'2026-01-31'", "DATE", "a is VARCHAR, and cannot be DATE"),
        ("1", "BOOL", "a is INTEGER, and cannot be BOOL"),
        ("{b: 1}", "STRING", "a is STRUCT(b INTEGER), and cannot be STRING"),
        ("{\"b c\": 1}", "", "'b c' cannot be a column's name in a"),
    ],
)  # fmt: skip
def test_a_value_that_would_change_is_refused(tmp_path: Path, value: str, settings: str, problem: str) -> None:
    query = f"WITH one AS (SELECT {value} AS a) SELECT NULL AS a UNION ALL SELECT a FROM one"
    with pytest.raises(Refused) as refused:
        seed(tmp_path, query, f'a = {{ type = "{settings}" }}' if settings else "")
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("columns", "settings", "problem"),
    [
        ('1 AS "a b"', "", "x.parquet: 'a b' cannot be a column's name"),
        ("1 AS _table_suffix", "", "x.parquet: BigQuery keeps names like _table_suffix for itself"),
        ("1 AS a", 'b = { type = "INT64" }', "x.toml:2:1: the file has no column b"),
        ("NULL::INTEGER AS a", 'a = { type = "INT64", mode = "REQUIRED" }', "row 1: a: the column is REQUIRED"),
    ],
)
def test_columns_that_no_table_has_are_refused(tmp_path: Path, columns: str, settings: str, problem: str) -> None:
    with pytest.raises(Refused) as refused:
        seed(tmp_path, f"SELECT {columns}", settings)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\n1\n", "the file cannot be read as Parquet"),
        (b"PAR1" + bytes(50) + b"PAR1", "the file cannot be read as Parquet"),
        (zlib.decompress(base64.b64decode(INT96)), "a: a timestamp in nanoseconds (INT96) would lose digits"),
        (zlib.decompress(base64.b64decode(WIDE_DECIMAL)), "a: a DECIMAL of 50 digits would lose digits"),
    ],
    ids=["text", "damaged", "INT96", "wide"],
)
def test_a_file_that_duckdb_does_not_read_exactly_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(Refused) as refused:
        read_seed(TABLE, path)
    assert problem in str(refused.value)
    assert str(tmp_path) not in str(refused.value).replace(str(path), "")


def test_a_folder_whose_name_has_signs_of_patterns_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "a[1]*?" / "year=2026"
    folder.mkdir(parents=True)
    found = seed(folder, "SELECT 1 AS a")
    assert [column.name for column in found.columns] == ["a"], "no column from the folder's name"
    assert values(found) == ["1"]


def test_row_groups_and_dictionaries_make_no_difference(tmp_path: Path) -> None:
    found = seed(tmp_path, "SELECT 'v' || i % 3 AS a FROM range(10_000) t(i)", options=", ROW_GROUP_SIZE 2048")
    assert values(found) == [f"v{number % 3}" for number in range(10_000)]


def test_a_project_loads_a_parquet_file_and_again_once_it_has_changed(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(
        {
            "res/raw/x.toml": '[columns]\nid = { type = "INT64", mode = "REQUIRED" }\n',
            "res/tmp/a.sql": "SELECT id, nam FROM `raw.x`",
            "res/dependencies.toml": "",
        }
    )
    seed(folder / "res/raw", "SELECT 1 AS id, 'a' AS name")
    assert main(["check"]) == 2
    assert "there is no column nam" in capsys.readouterr().out
    (folder / "res/tmp/a.sql").write_text("SELECT id, name FROM `raw.x`")
    for number in (1, 2):
        seed(folder / "res/raw", f"SELECT {number} AS id, 'a' AS name")
        assert main(["init"]) == 0
        assert main(["build"]) == 0
        with connect(DEFAULT_URL) as warehouse:
            assert warehouse.first_rows(TABLE, 9) == [(number, "a")]
            assert [column.mode for column in warehouse.columns(TABLE)] == ["REQUIRED", "NULLABLE"]


def test_a_decimal_that_is_no_numeric_is_a_bignumeric(write: Write) -> None:
    folder = write({"res/tmp/a.sql": "SELECT a, b FROM `raw.x`", "res/dependencies.toml": "", "res/raw/x": ""})
    (folder / "res/raw/x").unlink()
    seed(folder / "res/raw", "SELECT -0.05::DECIMAL(38,20) AS a, [{c: 0.5::DECIMAL(38,38)}, {c: NULL}] AS b")
    assert main(["init"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.first_rows(TABLE, 9) == [(Decimal("-0.05"), [{"c": Decimal("0.5")}, {"c": None}])]
