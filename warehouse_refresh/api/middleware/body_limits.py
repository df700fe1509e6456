"""Limit request bodies: the bytes that the process holds at once, and the time that a client takes to send one."""

import asyncio
import time
from collections.abc import Iterable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.types.asgi_types import HTTPReceiveMessage, WebSocketReceiveMessage

from warehouse_refresh.api.problems import ApiProblem, retry_after

STALL_SECONDS = 15.0
BODY_SECONDS = 60.0


class BodyLimits:
    """ASGI middleware. All open requests together may hold `most` bytes of bodies; a body counts until its request is
    answered."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the body on, piece by piece."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        held, is_whole = 0, False
        deadline = time.monotonic() + BODY_SECONDS
        limited = has_body(scope["headers"])

        async def receive_piece() -> HTTPReceiveMessage | WebSocketReceiveMessage:
            nonlocal held, is_whole
            message = await (_in_time(receive, deadline) if limited and not is_whole else receive())
            if message["type"] == "http.disconnect" and not is_whole:
                raise _too_late()
            if message["type"] == "http.request":
                is_whole = not message["more_body"]
                held += len(message["body"])
                self._hold(len(message["body"]))
            return message

        try:
            await self._app(scope, receive_piece, send)
        finally:
            self._held -= held

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > self._most:
            raise ApiProblem("overloaded", "Too many bytes of bodies are being worked on.", headers=retry_after(1))


async def _in_time(receive: Receive, deadline: float) -> HTTPReceiveMessage | WebSocketReceiveMessage:
    try:
        async with asyncio.timeout(min(STALL_SECONDS, deadline - time.monotonic())):
            return await receive()
    except TimeoutError:
        raise _too_late() from None


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether these headers announce a body."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0")) for name, value in headers
    )


def _too_late() -> ApiProblem:
    detail = f"The body must come in whole within {BODY_SECONDS:g} s, and not stop for {STALL_SECONDS:g} s."
    return ApiProblem("request-timeout", detail, headers={"Connection": "close"})
