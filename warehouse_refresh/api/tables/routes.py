"""GET and POST of a raw table."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from litestar import HttpMethod, Request, Response, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from warehouse_refresh.api.idempotency import idempotency_key
from warehouse_refresh.api.paths import RESERVED
from warehouse_refresh.api.problems import ApiProblem
from warehouse_refresh.api.security import needs_token
from warehouse_refresh.api.tables.batcher import Batcher
from warehouse_refresh.api.tables.catalogue import Catalogue
from warehouse_refresh.api.tables.request_rows import Reader, answer, fingerprint
from warehouse_refresh.warehouse import Append, Outcome
from warehouse_refresh.warehouse.deadline import seconds_left, waiting_until
from warehouse_refresh.warehouse.names import TableName


@dataclass(frozen=True, slots=True)
class Tables:
    """The parts that the handlers need."""

    catalogue: Catalogue
    batcher: Batcher
    reader: Reader


PATHS = ["/{table:str}", "/tables/{table:str}"]  # the second one reaches tables whose name is a path of the API, too


@route(PATHS, http_method=HttpMethod.OPTIONS, status_code=204)
async def say_methods() -> Response[None]:
    """Answer with a table's methods. Litestar's own answer leaves out POST, which has a handler of its own."""
    return Response(None, headers={"Allow": "GET, OPTIONS, POST"})


@get(PATHS)
async def describe(
    table: FromPath[str], request: Request[Any, Any, Any], tables: NamedDependency[Tables]
) -> dict[str, Any]:
    """Answer with the columns that can be posted."""
    _refuse_reserved(table, request)
    name, columns = await tables.catalogue.table(table)
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
    return {"table": name.name, "columns": shown}


@post(PATHS, before_request=needs_token)
async def append(
    table: FromPath[str], request: Request[Any, Any, Any], tables: NamedDependency[Tables]
) -> Response[bytes]:
    """Store one row or many, and answer with them."""
    _refuse_reserved(table, request)
    name, columns = await tables.catalogue.table(table)
    tables.catalogue.check_posting(table)
    key = idempotency_key(request.headers)
    left = seconds_left()
    incoming = await tables.reader.read(request, columns)
    mark = await tables.reader.work(incoming.large, partial(fingerprint, incoming, columns)) if key else ""
    with waiting_until(time.monotonic() + left):  # the time for reading the body does not count
        outcome = await _store(name, Append(tables.catalogue.stored(table, incoming.rows), key, mark), tables)
    if outcome is Outcome.KEY_REUSED:
        raise ApiProblem("key-reused", f"The key belongs to another request to {name.name}; nothing was stored.")
    return Response(
        await tables.reader.work(incoming.large, partial(answer, incoming, columns)),
        media_type="application/json",
        headers={"Idempotency-Replayed": "true"} if outcome is Outcome.REPLAYED else {},
    )


def _refuse_reserved(name: str, request: Request[Any, Any, Any]) -> None:
    if name in RESERVED and not request.scope["path"].startswith("/tables/"):
        raise ApiProblem("not-found", f"/{name} is the API's own path; a table of that name is at /tables/{name}")


async def _store(table: TableName, rows: Append, tables: Tables) -> Outcome:
    try:
        return await tables.batcher.append(table, rows)
    except Exception:
        tables.catalogue.forget(table)  # its columns may have changed
        raise


HANDLERS = [say_methods, describe, append]
