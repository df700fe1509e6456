"""Every good value of every type is read back equal."""

import itertools
import math
from collections.abc import Iterator
from secrets import token_hex
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.api.conftest import Served, api_over, with_tables
from tests.api.good_values import SCALARS, Good, same

COLUMNS = {**SCALARS, **{f"{name}s": st.lists(values, max_size=3) for name, values in SCALARS.items()}}
ROWS = st.lists(st.fixed_dictionaries({}, optional=COLUMNS), min_size=1, max_size=8)
MARKERS = itertools.count()


@pytest.fixture(scope="module")
def bigquery_api(bigquery_endpoint: str) -> Iterator[Served]:
    """An API over an emulator of BigQuery."""
    with api_over(with_tables(f"bigquery://test-{token_hex(8)}?endpoint={bigquery_endpoint}")) as it:
        yield it


@settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_values_in_a_query_are_read_back_equal(api: Served, rows: list[dict[str, Any]]) -> None:
    _check_query(api, rows)


@settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_values_in_a_body_are_read_back_equal(api: Served, rows: list[dict[str, Any]]) -> None:
    _check_body(api, rows)


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(rows=ROWS)
def test_values_in_a_query_are_read_back_equal_from_bigquery(bigquery_api: Served, rows: list[dict[str, Any]]) -> None:
    _check_query(bigquery_api, [_without_nan_in_an_array(row) for row in rows[:3]])


@settings(max_examples=10, deadline=None, phases=[Phase.generate])
@given(rows=ROWS)
def test_values_in_a_body_are_read_back_equal_from_bigquery(bigquery_api: Served, rows: list[dict[str, Any]]) -> None:
    _check_body(bigquery_api, [_without_nan_in_an_array(row) for row in rows])


def _check_query(api: Served, rows: list[dict[str, Any]]) -> None:
    first = next(MARKERS)
    for marker, row in enumerate(rows, first):
        attributes = [(name, text) for name, good in row.items() for text in _texts(good)]
        answer = api.client.post(f"/everything?{urlencode([('marker', str(marker)), *attributes])}")
        assert answer.status_code == 201, answer.text
    _check(api, first, rows)


def _check_body(api: Served, rows: list[dict[str, Any]]) -> None:
    """What is answered, sent again, is answered again."""
    rows = [without_json_null(row) for row in rows]
    first = next(MARKERS)
    sent = [{"marker": marker, **in_json(row)} for marker, row in enumerate(rows, first)]
    answer = api.client.post("/everything", json=sent)
    assert answer.status_code == 201, answer.text
    _check(api, first, rows)
    answered = [{**row, "marker": None} for row in answer.json()]
    assert api.client.post("/everything", json=answered).json() == answered


@pytest.mark.parametrize("column", sorted(SCALARS))
def test_the_answer_is_of_the_columns_type(api: Served, column: str) -> None:
    kinds = {"int64": int, "float64": float, "bool": bool, "json": list}
    sent = {"int64": 4, "float64": 4.5, "bool": True, "json": [1], "numeric": "4.5", "string": "x", "bytes": "QUI="}
    moments = {"date": "2026-11-30", "time": "01:02:03", "datetime": "2026-11-30T01:02:03"}
    value = {**sent, **moments, "timestamp": "2026-11-30T01:02:03Z"}[column]
    [row] = api.client.post("/everything", json=[{column: value}]).json()
    assert row[column] == value
    assert isinstance(row[column], kinds.get(column, str))


def _texts(good: Good | list[Good]) -> list[str]:
    return [text for _, text in good] if isinstance(good, list) else [good[1]]


def without_json_null(row: dict[str, Any]) -> dict[str, Any]:
    """In a body null means NULL, not JSON's null."""
    row = {**row, "jsons": [good for good in row.get("jsons", []) if good[0] is not None]}
    return {name: good for name, good in row.items() if name != "json" or good[0] is not None}


def _without_nan_in_an_array(row: dict[str, Any]) -> dict[str, Any]:
    """The emulator loses these when the table is read."""
    return {**row, "float64s": [good for good in row.get("float64s", []) if not math.isnan(good[0])]}


def in_json(row: dict[str, Any]) -> dict[str, Any]:
    """As text, but JSON columns as they are."""
    sent = {}
    for name, good in row.items():
        form = 0 if name.startswith("json") else 1
        sent[name] = [it[form] for it in good] if isinstance(good, list) else good[form]
    return sent


def _check(api: Served, first: int, rows: list[dict[str, Any]]) -> None:
    """What is stored is what was sent, the rest NULL or, for an ARRAY, empty."""
    for _ in rows[1:]:
        next(MARKERS)
    names = [column["name"] for column in api.client.get("/everything").json()["columns"]]
    stored = {row[-1]: dict(zip(names, row, strict=True)) for row in api.all_rows("everything") if row[-1] is not None}
    for marker, row in enumerate(rows, first):
        for name in COLUMNS:
            good = row.get(name)
            if good is None:
                assert stored[marker][name] in (None, [])
            else:
                value = [it[0] for it in good] if isinstance(good, list) else good[0]
                assert same(name, stored[marker][name], value), (name, stored[marker][name], value)
