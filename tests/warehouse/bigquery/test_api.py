"""The row API on BigQuery: a real server process, the same answers and the same rows as on DuckDB."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import ROOT, free_port
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

PRODUCTS = TableName("raw", "products")
CREATE = """CREATE TABLE raw.products (
  id INT64 NOT NULL, name STRING, price NUMERIC, words ARRAY<STRING>, seen TIMESTAMP, more JSON)"""
KEY = {"Idempotency-Key": "banana"}
REQUESTS: list[dict[str, Any]] = [
    {"method": "GET", "url": "/products"},
    {"method": "POST", "url": "/products?id=1&name=a+%26+b&price=1.50&words=x&words=&seen=2024-02-29T23:59:59.123456Z"},
    {"method": "POST", "url": "/products?id=2", "headers": KEY},
    {"method": "POST", "url": "/products?id=2", "headers": KEY},
    {"method": "POST", "url": "/products?id=3", "headers": KEY},
    {"method": "POST", "url": "/products", "json": [{"id": 4, "more": {"a": [1, None]}}, {"id": 5, "name": "☃"}]},
    {"method": "POST", "url": "/products?id=x&nope=1&price=1.0000000001"},
    {"method": "POST", "url": "/products", "json": [{"id": 6}, {"name": "no id"}]},
    {"method": "POST", "url": "/product?id=7"},
]
STATUSES = [200, 201, 201, 201, 422, 201, 422, 422, 404]


@contextmanager
def api_over(url: str, folder: Path) -> Iterator[httpx.Client]:
    """The API as a process of its own, over new tables."""
    with connect(url) as warehouse:
        warehouse.create_datasets(["raw"])
        warehouse.run_script(parse_script(CREATE))
    port = free_port()
    environment = {**os.environ, "WAREHOUSE_URL": url, "API_PORT": str(port), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "warehouse_refresh.api"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_for(client, process)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=600)


def wait_for(client: httpx.Client, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        try:
            if client.get("/health/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)


def rows(url: str) -> list[tuple[Any, ...]]:
    with connect(url) as warehouse:
        return sorted(warehouse.first_rows(PRODUCTS, 100))


def said(answer: httpx.Response) -> Any:
    """The answer's body, but for what names the request."""
    body = answer.json()
    return {**body, "request_id": None} if isinstance(body, dict) else body


def test_the_api_answers_and_stores_as_it_does_on_duckdb(bigquery_url: str, tmp_path: Path) -> None:
    urls = [bigquery_url, f"duckdb:///{tmp_path}/warehouse.duckdb"]
    answers = []
    for url in urls:
        with api_over(url, tmp_path) as client:
            answers.append([client.request(**request) for request in REQUESTS])
    here, there = answers
    assert [answer.status_code for answer in here] == STATUSES
    assert list(map(said, here)) == list(map(said, there))
    assert [row[0] for row in rows(bigquery_url)] == [1, 2, 4, 5]
    assert [row[:-1] for row in rows(urls[0])] == [row[:-1] for row in rows(urls[1])]
