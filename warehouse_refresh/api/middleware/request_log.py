"""The outermost middleware: it gives each request an id, logs it, and adds the headers that all answers have.

It stands around Litestar, so that answers that Litestar makes by itself (404, 405) have them too.
"""

import json
import logging
import re
import time

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from warehouse_refresh.api.middleware.admission import Admission
from warehouse_refresh.api.middleware.client_address import Proxies
from warehouse_refresh.api.middleware.responses import EVERY, message_of, new_id, with_head
from warehouse_refresh.api.problems import ApiProblem, problem_of, request_id
from warehouse_refresh.warehouse.deadline import waiting_until

ALLOWING = frozenset({204, 405})  # statuses whose header Allow names methods
USABLE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
WAREHOUSE_SECONDS = 30.0
"""How long a request waits for a warehouse that others hold: all of its waits together."""
logger = logging.getLogger("warehouse_refresh.api.middleware.request_log")


class RequestLog:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, gate: Admission, proxies: Proxies) -> None:
        self._app, self._gate, self._proxies = app, gate, proxies
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and log it in one line; query strings hold data and are not logged."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        identity, client = _id_of(scope), self._client(scope)
        token = request_id.set(identity)
        started, begun, status, location = time.perf_counter(), False, 500, ""
        self._at_work += 1

        async def send_with_id(message: Message) -> None:
            nonlocal begun, status, location
            if message["type"] == "http.response.start":
                begun, status = True, message["status"]
                headers = with_head(message["headers"]) if status in ALLOWING else list(message["headers"])
                location = next((value.decode() for name, value in headers if name.lower() == b"location"), "")
                message["headers"] = [*headers, *EVERY, (b"x-request-id", identity.encode())]
            await send(message)

        try:
            if problem := self._gate.refusal(scope, client, self._at_work):
                await _send(problem, send_with_id)
                return
            with waiting_until(time.monotonic() + WAREHOUSE_SECONDS):
                await self._app(_read_as_get(scope), receive, send_with_id)
        except Exception as error:
            if begun:
                raise
            logger.exception("request %s failed", identity)
            await _send(problem_of(error), send_with_id)
        finally:
            self._at_work -= 1
            request_id.reset(token)
            milliseconds = (time.perf_counter() - started) * 1000
            line = f"{scope['method']} {json.dumps(scope['path'])} {status} {milliseconds:.1f}ms"
            logger.info("%s client=%s id=%s%s", line, client, identity, f" location={location}" if location else "")

    def _client(self, scope: HTTPScope) -> str:
        peer = scope.get("client")
        forwarded = (value for name, value in scope["headers"] if name == b"x-forwarded-for")
        return self._proxies.client(peer[0], forwarded) if peer else "-"


def _read_as_get(scope: HTTPScope) -> HTTPScope:
    """HEAD is GET whose body the server leaves out: https://www.rfc-editor.org/rfc/rfc9110#name-head"""
    if scope["method"] != "HEAD":
        return scope
    return {**scope, "method": "GET"}


def _id_of(scope: HTTPScope) -> str:
    given = dict(scope["headers"]).get(b"x-request-id", b"")
    return given.decode() if USABLE_ID.fullmatch(given) else new_id()


async def _send(problem: ApiProblem, send: Send) -> None:
    headers, body = message_of(problem)
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
