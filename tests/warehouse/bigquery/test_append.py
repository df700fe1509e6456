"""Rows are stored as they are given, once, all or none; the same on both engines."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Fault, Proxy
from warehouse_refresh.warehouse import Append, Outcome
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.bigquery.storing.append import REQUEST_BYTES
from warehouse_refresh.warehouse.bigquery.storing.rows import check_row
from warehouse_refresh.warehouse.bigquery.storing.written import Written
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.errors import InvalidRow, OutcomeUnknown, TableNotFound, Transient
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.types import Column, parse_type

ALL = TableName("raw", "everything")
CREATE = """CREATE TABLE raw.everything (
  id INT64 NOT NULL, f FLOAT64, n NUMERIC, b BOOL, s STRING, y BYTES, d DATE, t TIME, dt DATETIME, ts TIMESTAMP, j JSON,
  words ARRAY<STRING>, pair STRUCT<x INT64, y STRING>, pairs ARRAY<STRUCT<x INT64, y STRING>>)"""
ROWS: list[dict[str, Any]] = [
    {"id": 1},
    {"id": 2**63 - 1, "f": 0.1, "n": Decimal("12.5"), "b": True, "s": ""},
    {"id": -(2**63), "f": float("inf"), "n": Decimal("-0.125"), "b": False, "s": 'it\'s "quoted" `☃` \\n\n\t𝄞'},
    {"id": 2, "f": -0.0, "y": b"\x00\xff'", "d": date(1, 1, 1), "t": time(23, 59, 59, 999999)},
    {
        "id": 3,
        "dt": datetime.fromisoformat("0001-01-01"),
        "ts": datetime(2024, 2, 29, 23, 59, 59, 1, tzinfo=timezone(timedelta(hours=-5))),
    },
    {
        "id": 4,
        "j": '{"a": [1, 2.5, null, "x"]}',
        "words": ["a", ""],
        "pairs": [{"x": 1, "y": "b"}, {"x": None, "y": None}],
    },
    {"id": 5, "j": "null", "words": [], "pair": {"x": 7, "y": None}, "pairs": []},
    {
        "id": 6,
        "d": date(9999, 12, 31),
        "ts": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        "s": "@rows; DROP TABLE",
    },
]


@pytest.fixture
def warehouse(proxy: Proxy, bigquery_project: str) -> Iterator[BigQueryWarehouse]:
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), QUICK) as opened:
        opened.create_datasets(["raw"])
        opened.run_script(parse_script(CREATE))
        proxy.recorded.clear()
        yield opened


def inserts(proxy: Proxy) -> list[dict[str, Any]]:
    return [request.body for request in proxy.recorded if "jobReference" in request.body]


def ids(warehouse: BigQueryWarehouse) -> Counter[int]:
    return Counter(row[0] for row in warehouse.first_rows(ALL, 10_000))


def test_every_type_is_stored_as_it_was_given_and_as_duckdb_stores_it(
    warehouse: BigQueryWarehouse, tmp_path: Path
) -> None:
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb") as duckdb:
        duckdb.create_datasets(["raw"])
        duckdb.run_script(parse_script(CREATE))
        columns = duckdb.columns(ALL)
        assert [(c.name, str(c.type)) for c in warehouse.columns(ALL)] == [(c.name, str(c.type)) for c in columns]
        for engine in (warehouse, duckdb):
            assert engine.append(ALL, [Append([row]) for row in ROWS]) == [Outcome.STORED] * len(ROWS)
        here, there = (sorted(engine.first_rows(ALL, 100)) for engine in (warehouse, duckdb))
    for row, one, other in zip(sorted(ROWS, key=lambda row: int(row["id"])), here, there, strict=True):
        for column, value, same in zip(columns, one, other, strict=True):
            assert comparable(value, column) == comparable(row.get(column.name), column), column.name
            assert comparable(same, column) == comparable(value, column), column.name


def test_a_numeric_keeps_all_its_digits(warehouse: BigQueryWarehouse) -> None:
    numbers = [Decimal(text) for text in ("99999999999999999999999999999.999999999", "-0.000000001", "0", "1E+28")]
    warehouse.append(ALL, [Append([{"id": i, "n": number} for i, number in enumerate(numbers)])])
    assert [row[2] for row in sorted(warehouse.first_rows(ALL, 10))] == numbers


def test_jsons_null_is_not_taken_for_null(warehouse: BigQueryWarehouse) -> None:
    warehouse.run_script(parse_script("CREATE TABLE raw.jsons (j JSON, many ARRAY<JSON>, s STRUCT<j JSON>)"))
    table = TableName("raw", "jsons")
    warehouse.append(table, [Append([{"j": "null", "many": ["null", '"a"', "{}"], "s": {"j": "null"}}])])
    assert warehouse.first_rows(table, 1) == [("null", ["null", '"a"', "{}"], {"j": "null"})]


def comparable(value: Any, column: Column) -> Any:
    """JSON by what it says, a moment by what it is in UTC; an ARRAY is never NULL in a table."""
    if column.type.element is not None:
        return value or []
    if value is not None and column.type.name == "JSON":
        return json.loads(value)
    return value.astimezone(UTC) if column.type.name == "TIMESTAMP" and value is not None else value


def test_rows_without_a_key_are_one_statement(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    appends = [Append([{"id": number}, {"id": number + 1000}]) for number in range(300)]
    assert warehouse.append(ALL, appends) == [Outcome.STORED] * 300
    assert warehouse.row_count(ALL) == 600
    (job,) = inserts(proxy)
    assert len(job["configuration"]["query"]["queryParameters"]) == 1
    assert job["configuration"]["query"]["maximumBytesBilled"]


def test_no_value_is_ever_part_of_the_statement(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    warehouse.append(ALL, [Append(ROWS)])
    assert "DROP" not in inserts(proxy)[0]["configuration"]["query"]["query"]


def test_the_same_key_is_stored_once_and_another_request_with_it_is_told_so(warehouse: BigQueryWarehouse) -> None:
    first = Append([{"id": 1}], key="k", fingerprint="a")
    other = Append([{"id": 2}], key="k", fingerprint="b")
    assert warehouse.append(ALL, [first]) == [Outcome.STORED]
    assert warehouse.append(ALL, [first, other, Append([{"id": 3}])]) == [
        Outcome.REPLAYED,
        Outcome.KEY_REUSED,
        Outcome.STORED,
    ]
    assert ids(warehouse) == {1: 1, 3: 1}


def test_many_requests_at_once_with_one_key_store_one_row(
    warehouse: BigQueryWarehouse, bigquery_endpoint: str, bigquery_project: str
) -> None:
    append = Append([{"id": 1}], key="k", fingerprint="a")
    with (
        BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=bigquery_endpoint), QUICK) as other,
        ThreadPoolExecutor(6) as pool,
    ):
        outcomes = Counter(pool.map(lambda i: (warehouse, other)[i % 2].append(ALL, [append])[0], range(12)))
    assert outcomes == {Outcome.STORED: 1, Outcome.REPLAYED: 11}
    assert ids(warehouse) == {1: 1}


def test_a_key_belongs_to_its_table(warehouse: BigQueryWarehouse) -> None:
    warehouse.run_script(parse_script("CREATE TABLE raw.other (id INT64)"))
    append = Append([{"id": 1}], key="k", fingerprint="a")
    assert warehouse.append(ALL, [append]) == [Outcome.STORED]
    assert warehouse.append(TableName("raw", "other"), [append]) == [Outcome.STORED]


def test_an_append_without_rows_sends_nothing(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    assert warehouse.append(ALL, [Append([]), Append([], key="k")]) == [Outcome.STORED, Outcome.STORED]
    assert inserts(proxy) == []


def test_a_missing_table_is_not_found(warehouse: BigQueryWarehouse) -> None:
    with pytest.raises(TableNotFound):
        warehouse.append(TableName("raw", "nothing"), [Append([{"id": 1}])])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "id: the column is REQUIRED"),
        ({"id": None}, "id: the column is REQUIRED"),
        ({"id": 1, "nope": 2}, "there is no column nope"),
        ({"id": 2**63}, "id: the number does not fit INT64"),
        ({"id": True}, "id: bool is not a value of INT64"),
        ({"id": 1, "s": 5}, "s: int is not a value of STRING"),
        ({"id": 1, "words": ["a", None]}, "words: an ARRAY holds no NULL"),
        ({"id": 1, "n": Decimal("0.0000000001")}, "n: the number does not fit NUMERIC"),
        ({"id": 1, "n": Decimal("NaN")}, "n: the number does not fit NUMERIC"),
        ({"id": 1, "j": "{a}"}, "j: the text is not JSON"),
        ({"id": 1, "ts": datetime.fromisoformat("2024-01-01")}, "ts: a TIMESTAMP needs its time zone"),
        ({"id": 1, "dt": datetime(2024, 1, 1, tzinfo=UTC)}, "dt: a DATETIME has no time zone"),
        ({"id": 1, "s": "\ud800"}, "s: the text holds half of a surrogate pair"),
        ({"id": 1, "pair": {"x": "text", "y": "b"}}, "pair: str is not a value of INT64"),
    ],
)
def test_one_bad_row_and_nothing_of_the_call_is_stored(
    warehouse: BigQueryWarehouse, proxy: Proxy, row: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRow, match=message):
        warehouse.append(ALL, [Append([{"id": 1}], key="k"), Append([{"id": 2}]), Append([{"id": 3}, row])])
    assert inserts(proxy) == []


def test_more_than_a_request_holds_is_refused_and_smaller_appends_are_sent_in_several(
    warehouse: BigQueryWarehouse, proxy: Proxy
) -> None:
    long = "x" * (REQUEST_BYTES // 2 - 10_000)
    with pytest.raises(InvalidRow, match="send fewer rows at once"):
        warehouse.append(ALL, [Append([{"id": 1, "s": long}] * 3)])
    assert inserts(proxy) == []
    warehouse.append(ALL, [Append([{"id": number, "s": long}]) for number in range(3)])
    assert len(inserts(proxy)) == 2
    assert ids(warehouse) == {0: 1, 1: 1, 2: 1}


def test_rows_with_a_key_and_without_are_stored_together_or_not_at_all(
    warehouse: BigQueryWarehouse, proxy: Proxy, bigquery_project: str
) -> None:
    with BigQueryWarehouse(
        BigQuerySettings(bigquery_project, endpoint=proxy.url), replace(QUICK, total=0.2)
    ) as unlucky:
        unlucky.append(ALL, [Append([{"id": 0}], key="before")])
        proxy.decide = lambda method, _path: Fault.LIMITED if method == "POST" else None
        with pytest.raises(Transient):
            unlucky.append(ALL, [Append([{"id": 1}]), Append([{"id": 2}], key="k")])
    proxy.decide = lambda _method, _path: None
    assert ids(warehouse) == {0: 1}


def test_when_a_part_is_stored_the_rest_is_not_called_safe_to_send_again(
    warehouse: BigQueryWarehouse, proxy: Proxy, bigquery_project: str
) -> None:
    long = "x" * (REQUEST_BYTES // 2 - 10_000)
    with BigQueryWarehouse(
        BigQuerySettings(bigquery_project, endpoint=proxy.url), replace(QUICK, total=0.2)
    ) as unlucky:
        proxy.decide = lambda method, _path: Fault.LIMITED if method == "POST" and inserts(proxy) else None
        with pytest.raises(OutcomeUnknown, match="a part of the rows was stored"):
            unlucky.append(ALL, [Append([{"id": number, "s": long}]) for number in range(3)])
    proxy.decide = lambda _method, _path: None
    assert ids(warehouse) == {0: 1, 1: 1}


def test_a_value_that_only_bigquery_refuses_is_a_bad_row(warehouse: BigQueryWarehouse) -> None:
    warehouse.run_script(parse_script("CREATE TABLE raw.places (place GEOGRAPHY)"))
    with pytest.raises(InvalidRow):
        warehouse.append(TableName("raw", "places"), [Append([{"place": "nowhere"}])])


def test_a_column_left_out_gets_its_default_value_and_null_stays_null(warehouse: BigQueryWarehouse) -> None:
    table = TableName("raw", "with_defaults")
    columns = (
        Column("id", parse_type("INT64")),
        Column("kind", parse_type("STRING"), required=True, default="'new'"),
        Column("stock", parse_type("INT64"), default="3 + 4"),
    )
    warehouse.run_script(parse_script("CREATE TABLE raw.with_defaults (id INT64, kind STRING NOT NULL, stock INT64)"))
    with pytest.MonkeyPatch.context() as patch:  # the emulator knows no default values: the table says that it has them
        patch.setattr(
            "warehouse_refresh.warehouse.bigquery.engine.column_of",
            lambda field: {it.name: it for it in columns}[field.name],
        )
        rows: list[dict[str, Any]] = [
            {"id": 1},
            {"id": 2, "kind": "old"},
            {"id": 3, "stock": None},
            {"id": 4, "stock": 0},
        ]
        warehouse.append(table, [Append(rows), Append([{"id": 5}], key="k", fingerprint="f")])
        with pytest.raises(InvalidRow):
            warehouse.append(table, [Append([{"id": 6, "kind": None}])])
    assert sorted(warehouse.first_rows(table, 10)) == [
        (1, "new", 7),
        (2, "old", 7),
        (3, "new", None),
        (4, "new", 0),
        (5, "new", 7),
    ]


def test_a_row_may_be_all_null(warehouse: BigQueryWarehouse) -> None:
    warehouse.run_script(parse_script("CREATE TABLE raw.empty (a INT64, b STRING)"))
    warehouse.append(TableName("raw", "empty"), [Append([{}, {"b": None}])])
    assert warehouse.first_rows(TableName("raw", "empty"), 9) == [(None, None), (None, None)]


@pytest.mark.parametrize(
    ("kind", "fits", "does_not"),
    [
        ("NUMERIC(5, 2)", [Decimal("999.99"), Decimal("-0.01"), Decimal("1E+2")], [Decimal("1000"), Decimal("0.001")]),
        ("NUMERIC(3)", [Decimal(999), Decimal("5.0")], [Decimal(1000), Decimal("0.5")]),
        ("BIGNUMERIC", [Decimal("1E-38"), Decimal("1E+37")], [Decimal("1E-39"), Decimal("1E+39")]),
        ("STRING(3)", ["", "abc", "☃☃☃"], ["abcd"]),
        ("BYTES(3)", [b"abc"], ["☃☃".encode()]),
    ],
)
def test_sizes_are_held_against_the_columns_type(kind: str, fits: list[Any], does_not: list[Any]) -> None:
    column = Column("c", parse_type(kind))
    for value in fits:
        check_row({"c": value}, [column])
    for value in does_not:
        with pytest.raises(InvalidRow, match=r"^c: "):
            check_row({"c": value}, [column])


def test_what_no_parameter_can_be_is_read_by_the_statement() -> None:
    columns = [
        Column("j", parse_type("JSON")),
        Column("odd `name`", parse_type("ARRAY<GEOGRAPHY>")),
        Column("s", parse_type("STRUCT<i INTERVAL, n INT64>")),
    ]
    assert Written(tuple(columns)).insert_sql("`p`.`raw`.`t`") == (
        "INSERT INTO `p`.`raw`.`t` (`j`, `odd \\`name\\``, `s`) "
        "SELECT PARSE_JSON(r.f0, wide_number_mode => 'round'), "
        "ARRAY(SELECT ST_GEOGFROMTEXT(e) FROM UNNEST(r.f1) AS e WITH OFFSET AS o ORDER BY o), "
        "IF(r.f2.given, STRUCT(CAST(r.f2.f0 AS INTERVAL) AS `i`, r.f2.f1 AS `n`), NULL) "
        "FROM UNNEST(@rows) AS r"
    )
