"""What a table holds after a build follows BigQuery's rules, as do the statements that make the raw tables."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.translations import Translations
from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql
from warehouse_refresh.warehouse.names import TableName, why_unstorable
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

TABLE = TableName("tmp", "t")


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb") as found:
        found.create_datasets(["raw", "tmp"])
        yield found


def build(warehouse: DuckDBWarehouse, text: str) -> list[tuple[Any, ...]]:
    warehouse.build(TableBuild(TABLE, parse_query(text)), BuildContext("run"))
    return warehouse.first_rows(TABLE, 100)


def test_a_null_array_is_stored_as_an_empty_one(warehouse: DuckDBWarehouse) -> None:
    [row] = build(
        warehouse,
        "SELECT CAST(NULL AS ARRAY<INT64>) AS a, ARRAY_AGG(x) AS b, STRUCT(CAST(NULL AS ARRAY<STRING>) AS c) AS s,"
        " [STRUCT(CAST(NULL AS ARRAY<INT64>) AS e)] AS n FROM (SELECT 1 AS x) WHERE FALSE",
    )
    assert row == ([], [], {"c": []}, [{"e": []}])


@pytest.mark.parametrize("array", ["[1, NULL]", "ARRAY_AGG(x)", "[STRUCT([x] AS inner_array)]"])
def test_an_array_with_a_null_element_is_not_stored(warehouse: DuckDBWarehouse, array: str) -> None:
    build(warehouse, "SELECT 1 AS old")
    with pytest.raises(SqlError, match="NULL element"):
        build(warehouse, f"SELECT {array} AS a FROM (SELECT CAST(NULL AS INT64) AS x) GROUP BY x")
    assert warehouse.first_rows(TABLE, 1) == [(1,)]


def test_names_keep_their_spelling(warehouse: DuckDBWarehouse) -> None:
    build(warehouse, "SELECT 1 AS SkuId, 2 AS `odd name`")
    assert [column.name for column in warehouse.columns(TABLE)] == ["SkuId", "odd name"]


@pytest.mark.parametrize(
    "text", ["SELECT 1 AS a, 2 AS A", "SELECT 1 + 1", "SELECT * FROM (SELECT 1 AS a), (SELECT 2 AS a)"]
)
def test_a_table_needs_names_that_differ(warehouse: DuckDBWarehouse, text: str) -> None:
    with pytest.raises(SqlError, match="name"):
        build(warehouse, text)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((f"a{sign}b", f"its name has {sign!r}") for sign in ("!", '"', "$", "(", ")", "*", ",", ".", "/", ";", "?")),
        *((f"a{sign}b", f"its name has {sign!r}") for sign in ("@", "[", "]", "^", "{", "}", "~")),
        ("_PARTITIONTIME", "begins with _PARTITION"),
        ("_partition", "begins with _partition"),
        ("_TABLE_SUFFIX", "begins with _TABLE_"),
        ("_FILE_NAME", "begins with _FILE_"),
        ("_ROW_TIMESTAMP", "begins with _ROW_TIMESTAMP"),
        ("__ROOT__1", "begins with __ROOT__"),
        ("_COLIDENTIFIER_1", "begins with _COLIDENTIFIER"),
        ("_CHANGE_TYPE", "begins with _CHANGE_TYPE"),
        ("a" * 301, "more than 300 characters"),
    ],
)
def test_a_name_that_no_table_of_bigquery_can_have_is_told(name: str, reason: str) -> None:
    assert reason in why_unstorable(name)


def test_a_name_that_no_table_can_have_is_refused(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(SqlError, match="cannot have the column a!b: its name has '!'"):
        build(warehouse, "SELECT 1 AS `a!b`")
    for text in ("CREATE TABLE raw.a (_PARTITIONTIME INT64)", "CREATE TABLE raw.a AS SELECT 1 AS `a!b`"):
        with pytest.raises(SqlError, match="a table cannot have the column"):
            warehouse.run_script(parse_script(text))


def test_names_of_fields_follow_the_same_rule(warehouse: DuckDBWarehouse) -> None:
    build(warehouse, "SELECT [STRUCT(1 AS _PARTITION, 2 AS `b c`)] AS s")
    for text in ("SELECT STRUCT(1 AS `a!b`) AS s", "SELECT [STRUCT(STRUCT(1 AS `a;b`) AS s)] AS s"):
        with pytest.raises(SqlError, match="cannot have the field"):
            build(warehouse, text)


def test_a_range_is_no_column(warehouse: DuckDBWarehouse) -> None:
    made = "RANGE(DATE '2024-01-01', NULL) AS r"
    assert build(warehouse, f"SELECT RANGE_START(r) AS s, RANGE_END(r) AS e FROM (SELECT {made})")[0][1] is None
    for text in (f"SELECT {made}", f"SELECT [STRUCT({made})] AS s"):
        with pytest.raises(UnsupportedSql, match="no column of RANGE"):
            build(warehouse, text)
        with pytest.raises(UnsupportedSql, match="no column of RANGE"):
            warehouse.run_script(parse_script(f"CREATE TABLE raw.a AS {text}"))


def test_flexible_names_are_stored(warehouse: DuckDBWarehouse) -> None:
    names = [
        "Größe",
        "日本",
        "a b",
        "a-b",
        "1a",
        "a&b",
        "100 %",
        "a=b",
        "a+b",
        "a:b",
        "a'b",
        "a<b>",
        "a#",
        "a|b",
        "a" * 300,
    ]
    build(warehouse, f"SELECT {', '.join(f'1 AS `{name}`' for name in names)}")
    assert [column.name for column in warehouse.columns(TABLE)] == names


def test_types_come_back_as_googlesql_has_them(warehouse: DuckDBWarehouse) -> None:
    text = (
        "SELECT 1 AS i, 1.5 AS f, NUMERIC '1.000000001' AS n, TRUE AS b, 'x' AS s, b'x' AS y, DATE '2024-01-01' AS d,"
        " TIME '01:02:03' AS t, DATETIME '2024-01-01' AS dt, TIMESTAMP '2024-01-01 00:00:00+02' AS ts, JSON '1' AS j,"
        " INTERVAL 1 DAY AS iv, [STRUCT(1 AS a, ['x'] AS b)] AS st"
    )
    [row] = build(warehouse, text)
    assert [str(column.type) for column in warehouse.columns(TABLE)] == [
        *("INT64", "FLOAT64", "NUMERIC", "BOOL", "STRING", "BYTES", "DATE", "TIME", "DATETIME", "TIMESTAMP", "JSON"),
        *("INTERVAL", "ARRAY<STRUCT<a INT64, b ARRAY<STRING>>>"),
    ]
    assert row[2] == Decimal("1.000000001")
    assert row[9].isoformat() == "2023-12-31T22:00:00+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 AS i, 1.5 AS f, NUMERIC '1' AS n, TRUE AS b, 'x' AS s, b'x' AS y, JSON '1' AS j",
        "SELECT INTERVAL 1 DAY AS iv, DATE '2024-01-01' AS d, TIME '01:02:03' AS t, DATETIME '2024-01-01' AS dt",
        "SELECT CURRENT_TIMESTAMP() AS ts, [1] AS i, [NUMERIC '1', 2] AS n, [STRUCT(1 AS a, ['x'] AS b)] AS st",
        "SELECT STRUCT(1, 'x') AS unnamed, STRUCT(1 AS a, 2 AS A) AS twice, STRUCT(STRUCT(b'x' AS `b c`) AS s) AS deep",
        "SELECT CAST('x' AS STRING(7)) AS s, CAST(1 AS NUMERIC(10, 2)) AS n, NULL AS nothing, [] AS none",
        "SELECT BIGNUMERIC '1' AS g, [STRUCT(BIGNUMERIC '1' AS x)] AS h, CAST(1 AS BIGNUMERIC(60, 30)) AS i",
    ],
)
def test_a_table_that_was_built_is_known_as_it_is_described(warehouse: DuckDBWarehouse, text: str) -> None:
    build(warehouse, text)
    assert Translations().of(parse_query(text), warehouse.columns).stored_columns == warehouse.columns(TABLE)


def test_a_script_makes_tables_of_declared_types(warehouse: DuckDBWarehouse) -> None:
    warehouse.run_script(
        parse_script(
            "CREATE OR REPLACE TABLE raw.a (id INT64 NOT NULL, price NUMERIC(10, 2), tags ARRAY<STRING>) AS"
            " SELECT 1 AS whatever, NUMERIC '1.005', NULL UNION ALL SELECT 2, 7, ['x'];"
            "CREATE TABLE IF NOT EXISTS raw.b (d DATE, f FLOAT64);"
            "INSERT INTO raw.b (f, d) VALUES (1, '2024-01-31'), (2.5, NULL);"
            "INSERT INTO raw.b SELECT DATE '2024-02-01', id FROM raw.a WHERE id = 2"
        )
    )
    assert sorted(warehouse.first_rows(TableName("raw", "a"), 9)) == [
        (1, Decimal("1.01"), []),
        (2, Decimal("7.00"), ["x"]),
    ]
    assert str(warehouse.columns(TableName("raw", "a"))[1].type) == "NUMERIC(10, 2)"
    assert warehouse.columns(TableName("raw", "a"))[0].required
    assert warehouse.row_count(TableName("raw", "b")) == 3


def test_a_bignumeric_keeps_all_of_its_digits(warehouse: DuckDBWarehouse) -> None:
    warehouse.run_script(
        parse_script(
            "CREATE TABLE raw.a (id INT64, big BIGNUMERIC, part BIGNUMERIC(40, 20));"
            "INSERT INTO raw.a (id, big, part) VALUES (1, 1.5, 1.5), (2, BIGNUMERIC '1e-38', NULL), (3, NULL, 7)"
        )
    )
    assert [str(column.type) for column in warehouse.columns(TableName("raw", "a"))] == [
        *("INT64", "BIGNUMERIC", "BIGNUMERIC(40, 20)"),
    ]
    rows = build(warehouse, "SELECT id, big / 3 AS third, part, [STRUCT(big AS b)] AS nested FROM raw.a ORDER BY id")
    assert rows == [
        (1, Decimal("0.5"), Decimal("1.5"), [{"b": Decimal("1.5")}]),
        (2, Decimal(0), None, [{"b": Decimal("1e-38")}]),
        (3, None, Decimal(7), [{"b": None}]),
    ]
    assert str(warehouse.columns(TABLE)[3].type) == "ARRAY<STRUCT<b BIGNUMERIC>>"
    answer = warehouse.fetch(parse_query("SELECT SUM(third) AS s FROM tmp.t"), None)
    assert list(answer.rows) == [(Decimal("0.5"),)]


def test_a_bignumeric_with_more_digits_than_declared_is_not_stored(warehouse: DuckDBWarehouse) -> None:
    warehouse.run_script(parse_script("CREATE TABLE raw.a (part BIGNUMERIC(40, 20))"))
    with pytest.raises(SqlError, match="has precision 40 and scale 20"):
        warehouse.run_script(parse_script("INSERT INTO raw.a VALUES (BIGNUMERIC '1e20')"))


def test_a_table_is_dropped_if_it_is_there(warehouse: DuckDBWarehouse) -> None:
    warehouse.run_script(parse_script("CREATE TABLE raw.a (id INT64); CREATE TABLE raw.b (id INT64)"))
    warehouse.run_script(parse_script("DROP TABLE raw.a; DROP TABLE IF EXISTS raw.a"))
    assert warehouse.tables("raw") == [TableName("raw", "b")]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE raw.a (id INT64) AS SELECT 'x'",
        "CREATE TABLE raw.a (id INT64) AS SELECT 1, 2",
        "CREATE TABLE raw.a (id INT64, ID STRING)",
        "CREATE TABLE raw.a AS SELECT 1 + 1",
        "CREATE VIEW raw.a AS SELECT 1 AS id",
        "INSERT INTO raw.nowhere VALUES (1)",
        "DROP TABLE raw.nowhere",
        "MERGE raw.a USING raw.b ON TRUE WHEN MATCHED THEN DELETE",
        "UPDATE raw.a SET id = 1 WHERE TRUE",
    ],
)
def test_a_statement_that_is_wrong_or_not_known_is_refused(warehouse: DuckDBWarehouse, text: str) -> None:
    with pytest.raises(SqlError):
        warehouse.run_script(parse_script(text))
    assert warehouse.tables("raw") == []


@pytest.mark.parametrize(
    ("column", "held"),
    [
        ("ARRAY<STRING(2)> DEFAULT ['ab']", ["ab"]),
        ("ARRAY<NUMERIC(5, 2)> DEFAULT [1.235, 2]", [Decimal("1.24"), Decimal("2.00")]),
        ("BIGNUMERIC(5, 2) DEFAULT 1.235", Decimal("1.24")),
        ("BIGNUMERIC(5, 2) DEFAULT NULL", None),
        ("STRUCT<a INT64, b BIGNUMERIC(5, 2)> DEFAULT (1, NUMERIC '-1.235')", {"a": 1, "b": Decimal("-1.24")}),
        ("INT64 DEFAULT (5)", 5),
    ],
)
def test_a_default_is_held_as_the_column_declares_it(warehouse: DuckDBWarehouse, column: str, held: object) -> None:
    rows = "INSERT INTO raw.t (id) VALUES (1); INSERT INTO raw.t VALUES (2, DEFAULT)"
    warehouse.run_script(parse_script(f"CREATE TABLE raw.t (id INT64, x {column}); {rows}"))
    assert warehouse.first_rows(TableName("raw", "t"), 2) == [(1, held), (2, held)]


@pytest.mark.parametrize("default", ["(SELECT 1)", "id", "1 + (SELECT 1)"])
def test_a_default_that_bigquery_has_not_is_wrong(warehouse: DuckDBWarehouse, default: str) -> None:
    with pytest.raises(SqlError, match=r"cannot be a query|no column id") as refused:
        warehouse.run_script(parse_script(f"CREATE TABLE raw.t (id INT64, x INT64 DEFAULT {default})"))
    assert not isinstance(refused.value, UnsupportedSql)


@pytest.mark.parametrize("column", ["DATE DEFAULT DATE_ADD(CURRENT_DATE(), INTERVAL 1 DAY)"])
def test_a_default_that_duckdb_cannot_keep_is_refused_as_missing(warehouse: DuckDBWarehouse, column: str) -> None:
    with pytest.raises(UnsupportedSql, match="does not know a default of the column x") as refused:
        warehouse.run_script(parse_script(f"CREATE TABLE raw.t (id INT64, x {column})"))
    assert refused.value.place is not None
