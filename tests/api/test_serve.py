"""`python -m flows.serve`: everything with one command, and all of it gone after Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, free_port
from warehouse.names import TableName
from warehouse.url import DEFAULT_URL, connect

pytest.importorskip("flows.deploy_command", reason="the deployment's command is not here yet")


def test_one_command_starts_everything_and_ctrl_c_ends_it(demonstration: Path) -> None:
    """Also the story of a first user: a row without an id, a refresh, and the row in final.products."""
    prefect, api = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    environment = {
        **os.environ,
        "PREFECT_HOME": str(demonstration / "prefect"),
        "PREFECT_API_URL": f"{prefect}/api",
        "API_PORT": api.rpartition(":")[2],
        "PYTHONPATH": str(ROOT),
    }
    for name in ("prefect.yaml", "prefect.toml"):
        (demonstration / name).write_text((ROOT / name).read_text())
    subprocess.run([sys.executable, "-m", "flows.cli", "init"], env=environment, check=True)
    log = demonstration / "serve.log"
    with log.open("w") as out:
        serve = subprocess.Popen([sys.executable, "-m", "flows.serve"], env=environment, stdout=out, stderr=out)
    try:
        while "Ctrl-C stops everything" not in log.read_text():
            assert serve.poll() is None, log.read_text()
            time.sleep(0.2)
        assert f"Prefect  {prefect}\nAPI      {api} " in log.read_text()
        row = "name=banana%20lipstick&category_id=4&external_id=123&type=product"
        assert httpx.post(f"{api}/products?{row}").status_code == 201
        answer = httpx.post(f"{api}/run", headers={"Prefer": "wait=120"}, timeout=130)
        assert (answer.status_code, answer.json()["state"]) == (200, "Completed"), answer.text
        assert {table["state"] for table in answer.json()["tables"]} == {"built"}
    finally:
        serve.send_signal(signal.SIGINT)
        assert serve.wait(120) == 0
    assert log.read_text().endswith("stopped\n")
    warehouse = connect(DEFAULT_URL)
    products = warehouse.first_rows(TableName("final", "products"), 1000)
    warehouse.close()
    assert any("banana lipstick" in row for row in products)
    for address in (prefect, api):
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)
