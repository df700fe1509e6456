"""Headers that every answer has, and answers that are sent without Litestar."""

import json
import random
from collections.abc import Iterable

from warehouse_refresh.api.problems import MEDIA_TYPE, ApiProblem, request_id

Headers = list[tuple[bytes, bytes]]
EVERY = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
]
"""Headers of every answer: browsers do not guess content types, caches store nothing, and no site embeds the pages."""


def new_id() -> str:
    """An id for a request that brings none."""
    return f"{random.getrandbits(128):032x}"


def message_of(problem: ApiProblem) -> tuple[Headers, bytes]:
    """The headers of a problem, without those of EVERY, and its body."""
    body = json.dumps(problem.body()).encode()
    headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **problem.headers}
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()], body


def lone_message_of(problem: ApiProblem) -> tuple[str, Headers, bytes]:
    """The same for a request that never reached the application: its new id, every header, the body."""
    identity = new_id()
    token = request_id.set(identity)
    headers, body = message_of(problem)
    request_id.reset(token)
    return identity, [*headers, *EVERY, (b"x-request-id", identity.encode())], body


def with_head(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers, where `Allow` names HEAD beside GET."""
    return [
        (name, value + b", HEAD" if name.lower() == b"allow" and b"GET" in value and b"HEAD" not in value else value)
        for name, value in headers
    ]
