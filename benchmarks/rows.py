"""`python -m benchmarks.rows`: how fast the API stores rows, over a DuckDB file in a temporary folder.

For one row and for 500 rows per request, idle and while a refresh of the demonstration runs again and again in another
process: rows per second, and the median and 99th percentile of the time to the answer. Clients share the API's machine.
Before and after, what the API's rows are compared with: one INSERT per committed transaction on an open connection.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import duckdb
import httpx

ROOT = Path(__file__).parent.parent
ROWS_PER_REQUEST = (1, 500)
COLUMNS = "rows per request   refresh   clients   rows/s   p50 ms   p99 ms"
REFRESHES = "from flows.cli import main\nwhile main(['build']) == 0: pass"


def main() -> None:
    """Measure, and print one line for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each case is measured")
    parser.add_argument("--clients", type=int, default=16, help="how many clients post at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _api(Path(name)) as address:
        print(COLUMNS)
        before = _insert(Path(name), options.seconds)
        posted, _ = [_case(address, rows, options.clients, options.seconds, "idle") for rows in ROWS_PER_REQUEST]
        inserted = (before + _insert(Path(name), options.seconds)) / 2
        print(
            f"one INSERT per transaction: {inserted:.0f} rows/s; one row per request to that: {posted / inserted:.2f}"
        )
        with _refreshing(Path(name)):
            for rows in ROWS_PER_REQUEST:
                _case(address, rows, options.clients, options.seconds, "running")


def _insert(folder: Path, seconds: float) -> float:
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


def _case(address: str, rows: int, clients: int, seconds: float, refresh: str) -> float:
    """Measure one case, print its line, and answer its rows per second."""
    _measure(address, rows, clients, 1.0)  # to warm up
    times = sorted(_measure(address, rows, clients, seconds))
    speed = len(times) * rows / seconds
    p50, p99 = statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000
    print(f"{rows:16}   {refresh:>7}   {clients:7}   {speed:6.0f}   {p50:6.1f}   {p99:6.1f}", flush=True)
    return speed


def _measure(address: str, rows: int, clients: int, seconds: float) -> list[float]:
    """The time to each answer, in seconds."""
    stop = threading.Event()
    body = [{"id": number, "name": f"product {number}", "category_id": 4, "type": "product"} for number in range(rows)]

    path, content = (f"/products?{urlencode(body[0])}", b"") if rows == 1 else ("/products", json.dumps(body).encode())

    def post() -> list[float]:
        """With the standard library's client: what is measured shares its cores with all clients."""
        times = []
        with closing(HTTPConnection(address.removeprefix("http://"), timeout=60)) as client:
            while not stop.is_set():
                started = time.perf_counter()
                client.request("POST", path, content, {"Content-Type": "application/json"} if content else {})
                answer = client.getresponse()
                told = answer.read()
                if answer.status != 201:
                    raise RuntimeError(told.decode())
                times.append(time.perf_counter() - started)
        return times

    with ThreadPoolExecutor(clients) as threads:
        running = [threads.submit(post) for _ in range(clients)]
        time.sleep(seconds)
        stop.set()
        return [elapsed for one in running for elapsed in one.result()]


@contextmanager
def _api(folder: Path) -> Iterator[str]:
    """The API over the demonstration's raw tables."""
    for name in ("res", "db_init"):
        shutil.copytree(ROOT / name, folder / name)
    subprocess.run(
        [sys.executable, "-m", "flows.cli", "init"],
        cwd=folder,
        env=_environment(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"API_PORT": str(port), "API_RATE_LIMIT": "0"}
    with _process(folder, "-m", "api", **settings):
        address = f"http://127.0.0.1:{port}"
        while not _answers(address):
            time.sleep(0.1)
        yield address


@contextmanager
def _refreshing(folder: Path) -> Iterator[None]:
    with _process(folder, "-c", REFRESHES):
        yield


@contextmanager
def _process(folder: Path, *command: str, **settings: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env={**_environment(), **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("API_", "WAREHOUSE_"))}
    return {**inherited, "PYTHONPATH": str(ROOT)}


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health/live").is_success
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
