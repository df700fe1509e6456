"""What one request costs, and all together: in bytes, calls and rows, which are the same on every machine."""

import json
import re
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.conftest import Served, api_over, raw_tables
from tests.api.wire import Answer, answer_to, connection, request, send
from warehouse_refresh.api.middleware import body_limits, protocol
from warehouse_refresh.api.middleware.body_limits import BodyLimits
from warehouse_refresh.api.problems import MAX_ERRORS, ApiProblem
from warehouse_refresh.api.tables import json_size, line_rows, request_rows
from warehouse_refresh.api.tables.json_size import size_within
from warehouse_refresh.api.tables.request_rows import MANY, READ_AT_ONCE
from warehouse_refresh.warehouse.suggest import MOST_SOUGHT
from warehouse_refresh.warehouse.types import Column, SqlType
from warehouse_refresh.warehouse.values.json_text import Object, canonical, parse_json

MEGABYTE = 1024 * 1024
COLUMNS = (Column("id", SqlType("INT64")), Column("json", SqlType("JSON")))


class Name(str):
    """A name that counts how often names are compared and hashed."""

    __slots__ = ()
    uses = 0

    def __eq__(self, other: object) -> bool:
        Name.uses += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        Name.uses += 1
        return str.__hash__(self)


def test_a_repeated_name_is_found_in_as_many_steps_as_there_are_names() -> None:
    names = [Name(number) for number in range(10_000)]
    Name.uses = 0
    assert Object([(name, 1) for name in [*names, Name("9999")]]).repeated == "9999"
    assert Name.uses < 5 * len(names)


@given(st.lists(st.sampled_from("abcd"), max_size=8))
def test_the_repeated_name_is_the_first_that_comes_again(names: list[str]) -> None:
    again = [name for index, name in enumerate(names) if name in names[:index]]
    assert Object([(name, 1) for name in names]).repeated == (again[0] if again else "")


def test_thousands_of_unknown_names_have_a_few_hints_and_a_thousand_faults(api: Served) -> None:
    names = ",".join(f'"nam{number}": 1' for number in range(5_000))
    answers = [
        _posted(api, f"[{{{names}}}]"),
        _posted(api, _array('{"nam": 1}', 5_000)),
        _posted(api, _array("1", 5_000)),
        answer_to(api.url, request(f"POST /products?{'&'.join(f'nam{number}=1' for number in range(5_000))}")),
        answer_to(api.url, request(f"POST /products?{'name&' * 5_000}")),
    ]
    for answer in answers:
        assert answer.status == 422
        assert answer.json()["detail"] == f"{MAX_ERRORS} faults or more; nothing was stored"
        assert len(answer.json()["errors"]) == MAX_ERRORS
        assert answer.body.count(b"did you mean") <= MOST_SOUGHT


def test_a_long_name_is_not_said_back_in_whole(api: Served) -> None:
    for answer in (
        _posted(api, f'[{{"{"n" * MEGABYTE}": 1}}]'),
        answer_to(api.url, request(f"POST /products?{'n' * 50_000}=1")),
        answer_to(api.url, request(f"POST /products?{'n' * 50_000}")),
    ):
        assert answer.status == 422
        assert len(answer.body) < 2_000


@pytest.mark.parametrize(
    ("text", "elements", "values"),
    [
        ("[]", 1, 2),  # nobody asks whether it is none or one
        ("[1, 2, 3]", 3, 4),
        (
            '[{"a": "x,{[\\\\", "b\\"": [1, {}]}, {}]',
            2,
            9,
        ),  # also an object's first name
        ('["\\\\", "\\"", ",,,"]', 3, 4),
    ],
)
def test_elements_and_values_are_counted_outside_strings(text: str, elements: int, values: int) -> None:
    size = json_size._read(text.encode(), 100, 100)
    assert (size.elements, size.values) == (elements, values)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(), lambda it: st.lists(it) | st.dictionaries(st.text(), it)
)


@settings(max_examples=50)
@given(st.lists(JSON, min_size=1))
def test_a_size_that_is_not_beyond_a_limit_is_right_or_more(values: list[Any]) -> None:
    def count(value: Any) -> int:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return 1 + sum(map(count, inside))

    text = json.dumps(values).encode()
    assert size_within(text, len(values), count(values)).elements <= len(values) or text.count(b"{") <= len(values)
    assert json_size._read(text, 10**6, 10**6).elements == len(values)
    assert json_size._read(text, 10**6, 10**6).values >= count(values)


LARGE_BODIES = [
    ("application/json", "too-many-rows", b"[" + b"{}," * (3 * MEGABYTE) + b"{}]", 0),
    ("application/json", "too-many-values", b'[{"json": [' + b"1," * (4 * MEGABYTE) + b"1]}]", 0),
    ("application/x-ndjson", "too-many-values", b'{"json": [' + b"1," * (4 * MEGABYTE) + b"1]}", 1),
    ("application/x-ndjson", "too-many-values", b"{}\n" * (3 * MEGABYTE), 1),
    ("text/csv", "too-many-values", b'json\n"[' + b"1," * (4 * MEGABYTE) + b'1]"', 4),
    ("text/csv", "too-many-rows", b"json\n" + b'"1"\n' * (2 * MEGABYTE), 2),
]  # with the copies of a body that are made, at most


@pytest.mark.parametrize(("kind", "code", "body", "copies"), LARGE_BODIES, ids=lambda it: it if type(it) is str else "")
def test_a_body_with_too_much_in_it_is_refused_before_anything_is_made_of_it(
    kind: str, code: str, body: bytes, copies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (request_rows, line_rows):
        monkeypatch.setattr(module, "MAX_VALUES", 50_000)
    with _peak() as peak, pytest.raises(ApiProblem) as refused:
        request_rows.BODIES[kind](body, COLUMNS, 10_000)
    assert (refused.value.status, refused.value.code) == (413, code)
    assert peak() < copies * len(body) + (4 if copies else 1) * MEGABYTE


def test_what_is_let_through_takes_a_known_multiple_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_rows, "MAX_VALUES", 5_000)
    for value in ("1", "[]", "{}", '""', '"ab"', '{"a": 1}'):
        body = f'[{{"json": [{",".join([value] * 2_000)}]}}]'.encode()
        with _peak() as peak:
            request_rows.BODIES["application/json"](body, COLUMNS, 10_000)
        assert peak() < 5_000 * 400


def test_four_of_the_largest_bodies_at_once_do_not_take_four_times_the_memory(tmp_path: Path) -> None:
    body = b"[" + b"{}," * (3 * MEGABYTE) + b"{}]"
    with api_over(raw_tables(tmp_path / "w.duckdb")) as api, ThreadPoolExecutor(4) as clients, _peak() as peak:
        answers = list(clients.map(lambda _: _posted(api, body), range(4)))
        assert peak() < 100 * MEGABYTE
    assert {(answer.status, answer.json()["code"]) for answer in answers} <= {
        (413, "too-many-rows"),
        (503, "overloaded"),
    }


def test_bytes_under_way_are_limited_for_all_requests_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limits, "STALL_SECONDS", 600.0)  # as long as the others need on a busy machine
    monkeypatch.setattr(body_limits, "BODY_SECONDS", 600.0)
    monkeypatch.setattr(protocol, "MESSAGE_SECONDS", 600.0)
    with api_over(raw_tables(tmp_path / "w.duckdb"), max_body_bytes=200_000) as api:
        head = request("POST /products", "Content-Type: application/json", "Content-Length: 200000")
        with connection(api.url) as first, connection(api.url) as second:
            for connected in (first, second):
                send(connected, [head, b" " * 199_999])
            refused = next(answer for answer in iter(lambda: _posted(api, b" " * 50_000), None) if answer.status == 503)
        assert refused.json()["code"] == "overloaded"
        assert int(refused.headers["retry-after"]) >= 1
        taken = next(answer for answer in iter(lambda: _posted(api, b'[{"id": 1}]'), None) if answer.status != 503)
        assert taken.status == 201


def test_large_bodies_are_read_in_threads_and_few_at_once(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    here, most, lock, threads = 0, 0, threading.Lock(), set()

    def watched(text: str) -> Any:
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
            threads.add(threading.current_thread().name.partition("_")[0])
        try:
            return parse_json(text)
        finally:
            with lock:
                here -= 1

    monkeypatch.setattr(request_rows, "parse_json", watched)
    body = _array('{"id": 1}', MANY)
    with ThreadPoolExecutor(8) as clients:
        assert {answer.status for answer in clients.map(lambda _: _posted(api, body), range(16))} == {201}
    assert threads == {"warehouse"}
    assert most <= READ_AT_ONCE


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("int64", "9" * 2_000_000, "out-of-range"),
        ("float64", "9" * 2_000_000, "out-of-range"),
        ("numeric", "9" * 2_000_000, "out-of-range"),
        ("numeric", "0." + "9" * 2_000_000, "too-many-decimals"),
        ("json", "9" * 2_000_000, "out-of-range"),
        ("json", "[" * 400 + "9" * 5_000 + "]" * 400, "out-of-range"),
        ("timestamp", '"' + "9" * 2_000_000 + '"', "invalid-value"),
        ("struct", "9" * 2_000_000, "invalid-value"),
    ],
    ids=lambda it: str(it)[:20],
)
def test_a_number_of_millions_of_digits_is_a_fault_that_is_told_shortly(
    api: Served, column: str, text: str, code: str
) -> None:
    answer = _posted(api, f'[{{"{column}": {text}}}]', "/everything")
    assert answer.status == 422
    assert [fault["code"] for fault in answer.json()["errors"]] == [code]
    assert len(answer.body) < 1_000


def test_json_nested_beyond_what_python_reads_is_told_so() -> None:
    for text in ("[" * 1_000_000, '{"a":' * 1_000_000):
        with pytest.raises(Exception, match="nested too deeply"):
            canonical(parse_json(text))


def test_a_body_is_let_go_when_its_request_is_answered() -> None:
    import asyncio

    async def app(_: Any, receive: Callable[[], Any], __: Any) -> None:
        await receive()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 80, "more_body": False}

    async def send(_: Any) -> None: ...

    async def ask_twice() -> None:
        limits = BodyLimits(app, 100)
        for _ in range(2):
            await limits({"type": "http", "headers": []}, receive, send)  # type: ignore[arg-type]

    asyncio.run(ask_twice())


def _array(element: str, count: int) -> str:
    return "[" + ", ".join([element] * count) + "]"


def _posted(api: Served, body: str | bytes, target: str = "/products") -> Answer:
    raw = body.encode() if isinstance(body, str) else body
    headers = ("Content-Type: application/json", f"Content-Length: {len(raw)}")
    return answer_to(api.url, request(f"POST {target}", *headers), raw)


@contextmanager
def _peak() -> Iterator[Callable[[], int]]:
    """How many bytes Python took at most since the block began; those that were there before do not count."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_the_readers_of_the_page_learn_the_limits() -> None:
    page = (Path(__file__).parents[2] / "docs/api.md").read_text()
    for number in (f"{json_size.MAX_VALUES:,}", f"{MAX_ERRORS:,}"):
        assert re.search(rf"\b{number}\b", page), number
