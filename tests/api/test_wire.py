"""Requests as attackers and odd clients send them: every answer is a problem, and nothing half-sent stays open."""

import logging
import re
from pathlib import Path

import pytest

from tests.api.conftest import Served, api_over, raw_tables
from tests.api.wire import Answer, answer_on, answer_to, connection, ends, request, send
from tests.waiting import wait_until
from warehouse_refresh.api.middleware import body_limits, protocol
from warehouse_refresh.api.middleware.protocol import HEAD_BYTES, HEADERS, IN_A_ROW, LimitedProtocol

KIND = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
ROW = b'[{"id": 1}]'


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


REFUSED = [
    (b"nonsense\r\n\r\n", 400, "bad-request"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400, "bad-request"),  # TLS
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad-request"),
    (request("CONNECT example.com:443"), 400, "bad-request"),
    (request("GET /\xff"), 400, "bad-request"),
    (request("GET /a b"), 400, "bad-request"),
    (request("GET /products", "X: a\0b"), 400, "bad-request"),
    (request("GET /products", "X: a", " b"), 400, "bad-request"),
    (request("GET /products", "X : a"), 400, "bad-request"),
    (request("GET /products", f"X: {'x' * HEAD_BYTES}"), 431, "headers-too-large"),
    (request("GET /products", *["X: y"] * HEADERS), 431, "headers-too-large"),
    (b"GET /products HTTP/1.1\r\nX: " + b"x" * 9 * HEAD_BYTES, 431, "headers-too-large"),
    (request(f"POST /products?name={'x' * HEAD_BYTES}"), 414, "uri-too-long"),
    (request(f"POST /{'x' * 3000}?id=1"), 414, "uri-too-long"),
    (request("TRACE /products"), 405, "method-not-allowed"),
    (request("POST /a/../products?id=1"), 404, "not-found"),
    (request("POST /products", KIND, CHUNKED, "Content-Length: 11", body=chunked(ROW)), 400, "bad-request"),
    (request("POST /products", KIND, "Content-Length: 11", "Content-Length: 12", body=ROW), 400, "bad-request"),
    (request("POST /products", KIND, "Content-Length: eleven", body=ROW), 400, "bad-request"),
    (request("POST /products", KIND, "Content-Length: -11", body=ROW), 400, "bad-request"),
    (request("POST /products", KIND, "Content-Length: 5", body=ROW), 400, "invalid-json"),
    (request("POST /products", KIND, CHUNKED, body=b"eleven\r\n"), 400, "bad-request"),
    (request("POST /products", KIND, CHUNKED, body=b"b;" + b"x" * 9 * HEAD_BYTES), 431, "headers-too-large"),
    (request("POST /products", KIND, "Transfer-Encoding: gzip", body=ROW), 400, "bad-request"),
    (
        request("POST /products", KIND, "Transfer-Encoding: gzip, chunked", body=chunked(ROW)),
        415,
        "unsupported-media-type",
    ),
    (
        request("POST /products", KIND, "Content-Encoding: gzip", "Content-Length: 11", body=ROW),
        415,
        "unsupported-media-type",
    ),
    (request("POST /products", KIND, "Expect: 100-continue", "Content-Length: 99999999999"), 413, "body-too-large"),
    (request("POST /products", KIND, "Connection: Upgrade", "Upgrade: h2c", CHUNKED, body=ROW), 400, "bad-request"),
    (request("POST /run", "Content-Length: 2", body=b"{}"), 415, "unsupported-media-type"),
    (request("POST /run", CHUNKED, body=chunked(b"{}")), 415, "unsupported-media-type"),
    (request("POST /products?id=1", "Origin: https://evil.example.com"), 403, "forbidden-origin"),
    (request("POST /run", "Origin: null"), 403, "forbidden-origin"),
    (request("POST /run", "Origin: http://localhost", "Origin: http://evil.example.com"), 403, "forbidden-origin"),
    (request("POST /run", "Sec-Fetch-Site: cross-site"), 403, "forbidden-origin"),
    (request("POST /run", "Sec-Fetch-Site: same-site"), 403, "forbidden-origin"),
    (request("POST /run", "Origin: http://localhost:8000"), 403, "forbidden-origin"),  # another port
    (request("POST /run", "Origin: http://[").replace(b"localhost", b"["), 403, "forbidden-origin"),
    (  # a name that an attacker's DNS gave this machine
        request("POST /run", "Origin: http://evil.example.com").replace(b"Host: localhost", b"Host: evil.example.com"),
        403,
        "forbidden-origin",
    ),
]


@pytest.mark.parametrize(("sent", "status", "code"), REFUSED, ids=lambda it: str(it)[:70])
def test_what_is_refused_is_a_problem_with_an_id(api: Served, sent: bytes, status: int, code: str) -> None:
    before = api.rows()
    answer = answer_to(api.url, sent)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    _has_the_headers_of_all(answer)
    assert api.rows() == before


def _has_the_headers_of_all(answer: Answer) -> None:
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"


TAKEN = [
    request("POST http://localhost/products?id=1"),
    b"POST /products?id=1 HTTP/1.0\r\n\r\n",
    request("POST //products?id=1"),
    request("POST /products/?id=1"),
    request("POST /%70roducts?id=1"),
    request("POST /products", KIND, "Content-Length: 11", body=ROW),
    request("POST /products", KIND, "Content-Encoding: identity", "Content-Length: 11", body=ROW),
    request("POST /products", 'Content-Type: application/json; charset="UTF-8"', "Content-Length: 11", body=ROW),
    request("POST /products", KIND, CHUNKED, body=chunked(ROW[:5], ROW[5:])),
    request("POST /products", KIND, CHUNKED, body=chunked(ROW)[:-2] + b"X-Trailer: y\r\n\r\n"),
    request("POST /products?id=1", "Content-Length: 0"),
    request("POST /products?id=1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "Content-Length: 0"),
    request("POST /products?id=1", "Origin: http://localhost", "Sec-Fetch-Site: same-origin"),
    request("POST /products?id=1", "Sec-Fetch-Site: none"),
    b"\r\n\r\n" + request("POST /products?id=1"),
]


@pytest.mark.parametrize("sent", TAKEN, ids=lambda it: str(it)[:70])
def test_what_is_odd_but_plain_is_stored_once(api: Served, sent: bytes) -> None:
    before = api.rows()["products"]
    answer = answer_to(api.url, sent)
    assert answer.status == 201, answer
    _has_the_headers_of_all(answer)
    assert api.rows()["products"] == before + 1


def test_a_site_that_the_setting_names_may_post(tmp_path: Path) -> None:
    origins = "https://shop.example.com, http://localhost:3000"
    with api_over(raw_tables(tmp_path / "w.duckdb"), allowed_origins=origins) as api:
        for origin, status in [("https://shop.example.com", 201), ("https://other.example.com", 403)]:
            headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
            assert api.client.post("/products?id=1", headers=headers).status_code == status


def test_an_api_that_others_reach_takes_pages_of_its_own_name(tmp_path: Path) -> None:
    with api_over(raw_tables(tmp_path / "w.duckdb"), host="0.0.0.0") as api:
        for origin, status in [("https://api.example.com", 201), ("https://evil.example.com", 403)]:
            headers = {"Host": "api.example.com", "Origin": origin}
            assert api.client.post("/products?id=1", headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/products", "/tables/run", "/health/live", "/schema", "/metrics", "/nothing/here"])
def test_head_is_get_without_its_body(api: Served, path: str) -> None:
    get, head = (answer_to(api.url, request(f"{method} {path}"), method=method) for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (get.status, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers.keys() == get.headers.keys()


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/products", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/tables/products", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/run", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/run/1", {"GET", "HEAD", "OPTIONS"}),
        ("/health/live", {"GET", "HEAD", "OPTIONS"}),
        ("/schema", {"GET", "HEAD", "OPTIONS"}),
        ("/metrics", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_options_and_405_name_every_method(api: Served, path: str, methods: set[str]) -> None:
    answer = api.client.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    refused = api.client.delete(path)
    assert refused.status_code == 405
    for allow in (answer.headers["allow"], refused.headers["allow"]):
        assert set(allow.split(", ")) == methods


def test_a_client_that_waits_for_100_continue_gets_it(api: Served) -> None:
    with connection(api.url) as connected:
        send(connected, [request("POST /products", KIND, "Expect: 100-continue", "Content-Length: 11")])
        assert connected.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        send(connected, [ROW])
        assert answer_on(connected).status == 201


def test_requests_in_a_row_are_answered_in_order_and_not_more_than_a_few(api: Served) -> None:
    with connection(api.url) as connected:
        last = request("GET /products", "Connection: close")
        send(connected, [request("GET /health/live"), request("GET /nothing/here"), last])
        assert re.findall(rb"HTTP/1.1 (\d+)", ends(connected)) == [b"200", b"404", b"200"]
    with connection(api.url) as connected:
        send(connected, [request("GET /health/live") * 1000])
        assert ends(connected).count(b"HTTP/1.1 200 OK") == IN_A_ROW + 1


def test_a_request_that_is_followed_by_nonsense_has_its_own_answer(api: Served) -> None:
    before = api.rows()["products"]
    with connection(api.url) as connected:
        send(connected, [request("POST /products?id=1") + b"nonsense\r\n\r\n"])
        assert re.findall(rb"HTTP/1.1 (\d+)", ends(connected)) == [b"201"]
    assert api.rows()["products"] == before + 1


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that waits for a fraction of a second where it waits for many."""
    for module, name in [
        *((protocol, "HEAD_SECONDS"), (protocol, "LOOK_SECONDS"), (protocol, "ANSWER_SECONDS")),
        *((body_limits, "STALL_SECONDS"), (body_limits, "BODY_SECONDS"), (protocol, "MESSAGE_SECONDS")),
    ]:
        monkeypatch.setattr(module, name, 1.0 if name == "MESSAGE_SECONDS" else 0.2)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n",
        b"GET",
        b"GET /products HTTP/1.1\r\nHost: loc",
        request("POST /products", KIND, "Content-Length: 11"),
        request("POST /products", KIND, "Content-Length: 11", body=ROW[:10]),
        request("POST /products", KIND, CHUNKED, body=b"5\r\n[{"),
        request("POST /run", "Content-Length: 2"),
    ],
    ids=str,
)
def test_half_a_request_is_not_waited_for_without_end(api: Served, sent: bytes) -> None:
    with connection(api.url) as connected:
        send(connected, [sent])
        answer = answer_on(connected)
        assert (answer.status, answer.json()["code"]) == (408, "request-timeout")
        assert answer.headers["connection"] == "close"
        assert ends(connected) == b""


@pytest.mark.parametrize("line", ["GET /health/live", "DELETE /products"])
def test_a_connection_whose_body_nobody_waits_for_is_closed(
    api: Served, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MESSAGE_SECONDS", 1.0)
    with connection(api.url) as connected:
        send(connected, [request(line, "Content-Length: 10", body=b"half")])
        assert answer_on(connected).status in {200, 405}
        assert ends(connected) == b""


@pytest.mark.usefixtures("hasty")
def test_a_client_that_does_not_read_its_answer_is_left(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[object] = []
    known = LimitedProtocol.connection_lost

    def note(self: LimitedProtocol, exc: Exception | None) -> None:
        lost.append(self.client)
        known(self, exc)

    monkeypatch.setattr(LimitedProtocol, "connection_lost", note)
    body = b"[" + b",".join([b'{"name": "%s"}' % (b"x" * 1000)] * 9000) + b"]"
    with connection(api.url) as connected:
        send(connected, [request("POST /products", KIND, f"Content-Length: {len(body)}", body=body)])
        wait_until(lambda: connected.getsockname() in lost)
        assert len(ends(connected)) < len(body)


def test_a_connection_stays_open_longer_than_clients_keep_one_and_than_we_have_them_wait(api: Served) -> None:
    """A client that comes back after `Retry-After: 5` must not find the connection closing."""
    with connection(api.url) as connected:
        send(connected, [request("GET /products")])
        assert answer_on(connected).status == 200
        connected.settimeout(6)
        with pytest.raises(TimeoutError):  # nothing comes, not even the end
            connected.recv(1)
        send(connected, [request("POST /products?id=1")])
        assert answer_on(connected).status == 201


def test_a_connection_too_many_is_told_so(tmp_path: Path) -> None:
    with api_over(raw_tables(tmp_path / "w.duckdb"), max_connections=2) as api:
        with connection(api.url), connection(api.url):
            answer = answer_to(api.url)
            assert (answer.status, answer.json()["code"]) == (503, "overloaded")
            assert int(answer.headers["retry-after"]) >= 1
            _has_the_headers_of_all(answer)
        wait_until(lambda: answer_to(api.url, request("GET /health/live")).status == 200)


def test_a_client_that_hangs_up_is_no_fault_of_ours(api: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    before = api.rows()
    for number, sent in enumerate([b"", b"[", ROW[:10]]):
        with connection(api.url) as connected:
            head = request("POST /products", KIND, "Content-Length: 11", f"X-Request-ID: gone{number}")
            send(connected, [head + sent])
    wait_until(lambda: all(f"id=gone{number}" in caplog.text for number in range(3)))
    assert re.search(r'POST "/products" 408 .*id=gone0', caplog.text)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info]
    assert api.rows() == before
