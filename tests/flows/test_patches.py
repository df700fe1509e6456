"""flows.patches: a refresh works without them, and without the names of Prefect that they need."""

import asyncio
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import prefect.results
import pytest
from prefect.events import utilities
from prefect.events.worker import EventsWorker
from prefect.plugins import load_prefect_collections
from prefect.server.schemas import schedules

from warehouse_refresh.commands.main import main
from warehouse_refresh.flows.flow import refresh_flow
from warehouse_refresh.flows.patches import (
    PATCHES,
    SETTING,
    cron_schedules,
    send_events_in_batches,
    switched_on,
    table_states,
    task_events,
)
from warehouse_refresh.flows.patches.table_states import built_state
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.pipeline.settings_file import SettingError


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's own worker at the beginning of each test, and no record that an earlier test has made."""
    monkeypatch.setattr(utilities, "EventsWorker", EventsWorker)
    table_states._no_result.cache_clear()


def test_all_are_on_unless_the_setting_says_otherwise() -> None:
    assert switched_on({}) == switched_on({SETTING: ""}) == switched_on({SETTING: "on"}) == set(PATCHES)
    assert switched_on({SETTING: "off"}) == set()
    assert switched_on({SETTING: "table_states"}) == {"table_states"}


def test_a_setting_that_names_no_patch_is_refused() -> None:
    with pytest.raises(SettingError, match="REFRESH_PREFECT_PATCHES is 'of': write on, off, or some of"):
        switched_on({SETTING: "of"})


@pytest.mark.usefixtures("demonstration", "prefect_api")
@pytest.mark.parametrize("setting", ["off", *PATCHES])
def test_a_refresh_works_without_some_or_all_patches(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, setting)
    assert main(["init"]) == 0
    state = refresh_flow(read_settings())(return_state=True)
    assert (state.is_completed(), str(state.message).partition(",")[0]) == (True, "8 of 8 tables built and published")
    assert (utilities.EventsWorker is EventsWorker) == (setting != "task_events")  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["ResultRecord", "ResultRecordMetadata"])
def test_without_its_names_a_built_table_has_the_stock_state(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(built_state("one", "Completed", is_patched=True)).__name__ == "_TableBuilt"
    table_states._no_result.cache_clear()
    monkeypatch.delattr(prefect.results, name)
    assert type(built_state("one", "Completed", is_patched=True)) is type(
        built_state("one", "Completed", is_patched=False)
    )


def test_without_prefects_worker_nothing_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(utilities, "EventsWorker")
    send_events_in_batches()
    assert not hasattr(utilities, "EventsWorker")


def test_without_prefects_module_of_calls_nothing_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "warehouse_refresh.flows.patches.task_events")
    monkeypatch.setitem(sys.modules, "prefect._internal.concurrency.api", None)
    send_events_in_batches()
    assert utilities.EventsWorker is EventsWorker  # type: ignore[attr-defined]


@pytest.mark.usefixtures("demonstration", "prefect_api")
def test_without_its_names_the_worker_sends_events_as_prefects_own_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_events, "concurrency", SimpleNamespace())  # Prefect itself needs the name that is missing
    assert main(["init"]) == 0
    state = refresh_flow(read_settings())(return_state=True)
    assert (state.is_completed(), str(state.message).partition(",")[0]) == (True, "8 of 8 tables built and published")


def test_a_cron_schedule_has_its_times_in_its_own_zone() -> None:
    load_prefect_collections()  # as a server does
    times = schedules.CronSchedule(cron="0 4 * * *", timezone="Europe/Berlin").get_dates(
        2, datetime(2026, 3, 28, tzinfo=UTC)
    )
    assert [time.astimezone(UTC).hour for time in asyncio.run(times)] == [3, 2], "summer time begins on 29 March"


def test_without_its_name_schedules_are_left_alone() -> None:
    stock = SimpleNamespace()
    cron_schedules.fix(stock)
    assert vars(stock) == {}
