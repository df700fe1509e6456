"""What every engine promises of stored rows: see `warehouse.Warehouse.append`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from tests.engines.conftest import Connect
from tests.engines.test_tables import ITEMS, rows, run
from warehouse_refresh.warehouse import Append, Outcome, Row, Warehouse
from warehouse_refresh.warehouse.errors import InvalidRow
from warehouse_refresh.warehouse.names import TableName


def store(warehouse: Warehouse, *rows: Row, key: str | None = None, fingerprint: str = "") -> Outcome:
    [outcome] = warehouse.append(ITEMS, [Append(rows, key, fingerprint)])
    return outcome


def ids(warehouse: Warehouse) -> list[int]:
    return [row[0] for row in rows(warehouse, ITEMS)]


@pytest.fixture
def items(warehouse: Warehouse) -> Warehouse:
    run(warehouse, "CREATE TABLE raw.items (id INT64 NOT NULL, name STRING, tags ARRAY<STRING>)")
    return warehouse


def test_a_column_left_out_is_null_and_a_null_array_is_empty(items: Warehouse) -> None:
    assert store(items, {"id": 1, "name": "é'\"🎉"}, {"id": 2, "tags": ["a", "b"]}) is Outcome.STORED
    store(items, {"id": 3, "tags": None}, {"id": 4, "tags": []})
    assert rows(items, ITEMS) == [(1, "é'\"🎉", []), (2, None, ["a", "b"]), (3, None, []), (4, None, [])]


def test_every_type_is_stored_as_it_was_given(warehouse: Warehouse) -> None:
    values: dict[str, tuple[str, Any]] = {
        "i": ("INT64", -(2**63)),
        "f": ("FLOAT64", 0.1),
        "n": ("NUMERIC", Decimal("1234567890.123456789")),
        "s": ("STRING", ""),
        "b": ("BYTES", b"\x00\xff"),
        "t": ("BOOL", False),
        "d": ("DATE", date(1999, 1, 1)),
        "c": ("TIME", time(23, 59, 59, 999_999)),
        "l": ("DATETIME", datetime(2025, 12, 31, 23, 59, 59, 999_999)),  # noqa: DTZ001 (a DATETIME has no zone)
        "u": ("TIMESTAMP", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        "a": ("ARRAY<INT64>", [1, -2]),
        "o": ("STRUCT<x INT64, y STRING>", {"x": 1, "y": "z"}),
    }
    listed = ", ".join(f"{name} {kind}" for name, (kind, _) in values.items())
    run(warehouse, f"CREATE TABLE raw.items ({listed})")
    store(warehouse, {name: value for name, (_, value) in values.items()})
    assert warehouse.first_rows(ITEMS, 2) == [tuple(value for _, value in values.values())]


@pytest.mark.parametrize("bad", [{"name": "no id"}, {"id": None}, {"id": 2, "nope": 1}])
def test_a_call_with_a_bad_row_stores_nothing_and_keeps_no_key(items: Warehouse, bad: Row) -> None:
    with pytest.raises(InvalidRow):
        items.append(ITEMS, [Append([{"id": 1}]), Append([{"id": 2}, bad], key="k", fingerprint="f")])
    assert rows(items, ITEMS) == []
    assert store(items, {"id": 3}, key="k", fingerprint="other") is Outcome.STORED


def test_a_key_stores_once_and_detects_another_request(items: Warehouse) -> None:
    assert store(items, {"id": 1}, {"id": 2}, key="k", fingerprint="f") is Outcome.STORED
    assert store(items, {"id": 1}, {"id": 2}, key="k", fingerprint="f") is Outcome.REPLAYED
    assert store(items, {"id": 9}, key="k", fingerprint="other") is Outcome.KEY_REUSED
    assert store(items, {"id": 1}, {"id": 2}, key="K", fingerprint="f") is Outcome.STORED
    assert ids(items) == [1, 1, 2, 2]


def test_a_key_is_known_to_the_next_process(items: Warehouse, connect: Connect) -> None:
    assert store(items, {"id": 1}, key="k", fingerprint="f") is Outcome.STORED
    items.close()
    with connect() as other:
        assert store(other, {"id": 1}, key="k", fingerprint="f") is Outcome.REPLAYED
        assert ids(other) == [1]


def test_a_key_belongs_to_a_table(items: Warehouse) -> None:
    run(items, "CREATE TABLE raw.others (id INT64)")
    assert store(items, {"id": 1}, key="k") is Outcome.STORED
    assert items.append(TableName("raw", "others"), [Append([{"id": 1}], key="k")]) == [Outcome.STORED]


def test_one_call_has_an_outcome_for_each_append(items: Warehouse) -> None:
    assert store(items, {"id": 1}, key="a", fingerprint="f") is Outcome.STORED
    outcomes = items.append(
        ITEMS,
        [
            Append([{"id": 2}]),
            Append([{"id": 1}], "a", "f"),
            Append([{"id": 3}], "a", "g"),
            Append([{"id": 4}], "b", "f"),
            Append([{"id": 4}], "b", "f"),
            Append([{"id": 5}], "b", "g"),
            Append([]),
        ],
    )
    assert [outcome.name for outcome in outcomes] == [
        *("STORED", "REPLAYED", "KEY_REUSED", "STORED", "REPLAYED", "KEY_REUSED", "STORED")
    ]
    assert ids(items) == [1, 2, 4]


def test_one_key_from_many_threads_stores_one_row(items: Warehouse) -> None:
    together = threading.Barrier(6)

    def post(number: int) -> Outcome:
        together.wait(timeout=60)
        return store(items, {"id": number}, key="k", fingerprint="f")

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(post, range(6)))
    assert sorted(outcome.name for outcome in outcomes) == ["REPLAYED"] * 5 + ["STORED"]
    assert items.row_count(ITEMS) == 1


def test_different_keys_from_many_threads_are_all_stored(items: Warehouse) -> None:
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda n: store(items, {"id": n}, key=str(n), fingerprint="f"), range(12)))
    assert outcomes == [Outcome.STORED] * 12
    assert ids(items) == list(range(12))
