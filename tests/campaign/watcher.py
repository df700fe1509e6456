"""Looks on: what the tables hold, and which runs wait."""

import threading
import time
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx

from tests.campaign.history import Recorder
from tests.campaign.prefect_facts import PrefectFacts, seconds
from tests.campaign.project import SHAPES
from tests.campaign.site import Site
from warehouse_refresh.pipeline.contract import COVERED_BY_TAG
from warehouse_refresh.warehouse import Warehouse, connect
from warehouse_refresh.warehouse.errors import TableNotFound, WarehouseError
from warehouse_refresh.warehouse.names import TableName


def watch_tables(url: str, recorder: Recorder, seed: int, over: threading.Event, pause: float) -> None:
    """Look at one table after the other until the campaign is over."""
    random = Random(f"{seed} watcher")
    with connect(url) as warehouse:
        while not over.wait(random.uniform(0, 2 * pause)):
            look_at(warehouse, random.choice([*SHAPES]), recorder)


def look_at(warehouse: Warehouse, table: str, recorder: Recorder, *, closing: bool = False) -> None:
    """Note what a table holds; that it is not there; or why that cannot be found out now."""
    try:
        found = warehouse.first_rows(TableName.parse(table), 1000)
    except TableNotFound:
        recorder.note("look", table=table, rows=None)
    except WarehouseError as error:
        recorder.note("blind", table=table, why=str(error))
    else:
        rows = [{name: _plain(it, recorder) for name, it in zip(SHAPES[table], row, strict=True)} for row in found]
        recorder.note("look", table=table, rows=rows, closing=closing)


def watch_runs(prefect: PrefectFacts, site: Site, pause: float) -> None:
    """Note the runs that are due and wait, and the programs that have ended by themselves, until all is over."""
    while not site.over.wait(pause):
        site.revive()
        try:
            runs = prefect.runs("SCHEDULED")
        except httpx.HTTPError:
            continue
        waiting = [
            {
                "id": run["id"],
                "due": site.recorder.moment(due),
                "select": run["parameters"].get("select") or [],
                "of_a_schedule": run["auto_scheduled"],
            }
            for run in runs
            if run["deployment_id"] and (due := seconds(run["expected_start_time"])) and due < time.time()
        ]
        if waiting:
            site.recorder.note("waiting", runs=waiting)


def note_runs(prefect: PrefectFacts, recorder: Recorder) -> None:
    """Note all that Prefect knows of runs and of their tables."""

    def moment(text: str | None) -> float | None:
        at = seconds(text)
        return None if at is None else recorder.moment(at)

    for run in prefect.runs():
        recorder.note(
            "run",
            id=run["id"],
            type=run["state_type"],
            message=(run["state"] or {}).get("message"),
            created=moment(run["created"]),
            start=moment(prefect.begun(run["id"])),
            end=moment(run["end_time"]),
            deployment=run["deployment_id"],
            select=run["parameters"].get("select") or [],
            attempts=run["run_count"],
            covered_by=[tag.removeprefix(COVERED_BY_TAG) for tag in run["tags"] if tag.startswith(COVERED_BY_TAG)],
        )
    for task in prefect.tasks():
        times = {"begin": moment(task["start_time"]), "end": moment(task["end_time"])}
        if None not in times.values():
            recorder.note("task", run=task["flow_run_id"], table=task["name"], state=task["state_name"], **times)


def _plain(value: Any, recorder: Recorder) -> Any:
    if isinstance(value, datetime):
        return recorder.moment(value.astimezone(UTC).timestamp())
    return value
