"""A refresh through Prefect in an environment, of what is stale."""

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName


@pytest.mark.usefixtures("prefect_api")
def test_a_run_builds_in_an_environment_only_what_is_stale(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"res/tmp/a.sql": "SELECT 1 AS x", "res/tmp/b.sql": "SELECT x FROM tmp.a", "res/tmp/c.sql": "SELECT 5 AS x"})
    write({"res/dependencies.toml": "[tmp]\nb = ['tmp.a']"})
    assert main(["build"]) == 0
    write({"res/tmp/a.sql": "SELECT 2 AS x"})
    assert main(["run", "--env", "alice", "stale"]) == 0
    assert "2 of 2 tables built and published" in capsys.readouterr().out
    assert main(["run", "--env", "alice", "stale"]) == 0
    assert "nothing to build" in capsys.readouterr().out
    with connect(DEFAULT_URL) as warehouse:
        found = [warehouse.first_rows(TableName(dataset, "b"), 2) for dataset in ("tmp", "alice_tmp")]
    assert found == [[(1,)], [(2,)]]
