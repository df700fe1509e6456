"""A warehouse that cannot be used is 503 in clear words, and no request waits for it for longer than is promised."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import api_over, raw_tables, served
from tests.conftest import fill
from tests.processes import child
from tests.waiting import wait_until
from warehouse_refresh.api.app import create_app
from warehouse_refresh.api.middleware import request_log
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.lock import Lock

HOLDS = """
import duckdb, sys
from pathlib import Path
from warehouse_refresh.warehouse.duckdb.file import DuckDBFile
file = DuckDBFile(Path(sys.argv[1]), lambda connection: None)
with file.cursor():
    print("holds it", flush=True)
    sys.stdin.readline()
file.close()
print("closed it", flush=True)
"""


def spoil(path: Path) -> None:
    path.write_bytes(b"no database" * 10_000)


def put_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoils", "told"),
    [
        (spoil, "its file is damaged"),
        (put_a_folder, "a folder is in its file's place"),
        (Path.unlink, "its file is gone"),
    ],
)
def test_a_file_that_cannot_be_used_is_503_in_clear_words_and_the_api_is_not_ready(
    tmp_path: Path, spoils: Callable[[Path], None], told: str
) -> None:
    path = tmp_path / "w.duckdb"
    with api_over(raw_tables(path), schema_seconds=0) as api:
        assert api.client.post("/products?id=1").status_code == 201
        wait_until(lambda: not Lock(path.with_name("w.duckdb.lock")).is_taken_elsewhere())
        spoils(path)
        for method in ("POST", "GET"):
            answer = api.client.request(method, "/products?id=2")
            assert (answer.status_code, answer.json()["code"]) == (503, "warehouse-unavailable")
            assert told in answer.json()["detail"]
            assert str(tmp_path) not in answer.text
            assert int(answer.headers["retry-after"]) >= 1
        [fault] = [one for one in api.client.get("/health/ready").json()["missing"] if one["what"] == "warehouse"]
        assert told in fault["detail"]
        assert path.exists() == (told != "its file is gone")


def test_a_full_disk_is_503_in_clear_words_and_rows_are_stored_again_once_there_is_room(small_disk: Path) -> None:
    rows = [{"id": 2, "name": "x" * 1000}] * 100
    with api_over(raw_tables(small_disk / "w.duckdb")) as api:
        assert api.client.post("/products?id=1").status_code == 201
        fill(small_disk / "filling")
        answer = api.client.post("/products", json=rows)
        assert (answer.status_code, answer.json()["code"]) == (503, "warehouse-unavailable")
        assert "its disk is full" in answer.json()["detail"]
        (small_disk / "filling").unlink()
        assert api.client.post("/products?id=3").status_code == 201
        assert sorted(str(row[0]) for row in api.all_rows("products")) == ["1", "3"]


def test_an_api_that_starts_in_an_empty_folder_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "w.duckdb"
    with api_over(f"duckdb:///{path}") as api:
        assert api.client.get("/products").status_code == 404
    assert path.exists()


@pytest.mark.parametrize("known", [True, False])
def test_all_that_a_request_waits_for_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Tables, columns and rows are asked for in turn. With the file's own patience the client would give up."""
    path = tmp_path / "w.duckdb"
    raw_tables(path)
    app = create_app(ApiSettings(schema_seconds=0), DuckDBWarehouse(path, patience=10_000))
    with served(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        if known:
            assert client.post("/products?id=1").status_code == 201
        with child(HOLDS, path) as holder:
            assert holder.hear() == "holds it"
            with monkeypatch.context() as impatient:
                impatient.setattr(request_log, "WAREHOUSE_SECONDS", 0.5)
                answer = client.post("/products?id=2")
            assert (answer.status_code, answer.json()["code"]) == (503, "warehouse-unavailable")
            holder.tell()
            assert holder.hear() == "closed it"
        assert client.post("/products?id=3").status_code == 201
