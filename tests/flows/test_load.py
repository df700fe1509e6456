"""The flow, as it loads raw tables before it runs scripts: a real PostgreSQL, a real Prefect server."""

from typing import Any, cast

import pytest
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.states import AwaitingRetry

from tests.flows.test_refresh import flow_run_id, rows_of, run, task_runs
from tests.origins.servers import Database
from warehouse_refresh.flows.flow import refresh_flow
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse.names import TableName


@pytest.mark.usefixtures("prefect_api")
def test_each_loaded_table_is_a_task_run_and_a_retry_loads_a_database_as_one_moment(shop: Database) -> None:
    shop.run("INSERT INTO orders VALUES (12, 1, 'NaN', NULL)")
    state = run(load=True)
    message = str(state.message)
    assert "price: 1 values are no NUMERIC" in message
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


def test_a_backfill_loads_nothing(shop: Database, prefect_api: str) -> None:  # noqa: ARG001 (the project is needed)
    state = run(load=True, backfill_from="2026-01-01", backfill_to="2026-01-02")
    assert (state.is_failed(), state.message) == (True, "a backfill loads nothing: write either load or backfill_from")
