"""What is changed in Prefect to save time, one module for each change.

Each module says which version of Prefect it was read from, and leaves Prefect as it is if a name that it needs is
missing. REFRESH_PREFECT_PATCHES=off leaves Prefect as it is.
"""

import os
from collections.abc import Mapping

from warehouse_refresh.pipeline.settings_file import SettingError

SETTING = "REFRESH_PREFECT_PATCHES"


def switched_on(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether Prefect is changed: yes, unless the setting is `off`. Raises SettingError."""
    text = environment.get(SETTING) or "on"
    if text not in ("on", "off"):
        raise SettingError(f"{SETTING} is {text!r}: write on or off")
    return text == "on"


def send_events_in_batches() -> None:
    """Have this process send its events in batches from now on, unless this Prefect lacks a name for that."""
    try:
        from prefect.events import utilities

        from warehouse_refresh.flows.patches.task_events import EventsInBatches
    except ImportError:
        return
    if hasattr(utilities, "EventsWorker"):
        utilities.EventsWorker = EventsInBatches
