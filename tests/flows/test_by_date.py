"""Tables by date through the flow: backfills, retries, and runs for a date that is past."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.flow_engine import run_flow
from prefect.states import AwaitingRetry, Scheduled

from tests.commands.test_by_date import DAYS, EVENTS, PROJECT, arrive, days, rows
from tests.conftest import Write
from tests.flows.test_refresh import flow_run_id, run, task_runs
from warehouse_refresh.commands.main import main
from warehouse_refresh.flows.flow import refresh_flow
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.pipeline.tables.partitions import steps
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.builds.parts import point_text
from warehouse_refresh.warehouse.names import TableName

GOOD = PROJECT["res/tmp/events.sql"]


@pytest.fixture
def project(write: Write, prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001 (not marked)
    """Nine days of March 2024, each with an event; a step has two of them."""
    monkeypatch.setattr(steps, "PARTITIONS_AT_ONCE", 2)
    folder = write(PROJECT)
    assert main(["init"]) == 0
    arrive(*((day, day) for day in range(1, 10)))
    return folder


def again(run_id: Any, state: State[Any] | None = None) -> State[Any]:
    """Run the flow run in the state that Prefect's server gives it."""
    with get_client(sync_client=True) as client:
        if state is not None:
            client.set_flow_run_state(run_id, state, force=True)
        flow_run = client.read_flow_run(run_id)
    return cast("State[Any]", run_flow(refresh_flow(read_settings()), flow_run=flow_run, return_type="state"))


def test_a_backfill_is_one_run_and_its_retry_builds_what_is_missing(project: Path) -> None:
    (project / "res/tmp/events.sql").write_text(GOOD.replace("SELECT id", "SELECT DIV(id, ABS(id - 5)) AS id"))
    first = run(select=["tmp.events+"], backfill_from="2024-03-01", backfill_to="2024-03-07")
    assert first.is_failed()
    before = published()
    assert sorted(before) == [1, 2, 3, 4]
    runs = {name: one.state_name for name, one in task_runs(first, 5).items()}
    assert runs == {
        "tmp.events": "Failed",
        "tmp.events: 2024-03-01 up to 2024-03-03": "Completed",
        "tmp.events: 2024-03-03 up to 2024-03-05": "Completed",
        "tmp.events: 2024-03-05 up to 2024-03-07": "Failed",
        "final.days": "NotReady",
    }
    with connect(DEFAULT_URL) as warehouse:
        warehouse.drop(TableName("raw", "events"))
    assert main(["init"]) == 0
    arrive(*((day, day) for day in (1, 2, 3, 4, 6, 7)))
    second = again(flow_run_id(first), AwaitingRetry())
    assert second.is_completed(), second.message
    assert rows(DAYS) == days(*((day, 1) for day in (1, 2, 3, 4, 6, 7)))
    assert {day: at for day, at in published().items() if day < 5} == before


def published() -> dict[int, datetime]:
    """For each day of March that is built, when it was published."""
    with connect(DEFAULT_URL) as warehouse:
        return {int(point_text(record.interval.start)[-2:]): record.at for record in warehouse.partitions(EVENTS)}


def test_a_run_that_was_scheduled_for_a_past_date_builds_up_to_it(project: Path) -> None:  # noqa: ARG001
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(
            refresh_flow(read_settings()), state=Scheduled(scheduled_time=datetime(2024, 3, 5, 2, tzinfo=UTC))
        )
    state = again(flow_run.id)
    assert state.is_completed(), state.message
    assert rows(DAYS) == days(*((day, 1) for day in range(1, 6)))


def test_a_backfill_without_an_end_fails(project: Path) -> None:  # noqa: ARG001
    state = run(backfill_from="2024-03-01")
    assert state.message == "a backfill has two ends: write both backfill_from and backfill_to"
