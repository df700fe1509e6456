"""End what runs in the background of this folder."""

from collections.abc import Iterator

from warehouse_refresh.flows.local import background, serve
from warehouse_refresh.flows.local.guard import API, GUARD, SERVER, WORKER, end_all
from warehouse_refresh.flows.local.server import BACKGROUND, configured_url


def ended() -> Iterator[str]:
    """End each part that runs, and yield its name."""
    if background.stop(serve.NAME, patience=180):
        yield "`refresh serve` or `refresh worker`"
    background.wait_until(lambda: background.running(GUARD) is None, patience=180)
    if any(map(background.running, (API, WORKER, SERVER))) and end_all(configured_url()):
        yield "what a killed `refresh serve` had left running"
    for file in sorted(background.FOLDER.glob(f"{BACKGROUND}*.pid")):
        if background.stop(file.stem):
            yield f"the Prefect server on port {file.stem.removeprefix(BACKGROUND)}"
