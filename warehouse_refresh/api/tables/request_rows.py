"""Read the rows of a POST from its query or its body. Large requests are read in a thread, not on the event loop."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import msgspec
from litestar import Request

from warehouse_refresh.api.problems import MAX_ERRORS, ApiProblem
from warehouse_refresh.api.tables.catalogue import InThread
from warehouse_refresh.api.tables.json_size import MAX_VALUES, size_within
from warehouse_refresh.api.tables.line_rows import (
    most_line_values,
    rows_of_csv,
    rows_of_ndjson,
    too_many_rows,
    too_many_values,
)
from warehouse_refresh.api.tables.rows import Fault, row_of_query, row_to_json, rows_of_objects
from warehouse_refresh.warehouse import Row
from warehouse_refresh.warehouse.types import Column
from warehouse_refresh.warehouse.values.json_text import InvalidJson, parse_json

LARGE, MANY = 64 * 1024, 4_000  # bytes, values: a larger request is read in a thread, so that others do not wait
PLAIN = frozenset({"", "identity", "chunked"})
READ_AT_ONCE = 2  # in threads: reading takes several times a body's memory, and threads share one processor
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
T = TypeVar("T")
ReadBody = Callable[[bytes, tuple[Column, ...], int], tuple[list[Row], list[Fault]]]
"""Reads a body for a table's columns, up to a limit of rows. Returns its rows and their faults."""


@dataclass(frozen=True, slots=True)
class RequestRows:
    """The rows of a request. `many`: they came in a body, and the answer is an array. `large`: a thread works on
    them."""

    rows: Sequence[Row]
    many: bool
    large: bool


class Reader:
    """Reads requests for one application, a few large ones at a time."""

    def __init__(self, in_thread: InThread, max_rows: int) -> None:
        self._in_thread, self._max_rows = in_thread, max_rows
        self._turn = asyncio.Semaphore(READ_AT_ONCE)

    async def read(self, request: Request[Any, Any, Any], columns: tuple[Column, ...]) -> RequestRows:
        """The rows of a request. Raises ApiProblem."""
        query: bytes = request.scope["query_string"]
        _check_encoding(request)
        body = await request.body()
        if not body:
            large = query.count(b"&") >= MANY
            return await self.work(large, partial(_of_query, query, columns, large))
        read = BODIES[_type_of(request, tuple(BODIES), _HOW_TO_SEND)]
        if query:
            raise ApiProblem("bad-request", "Give the attributes in the query or rows in the body, not both.")
        large = len(body) >= LARGE or most_line_values(body) >= MANY
        return await self.work(large, partial(_of_body, read, body, columns, large, self._max_rows))

    async def work(self, large: bool, function: Callable[[], T]) -> T:
        """Call the function, in a thread if `large`, and return its result."""
        if not large:
            return function()
        async with self._turn:
            result: T = await self._in_thread(function)
            return result


def answer(incoming: RequestRows, columns: tuple[Column, ...]) -> bytes:
    """The stored rows as JSON. Each row is encoded by itself to save memory: a short row of a wide table has a long
    answer."""
    rows = [msgspec.json.encode(row_to_json(row, columns)) for row in incoming.rows]
    return b"[" + b",".join(rows) + b"]" if incoming.many else rows[0]


def fingerprint(incoming: RequestRows, columns: tuple[Column, ...]) -> str:
    """A hash of the request's rows. The order of attributes does not change it, nor do columns that are added later."""
    digest = hashlib.sha256(b"[true,[" if incoming.many else b"[false,[")
    for index, row in enumerate(incoming.rows):
        given = {
            name: value
            for name, value in sorted(row_to_json(row, columns).items())
            if value not in (None, []) or (value is None and name in row)
        }
        digest.update((b"," if index else b"") + msgspec.json.encode(given))
    digest.update(b"]]")
    return digest.hexdigest()


def _of_query(query: bytes, columns: tuple[Column, ...], large: bool) -> RequestRows:
    row, faults = row_of_query(query, columns)
    _refuse(faults)
    return RequestRows([row], many=False, large=large)


def _of_body(read: ReadBody, body: bytes, columns: tuple[Column, ...], large: bool, max_rows: int) -> RequestRows:
    rows, faults = read(body, columns, max_rows)
    _refuse(faults)
    return RequestRows(rows, many=True, large=large)


def _rows_of_json(body: bytes, columns: tuple[Column, ...], max_rows: int) -> tuple[list[Row], list[Fault]]:
    size = size_within(body, max_rows, MAX_VALUES)
    if size.elements > max_rows:
        raise too_many_rows(max_rows)
    if size.values > MAX_VALUES:
        raise too_many_values()
    objects = parsed_json(body)
    if not isinstance(objects, list) or not objects:
        return [], [Fault("not-an-array", 'the body is an array of one or more objects: [{"name": "value"}]')]
    if len(objects) > max_rows:
        raise too_many_rows(max_rows)
    return rows_of_objects(objects, columns)


def parsed_json(body: bytes) -> Any:
    """What `parse_json` makes of the body. Raises ApiProblem."""
    try:
        return parse_json(body.decode())
    except UnicodeDecodeError:
        raise ApiProblem("invalid-json", "the body is not UTF-8") from None
    except InvalidJson as error:
        raise ApiProblem("invalid-json", error.detail) from None


def _refuse(faults: list[Fault]) -> None:
    if not faults:
        return
    count = f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'}"
    detail = f"{count}{' or more' if len(faults) >= MAX_ERRORS else ''}; nothing was stored"
    raise ApiProblem("invalid-rows", detail, errors=[fault.to_json() for fault in faults[:MAX_ERRORS]])


def _check_encoding(request: Request[Any, Any, Any]) -> None:
    given = [*request.headers.getall("content-encoding", []), *request.headers.getall("transfer-encoding", [])]
    if any(encoding.strip().lower() not in PLAIN for encoding in ",".join(given).split(",")):
        headers = {"Accept-Encoding": "identity"}
        raise ApiProblem("unsupported-media-type", "Send the body as it is, without Content-Encoding.", headers=headers)


def check_json_type(request: Request[Any, Any, Any], detail: str) -> None:
    """Raise ApiProblem with this detail unless the body is JSON in UTF-8 by its Content-Type."""
    _type_of(request, (JSON,), detail)


def _type_of(request: Request[Any, Any, Any], known: tuple[str, ...], detail: str) -> str:
    """The Content-Type of a body in UTF-8. Raises ApiProblem with this detail for one that is not `known`."""
    kind, parameters = request.content_type
    is_text = parameters.get("charset", "utf-8").lower() == "utf-8" and parameters.get("header", "present") == "present"
    if kind.lower() not in known or not is_text:
        raise ApiProblem("unsupported-media-type", detail, headers={"Accept-Post": ", ".join(known)})
    return kind.lower()


BODIES: dict[str, ReadBody] = {JSON: _rows_of_json, NDJSON: rows_of_ndjson, CSV: rows_of_csv}
"""How a body of each Content-Type is read."""
_HOW_TO_SEND = (
    "Send rows as application/json, application/x-ndjson, or text/csv with a header, in UTF-8, or one row's attributes"
    " in the query with no body."
)
