"""What every request passes through first: its id, the access log, and the limit of requests per client.

It stands around Litestar, so that answers that Litestar makes by itself (404, 405) have their id and line too.
"""

import json
import logging
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from api.clients import Proxies, household
from api.problems import MEDIA_TYPE, Problem, request_id, retry_after
from warehouse.patience import waiting_until

USABLE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
MAX_CLIENTS = 10_000
WAREHOUSE_SECONDS = 30.0
"""How long a request waits for a warehouse that others hold: all of its waits together."""
UNLIMITED = "/health/"  # who watches the process must not be kept out by what it is there to see
logger = logging.getLogger("api.access")


class RateLimit:
    """A bucket of tokens per client: `per_second` requests, and as many at once as one second's."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = per_second, max(1.0, per_second), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_for(self, client: str) -> float:
        """Take a token: 0, or the seconds until there is one."""
        now = self._clock()
        tokens, since = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate
        self._buckets[client] = (tokens - 1 if wait == 0 else tokens, now)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return wait


class Access:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, rate_limit: float, proxies: Proxies) -> None:
        self._app, self._proxies = app, proxies
        self._limit = RateLimit(rate_limit) if rate_limit else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and log it in one line; query strings hold data and are not logged."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        identity, client = _id_of(scope), self._client(scope)
        token = request_id.set(identity)
        started, status, location = time.perf_counter(), 500, ""

        async def send_with_id(message: Message) -> None:
            nonlocal status, location
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message["headers"])
                location = next((value.decode() for name, value in headers if name.lower() == b"location"), "")
                message["headers"] = [*headers, (b"x-request-id", identity.encode())]
            await send(message)

        try:
            with waiting_until(time.monotonic() + WAREHOUSE_SECONDS):
                await self._within_limit(client, scope, receive, send_with_id)
        finally:
            request_id.reset(token)
            milliseconds = (time.perf_counter() - started) * 1000
            line = f"{scope['method']} {json.dumps(scope['path'])} {status} {milliseconds:.1f}ms"
            logger.info("%s client=%s id=%s%s", line, client, identity, f" location={location}" if location else "")

    async def _within_limit(self, client: str, scope: HTTPScope, receive: Receive, send: Send) -> None:
        wait = 0.0
        if self._limit and not scope["path"].startswith(UNLIMITED):
            wait = self._limit.wait_for(household(client))
        if wait:
            await _send(Problem("rate-limited", "Slow down a little.", headers=retry_after(wait)), send)
        else:
            await self._app(scope, receive, send)

    def _client(self, scope: HTTPScope) -> str:
        peer = scope.get("client")
        forwarded = (value for name, value in scope["headers"] if name == b"x-forwarded-for")
        return self._proxies.client(peer[0], forwarded) if peer else "-"


def _id_of(scope: HTTPScope) -> str:
    given = dict(scope["headers"]).get(b"x-request-id", b"")
    return given.decode() if USABLE_ID.fullmatch(given) else uuid.uuid4().hex


async def _send(problem: Problem, send: Send) -> None:
    body = json.dumps(problem.body()).encode()
    headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **problem.headers}
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body, "more_body": False})
