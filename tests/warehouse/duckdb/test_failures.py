"""What fails as a query runs is said in BigQuery's words, with its place in the script, and never in DuckDB's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.errors import SqlError, TranslationFault
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

OF_DUCKDB = ("Error:", "TRY(", "DOUBLE", "HUGEINT", "INT128", "VARCHAR", "DECIMAL", "\x1f", "UDF")
CONTEXT = BuildContext("test")
TABLE = TableName("tmp", "t")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(tmp_path_factory.mktemp("failures") / "shop.duckdb") as made:
        made.create_datasets(["raw", "tmp"])
        made.run_script(parse_script("CREATE TABLE raw.t AS SELECT 1 AS i, 'a' AS s, NUMERIC '1' AS n, 1.5 AS f"))
        yield made


def failing(warehouse: DuckDBWarehouse, text: str, *, is_view: bool = False) -> SqlError:
    with pytest.raises(SqlError) as caught:
        warehouse.build(TableBuild(TABLE, parse_query(text), is_view=is_view), CONTEXT)
    assert not any(word in str(caught.value) for word in OF_DUCKDB), str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("1 / (i - i)", "division by zero: 1 / 0"),
        ("n / (i - i)", "division by zero: 1 / 0"),
        ("DIV(i, i - i)", "division by zero: 1 / 0"),
        ("MOD(i, i - i)", "division by zero: MOD(1, 0)"),
        ("i + 9223372036854775807", "int64 overflow: 1 + 9223372036854775807"),
        ("-i - 9223372036854775807 - i", "int64 overflow: -9223372036854775808 - 1"),
        ("i * 9223372036854775807 * 2", "int64 overflow: 9223372036854775807 * 2"),
        ("f * 1e308 * 10", "double overflow: 1.5e+308 * 10"),
        ("n + NUMERIC '99999999999999999999999999999'", "numeric overflow in addition"),
        ("CAST(s AS INT64)", "Bad int64 value: a"),
        ("CAST(CONCAT('99999999999999999999', i) AS INT64)", "Bad int64 value: 999999999999999999991"),
        ("CAST(f * 1e300 AS INT64)", "int64 out of range: 1.5e+300"),
        ("CAST(f * 1e300 AS NUMERIC)", "numeric out of range: 1.5e+300"),
        ("CAST(s AS FLOAT64)", "Bad double value: a"),
        ("CAST(s AS NUMERIC)", "Invalid NUMERIC value: a"),
        ("CAST(s AS BOOL)", "Bad bool value: a"),
        ("CAST(s AS DATE)", "Invalid date: 'a'"),
        ("CAST(CONCAT('2024-02-3', i) AS DATE)", "Invalid date: '2024-02-31'"),
        ("CAST(s AS TIMESTAMP)", "Invalid timestamp: 'a'"),
        ("CAST(s AS DATETIME)", 'Invalid datetime string "a"'),
        ("CAST(s AS TIME)", 'Invalid time string "a"'),
        ("CAST(CONCAT(s, s) AS STRING(1))", "STRING(1) has maximum length 1 but got a value with length 2"),
        ("CAST(b'\\xff' AS STRING)", "Invalid cast of bytes to UTF8 string"),
        ("ERROR(CONCAT('no ', s))", "no a"),
        ("[1, 2][OFFSET(i + 5)]", "Array index 6 is out of bounds"),
        ("DATE(2024, 2, 30 * i)", "Input calculates to invalid date: 2024-2-30"),
        ("REGEXP_CONTAINS(s, CONCAT('(', s))", "Cannot parse regular expression: missing ): (a"),
        ("REPEAT(s, 1000000000)", "Output of REPEAT exceeds max allowed output size of 1MB"),
        ("RPAD(s, 1000000000)", "Output of LPAD/RPAD exceeds max allowed output size of 1MB"),
        ("GENERATE_ARRAY(1, 1000000000)", "arrays of more than 1048575 elements cannot be generated"),
        ("FORMAT_DATE('%d', DATE_ADD(DATE '9999-12-31', INTERVAL i DAY))", "date out of range"),
        ("FROM_HEX(s || 'x')", "Failed to decode invalid hexadecimal string"),
        ("(SELECT x FROM UNNEST([1, 2]) AS x)", "Scalar subquery produced more than one element"),
    ],
)
def test_a_value_that_cannot_be_computed_is_told_in_bigquerys_words(
    warehouse: DuckDBWarehouse, expression: str, reason: str
) -> None:
    error = failing(warehouse, f"SELECT\n  1 AS a,\n  {expression} AS b\nFROM raw.t")
    assert error.reason == reason
    if error.place is not None:
        assert error.place.line == 3


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("SAFE.UPPER(CONCAT(s, 'ŉ'))", "cannot change the case of this text"),
        ("SAFE.FORMAT('%f', f * 1e300)", "cannot write so large a number"),
        ("SAFE_CAST(f / 0.0000001 * IEEE_DIVIDE(i, 0) AS STRING FORMAT '999')", "cannot write NaN and infinities"),
        ("SAFE.REGEXP_INSTR(s, 'x*')", "cannot say where BigQuery sees an empty match"),
        ("SAFE.REGEXP_INSTR(CAST(s AS BYTES), b'x*')", "cannot say where BigQuery sees an empty match"),
        ("REGEXP_INSTR(s, 'x*')", "cannot say where BigQuery sees an empty match"),
        ("NORMALIZE_AND_CASEFOLD('\\u0345\\u0308')", "cannot fold the case of this text"),
    ],
)
def test_what_this_engine_cannot_tell_is_an_error_and_never_null(
    warehouse: DuckDBWarehouse, expression: str, reason: str
) -> None:
    error = failing(warehouse, f"SELECT\n  1 AS a,\n  {expression} AS b\nFROM raw.t")
    assert error.reason.startswith(f"the embedded engine {reason}")
    assert error.place is not None
    assert error.place.line == 3


def test_a_view_that_cannot_tell_is_told_without_the_places_of_its_script(warehouse: DuckDBWarehouse) -> None:
    query = parse_query("SELECT\n\n\n SAFE.UPPER(CONCAT(s, 'ŉ')) AS x FROM raw.t")
    warehouse.build(TableBuild(TableName("tmp", "w"), query, is_view=True), CONTEXT)
    error = failing(warehouse, "SELECT x FROM tmp.w")
    assert error.reason.startswith("the embedded engine cannot change the case of this text")
    assert error.place is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT i FROM raw.t\nWHERE TRUE\n AND 1 / (i - i) > 1",
        "SELECT COUNT(*) AS c FROM raw.t\nGROUP BY\n 1 / (i - i)",
        "SELECT i FROM raw.t\nORDER BY 1,\n 1 / (i - i)",
        "SELECT a.i FROM raw.t AS a\nJOIN raw.t AS b\nON 1 / (a.i - a.i) = b.i",
        "WITH w AS (\n SELECT i,\n 1 / (i - i) AS x FROM raw.t) SELECT x FROM w",
        "SELECT i, (\nSELECT MAX(b.i) FROM raw.t AS b WHERE\n 1 / (a.i - b.i) > 0) AS m FROM raw.t AS a",
        "SELECT SUM(\n IF(TRUE,\n 1 / (i - i), 1)) OVER () AS x FROM raw.t",
        "SELECT i FROM raw.t\nWHERE 9223372036854775807 > 0\n AND 9223372036854775807 + i + 1 > 1",
        "SELECT [STRUCT(\n 1 AS a,\n CAST(s AS INT64) AS b)] AS x FROM raw.t",
    ],
)
def test_a_failure_has_the_line_of_what_fails(warehouse: DuckDBWarehouse, text: str) -> None:
    error = failing(warehouse, text)
    assert error.place is not None
    assert error.place.line == 3


def test_a_failure_that_may_have_several_causes_has_no_guessed_place(warehouse: DuckDBWarehouse) -> None:
    error = failing(warehouse, "SELECT i + 1 AS a,\n i + 9223372036854775807 AS b FROM raw.t")
    assert error.place is None


def test_a_view_that_fails_is_told_without_the_places_of_its_script(warehouse: DuckDBWarehouse) -> None:
    view = TableName("tmp", "v")
    query = parse_query("SELECT\n\n\n 1 / (i - i) AS x FROM raw.t")
    warehouse.build(TableBuild(view, query, is_view=True), CONTEXT)
    error = failing(warehouse, "SELECT x FROM tmp.v")
    assert (error.reason, error.place) == ("division by zero: 1 / 0", None)


def test_a_statement_that_fails_is_told_with_its_place_in_the_script(warehouse: DuckDBWarehouse) -> None:
    script = "CREATE TABLE raw.u (i INT64);\nINSERT INTO raw.u VALUES (1),\n  (CAST('x' AS INT64))"
    with pytest.raises(SqlError, match="Bad int64 value: x") as caught:
        warehouse.run_script(parse_script(script))
    assert caught.value.place is not None
    assert caught.value.place.line == 3


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE TABLE nosuch.t (i INT64)", "there is no dataset nosuch"),
        ("CREATE TABLE raw.t (i INT64)", "there is a table t already"),
        ("DROP TABLE raw.nosuch", "there is no table nosuch"),
        ("CREATE TABLE raw.r (i INT64 NOT NULL); INSERT INTO raw.r VALUES (NULL)", "Required field i cannot be null"),
    ],
)
def test_a_statement_that_the_tables_forbid_is_told_in_our_words(
    warehouse: DuckDBWarehouse, statement: str, reason: str
) -> None:
    with pytest.raises(SqlError) as caught:
        warehouse.run_script(parse_script(statement))
    assert not isinstance(caught.value, TranslationFault)
    assert caught.value.reason == reason


PROJECT = {
    "res/raw/t": "",
    "res/dependencies.toml": "",
    "db_init/t.sql": "CREATE SCHEMA IF NOT EXISTS raw;\nCREATE OR REPLACE TABLE raw.t AS\nSELECT 0 AS i",
    "res/tmp/a.sql": "-- The first line\nSELECT\n  1 AS one,\n  1 / i AS x\nFROM raw.t\n",
    "res/tmp/b.sql": (
        "-- The first line\n\nSELECT x FROM\n UNNEST(GENERATE_ARRAY(9223372036854775807 +\n 1, 1 + 2)) AS x"
    ),
}


def test_every_command_names_file_and_line(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(PROJECT)
    assert main(["init"]) == 0
    assert main(["build"]) == 1
    out = capsys.readouterr()
    assert "res/tmp/a.sql:4:3: division by zero: 1 / 0" in out.out + out.err
    assert "res/tmp/b.sql:3:1: int64 overflow: 9223372036854775807 + 1" in out.out + out.err
    assert main(["query", "SELECT\n1 / i AS x FROM raw.t"]) == 2
    assert "query:2:1: division by zero: 1 / 0" in capsys.readouterr().err
    Path("db_init/t.sql").write_text(PROJECT["db_init/t.sql"].replace("0 AS i", "1 AS j,\n  CAST('x' AS INT64) AS i"))
    Path(".data/warehouse.duckdb").unlink()
    assert main(["init"]) == 2
    assert "db_init/t.sql:4:8: Bad int64 value: x" in capsys.readouterr().err
