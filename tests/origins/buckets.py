"""A stand-in for buckets: a small server that lists and gives objects as S3 and Google's XML interface do. It checks no
signature, so what it shows is the way of requests, not that credentials are right."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

_KEY = (
    "<Contents><Key>{}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
    "<ETag>{}</ETag><Size>{}</Size></Contents>"
)
_LIST = (
    "<ListBucketResult><Name>shop</Name><KeyCount>{}</KeyCount><IsTruncated>false</IsTruncated>{}</ListBucketResult>"
)


class Buckets:
    """The objects of one bucket, by key, and the keys that were asked for. Those of `denied` may not be read, and those
    of `changed` have changed since they were listed. `credentials` are what a secret block would have, by scheme."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.read: list[str] = []
        self.denied: set[str] = set()
        self.changed: set[str] = set()
        self.credentials: dict[str, str] = {}

    def etag(self, key: str) -> str:
        return f'"{hash(self.objects[key])}"'

    def listed(self, prefix: str) -> bytes:
        keys = [key for key in sorted(self.objects) if key.startswith(prefix)]
        found = [_KEY.format(escape(key), escape(self.etag(key)), len(self.objects[key])) for key in keys]
        return _LIST.format(len(keys), "".join(found)).encode()


class _Handler(BaseHTTPRequestHandler):
    buckets: Buckets
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query)
        if "list-type" in asked:
            self._answer(200, self.buckets.listed(asked.get("prefix", [""])[0]))
            return
        key = unquote(parts.path).split("/", 2)[2]
        if key in self.buckets.denied:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif key not in self.buckets.objects:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            if self.command == "GET":
                self.buckets.read.append(key)
            self._answer(
                200, self.buckets.objects[key], '"other"' if key in self.buckets.changed else self.buckets.etag(key)
            )

    do_HEAD = do_GET  # noqa: N815 (its name)

    def _answer(self, status: int, body: bytes, etag: str = '""') -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
        """Say nothing."""


@contextmanager
def serving(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    """A bucket that `s3://shop` and `gs://shop` lead to."""
    buckets = Buckets()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"buckets": buckets}))
    url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    account = {"gcs_base_url": url, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
    (folder / "account.json").write_text(json.dumps(account))
    patch.setenv("GOOGLE_SERVICE_ACCOUNT", str(folder / "account.json"))
    keys = {"endpoint_url": url, "access_key_id": "me", "secret_access_key": "secret-key"}
    for name, text in keys.items():
        patch.setenv(f"AWS_{name.upper()}", text)
    buckets.credentials = {"gs": json.dumps(account), "s3": json.dumps(keys)}
    patch.setenv("AWS_REGION", "here")
    patch.setenv("AWS_ALLOW_HTTP", "true")
    try:
        yield buckets
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
