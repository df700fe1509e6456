"""Changes to Prefect, one module for each: those in PATCHES save time, cron_schedules fixes a fault.

Each module names the version of Prefect that it was written for. If a name that it needs is missing, it leaves Prefect
unchanged. REFRESH_PREFECT_PATCHES=off switches all of them off.
"""

import os
from collections.abc import Mapping

from warehouse_refresh.pipeline.settings_file import SettingError

SETTING = "REFRESH_PREFECT_PATCHES"
PATCHES = ("task_events", "table_states")


def switched_on(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """The names of the patches that are on: all of them, none (`off`), or those that the setting lists with commas, as
    the benchmark of each patch does. Raises SettingError."""
    text = environment.get(SETTING) or "on"
    if text in ("on", "off"):
        return frozenset(PATCHES if text == "on" else ())
    names = frozenset(text.split(","))
    if not names <= set(PATCHES):
        raise SettingError(f"{SETTING} is {text!r}: write on, off, or some of {','.join(PATCHES)}")
    return names


def send_events_in_batches() -> None:
    """Have this process send its events in batches from now on, unless this Prefect lacks a name for that."""
    try:
        from prefect.events import utilities

        from warehouse_refresh.flows.patches.task_events import EventsInBatches
    except ImportError:
        return
    if hasattr(utilities, "EventsWorker"):
        utilities.EventsWorker = EventsInBatches
