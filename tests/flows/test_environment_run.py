"""A refresh through Prefect in an environment, of what is stale."""

from typing import Any
from uuid import UUID

import pytest
from prefect import get_client
from prefect.flow_engine import run_flow
from prefect.states import AwaitingRetry

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.flows.flow import refresh_flow
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName


@pytest.mark.usefixtures("prefect_api")
def test_a_run_builds_in_an_environment_only_what_is_stale_and_so_does_its_retry(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        {"res/tmp/a.sql": "SELECT 1 AS x", "res/tmp/b.sql": "SELECT tmp.most() AS x", "res/tmp/c.sql": "SELECT 5 AS x"}
    )
    write({"res/functions/most.sql": "CREATE FUNCTION tmp.most() AS ((SELECT MAX(x) FROM tmp.a))"})
    write({"res/dependencies.toml": "[tmp]\nb = ['tmp.a']"})
    assert main(["build"]) == 0
    write({"res/tmp/a.sql": "SELECT CAST('none' AS INT64) AS x"})
    capsys.readouterr()
    assert main(["run", "--env", "alice", "stale"]) == 1
    run = UUID(capsys.readouterr().out.partition("/flow-run/")[2].partition("\n")[0])
    write({"res/tmp/a.sql": "SELECT 2 AS x"})
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, AwaitingRetry(), force=True)
        again = client.read_flow_run(run)
    state: Any = run_flow(refresh_flow(read_settings()), flow_run=again, return_type="state")
    assert str(state.message).startswith("2 of 2 tables built and published")
    assert main(["run", "--env", "alice", "stale"]) == 0
    assert "nothing to build" in capsys.readouterr().out
    with connect(DEFAULT_URL) as warehouse:
        found = [warehouse.first_rows(TableName(dataset, "b"), 2) for dataset in ("tmp", "alice_tmp")]
    assert found == [[(1,)], [(2,)]]
