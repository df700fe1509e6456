"""Rows posted to the API by many clients, over a DuckDB file in a temporary folder; clients share the API's machine.

What they are compared with is one INSERT per committed transaction on an open connection, by one process alone.
"""

import json
import os
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlencode, urlsplit

import duckdb
import httpx

from benchmarks.prefect_server import PROJECT

PRODUCTS = {"running": 0, "running, of 500,000 rows": 500_000}
"""Beside which refresh clients post, and how many products it reads beside the demonstration's and the posted ones."""
CASES = ((1, "idle"), (500, "idle"), (1, "running"), (500, "running"), (1, "running, of 500,000 rows"))
"""The rows in a request, and whether a refresh runs."""
REFRESHES = "from warehouse_refresh.commands.main import main\nwhile main(['build']) == 0: pass"


@dataclass(frozen=True)
class Posted:
    """How many rows were stored in a second, and how long a request took, in ms: the median, and 99 in 100."""

    rows_per_second: float
    p50: float
    p99: float


def post(address: str, rows: int, clients: int, seconds: float) -> Posted:
    """Have that many clients post requests of `rows` rows for so long."""
    request = _request(address, rows)
    answer_times(address, lambda: request, clients, 1.0)  # to warm up
    times = sorted(answer_times(address, lambda: request, clients, seconds))
    p50, p99 = statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000
    return Posted(len(times) * rows / seconds, p50, p99)


def insert(folder: Path, seconds: float) -> float:
    """Rows per second, one INSERT per committed transaction on an open connection, into a file of its own."""
    with duckdb.connect(folder / "inserts.duckdb") as connection:
        connection.execute(
            "CREATE OR REPLACE TABLE products (id BIGINT, name VARCHAR, category_id BIGINT, type VARCHAR)"
        )
        started, rows = time.perf_counter(), 0
        while time.perf_counter() < started + seconds:
            connection.execute("INSERT INTO products VALUES (?, ?, ?, ?)", [rows, f"product {rows}", 4, "product"])
            rows += 1
    return rows / seconds


def answer_times(address: str, request: Callable[[], bytes], clients: int, seconds: float) -> list[float]:
    """The time to each answer, in seconds, of so many clients that each send the next request when they are answered.
    The last answers are waited for.

    One thread has all connections, and reads of an answer its state and its length only: what is measured shares its
    cores with the clients, which are on other machines elsewhere.
    """
    times: list[float] = []
    sent: dict[socket.socket, float] = {}
    got: dict[socket.socket, bytes] = {}
    with ExitStack() as stack, selectors.DefaultSelector() as ready:
        for _ in range(clients):
            connection = stack.enter_context(socket.create_connection(_place(address), timeout=60))
            ready.register(connection, selectors.EVENT_READ)
            sent[connection], got[connection] = time.perf_counter(), b""
            connection.sendall(request())
        end = time.perf_counter() + seconds
        while sent:
            for key, _ in ready.select():
                connection = cast("socket.socket", key.fileobj)
                got[connection] += connection.recv(65536)
                if not _is_whole(got[connection]):
                    continue
                now = time.perf_counter()
                times.append(now - sent.pop(connection))
                got[connection] = b""
                if now < end:
                    sent[connection] = now
                    connection.sendall(request())
    return times


def post_request(address: str, path: str, headers: str = "", body: bytes = b"") -> bytes:
    """A whole request; each of the `headers` ends with CRLF."""
    head = f"POST {path} HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _request(address: str, rows: int) -> bytes:
    """A whole request that posts so many rows."""
    items = [{"id": number, "name": f"product {number}", "category_id": 4, "type": "product"} for number in range(rows)]
    if rows == 1:
        return post_request(address, f"/products?{urlencode(items[0])}")
    return post_request(address, "/products", "Content-Type: application/json\r\n", json.dumps(items).encode())


def _place(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    return str(parts.hostname), int(parts.port or 80)


def _is_whole(answer: bytes) -> bool:
    """Whether an answer has come to its end. Raises RuntimeError if it is not that rows are stored."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if not answer or (end and not head.startswith(b"HTTP/1.1 201 ")):
        raise RuntimeError(answer.decode() or "the API has closed a connection")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    return bool(end) and length is not None and len(body) == int(length[1])


@contextmanager
def api(folder: Path, settings: Mapping[str, str] | None = None, products: int = 0) -> Iterator[str]:
    """The API over the demonstration's raw tables, made in `folder`, and so many `products` more; its address. Without
    the settings of its tables: the clients post the same ids again and again, and a check would stop the refreshes
    beside them. `settings` are variables of its environment."""
    environment = {**_environment(), **(settings or {})}
    shutil.copytree(PROJECT / "db_init", folder / "db_init")
    shutil.copytree(PROJECT / "res", folder / "res")
    for settings_of_a_table in folder.glob("res/*/*.toml"):
        settings_of_a_table.unlink()
    subprocess.run(
        [sys.executable, "-m", "warehouse_refresh.commands.main", "init"],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    if products:
        _store(folder, products)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment |= {"API_PORT": str(port), "API_RATE_LIMIT": "0"}
    with _process(folder, environment, "-m", "warehouse_refresh.api"):
        address = f"http://127.0.0.1:{port}"
        while not _answers(address):
            time.sleep(0.1)
        yield address


def _store(folder: Path, products: int) -> None:
    with duckdb.connect(folder / ".data" / "warehouse.duckdb") as connection:
        connection.execute(
            "INSERT INTO raw.products (id, name, category_id, type) SELECT range, 'new', 4, 'product' FROM range(?)",
            [products],
        )


@contextmanager
def refreshing(folder: Path) -> Iterator[None]:
    """A refresh of the API's warehouse in another process, again and again. Raises RuntimeError if one failed."""
    with _process(folder, _environment(), "-c", REFRESHES) as process:
        yield
        if process.poll() is not None:
            raise RuntimeError("a refresh beside the clients failed: what was measured is the API alone")


@contextmanager
def _process(folder: Path, environment: dict[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("API_", "WAREHOUSE_"))}
    return {**inherited, "PYTHONPATH": str(PROJECT)}


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health/live").is_success
    except httpx.HTTPError:
        return False
