"""A proxy between the real client and the emulator that does what networks and busy services do, by a seed.

What a fault is, it decides for each request anew; `recorded` holds the requests that reached it.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Fault(Enum):
    """What goes wrong with one request."""

    LIMITED = "answered 429, not carried out"
    BROKEN = "answered 500, not carried out"
    AWAY = "answered 503, not carried out"
    BROKEN_AFTER = "carried out, answered 503"
    CUT_BEFORE = "the connection is cut, not carried out"
    CUT_AFTER = "carried out, the connection is cut before the answer"
    DELAYED = "carried out late"
    REPEATED = "carried out twice, the second answer counts"
    STALE = "a job's state as it was when it was asked for last"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of this status, for this reason; the request is not carried out."""

    code: int
    reason: str
    message: str = "the tests asked for it"


REFUSALS = {
    Fault.LIMITED: Refusal(429, "rateLimitExceeded"),
    Fault.BROKEN: Refusal(500, "internalError"),
    Fault.AWAY: Refusal(503, "backendError"),
    Fault.BROKEN_AFTER: Refusal(503, "backendError"),
}
# What a look at a job may be answered now and then, though the job runs on.
REFUSED_POLLS = (Refusal(401, "authError"), Refusal(403, "quotaExceeded"), Refusal(403, "accessDenied"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request, and the fault that it met."""

    method: str
    path: str
    body: dict[str, Any]
    fault: Fault | Refusal | None


PASSED_ON = ("Content-Type", "If-Match")
Decide = Callable[[str, str], Fault | Refusal | None]


def by_seed(seed: int, share: float = 0.3) -> Decide:
    """Faults for about this share of the requests."""
    dice, lock = random.Random(seed), threading.Lock()

    def decide(method: str, path: str) -> Fault | Refusal | None:
        with lock:
            faults = [*Fault, *(REFUSED_POLLS if is_poll(method, path) else ())]
            return dice.choice(faults) if dice.random() < share else None

    return decide


def is_poll(method: str, path: str) -> bool:
    """Whether the request looks at a job."""
    return method == "GET" and ("/jobs/" in path or "/queries/" in path)


class Proxy:
    """Where it listens (`url`), what it was asked (`recorded`), what it does with a request (`decide`) and with the
    JSON of its answer (`rewrite`)."""

    def __init__(self, upstream: str) -> None:
        self.recorded: list[Recorded] = []
        self.decide: Decide = lambda _method, _path: None
        self.rewrite: Callable[[Any], Any] | None = None
        self.upstream = urlsplit(upstream).netloc
        self.last_answers: dict[str, tuple[int, bytes]] = {}
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.proxy = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def running_proxy(upstream: str) -> Iterator[Proxy]:
    """A proxy in front of the emulator's URL, without faults until its `decide` is set."""
    proxy = Proxy(upstream)
    thread = threading.Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: Proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = proxy.decide(self.command, self.path)
        proxy.recorded.append(Recorded(self.command, self.path, json.loads(body or b"{}"), fault))
        if fault is Fault.CUT_BEFORE:
            return self._cut()
        if isinstance(fault, Refusal):
            return self._refuse(fault)
        if fault in (Fault.LIMITED, Fault.BROKEN, Fault.AWAY):
            return self._refuse(REFUSALS[fault])
        if fault is Fault.DELAYED:
            time.sleep(0.02)
        answer = self._forward(body, fault)
        if fault is Fault.CUT_AFTER:
            return self._cut()
        if fault is Fault.BROKEN_AFTER:
            return self._refuse(REFUSALS[fault])
        status, content = answer
        if proxy.rewrite is not None:
            content = json.dumps(proxy.rewrite(json.loads(content))).encode()
        return self._answer(status, content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815  # the names that http.server calls

    def _forward(self, body: bytes, fault: Fault | Refusal | None) -> tuple[int, bytes]:
        proxy = self.server.proxy
        if fault is Fault.STALE and is_poll(self.command, self.path) and self.path in proxy.last_answers:
            return proxy.last_answers[self.path]
        for _ in range(2 if fault is Fault.REPEATED else 1):
            connection = http.client.HTTPConnection(proxy.upstream, timeout=20)
            headers = {name: value for name in PASSED_ON if (value := self.headers.get(name))}
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            answer = response.status, response.read()
            connection.close()
        proxy.last_answers[self.path] = answer
        return answer

    def _refuse(self, refusal: Refusal) -> None:
        details = {"reason": refusal.reason, "message": refusal.message}
        error = {"code": refusal.code, "message": refusal.message, "errors": [details]}
        self._answer(refusal.code, json.dumps({"error": error}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in http.server
        pass
