"""Read many new scripts in a process of their own, before they are built.

The parser and the translator take 40 MB, which a build would hold beside DuckDB's memory until its end. The other
process leaves what it finds in the notes of the project (`sql_cache`). Whatever it cannot do, the build does, and says
what is wrong.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

from warehouse_refresh.pipeline.project.reading import lacks_notes, sql_cache
from warehouse_refresh.pipeline.refresh import connected, plan_refresh
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.warehouse.deadline import waiting_until
from warehouse_refresh.warehouse.urls import is_shared

MANY = 200
"""How many scripts are worth a process, which takes a third of a second to start."""
PATIENCE = 1.0
"""How many seconds the process waits for the warehouse. The build waits longer, and says who has it."""
_CODE = f"from {__name__} import read_all; read_all()"


def read_ahead(settings: RefreshSettings, selectors: Sequence[str]) -> None:
    """Have another process read and translate what the selectors name, if there are many scripts for DuckDB and nothing
    is known of any. Returns when it has ended, however it did."""
    if is_shared(settings.warehouse_url) or not lacks_notes(settings.folder) or not _are_many(settings):
        return
    import pickle  # a build that knows its scripts has no use for these
    import subprocess

    with suppress(OSError):  # it cannot be started
        subprocess.run(  # noqa: S603 (our own words)
            [sys.executable, "-P", "-c", _CODE],  # with -P, no file of the working folder is imported
            input=pickle.dumps((settings, list(selectors))),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def read_all() -> None:
    """Plan the refresh that the standard input describes, for the notes that it leaves."""
    import pickle

    settings, selectors = pickle.load(sys.stdin.buffer)  # noqa: S301 (our own process wrote it)
    with sql_cache(settings.folder) as cache, connected(settings, cache) as warehouse:
        with waiting_until(time.monotonic() + PATIENCE):
            warehouse.tables(settings.layout.raw)
        plan_refresh(settings, selectors, warehouse, cache)


def _are_many(settings: RefreshSettings) -> bool:
    scripts = (settings.folder / settings.layout.res).rglob("*.sql")
    return next(islice(scripts, MANY - 1, None), None) is not None
