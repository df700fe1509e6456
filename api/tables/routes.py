"""GET and POST of a raw table."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from litestar import HttpMethod, Request, Response, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from api.idempotency import idempotency_key
from api.paths import RESERVED
from api.problems import Problem
from api.security import needs_token
from api.tables.batcher import Batcher
from api.tables.catalogue import Catalogue
from api.tables.incoming import Reader, answer, fingerprint
from warehouse import Append, Outcome
from warehouse.deadline import seconds_left, waiting_until
from warehouse.names import TableName


@dataclass(frozen=True, slots=True)
class Tables:
    """What the handlers of tables work with."""

    catalogue: Catalogue
    batcher: Batcher
    reader: Reader


@route(["/{table:str}", "/tables/{table:str}"], http_method=HttpMethod.OPTIONS, status_code=204)
async def say_methods() -> Response[None]:
    """What can be asked of a table. Litestar's own answer leaves out POST, which has a handler of its own."""
    return Response(None, headers={"Allow": "GET, OPTIONS, POST"})


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
            "default": bool(it.default),
            "description": it.description,
        }
        for it in columns
    ]
    return {"table": table.name, "columns": shown}


async def _append(name: str, request: Request[Any, Any, Any], tables: Tables) -> Response[bytes]:
    table, columns = await tables.catalogue.table(name)
    key = idempotency_key(request.headers)
    left = seconds_left()
    incoming = await tables.reader.read(request, columns)
    mark = await tables.reader.work(incoming.large, partial(fingerprint, incoming, columns)) if key else ""
    with waiting_until(time.monotonic() + left):  # the time that the body took was not spent on the warehouse
        outcome = await _store(table, Append(incoming.rows, key, mark), tables)
    if outcome is Outcome.KEY_REUSED:
        raise Problem("key-reused", f"The key belongs to another request to {table.name}; nothing was stored.")
    return Response(
        await tables.reader.work(incoming.large, partial(answer, incoming, columns)),
        media_type="application/json",
        headers={"Idempotency-Replayed": "true"} if outcome is Outcome.REPLAYED else {},
    )


async def _store(table: TableName, rows: Append, tables: Tables) -> Outcome:
    try:
        return await tables.batcher.append(table, rows)
    except Exception:
        tables.catalogue.forget(table)  # its columns may have changed
        raise
