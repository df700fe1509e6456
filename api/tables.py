"""GET and POST of a raw table."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from api.batcher import Batcher
from api.catalogue import Catalogue, InThread
from api.json_text import InvalidJson, parse_json
from api.keys import idempotency_key
from api.paths import RESERVED
from api.problems import MAX_ERRORS, Problem
from api.rows import Fault, row_of_query, row_to_json, rows_of_objects
from api.security import needs_token
from warehouse.engine import Append, Outcome, Row
from warehouse.names import TableName
from warehouse.patience import seconds_left, waiting_until
from warehouse.types import Column

LARGE_BODY = 64 * 1024  # read in a thread, so that other requests go on


@dataclass(frozen=True, slots=True)
class Tables:
    """What the handlers of tables work with."""

    catalogue: Catalogue
    batcher: Batcher
    in_thread: InThread
    max_rows: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """The rows that a request asks to store; `many` if they came as an array, and are answered as one."""

    rows: Sequence[Row]
    many: bool


@get("/{table:str}")
async def describe_shadowable(table: FromPath[str], tables: NamedDependency[Tables]) -> dict[str, Any]:
    """The columns that can be posted."""
    return await _describe(_not_reserved(table), tables)


@get("/tables/{table:str}")
async def describe(table: FromPath[str], tables: NamedDependency[Tables]) -> dict[str, Any]:
    """The same, for every table, also one whose name is a path of the API."""
    return await _describe(table, tables)


@post("/{table:str}", guards=[needs_token])
async def append_shadowable(
    table: FromPath[str], request: Request[Any, Any, Any], tables: NamedDependency[Tables]
) -> Response[bytes]:
    """Store one row or many."""
    return await _append(_not_reserved(table), request, tables)


@post("/tables/{table:str}", guards=[needs_token])
async def append(
    table: FromPath[str], request: Request[Any, Any, Any], tables: NamedDependency[Tables]
) -> Response[bytes]:
    """The same, for every table, also one whose name is a path of the API."""
    return await _append(table, request, tables)


def _not_reserved(name: str) -> str:
    if name in RESERVED:
        raise Problem("not-found", f"/{name} is the API's own path; a table of that name is at /tables/{name}")
    return name


async def _describe(name: str, tables: Tables) -> dict[str, Any]:
    table, columns = await tables.catalogue.table(name)
    shown = [
        {
            "name": it.name,
            "type": str(it.type.element or it.type),
            "mode": it.mode,
            "default": it.default,
            "description": it.description,
        }
        for it in columns
    ]
    return {"table": table.name, "columns": shown}


async def _append(name: str, request: Request[Any, Any, Any], tables: Tables) -> Response[bytes]:
    table, columns = await tables.catalogue.table(name)
    key = idempotency_key(request.headers)
    left = seconds_left()
    incoming = await _incoming(request, columns, tables)
    with waiting_until(time.monotonic() + left):  # the time that the body took was not spent on the warehouse
        outcome = await _store(table, Append(incoming.rows, key, _fingerprint(incoming, columns)), tables)
    if outcome is Outcome.KEY_REUSED:
        raise Problem("key-reused", f"The key belongs to another request to {table.name}; nothing was stored.")
    shown = [row_to_json(row, columns) for row in incoming.rows]
    return Response(
        msgspec.json.encode(shown if incoming.many else shown[0]),
        media_type="application/json",
        headers={"Idempotency-Replayed": "true"} if outcome is Outcome.REPLAYED else {},
    )


async def _store(table: TableName, rows: Append, tables: Tables) -> Outcome:
    try:
        return await tables.batcher.append(table, rows)
    except Exception:
        tables.catalogue.forget(table)  # its columns may have changed
        raise


async def _incoming(request: Request[Any, Any, Any], columns: tuple[Column, ...], tables: Tables) -> Incoming:
    query: bytes = request.scope["query_string"]
    body = await request.body()
    if not body:
        row, faults = row_of_query(query, columns)
        return Incoming([_without_faults([row], faults)[0]], many=False)
    _check_content_type(request)
    if query:
        raise Problem("bad-request", "Give the attributes in the query or rows in the body, not both.")
    if len(body) < LARGE_BODY:
        return _incoming_of_body(body, columns, tables.max_rows)
    incoming: Incoming = await tables.in_thread(_incoming_of_body, body, columns, tables.max_rows)
    return incoming


def _incoming_of_body(body: bytes, columns: tuple[Column, ...], max_rows: int) -> Incoming:
    try:
        objects = parse_json(body.decode())
    except UnicodeDecodeError:
        raise Problem("invalid-json", "the body is not UTF-8") from None
    except InvalidJson as error:
        raise Problem("invalid-json", error.detail) from None
    if not isinstance(objects, list) or not objects:
        fault = Fault("not-an-array", 'the body is an array of one or more objects: [{"name": "value"}]')
        objects, faults = [], [fault]
    elif len(objects) > max_rows:
        raise Problem("too-many-rows", f"{len(objects)} rows are more than the {max_rows} that one request may hold")
    else:
        objects, faults = rows_of_objects(objects, columns)
    return Incoming(_without_faults(objects, faults), many=True)


def _without_faults(rows: list[Row], faults: list[Fault]) -> list[Row]:
    if not faults:
        return rows
    detail = f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'}; nothing was stored"
    raise Problem("invalid-rows", detail, errors=[fault.to_json() for fault in faults[:MAX_ERRORS]])


def _check_content_type(request: Request[Any, Any, Any]) -> None:
    kind, parameters = request.content_type
    if kind.lower() != "application/json" or parameters.get("charset", "utf-8").lower() != "utf-8":
        detail = "Send rows as application/json in UTF-8, or one row's attributes in the query with no body."
        raise Problem("unsupported-media-type", detail, headers={"Accept-Post": "application/json"})


def _fingerprint(incoming: Incoming, columns: tuple[Column, ...]) -> str:
    """Tells one request from another, whatever the order of its attributes; a column added later changes nothing."""
    given = [
        {
            name: value
            for name, value in sorted(row_to_json(row, columns).items())
            if value not in (None, []) or (value is None and name in row)
        }
        for row in incoming.rows
    ]
    return hashlib.sha256(msgspec.json.encode([incoming.many, given])).hexdigest()
