"""HTTP as bytes: what no client library would send."""

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

LONGEST = 60.0
HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"


@dataclass(frozen=True)
class Answer:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """`POST /products` with these headers, and a Host."""
    return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode("latin-1") + body


@contextmanager
def connection(url: str) -> Iterator[socket.socket]:
    """A connection to the server at `url`."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=LONGEST) as it:
        yield it


def answer_on(connected: socket.socket, method: str = "GET") -> Answer:
    """Read the answer, on a connection that has no other one waiting. Raises HTTPException or OSError if none comes."""
    with closing(HTTPResponse(connected, method=method)) as response:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


def answer_to(url: str, *pieces: bytes, method: str = "GET") -> Answer:
    """Send the pieces on a connection of their own, and read the answer."""
    with connection(url) as connected:
        send(connected, pieces)
        return answer_on(connected, method)


def send(connected: socket.socket, pieces: Iterable[bytes]) -> None:
    """Send until the server will not hear more."""
    try:
        for piece in pieces:
            connected.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass


def ends(connected: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    received = b""
    try:
        while piece := connected.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received
