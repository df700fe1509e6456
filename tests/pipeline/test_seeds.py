"""Files with rows: their names, their types, their values, and what is wrong with them."""

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.project.files import read_text
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.raw import seeds
from warehouse_refresh.pipeline.raw.seeds import Seed, read_seed
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

TABLE = TableName("raw", "x")


def seed(folder: Path, content: str, settings: str = "", ending: str = "csv") -> Seed:
    path = folder / f"x.{ending}"
    path.write_text(content, encoding="utf-8", newline="")
    if settings:
        path.with_suffix(".toml").write_text(settings)
    return read_seed(TABLE, path)


def types(found: Seed) -> dict[str, str]:
    return {column.name: str(column.type) for column in found.columns}


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (["1", "-20", ""], "INT64", [1, -20, None]),
        (["9223372036854775808"], "NUMERIC", [Decimal("9223372036854775808")]),
        (["1", "2.50"], "NUMERIC", [Decimal(1), Decimal("2.5")]),
        (["1e3", "2"], "FLOAT64", [1000.0, 2.0]),
        (["007", "8"], "STRING", ["007", "8"]),
        (["true", "FALSE"], "BOOL", [True, False]),
        (["2026-01-31"], "DATE", [date(2026, 1, 31)]),
        (["2026-02-30"], "STRING", ["2026-02-30"]),
        (["2026-01-31 09:30:00"], "DATETIME", [datetime(2026, 1, 31, 9, 30)]),  # noqa: DTZ001 (a DATETIME has no zone)
        (
            ["2026-01-31 09:30:00+00", "2026-01-31T09:30:00Z"],
            "TIMESTAMP",
            [datetime(2026, 1, 31, 9, 30, tzinfo=UTC)] * 2,
        ),
        (
            ["2026-01-31 09:30:00 UTC", "2026-01-31 11:30:00+0200"],
            "TIMESTAMP",
            [datetime(2026, 1, 31, 9, 30, tzinfo=UTC)] * 2,
        ),
        (["", ""], "STRING", [None, None]),
        ([" 1"], "STRING", [" 1"]),
        (["NULL", "1"], "STRING", ["NULL", "1"]),
    ],
)
def test_a_csv_columns_type_takes_all_its_values(tmp_path: Path, values: list[str], kind: str, read: list[Any]) -> None:
    found = seed(tmp_path, "a,b\n" + "".join(f"{value},.\n" for value in values))
    assert types(found) == {"a": kind, "b": "STRING"}
    assert [row["a"] for row in found.rows] == read


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_that_of_the_first_line(tmp_path: Path, separator: str) -> None:
    text = f'a{separator}b\r\n1{separator}"x{separator} ""y""\n z"\r\n\r\n'
    [row] = seed(tmp_path, "\ufeff" + text).rows
    assert row == {"a": 1, "b": f'x{separator} "y"\n z'}


def test_ndjson_keeps_json_s_own_types(tmp_path: Path) -> None:
    text = (
        '{"n": 1, "s": "1", "d": "2026-01-31", "f": 1.5, "b": true, "a": [1], "o": {"x": 1}}\n\n{"n": null, "z": 2}\n'
    )
    found = seed(tmp_path, text, ending="ndjson")
    assert types(found) == {
        "n": "INT64",
        "s": "STRING",
        "d": "DATE",
        "f": "NUMERIC",
        "b": "BOOL",
        "a": "JSON",
        "o": "JSON",
        "z": "INT64",
    }
    assert [row["n"] for row in found.rows] == [1, None]


def test_settings_give_a_column_its_type(tmp_path: Path) -> None:
    settings = '[columns]\nid = { type = "STRING", mode = "REQUIRED" }\ntags = { type = "ARRAY<STRING>" }'
    found = seed(tmp_path, 'id,tags,n\n1,"[""a""]",2\n2,,3\n', settings)
    assert types(found) == {"id": "STRING", "tags": "ARRAY<STRING>", "n": "INT64"}
    assert [column.mode for column in found.columns] == ["REQUIRED", "REPEATED", "NULLABLE"]
    assert [row["tags"] for row in found.rows] == [["a"], []]


def test_a_column_that_is_only_described_gets_the_type_of_its_values(tmp_path: Path) -> None:
    settings = "[columns]\na = ''\nb = { type = 'DATE', mode = 'REQUIRED' }\nc = { type = 'STRING', mode = 'REPEATED' }"
    found = seed(tmp_path, 'a,b,c\n1,2026-01-31,"[""x""]"\n', settings)
    assert types(found) == {"a": "INT64", "b": "DATE", "c": "ARRAY<STRING>"}
    assert [column.mode for column in found.columns] == ["NULLABLE", "REQUIRED", "REPEATED"]


@pytest.mark.parametrize(
    ("content", "settings", "ending", "problem"),
    [
        ("a,b\n1\n", "", "csv", "x.csv:2:1: the line has 1 values, and the first line 2 names"),
        ('a\n"x\n', "", "csv", "x.csv:2:1: this is not CSV"),
        ("a,a b\n", "", "csv", "x.csv:1:1: 'a b' cannot be a column's name"),
        ("a,A\n", "", "csv", "x.csv:1:1: two columns are named A"),
        ("b,a\n\n1,x\n", '[columns]\na = { type = "INT64" }', "csv", "x.csv:3:3: a: 'x' is not INT64"),
        ("a\n1\n\n2\n", "", "csv", "x.csv:3:1: a blank line may be NULL, or no row"),
        ("\n", "", "csv", "x.csv:1:1: '' cannot be a column's name"),
        ("_PARTITION_x\n1\n", "", "csv", "x.csv:1:1: BigQuery keeps names like _PARTITION_x for itself"),
        ('a,b\n1,x"y\n', "", "csv", "x.csv:2:4: this is not CSV: a value with a quote in it stands in quotes"),
        ("a,b\n1,2,3\n", "", "csv", "x.csv:2:5: the line has 3 values, and the first line 2 names"),
        ("{}\n", "", "ndjson", "x.ndjson:1:1: there are no columns"),
        ('{"a": 1, "a": 2}\n', "", "ndjson", "x.ndjson:1:1: the line names a twice"),
        (
            '{"b": 1,  "a": "x"}\n',
            '[columns]\na = { type = "INT64" }',
            "ndjson",
            "x.ndjson:1:16: a: 'x' is not INT64",
        ),
        ("a,b\n,1\n", '[columns]\na = { mode = "REQUIRED" }', "csv", "x.csv:2:1: a: the column is REQUIRED"),
        ("a\n", '[columns]\nb = { type = "INT64" }', "csv", "x.toml:2:1: the file has no column b"),
        (
            "a\n",
            '[columns]\na = { typ = "INT64" }',
            "csv",
            "x.toml:2:7: there is no setting typ in columns.a",
        ),
        ("a\n", '[columns]\na = { type = "INT65" }', "csv", "x.toml:2:7: 'INT65' is not a GoogleSQL type"),
        ("a\n", "[columns]\na = 1", "csv", "x.toml:2:1: a is 1"),
        ("a\n", "[column]", "csv", "x.toml:1:2: there is no setting column"),
        ("a\n", "[columns", "csv", "x.toml:1:1: this is not TOML"),
        ("{}\n[1]\n", "", "ndjson", "x.ndjson:2:1: this line is no object"),
        ("{\n", "", "ndjson", "x.ndjson:1:2: this is not JSON"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, content: str, settings: str, ending: str, problem: str
) -> None:
    with pytest.raises(Refused) as refused:
        seed(tmp_path, content, settings, ending)
    assert problem in str(refused.value).replace(f"{tmp_path}/", "")


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=2, max_size=2), max_size=5))
def test_any_text_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    quoted = ["".join(('"', value.replace('"', '""'), '"')) for row in rows for value in row]
    lines = [f"{one},{other}\n" for one, other in zip(quoted[::2], quoted[1::2], strict=True)]
    settings = '[columns]\na = { type = "STRING" }\nb = { type = "STRING" }'
    found = seed(tmp_path_factory.mktemp("seed"), "a,b\n" + "".join(lines), settings)
    assert [[row["a"] or "", row["b"] or ""] for row in found.rows] == rows


def test_a_check_knows_the_columns_of_files(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "res/raw/x.csv": "id,name\n1,a\n",
        "res/tmp/a.sql": "SELECT id, nam FROM `raw.x`",
        "res/dependencies.toml": "",
    }
    folder = write(files)
    for _ in range(2):  # the second time from the cache
        assert main(["check"]) == 2
        assert "there is no column nam" in capsys.readouterr().out
    (folder / "res/raw/x.csv").write_text("id,nam\n1,a\n")
    assert main(["check", "--strict"]) == 0
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    (folder / "db_init").mkdir()
    (folder / "db_init/x.sql").write_text("CREATE TABLE raw.x (id INT64)")
    capsys.readouterr()
    assert main(["init"]) == 2
    assert "error: res/raw/x.csv: db_init/x.sql creates raw.x, too" in capsys.readouterr().err


def test_lengths_and_required_columns_are_kept_when_a_file_is_loaded_again(write: Write) -> None:
    """On DuckDB: the emulator of BigQuery takes no column definitions before AS."""
    settings = '[columns]\nid = { type = "INT64", mode = "REQUIRED" }\ncode = { type = "STRING(2)" }\n'
    folder = write(
        {
            "res/raw/x.csv": "id,code\n1,a\n",
            "res/raw/x.toml": settings,
            "res/tmp/a.sql": "SELECT id FROM `raw.x`",
            "res/dependencies.toml": "",
        }
    )
    assert main(["init"]) == 0
    (folder / "res/raw/x.csv").write_text("id,code\n2,b\n")
    assert main(["init"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.first_rows(TABLE, 9) == [(2, "b")]
        assert [(str(column.type), column.mode) for column in warehouse.columns(TABLE)] == [
            ("INT64", "REQUIRED"),
            ("STRING(2)", "NULLABLE"),
        ]


def test_odd_files_are_told_and_none_is_passed_over(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"res/tmp/a.sql": "SELECT 1 AS a", "res/dependencies.toml": "", "res/raw/twice.csv": "a\n1\n"}
    folder = write(files) / "res/raw"
    (folder / "twice.ndjson").write_text('{"a": 1}')
    (folder / "Twice.CSV").write_text("a\n1\n")
    (folder / "a.b.csv").write_text("a\n1\n")
    (folder / "folder.csv").mkdir()
    (folder / "gone.parquet").symlink_to("nothing")
    (folder / "nul.csv").write_text('a\n"x\0"\n')
    (folder / "utf16.csv").write_bytes("a\n1\n".encode("utf-16"))
    (folder / "empty.csv").touch()
    (folder / "link.csv").symlink_to(folder / "header.csv")
    (folder / "header.csv").write_text("a\n")
    for command in ("check", "init"):
        assert main([command]) == 2
        said = "".join(capsys.readouterr())
        for problem in (
            "raw/twice.csv: Twice.CSV fills raw.twice, too",
            "raw/twice.ndjson: Twice.CSV fills raw.twice, too",
            "raw/a.b.csv: '.' cannot be in a table's name",
            "raw/folder.csv: this is a folder, not a file",
            "raw/gone.parquet: this is a link that leads nowhere, not a file",
            "raw/nul.csv:2:1: a: a STRING cannot hold the character NUL",
            "raw/utf16.csv:1:1: the file is not UTF-8: byte 0xff",
        ):
            assert problem in said
        assert said.count("error: ") == 7, said
    for path in folder.iterdir():
        if path.name not in ("empty.csv", "link.csv", "header.csv"):
            path.rmdir() if path.is_dir() else path.unlink()
    assert main(["init"]) == 0
    assert capsys.readouterr().out == "created raw.header\ncreated raw.link\n"


def test_a_wide_file_and_a_long_value_are_read(tmp_path: Path) -> None:
    wide = seed(tmp_path, ",".join(f"c{number}" for number in range(2_000)) + "\n" + ",".join(["1"] * 2_000) + "\n")
    assert (len(wide.columns), wide.rows[0]["c1999"]) == (2_000, 1)
    assert seed(tmp_path, f"a,b\n{'x' * 200_000},1\n").rows[0]["a"] == "x" * 200_000


def test_an_unchanged_file_is_not_read_again(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"res/raw/x.csv": "id\n1\n", "res/dependencies.toml": ""})
    assert main(["init"]) == 0

    def read_again(*_: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(seeds, "read_seed", read_again)
        assert main(["init"]) == 0
    assert main(["init", "--replace", "--yes"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        warehouse.drop(TABLE)
    assert main(["init"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.first_rows(TABLE, 9) == [(1,)]


@pytest.mark.parametrize("changed", ["x.csv", "x.toml"])
def test_a_change_that_keeps_size_and_time_is_seen(write: Write, changed: str) -> None:
    folder = write(
        {
            "res/raw/x.csv": "id,n\n1,2\n",
            "res/raw/x.toml": '[columns]\nn = { type = "NUMERIC" }\n',
            "res/dependencies.toml": "",
        }
    )
    assert main(["init"]) == 0
    path = folder / "res/raw" / changed
    before = path.stat()
    path.write_text(path.read_text().replace("1,2", "1,3").replace("NUMERIC", "FLOAT64"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert main(["init"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.first_rows(TABLE, 9) == [(1, 3)] if changed == "x.csv" else [(1, 2.0)]
        assert str(warehouse.columns(TABLE)[1].type) == ("NUMERIC" if changed == "x.csv" else "FLOAT64")


def test_a_file_that_is_written_while_it_is_read_is_not_loaded(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write({"res/raw/x.csv": "id\n1\n12", "res/dependencies.toml": ""})

    def read_while_it_is_written(path: Path) -> str:
        text = read_text(path)
        with (folder / "res/raw/x.csv").open("a") as file:
            file.write("3\n")
        return text

    with monkeypatch.context() as patched:
        patched.setattr(seeds, "read_text", read_while_it_is_written)
        assert main(["init"]) == 2
    assert "error: res/raw/x.csv: the file has changed while it was read\n" in capsys.readouterr().err
    assert main(["init"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.first_rows(TABLE, 9) == [(1,), (123,)]
