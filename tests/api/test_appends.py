"""Storing rows: keys, batches, durability, new tables, and sharing the file with other processes."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import httpx
import pytest

from tests.api.conftest import Served, api_over, raw_tables, served
from tests.waiting import wait_until
from warehouse_refresh.api.app import create_app
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

PRODUCTS = TableName("raw", "products")


@pytest.fixture
def own_api(tmp_path: Path) -> Iterator[Served]:
    """An API over a file that no other test writes."""
    with api_over(raw_tables(tmp_path / "w.duckdb"), schema_seconds=0.1) as it:
        yield it


def ids(api: Served) -> list[object]:
    return sorted(row[0] for row in api.all_rows("products"))  # type: ignore[type-var] # all are numbers


def test_the_first_request_that_people_try(own_api: Served) -> None:
    answer = own_api.client.post("/products?name=banana%20lipstick&category_id=4&external_id=123&type=product")
    assert answer.status_code == 201
    row = {"id": None, "name": "banana lipstick", "category_id": 4, "external_id": 123, "type": "product"}
    assert answer.json() == row
    assert own_api.all_rows("products") == [tuple(row.values())]


def test_a_key_stores_once_and_replays_the_first_answer(own_api: Served) -> None:
    key = {"Idempotency-Key": "banana"}
    first = own_api.client.post("/products?id=1&name=x", headers=key)
    again = own_api.client.post("/products?name=x&id=1", headers=key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert ids(own_api) == [1]


@pytest.mark.parametrize("target", ["/products?id=2&name=x", "/products?id=1", "/products?id=1&name=x&type=y"])
def test_a_key_of_another_request_is_refused(own_api: Served, target: str) -> None:
    key = {"Idempotency-Key": "banana"}
    own_api.client.post("/products?id=1&name=x", headers=key)
    answer = own_api.client.post(target, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "key-reused")
    assert ids(own_api) == [1]


def test_a_row_and_an_array_of_that_row_are_two_requests(own_api: Served) -> None:
    key = {"Idempotency-Key": "banana"}
    own_api.client.post("/products?id=1", headers=key)
    assert own_api.client.post("/products", json=[{"id": 1}], headers=key).json()["code"] == "key-reused"


def test_a_refused_request_does_not_use_its_key_up(own_api: Served) -> None:
    key = {"Idempotency-Key": "banana"}
    assert own_api.client.post("/products?id=x", headers=key).status_code == 422
    assert own_api.client.post("/products?id=1", headers=key).status_code == 201


def test_a_key_survives_a_restart_and_a_new_column(tmp_path: Path) -> None:
    url, key = raw_tables(tmp_path / "w.duckdb"), {"Idempotency-Key": "banana"}
    with api_over(url) as api:
        assert api.client.post("/products?id=1", headers=key).status_code == 201
    with duckdb.connect(tmp_path / "w.duckdb") as file:
        file.execute("ALTER TABLE raw.products ADD COLUMN color VARCHAR")
    with api_over(url) as api:
        again = api.client.post("/products?id=1", headers=key)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
        assert api.rows()["products"] == 1


def test_many_requests_at_once_with_one_key_store_one_row(own_api: Served) -> None:
    def one(_: int) -> int:
        return own_api.client.post("/products?id=1", headers={"Idempotency-Key": "banana"}).status_code

    with ThreadPoolExecutor(32) as threads:
        statuses = set(threads.map(one, range(64)))
    assert 201 in statuses
    assert statuses <= {201, 409}
    assert ids(own_api) == [1]


def test_an_array_is_stored_whole_and_answered_whole(own_api: Served) -> None:
    rows = [{"id": number, "name": f"banana {number}"} for number in range(500)]
    answer = own_api.client.post("/products", json=rows)
    assert [(row["id"], row["name"], row["type"]) for row in answer.json()] == [
        (row["id"], row["name"], None) for row in rows
    ]
    assert ids(own_api) == list(range(500))
    rows[499]["id"] = "x"
    assert own_api.client.post("/products", json=rows).status_code == 422
    assert ids(own_api) == list(range(500))


def test_a_new_table_and_a_new_column_are_seen_without_a_restart(own_api: Served) -> None:
    own_api.warehouse.run_script(parse_script("CREATE TABLE raw.pears (id INT64)"))
    wait_until(lambda: own_api.client.post("/pears?id=1").status_code == 201)
    own_api.warehouse.run_script(parse_script("CREATE OR REPLACE TABLE raw.pears (id INT64, color STRING)"))
    wait_until(lambda: own_api.client.post("/pears?id=1&color=green").status_code == 201)
    assert "/pears" in own_api.client.get("/schema/openapi.json").json()["paths"]


def test_a_value_of_a_column_that_was_dropped_a_moment_ago_is_not_lost_silently(tmp_path: Path) -> None:
    with api_over(raw_tables(tmp_path / "w.duckdb"), schema_seconds=3600) as api:
        assert api.client.post("/products?id=1&type=x").status_code == 201
        without = "CREATE OR REPLACE TABLE raw.products (id INT64, name STRING, category_id INT64, external_id INT64)"
        api.warehouse.run_script(parse_script(without))
        answer = api.client.post("/products?id=2&type=x")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-rows")
        assert api.rows()["products"] == 0
        assert "type" not in api.client.post("/products?id=3").json()


def test_a_table_of_a_name_that_the_api_uses_itself_is_reached(
    own_api: Served, caplog: pytest.LogCaptureFixture
) -> None:
    assert own_api.client.post("/tables/run?id=1").json() == {"id": 1}
    assert own_api.client.get("/tables/run").json()["table"] == "run"

    def said() -> list[str]:
        return [record.getMessage() for phase in ("setup", "call") for record in caplog.get_records(phase)]

    wait_until(lambda: any("use /tables/run" in line for line in said()))  # it starts to answer before it has said all


@contextmanager
def _api_process(url: str) -> "Iterator[tuple[subprocess.Popen[bytes], str]]":
    """The API in a process of its own, as `refresh api` starts it."""
    port = _free_port()
    environment = {**os.environ, "WAREHOUSE_URL": url, "API_PORT": str(port), "API_RATE_LIMIT": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "warehouse_refresh.api"], env=environment, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is None and _answers(address))
        yield process, address
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health/live").status_code == 200
    except httpx.HTTPError:
        return False


def test_a_row_that_was_answered_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    url = raw_tables(path)
    with _api_process(url) as (process, address):
        with httpx.Client(base_url=address) as client:
            for number in range(5):
                assert client.post(f"/products?id={number}").status_code == 201
        process.kill()
        process.wait()
    warehouse = connect(url)
    assert sorted(row[0] for row in warehouse.first_rows(PRODUCTS, 10)) == [0, 1, 2, 3, 4]
    warehouse.close()


def test_sixty_four_clients_while_other_processes_use_the_file(tmp_path: Path) -> None:
    """Every 201's row is there exactly once, and no row is there without a 201; with a key after as many tries as it
    takes. Two other processes write to the same file: another API, and one that replaces a table again and again."""
    url = raw_tables(tmp_path / "w.duckdb")
    rebuild = (
        "import sys; from warehouse_refresh.warehouse import BuildContext, TableBuild, connect;"
        "from warehouse_refresh.warehouse.sql.query import parse_query;"
        "from warehouse_refresh.warehouse.names import TableName\n"
        "warehouse = connect(sys.argv[1]); warehouse.create_datasets(['tmp'])\n"
        "for number in range(10**6):\n"
        "    copy = TableBuild(TableName('tmp', 'copy'), parse_query('SELECT id FROM raw.products'))\n"
        "    warehouse.build(copy, BuildContext('r'))\n"
    )
    builder = subprocess.Popen([sys.executable, "-c", rebuild, url])
    try:
        with _api_process(url) as (_, other), api_over(url) as api:
            stored = _post_from_many_clients([api.url, other], clients=64, each=6)
    finally:
        builder.kill()
        builder.wait()
    warehouse = connect(url)
    assert sorted(row[0] for row in warehouse.first_rows(PRODUCTS, 10_000)) == sorted(stored)
    assert warehouse.row_count(TableName("tmp", "copy")) <= len(stored)
    warehouse.close()
    assert len(stored) == 64 * 6


def _post_from_many_clients(addresses: Sequence[str], clients: int, each: int) -> list[int]:
    """The numbers whose row was answered with 201; half of the clients use keys, and send each request twice."""

    def one(client: int) -> list[int]:
        stored = []
        with httpx.Client(base_url=addresses[client % 2], timeout=60) as http:
            for number in range(client * each, client * each + each):
                for _ in range(1 + client // 2 % 2):
                    headers = {"Idempotency-Key": f"k{number}"} if client // 2 % 2 else {}
                    answer = http.post(f"/products?id={number}", headers=headers)
                    assert answer.status_code == 201, answer.text
                stored.append(number)
        return stored

    with ThreadPoolExecutor(clients) as threads:
        return [number for numbers in threads.map(one, range(clients)) for number in numbers]


HOLD = """
import sys, duckdb
connection = None
while connection is None:  # the API keeps the file for a moment after its last answer
    try:
        connection = duckdb.connect(sys.argv[1])
    except duckdb.IOException:
        pass
print("held", flush=True)
sys.stdin.read()
"""


def test_a_file_that_stays_locked_is_an_answer_that_says_when_to_come_back(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    raw_tables(path)
    with (
        served(create_app(ApiSettings(), DuckDBWarehouse(path, patience=0.2))) as url,
        httpx.Client(base_url=url) as client,
    ):
        assert client.post("/products?id=1").status_code == 201
        holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            answer = client.post("/products?id=2")
            assert (answer.status_code, answer.json()["code"]) == (503, "warehouse-unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert client.get("/health/live").status_code == 200
            holder.communicate()
        assert client.post("/products?id=3").status_code == 201
        assert client.post("/products?id=4").json()["id"] == 4
    warehouse = connect(f"duckdb:///{path}")
    assert sorted(row[0] for row in warehouse.first_rows(PRODUCTS, 10)) == [1, 3, 4]
    warehouse.close()
