"""Rows in the lines of a body, as CSV and as NDJSON: what is stored, and what is said of each bad value and where."""

import csv
import io
import itertools
import json
from typing import Any

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis.strategies import sampled_from

from tests.api.conftest import Served, api_over, raw_tables
from tests.api.test_good_values import ROWS, in_json, without_json_null

CSV, NDJSON = "text/csv", "application/x-ndjson"
E, P, S = "/everything", "/products", "/strict_products"
Fault = tuple[int | None, int | None, int | None, str, str]
"""Row, line, column, attribute, code."""


def post(api: Served, target: str, body: str | bytes, kind: str = CSV, **headers: str) -> httpx.Response:
    content = body.encode() if isinstance(body, str) else body
    return api.client.post(target, content=content, headers={"Content-Type": kind, **headers})


BAD_CSV: list[tuple[str, str | bytes, list[Fault]]] = [
    (P, "id,name\n1,a\nx,b\n", [(1, 3, 1, "id", "invalid-value")]),
    (P, "id,category_id\n1.0,2.0\n", [(0, 2, 1, "id", "invalid-value"), (0, 2, 5, "category_id", "invalid-value")]),
    (P, "id,name\n 1,a\n", [(0, 2, 1, "id", "invalid-value")]),
    (P, "id,name\n1 ,a\n", [(0, 2, 1, "id", "invalid-value")]),
    (P, "id\n007\n", [(0, 2, 1, "id", "invalid-value")]),
    (P, "id\nNULL\n", [(0, 2, 1, "id", "invalid-value")]),
    (P, "id\n9223372036854775808\n", [(0, 2, 1, "id", "out-of-range")]),
    (E, "bool\nTRUE\n", [(0, 2, 1, "bool", "invalid-value")]),
    (E, "timestamp\n2026-01-05 12:00:00+00\n", [(0, 2, 1, "timestamp", "invalid-value")]),
    (E, 'json\n"{""a"": 1,}"\n', [(0, 2, 1, "json", "invalid-json")]),
    (E, 'int64s,marker\n"[1,null]",1\n', [(0, 2, 1, "int64s", "null-element")]),
    (E, "int64s\n1\n", [(0, 2, 1, "int64s", "invalid-value")]),
    (E, 'struct\n"{""skuu"": 1}"\n', [(0, 2, 1, "struct", "unknown-column")]),
    # names
    (P, "nam,id\na,1\n", [(None, 1, 1, "nam", "unknown-column")]),
    (P, "id,Name\n1,a\n", [(None, 1, 4, "Name", "unknown-column")]),
    (P, "id, name\n1,a\n", [(None, 1, 4, " name", "unknown-column")]),
    (P, "id,name,id\n1,a,1\n", [(None, 1, 9, "id", "repeated-attribute")]),
    (P, "id,\n1,a\n", [(None, 1, 4, "", "empty-name")]),
    (P, "id;name\n1;a\n", [(None, 1, 1, "id;name", "unknown-column")]),
    (P, "nam,id\na,x\n", [(None, 1, 1, "nam", "unknown-column"), (0, 2, 3, "id", "invalid-value")]),
    (S, "price\n1\n", [(None, 1, 1, "id", "missing-attribute"), (None, 1, 1, "name", "missing-attribute")]),
    (S, "id,name\n1,\n", [(0, 2, 3, "name", "missing-attribute")]),
    (S, 'id,name\n1,""\n', [(0, 2, 3, "name", "missing-attribute")]),
    # how many
    (P, "id,name\n1\n", [(0, 2, 1, "", "wrong-number-of-values")]),
    (P, "id,name\n1,a,b\n2,b\n", [(0, 2, 5, "", "wrong-number-of-values")]),
    (P, "id,name\n1,\"a\nb\",c\n", [(0, 3, 4, "", "wrong-number-of-values")]),
    (P, "id,name\n", [(None, None, None, "", "no-rows")]),
    (P, "id,name", [(None, None, None, "", "no-rows")]),
    (P, "id,name\n\n\r\n", [(None, None, None, "", "no-rows")]),
    (P, "\ufeff", [(None, 1, 1, "", "no-header")]),
    (P, "\nid\n1\n", [(None, 1, 1, "", "no-header")]),
    (P, "id\n1\n\n2\n", [(1, 3, 1, "", "blank-line")]),
    # quotes and line ends
    (P, 'id,name\n1,"a\n', [(None, 2, 3, "", "invalid-csv")]),
    (P, 'id,name\n1,"a"b\n', [(None, 2, 6, "", "invalid-csv")]),
    (P, 'id,name\n1,a"b\n', [(None, 2, 4, "", "invalid-csv")]),
    (P, 'id,name\n1, "a"\n', [(None, 2, 4, "", "invalid-csv")]),
    (P, "id,name\n1,'a,b'\n", [(0, 2, 6, "", "wrong-number-of-values")]),
    (P, "id,name\r1,a\r", [(None, 1, 8, "", "invalid-csv")]),
    (P, "id,name\n1,a\rb\n", [(None, 2, 4, "", "invalid-csv")]),
    (P, 'id,name\nx,a\n1,"', [(0, 2, 1, "id", "invalid-value"), (None, 3, 3, "", "invalid-csv")]),
    (P, 'id,name\r\n1,"a\r\nb"\r\nx,c\r\n', [(1, 4, 1, "id", "invalid-value")]),
    (P, 'name,id\n"a\n""b""",x\n', [(0, 3, 8, "id", "invalid-value")]),
    # characters
    (P, b"id,name\n1,\xff\n", [(None, 2, 3, "", "not-utf8")]),
    (P, "id,name\n1,a".encode("utf-16"), [(None, 1, 1, "", "not-utf8")]),
    (P, "id,name\n1,\u00e9,\n".encode("latin-1"), [(None, 2, 3, "", "not-utf8")]),
    (P, "id,name\n1,a\0b\n", [(0, 2, 3, "name", "nul")]),
    (P, "id,na\0me\n1,a\n", [(None, 1, 4, "na\0me", "unknown-column")]),
    (P, "name,id\n\U0001f34c\u00e9,x\n", [(0, 2, 4, "id", "invalid-value")]),
]  # fmt: skip
BAD_NDJSON: list[tuple[str, str | bytes, list[Fault]]] = [
    (P, '{"id": 1}\n{"id": "x"}\n', [(1, 2, 8, "id", "invalid-value")]),
    (P, '{"id": 1}\n\n{ "name" : 5, "id":1.0}', [(1, 3, 20, "id", "invalid-value"),
          (1, 3, 12, "name", "invalid-value")]),
    (P, '{"nam": 1}\n', [(0, 1, 9, "nam", "unknown-column")]),
    (P, '{"id": 1, "id": 2}\n', [(0, 1, 17, "id", "repeated-attribute")]),
    (P, '{"": 1}\n', [(0, 1, 1, "", "empty-name")]),
    (P, "{}\n", [(0, 1, 1, "", "no-attributes")]),
    (P, '[{"id": 1}]\n', [(0, 1, 1, "", "not-an-object")]),
    (P, '{"id": 1},\n{"id": 2}', [(0, 1, 10, "", "invalid-json")]),
    (P, '{"id": 1}{"id": 2}\n', [(0, 1, 10, "", "invalid-json")]),
    (P, '{"id":\n1}\n', [(0, 1, 7, "", "invalid-json"), (1, 2, 2, "", "invalid-json")]),
    (P, '{"id": NaN}\n', [(0, 1, 1, "", "invalid-json")]),
    (P, " \n\t\r\n", [(None, None, None, "", "no-rows")]),
    (P, b'{"id": 1}\n{"name": "\xc3("}', [(None, 2, 11, "", "not-utf8")]),
    (P, '{"name": "a\\u0000"}', [(0, 1, 10, "name", "nul")]),
    (S, '{"id": 1}\n{"id": null, "name": "x"}', [(0, 1, 1, "name", "missing-attribute"),
          (1, 2, 8, "id", "missing-attribute")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "body", "faults", "kind"),
    [*((*bad, CSV) for bad in BAD_CSV), *((*bad, NDJSON) for bad in BAD_NDJSON)],
)
def test_each_bad_value_is_named_with_its_line_and_column(
    api: Served, target: str, body: str | bytes, faults: list[Fault], kind: str
) -> None:
    before = api.rows()
    answer = post(api, target, body, kind)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid-rows"), problem
    assert answer.headers["content-type"] == "application/problem+json"
    found = [(it.get("row"), it.get("line"), it.get("column"), it["attribute"], it["code"]) for it in problem["errors"]]
    assert found == faults
    assert all(it["detail"] for it in problem["errors"])
    assert api.rows() == before


@pytest.mark.parametrize(
    ("target", "kind", "body", "status", "code"),
    [
        (P, "text/csv; charset=latin-1", "id\n1\n", 415, "unsupported-media-type"),
        (P, "text/csv; header=absent", "1\n", 415, "unsupported-media-type"),
        (P, "application/x-ndjson; charset=utf-16", "{}", 415, "unsupported-media-type"),
        (P, "text/tab-separated-values", "id\n1\n", 415, "unsupported-media-type"),
        (f"{P}?id=1", CSV, "id\n1\n", 400, "bad-request"),
        ("/product", CSV, "id\n1\n", 404, "unknown-table"),
        (P, CSV, "id\n" + "1\n" * 10_001, 413, "too-many-rows"),
        (P, NDJSON, '{"id":1}\n' * 10_001, 413, "too-many-rows"),
        (P, CSV, "id\n" + "\n" * 10_001, 422, "invalid-rows"),
        (P, CSV, "id,name\n" + f"1,{',' * 1_000_000}\n", 422, "invalid-rows"),
        (E, CSV, 'json\n"[' + "1," * 1_000_000 + '1]"\n', 413, "too-many-values"),
        (E, NDJSON, '{"json": [' + "1," * 1_000_000 + "1]}\n", 413, "too-many-values"),
        (P, CSV, "," * 5_000_000, 422, "invalid-rows"),
        (P, CSV, "id\n" + "x" * (10 * 1024 * 1024), 413, "body-too-large"),
    ],
)
def test_what_is_no_fault_of_a_row_is_answered_as_for_json(
    api: Served, target: str, kind: str, body: str, status: int, code: str
) -> None:
    before = api.rows()
    answer = post(api, target, body, kind)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text[:300]
    if status == 415:
        assert answer.headers["accept-post"] == "application/json, application/x-ndjson, text/csv"
    assert api.rows() == before


@pytest.mark.parametrize("kind", [CSV, NDJSON])
def test_the_first_thousand_faults_are_answered(api: Served, kind: str) -> None:
    body = "id,name\n" + "x,a\n" * 5_000 if kind == CSV else '{"id": "x"}\n' * 5_000
    problem = post(api, P, body, kind).json()
    assert problem["detail"] == "1000 faults or more; nothing was stored"
    assert len(problem["errors"]) == 1_000


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        ("id,name\n1,a\n2,\n", [(1, "a"), (2, None)]),
        ('id,name\n1,""\n', [(1, None)]),
        ("\ufeffname,id\r\na,1\r\n", [(1, "a")]),
        ('"id","name"\n"1","a, ""b""\r\nc"', [(1, 'a, "b"\r\nc')]),
        ("id,name\n\n1, a \n\n", [(1, " a ")]),
        ("id,name\n1,\u00e9\u2028\x0b\n", [(1, "\u00e9\u2028\x0b")]),
        ('id\n""\n5\n', [(5, None), (None, None)]),
        ("name\n'a'\nNULL\n", [(None, "'a'"), (None, "NULL")]),
    ],
)
def test_csv_is_read_by_the_rules(tmp_path_factory: pytest.TempPathFactory, body: str, stored: list[Any]) -> None:
    with api_over(raw_tables(tmp_path_factory.mktemp("csv") / "w.duckdb")) as api:
        answer = post(api, P, body, "text/csv; charset=UTF-8")
        assert answer.status_code == 201, answer.text
        assert len(answer.json()) == len(stored)
        assert sorted((row[:2] for row in api.all_rows("products")), key=str) == stored


def test_ndjson_may_end_with_a_line_feed_or_not(api: Served) -> None:
    for body in ('{"id": 1}\n{"id": 2}', '\ufeff{"id": 1}\r\n\r\n{"id": 2}\r\n'):
        answer = post(api, P, body, NDJSON)
        assert [row["id"] for row in answer.json()] == [1, 2]


def test_a_key_stores_rows_once_in_whatever_form_they_come_again(api: Served) -> None:
    before = api.rows()["products"]
    key = {"Idempotency-Key": "lines"}
    first = post(api, P, "id,name\n1,a\n2,\n", CSV, **key)
    again = post(api, P, '{"name": "a", "id": "1"}\n{"id": 2, "name": null}\n', NDJSON, **key)
    array = api.client.post(P, json=[{"id": 1, "name": "a"}, {"id": 2}], headers=key)
    assert [it.headers.get("idempotency-replayed") for it in (first, again, array)] == [None, "true", "true"]
    assert first.json() == again.json() == array.json()
    other = post(api, P, "id,name\n1,a\n3,\n", CSV, **key)
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")
    assert api.rows()["products"] == before + 2


MARKERS = itertools.count(10**9)


@settings(max_examples=30, deadline=None, phases=[Phase.generate])
@given(rows=ROWS, form_of_csv=sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]))
def test_rows_in_csv_ndjson_and_json_are_stored_alike(
    api: Served, rows: list[dict[str, Any]], form_of_csv: tuple[str, Any]
) -> None:
    sent = [in_json(without_json_null(row)) for row in rows]
    for row in sent:
        row.pop("string" if row.get("string") == "" else "", None)  # an empty value in CSV is NULL
    names = sorted({name for row in sent for name in row})
    stored = [_stored(api, sent, form, names, *form_of_csv) for form in ("json", "ndjson", "csv")]
    assert repr(stored[0]) == repr(stored[1]) == repr(stored[2])


def _stored(
    api: Served, sent: list[dict[str, Any]], form: str, names: list[str], line_end: str, quoting: Any
) -> list[Any]:
    """Post the rows in this form. Returns those that are stored, without their markers."""
    marked = [{**row, "marker": next(MARKERS)} for row in sent]
    if form == "json":
        answer = api.client.post(E, json=marked)
    elif form == "ndjson":
        answer = post(api, E, line_end.join(map(json.dumps, marked)), NDJSON)
    else:
        answer = post(api, E, _as_csv(marked, [*names, "marker"], line_end, quoting), CSV)
    assert answer.status_code == 201, answer.text
    markers = {row["marker"] for row in marked}
    found = sorted((row for row in api.all_rows("everything") if row[-1] in markers), key=lambda row: int(str(row[-1])))
    assert len(found) == len(marked)
    return [row[:-1] for row in found]


def _as_csv(rows: list[dict[str, Any]], names: list[str], line_end: str, quoting: Any) -> str:
    """As Python's own writer writes it; arrays and JSON as their text."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator=line_end, quoting=quoting)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(name, row.get(name)) for name in names])
    return written.getvalue()


def _cell(name: str, value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) or (name == "json" and value is not None) else value
