"""The flow, as it loads raw tables before it runs scripts: a real PostgreSQL, a real Prefect server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
from prefect.flow_engine import run_flow
from prefect.states import AwaitingRetry

from tests.conftest import Write
from tests.flows.test_refresh import flow_run_id, rows_of, run, task_runs
from tests.origins.buckets import serving
from tests.origins.servers import Database
from warehouse_refresh.commands.main import main
from warehouse_refresh.flows.flow import refresh_flow
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse.names import TableName


@pytest.fixture
def secret(prefect_api: str, shop: Database, write: Write, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The password in the URL of the shop, which stands in a block of Prefect and nowhere else."""
    assert prefect_api
    password, name = f"pass{uuid4().hex}", f"shop-{uuid4().hex}"
    url = shop.url.replace("postgresql:///", f"postgresql://shop:{password}@/").replace("&user=shop", "")
    blocks: Any = Secret
    blocks(value=url).save(name, _sync=True)
    blocks(value="pepper").save(f"{name}-salt", _sync=True)
    write({"refresh.toml": f'[connections.shop]\nurl_block = "{name}"\nsalt_block = "{name}-salt"\n'})
    monkeypatch.delenv("SHOP_URL")
    yield password
    for block in (name, f"{name}-salt"):
        blocks.delete(block, _sync=True)


def test_credentials_of_a_bucket_are_in_a_block(
    prefect_api: str, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prefect_api
    blocks: Any = Secret
    name = f"bucket-{uuid4().hex}"
    write({"refresh.toml": f'[connections.files]\ncredentials_block = "{name}"\n'})
    write({"res/raw/a.toml": '[source]\nfile = "s3://shop/a.csv"\nconnection = "files"\n'})
    write({"res/tmp/x.sql": "SELECT 1 AS x", "res/dependencies.toml": ""})
    with serving(tmp_path, monkeypatch) as buckets:
        buckets.objects["a.csv"] = b"id\n7\n"
        blocks(value=buckets.credentials["s3"]).save(name, _sync=True)
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        assert main(["load"]) == 0
    blocks.delete(name, _sync=True)
    assert main(["load"]) == 2
    assert f"secret/{name} cannot be read" in capsys.readouterr().err
    assert rows_of(TableName("raw", "a")) == [(7,)]


def records(run: UUID) -> str:
    """All that Prefect has of a run: parameters, states, log lines and artifacts."""
    with get_client(sync_client=True) as client:
        flow = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
        logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])))
        found = [client.read_flow_run(run), client.read_task_runs(flow_run_filter=flow), logs]
        return str([*found, client.read_artifacts(flow_run_filter=flow)])


@pytest.mark.parametrize("place", ["url_block", "salt_block"])
def test_a_block_that_is_not_there_is_named(
    place: str, secret: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert secret
    others = {"url_block": 'salt_from = "SHOP_SALT"', "salt_block": 'url_from = "SHOP_SALT"'}[place]
    write({"refresh.toml": f'[connections.shop]\n{place} = "not-there"\n{others}\n'})
    assert main(["load"]) == 2
    assert "Prefect's block secret/not-there cannot be read (ValueError)" in capsys.readouterr().err


def test_each_loaded_table_is_a_task_run_and_a_retry_loads_a_database_as_one_moment(
    shop: Database, secret: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    shop.run("INSERT INTO orders VALUES (12, 1, 'NaN', NULL)")
    state = run(load=True)
    message = str(state.message)
    assert "price: 1 value is no NUMERIC" in message
    assert "not run: final.sums: waits for raw.orders" in message
    runs = task_runs(state, 3)
    assert {name: found.state_name for name, found in runs.items()} == {
        "raw.people": "Staged",
        "raw.orders": "Failed",
        "final.sums": "NotReady",
    }
    assert [name for name, _, _ in rows_of(TableName("raw", "people"))] == [1, 2]
    shop.run("INSERT INTO people VALUES (3, 'Cy', NULL, NULL); UPDATE orders SET price = 1, person = 3 WHERE id = 12")
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id(state), AwaitingRetry(), force=True)
        again = client.read_flow_run(flow_run_id(state))
    second = cast("Any", run_flow(refresh_flow(read_settings()), flow_run=again, return_type="state"))
    assert "3 of 3 tables built" in second.message  # raw.people, too: orders of its first moment would not match
    assert [name for name, _, _ in rows_of(TableName("raw", "people"))] == [1, 2, 3]
    assert [float(total) for _, total in rows_of(TableName("final", "sums"))] == [19.99, 5, 1]
    shop.run("DROP TABLE orders")
    main(["doctor"])
    assert main(["load"]) == 2
    told = capsys.readouterr()
    assert "connection shop" in told.out
    assert "orders" in told.err
    assert secret not in f"{told}{caplog.text}{records(flow_run_id(state))}"


def test_a_backfill_loads_nothing(shop: Database, prefect_api: str) -> None:  # noqa: ARG001 (the project is needed)
    state = run(load=True, backfill_from="2026-01-01", backfill_to="2026-01-02")
    assert (state.is_failed(), state.message) == (True, "a backfill loads nothing: write either load or backfill_from")
