"""Ids, the access log, limits, the token, health and metrics."""

import asyncio
import gc
import logging
import re
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from tests.api.conftest import Served, api_over, raw_tables
from tests.waiting import wait_until
from warehouse_refresh.api.__main__ import main
from warehouse_refresh.api.middleware.admission import MAX_CLIENTS, RateLimit
from warehouse_refresh.api.runs.run_queue import RunQueue
from warehouse_refresh.api.settings import ApiSettings


def test_a_usable_id_of_the_client_comes_back(api: Served) -> None:
    for target in ["/health/live", "/nothing/here", "/products?nam=x"]:
        answer = api.client.post(target, headers={"X-Request-ID": "abc-1.2_3"})
        assert answer.headers.get_list("x-request-id") == ["abc-1.2_3"]
        assert answer.json()["request_id"] == "abc-1.2_3"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ü".encode(), '"><script>', "a\tb"])
def test_an_unusable_id_is_replaced(api: Served, given: str | bytes) -> None:
    answer = api.client.get(
        "/health/live", headers=[(b"x-request-id", given if isinstance(given, bytes) else given.encode())]
    )
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_every_request_is_one_line_of_the_log_without_its_data(api: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "warehouse_refresh.api.middleware.request_log")
    api.client.post("/products?name=secret", headers={"X-Request-ID": "logged"})
    api.client.post("/no%0Anewline?name=secret", headers={"X-Request-ID": "logged"})

    def logged() -> list[str]:
        return [record.getMessage() for record in caplog.records if "id=logged" in record.getMessage()]

    wait_until(lambda: len(logged()) == 2)  # a line is written when its answer has been sent
    lines = logged()
    assert re.fullmatch(r'POST "/products" 201 \d+\.\dms client=127\.0\.0\.1 id=logged', lines[0])
    assert lines[1].startswith('POST "/no\\nnewline" 404 ')
    assert "secret" not in caplog.text


def test_a_token_is_asked_for_where_it_is_set(tmp_path: Path) -> None:
    with api_over(raw_tables(tmp_path / "w.duckdb"), token="banana") as api:
        for target in ["/products?id=1", "/tables/products?id=1", "/run", "/unknown"]:
            for header in ["", "Bearer", "Bearer lipstick", "Bearer bananas", "Basic banana", "banana"]:
                answer = api.client.post(target, headers={"Authorization": header})
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
                assert answer.headers["www-authenticate"] == "Bearer"
        assert api.rows()["products"] == 0
        assert api.client.post("/products?id=1", headers={"Authorization": "Bearer banana"}).status_code == 201
        assert api.client.get("/products").status_code == 200
        assert "bearer" in api.client.get("/schema/openapi.json").json()["components"]["securitySchemes"]


def test_a_client_that_is_too_fast_is_told_when_to_come_back(tmp_path: Path) -> None:
    with api_over(raw_tables(tmp_path / "w.duckdb"), rate_limit=2) as api:
        answers = [api.client.get("/products") for _ in range(50)]
        assert all(api.client.get("/health/live").is_success for _ in range(10))  # never kept out
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "rate-limited"
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-request-id"] == refused.json()["request_id"]


def test_a_bucket_fills_with_time_and_per_client() -> None:
    now = 100.0
    limit = RateLimit(2.0, lambda: now)
    assert [limit.wait_for("a"), limit.wait_for("a"), limit.wait_for("a")] == [0, 0, 0.5]
    assert limit.wait_for("b") == 0
    now += 0.5
    assert [limit.wait_for("a"), limit.wait_for("a")] == [0, 0.5]
    now += 1000
    assert [limit.wait_for("a") for _ in range(3)] == [0, 0, 0.5]


def test_the_limits_memory_is_limited() -> None:
    limit = RateLimit(1.0, lambda: 0.0)
    for number in range(MAX_CLIENTS + 10):
        limit.wait_for(str(number))
    assert limit.wait_for("0") == 0  # forgotten: its bucket is full again
    assert limit.wait_for(str(MAX_CLIENTS + 9)) > 0


def test_a_body_larger_than_the_setting_is_refused_whether_announced_or_not(tmp_path: Path) -> None:
    with api_over(raw_tables(tmp_path / "w.duckdb"), max_body_bytes=100) as api:
        headers = {"Content-Type": "application/json"}
        contents: list[bytes | Iterable[bytes]] = [b" " * 101, iter([b" " * 60, b" " * 60])]
        for content in contents:
            answer = api.client.post("/products", content=content, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_the_number_of_rows_is_a_setting(tmp_path: Path) -> None:
    with api_over(raw_tables(tmp_path / "w.duckdb"), max_rows=2) as api:
        assert api.client.post("/products", json=[{"id": 1}] * 2).status_code == 201
        assert api.client.post("/products", json=[{"id": 1}] * 3).json()["code"] == "too-many-rows"


def test_metrics_count_requests_by_route(api: Served) -> None:
    api.client.post("/products?id=x")
    lines = api.client.get("/metrics").text.splitlines()
    assert any(
        line.startswith("api_requests_total") and 'path="/{table}"' in line and 'status_code="422"' in line
        for line in lines
    )


def test_the_process_is_live_and_says_what_is_missing(tmp_path: Path) -> None:
    with api_over(f"duckdb:///{tmp_path}/new.duckdb") as api:
        assert api.client.get("/health/live").json() == {"status": "ok"}
        answer = api.client.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    missing = {it["what"]: it["detail"] for it in answer.json()["missing"]}
    assert "raw has no tables" in missing["warehouse"]


def test_those_who_ask_at_once_whether_it_is_ready_share_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, gate = 0, threading.Event()

    async def look(_: RunQueue) -> None:
        nonlocal looks
        looks += 1
        await asyncio.to_thread(gate.wait, 60)

    monkeypatch.setattr(RunQueue, "check", look)
    with api_over(raw_tables(tmp_path / "w.duckdb")) as api, ThreadPoolExecutor(10) as clients:
        answers = [clients.submit(api.client.get, "/health/ready") for _ in range(10)]
        wait_until(lambda: _under_way(api, "/health/ready") == 10)
        gate.set()
        assert {answer.result().status_code for answer in answers} == {200}
    assert looks == 1


def _under_way(api: Served, path: str) -> float:
    form = re.compile(rf'^api_requests_in_progress\{{.*path="{path}".*\}} (.+)$', re.MULTILINE)
    return sum(map(float, form.findall(api.client.get("/metrics").text)))


def test_an_api_without_a_token_says_at_its_start_that_it_is_public(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = raw_tables(tmp_path / "w.duckdb")
    with api_over(url, token="banana"):
        assert "public" not in caplog.text
    with api_over(url):
        assert "this API is public: whoever reaches it can append rows, and keep refreshes running" in caplog.text
        assert "API_TOKEN closes it" in caplog.text


@pytest.mark.parametrize("text", ["shop.example.com", "https://shop.example.com/", "*", "null", "ftp://a"])
def test_an_origin_that_no_browser_sends_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(ValidationError, match="is not an origin such as"):
        ApiSettings.model_validate({"allowed_origins": text})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "banana"),
        ("API_DEPLOYMENT", "refresh"),
        ("WAREHOUSE_URL", "mysql://x"),
        ("REFRESH_PROJECT", "my/shop"),
        ("API_TRUSTED_PROXIES", "10.0.0.0/8, proxy.example.com"),
    ],
)
def test_a_wrong_setting_is_one_line(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="2"):
        main()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert name in said


def test_what_is_there_at_the_start_is_no_longer_looked_at_for_garbage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Server:
        def run(self) -> None:
            frozen.append(gc.get_freeze_count())

    frozen: list[int] = []
    threshold = gc.get_threshold()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"{main.__module__}.server", lambda *_: Server())
    try:
        main()
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)
    assert frozen[0] > 10_000


def test_the_pages_need_no_other_host(api: Served) -> None:
    page = api.client.get("/schema")
    assert page.headers["content-type"].startswith("text/html")
    assert "://" not in page.text
    links = re.findall(r'(?:src|href|url)[=:] ?"([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        answer = httpx.get(api.url + link)
        assert answer.status_code == 200
        assert answer.content
