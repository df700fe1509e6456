"""Columns with limits, with default values, and of types that only the engine has: what the API does with each."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import duckdb
import pytest

from tests.api.conftest import Served, api_over
from warehouse_refresh.warehouse import Append, connect
from warehouse_refresh.warehouse.errors import InvalidRow, SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

LIMITED = TableName("raw", "limited")
TABLES = """
CREATE TABLE raw.limited (
  name STRING(5) NOT NULL, code BYTES(4), price NUMERIC(10, 2), whole NUMERIC(3), big BIGNUMERIC(60, 30),
  tags ARRAY<STRING(2)>,
  size STRUCT<width INT64 NOT NULL, unit STRING(3)>, parts ARRAY<STRUCT<sku INT64 NOT NULL>>
);
CREATE TABLE raw.with_defaults (
  id INT64 NOT NULL, kind STRING NOT NULL DEFAULT 'new', stock INT64 DEFAULT 7, note STRING,
  seen TIMESTAMP DEFAULT CURRENT_TIMESTAMP()
);
"""
FOREIGN = {
    "a_utinyint": "UTINYINT",
    "a_uhugeint": "UHUGEINT",
    "a_ns": "TIMESTAMP_NS",
    "a_union": "UNION(a INTEGER, b VARCHAR)",
    "a_map": "MAP(VARCHAR, INTEGER)",
    "an_enum": "ENUM('a', 'b')",
    "a_bit": "BIT",
    "a_fixed_array": "INTEGER[3]",
    "a_timetz": "TIME WITH TIME ZONE",
    "a_struct": "STRUCT(x UTINYINT, y INTEGER)",
    "an_array": "UTINYINT[]",
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A warehouse of such tables; those of DuckDB's own types were made by another program."""
    path = tmp_path_factory.mktemp("warehouse") / "w.duckdb"
    with connect(f"duckdb:///{path}") as warehouse:
        warehouse.create_datasets(["raw"])
        warehouse.run_script(parse_script(TABLES))
    columns = ", ".join(f"{name} {kind}" for name, kind in FOREIGN.items())
    with duckdb.connect(path) as connection:
        connection.execute(f"CREATE TABLE raw.foreigners (id BIGINT, {columns})")
        connection.execute("CREATE TABLE raw.closed (id BIGINT, a UTINYINT NOT NULL)")
    return f"duckdb:///{path}"


@pytest.fixture(scope="module")
def typed(url: str) -> Iterator[Served]:
    with api_over(url) as it:
        yield it


def post(api: Served, target: str, row: dict[str, Any]) -> tuple[int, list[tuple[str, str]]]:
    """The status of an array of this one row, and its faults."""
    answer = api.client.post(target, json=[row])
    return answer.status_code, [(it["attribute"], it["code"]) for it in _faults(answer.json())]


def _faults(body: Any) -> list[dict[str, str]]:
    return body.get("errors", []) if isinstance(body, dict) else []


@pytest.mark.parametrize(
    ("row", "attribute", "code"),
    [
        ({"name": "abcdef"}, "name", "too-long"),
        ({"code": "YWJjZGU="}, "code", "too-long"),
        ({"price": "1.234"}, "price", "too-many-decimals"),
        ({"price": "123456789.5"}, "price", "out-of-range"),
        ({"whole": "1.5"}, "whole", "too-many-decimals"),
        ({"tags": ["ab", "abc"]}, "tags", "too-long"),
        ({"size": {"unit": "mm"}}, "size", "missing-attribute"),
        ({"size": {"width": None}}, "size", "missing-attribute"),
        ({"size": {"width": 1, "unit": "inch"}}, "size", "too-long"),
        ({"parts": [{"sku": 1}, {}]}, "parts", "missing-attribute"),
    ],
)
def test_a_value_beyond_its_columns_limits_is_refused(
    typed: Served, row: dict[str, Any], attribute: str, code: str
) -> None:
    assert post(typed, "/limited", {"name": "abc", **row}) == (422, [(attribute, code)])


def test_values_within_their_limits_are_stored(typed: Served) -> None:
    row = {
        "name": "äöü€😀",
        "code": "YWJjZA==",
        "price": "12345678.90",
        "whole": "123",
        "big": "0.000000000000000000000000000001",
        "tags": ["ab"],
    }
    nested = {"size": {"width": 1, "unit": "mm"}, "parts": [{"sku": 1}]}
    answer = typed.client.post("/limited", json=[{**row, **nested}])
    assert answer.status_code == 201, answer.text
    assert answer.json() == [{**row, "price": "12345678.9", **nested}]


def test_the_types_are_shown_as_they_were_declared(typed: Served) -> None:
    shown = {it["name"]: it["type"] for it in typed.client.get("/limited").json()["columns"]}
    assert (shown["name"], shown["code"], shown["price"], shown["whole"], shown["tags"]) == (
        *("STRING(5)", "BYTES(4)", "NUMERIC(10, 2)", "NUMERIC(3)", "STRING(2)"),
    )
    assert shown["size"] == "STRUCT<width INT64 NOT NULL, unit STRING(3)>"


@pytest.mark.parametrize(
    "row",
    [
        {"name": "abcdef"},
        {"name": "a", "code": b"abcde"},
        {"name": "a", "tags": ["abc"]},
        {"name": "a", "big": Decimal("1e30")},
        {"name": "a", "size": {"width": None, "unit": "mm"}},
        {"name": "a", "parts": [{"sku": None}]},
    ],
)
def test_the_engine_itself_refuses_what_is_beyond_the_limits(typed: Served, row: dict[str, Any]) -> None:
    before = typed.rows()["limited"]
    with pytest.raises(InvalidRow):
        typed.warehouse.append(LIMITED, [Append([{"name": "good"}, row])])
    assert typed.rows()["limited"] == before


@pytest.mark.parametrize(
    "values",
    [
        "'abcdef', NULL, NULL, NULL, [], NULL, []",
        "'a', b'abcde', NULL, NULL, [], NULL, []",
        "'a', NULL, NULL, NULL, ['abc'], NULL, []",
        "'a', NULL, NULL, NULL, [], STRUCT(CAST(NULL AS INT64), 'mm'), []",
        "'a', NULL, NULL, NULL, [], STRUCT(1, 'inch'), []",
    ],
)
def test_a_script_cannot_store_what_is_beyond_the_limits(typed: Served, values: str) -> None:
    for insert in (f"VALUES ({values})", f"SELECT {values}"):
        with pytest.raises(SqlError):
            typed.warehouse.run_script(parse_script(f"INSERT INTO raw.limited {insert}"))


def test_limits_end_with_the_table_that_had_them(tmp_path: Path) -> None:
    with connect(f"duckdb:///{tmp_path / 'w.duckdb'}") as warehouse:
        warehouse.create_datasets(["raw"])
        for kind in ["STRING(5)", "STRING", "STRING(3)"]:
            warehouse.run_script(parse_script(f"CREATE OR REPLACE TABLE raw.limited (name {kind})"))
            assert [str(column.type) for column in warehouse.columns(LIMITED)] == [kind]
        warehouse.run_script(parse_script("DROP TABLE raw.limited; CREATE TABLE raw.limited (name INT64)"))
        assert [str(column.type) for column in warehouse.columns(LIMITED)] == ["INT64"]
        with pytest.raises(SqlError):
            warehouse.run_script(
                parse_script("CREATE OR REPLACE TABLE raw.limited (name STRING(9)); SELECT ERROR('no')")
            )
        assert [str(column.type) for column in warehouse.columns(LIMITED)] == ["INT64"]
    with connect(f"duckdb:///{tmp_path / 'w.duckdb'}") as warehouse:
        assert [str(column.type) for column in warehouse.columns(LIMITED)] == ["INT64"]


def test_a_column_left_out_gets_its_default_value(typed: Served) -> None:
    rows: list[dict[str, Any]] = [{"id": 1}, {"id": 2, "kind": "old"}, {"id": 3, "stock": None}, {"id": 4, "stock": 0}]
    answer = typed.client.post("/with_defaults", json=rows)
    assert answer.status_code == 201, answer.text
    assert answer.json() == [{**row, "note": None} for row in rows]  # only the table knows its default values
    assert typed.client.post("/with_defaults?id=5").json() == {"id": 5, "note": None}
    stored = {row[0]: row[1:4] for row in typed.all_rows("with_defaults")}
    assert stored == {
        1: ("new", 7, None),
        2: ("old", 7, None),
        3: ("new", None, None),
        4: ("new", 0, None),
        5: ("new", 7, None),
    }
    assert all(row[4] is not None for row in typed.all_rows("with_defaults"))


def test_null_is_no_default_value(typed: Served) -> None:
    assert post(typed, "/with_defaults", {"id": 1, "kind": None}) == (422, [("kind", "missing-attribute")])
    assert post(typed, "/with_defaults", {"kind": "a"}) == (422, [("id", "missing-attribute")])
    key = {"Idempotency-Key": "default-or-null"}
    first = typed.client.post("/with_defaults", json=[{"id": 90}], headers=key)
    second = typed.client.post("/with_defaults", json=[{"id": 90, "stock": None}], headers=key)
    assert (first.status_code, second.status_code, second.json()["code"]) == (201, 422, "key-reused")


def test_columns_with_a_default_value_are_optional_in_the_document(typed: Served) -> None:
    document = typed.client.get("/schema/openapi.json").json()
    body = document["paths"]["/with_defaults"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["items"]["required"] == ["id"]
    assert document["components"]["schemas"]["row.with_defaults"]["required"] == ["id", "note"]
    shown = {it["name"]: it["default"] for it in typed.client.get("/with_defaults").json()["columns"]}
    assert shown == {"id": False, "kind": True, "stock": True, "note": False, "seen": True}


def test_types_that_only_the_engine_has_are_left_out_of_the_document(typed: Served) -> None:
    answer = typed.client.get("/schema/openapi.json")
    assert answer.status_code == 200, answer.text
    post = answer.json()["paths"]["/foreigners"]["post"]
    names = [it["name"] for it in post["parameters"] if "name" in it]
    assert names == ["id"]
    assert list(post["requestBody"]["content"]["application/json"]["schema"]["items"]["properties"]) == ["id"]
    shown = {it["name"]: it["type"] for it in typed.client.get("/foreigners").json()["columns"]}
    assert shown == {"id": "INT64"} | {name: str(duckdb.sqltype(kind)) for name, kind in FOREIGN.items()}


def test_a_table_with_such_columns_takes_rows_without_them(typed: Served) -> None:
    answer = typed.client.post("/foreigners?id=1")
    nothing: dict[str, Any] = dict.fromkeys(FOREIGN)
    assert (answer.status_code, answer.json()) == (201, {"id": 1, **nothing})
    for name in FOREIGN:
        assert post(typed, "/foreigners", {"id": 2, name: "1"}) == (422, [(name, "unsupported-type")])
        assert typed.client.post(f"/foreigners?{urlencode({name: '1'})}").status_code == 422
    assert post(typed, "/closed", {"id": 2}) == (422, [("a", "missing-attribute")])
    assert post(typed, "/closed", {"id": 2, "a": 1}) == (422, [("a", "unsupported-type")])
    assert typed.rows()["closed"] == 0
