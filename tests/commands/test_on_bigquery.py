"""The same commands on BigQuery: an emulator's."""

import json
from pathlib import Path
from typing import Any

import pytest

from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.names import TableName


@pytest.fixture
def on_bigquery(demonstration: Path, bigquery_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A BigQuery with the demonstration's raw tables."""
    assert demonstration.is_dir()
    monkeypatch.setenv("WAREHOUSE_URL", bigquery_url)
    assert main(["init"]) == 0
    return bigquery_url


def planned(capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert main(["plan", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_plan_over_tables_that_are_not_there_yet_has_the_columns_and_says_that_its_bytes_are_an_estimate(
    on_bigquery: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(capsys)
    with connect(on_bigquery) as warehouse:
        assert warehouse.tables("tmp") == warehouse.tables("final") == []
    monkeypatch.delenv("WAREHOUSE_URL")
    assert main(["init"]) == 0
    here = planned(capsys)
    for table, same in zip(plan["tables"], here["tables"], strict=True):
        assert (table["table"], table["columns"]) == (same["table"], same["columns"])
        assert table["is_estimate"] == bool(table["after"])
        assert isinstance(table["bytes"], int)
    assert plan["is_estimate"] is True


@pytest.mark.parametrize(
    "sql", ["SELECT id,\n  nope AS x\nFROM raw.products", "SELECT 1 AS x,\n  id AS X\nFROM raw.products"]
)
def test_a_refresh_that_cannot_succeed_is_refused_before_its_first_build(
    demonstration: Path, on_bigquery: str, sql: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (demonstration / "res/tmp/wrong.sql").write_text(sql)
    assert main(["build"]) == 2
    # BigQuery tells a place, the emulator does not
    assert "error: res/tmp/wrong.sql" in capsys.readouterr().err
    with connect(on_bigquery) as warehouse:
        assert TableName("tmp", "products") not in warehouse.tables("tmp")
