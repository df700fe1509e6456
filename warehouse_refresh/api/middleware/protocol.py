"""HTTP as uvicorn reads it with httptools, with limits that uvicorn lacks: bytes and seconds of a head, seconds of a
body and of an answer, connections, requests in a row. A request that is refused here gets a problem as its answer,
too."""

import asyncio
import logging
from http import HTTPStatus
from math import inf
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from warehouse_refresh.api.middleware.body_limits import has_body
from warehouse_refresh.api.middleware.responses import lone_message_of
from warehouse_refresh.api.problems import ApiProblem, retry_after

HEAD_BYTES = 64 * 1024  # the request line and the headers, and whatever stands between the pieces of a body
HEADERS = 100
HEAD_SECONDS = 10.0
MESSAGE_SECONDS = 75.0  # more than the application waits for a body: it answers first
ANSWER_SECONDS = 60.0
LOOK_SECONDS = 5.0
IN_A_ROW = 16  # requests that a connection sends before the first one's answer
logger = logging.getLogger("warehouse_refresh.api.middleware.request_log")


class LimitedProtocol(HttpToolsProtocol):
    """One connection. uvicorn's `limit_concurrency` is here the number of connections that may be open."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._most, self.limit_concurrency = self.limit_concurrency or inf, None
        self._due = inf  # when what the client is sending must be here
        self._unread = self._head = 0  # bytes that brought nothing yet, bytes of this head
        self._in_body = self._deaf = False
        self._fault: ApiProblem | None = None
        self._look: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse one connection too many."""
        super().connection_made(transport)
        self._due = self.loop.time() + HEAD_SECONDS
        self._look = self.loop.call_later(LOOK_SECONDS, self._look_after)
        if len(self.connections) > self._most:
            self._refuse(ApiProblem("overloaded", "Too many connections are open.", headers=retry_after(1)))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget its timers."""
        for timer in (self._look, self._stuck):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what brings nothing: a head without end, or a body whose chunks have endless names and trailers."""
        if self._deaf:
            return
        if self._due == inf and self._nothing_under_way:
            self._due = self.loop.time() + HEAD_SECONDS
        self._unread += len(data)
        super().data_received(data)
        if self._unread > HEAD_BYTES:
            self._refuse(_head_too_large())

    def on_message_begin(self) -> None:
        """A head begins."""
        if len(self.pipeline) >= IN_A_ROW:
            raise ValueError  # the parser stops, and uvicorn sends its 400
        super().on_message_begin()
        self._head, self._due = 0, self.loop.time() + HEAD_SECONDS

    def on_url(self, url: bytes) -> None:
        """Count it."""
        super().on_url(url)
        self._count(len(url), ApiProblem("uri-too-long", f"The request's target is longer than {HEAD_BYTES} bytes."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count it."""
        super().on_header(name, value)
        self._count(len(name) + len(value), _head_too_large())

    def on_headers_complete(self) -> None:
        """Hand the request to the application."""
        if self.parser.should_upgrade() and has_body(self.headers):
            detail = "A request with the header Upgrade has no body here: have your client send plain HTTP/1.1."
            self._fault = ApiProblem("bad-request", detail)  # the parser takes the body for another protocol
            raise ValueError  # as above
        super().on_headers_complete()
        self._unread, self._in_body, self._due = 0, True, self.loop.time() + MESSAGE_SECONDS

    def on_body(self, body: bytes) -> None:
        """Hand it on."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Nothing is awaited of the client any more."""
        self._unread, self._in_body, self._due = 0, False, inf
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read its answer; that costs memory."""
        super().pause_writing()
        self._stuck = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads."""
        super().resume_writing()
        if self._stuck:
            self._stuck.cancel()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's words, in plain text)
        """What uvicorn says of a request that is not HTTP, or in which a limit was passed."""
        self._refuse(self._fault or ApiProblem("bad-request", "The request is not HTTP/1.1."))

    @property
    def _nothing_under_way(self) -> bool:
        return not self._in_body and (self.cycle is None or self.cycle.response_complete)

    @property
    def _may_answer(self) -> bool:
        """Whether the next bytes that the client reads are the answer to what it is sending."""
        if self._in_body:
            return not self.pipeline and not self.cycle.response_started
        return self._nothing_under_way

    def _count(self, size: int, fault: ApiProblem) -> None:
        self._head += size
        if self._head > HEAD_BYTES or len(self.headers) > HEADERS:
            self._fault = fault
            raise ValueError  # as above

    def _look_after(self) -> None:
        """Close the connection if its request is late. A closing connection waits up to ANSWER_SECONDS for the client
        to read its answer."""
        if self.transport.is_closing():
            self._look = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)
            return
        left = self._due - self.loop.time()
        if left <= 0 and not self.flow.read_paused:
            self._refuse(ApiProblem("request-timeout", "The request did not come in whole in time."))
        pause = left if 0 < left < LOOK_SECONDS else LOOK_SECONDS
        self._look = self.loop.call_later(pause, self._look_after)

    def _refuse(self, problem: ApiProblem) -> None:
        """Answer and close. Where other answers come first, give those, hear no more, and close after them; where this
        request has had its answer, only close."""
        if self.transport.is_closing():
            return
        if not self._may_answer:
            self._deaf, self.cycle.keep_alive = True, False
            if self.cycle.response_complete:
                self.transport.abort()
            return
        identity, headers, body = lone_message_of(problem)
        headers = [*self.server_state.default_headers, *headers, (b"connection", b"close")]
        lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}".encode()]
        lines += [b"%s: %s" % header for header in headers]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()
        logger.info('- "-" %d client=%s id=%s', problem.status, self.client[0] if self.client else "-", identity)


def _head_too_large() -> ApiProblem:
    return ApiProblem("headers-too-large", f"A request has at most {HEADERS} headers, of {HEAD_BYTES} bytes in all.")
