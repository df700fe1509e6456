"""Other settings of Prefect for a block of code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prefect.context import SettingsContext, get_settings_context


@contextmanager
def other_settings(**groups: Mapping[str, Any]) -> Iterator[None]:
    """Prefect's settings with some other values in the block, by their groups: client={"max_retries": 0}.

    They are not checked, and settings that Prefect derives from them stay as they are. Prefect's `temporary_settings`
    does more: it reads all settings again, from the environment and files, which takes 30 ms.
    """
    now = get_settings_context()
    changed = {name: getattr(now.settings, name).model_copy(update=values) for name, values in groups.items()}
    with SettingsContext(profile=now.profile, settings=now.settings.model_copy(update=changed)):
        yield
