"""The last runs, and a run as it goes on: server-sent events, https://html.spec.whatwg.org/#server-sent-events"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from warehouse_refresh.api.problems import ApiProblem
from warehouse_refresh.api.runs.prefect_client import Prefect
from warehouse_refresh.api.runs.reports import report_of, run_to_json, tasks_of
from warehouse_refresh.api.runs.run_queue import DUE_WITHIN, RunQueue
from warehouse_refresh.api.shared import Shared

LAST_RUNS = 20
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_WHILE_IT_WAITS = 3.0
LONGEST_STREAM = 20.0
"""Shorter than the API waits for open answers when it ends. The page asks again."""


async def last_runs(prefect: Prefect, runs: RunQueue) -> list[dict[str, Any]]:
    """The newest runs of the flow that are due, also those that somebody started in a terminal."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.sorting import FlowRunSort

    due = {"before_": datetime.now(UTC) + DUE_WITHIN}
    async with prefect.client() as client:
        found = await client.read_flow_runs(
            flow_filter=filters.FlowFilter(name=filters.FlowFilterName(any_=[runs.flow])),
            flow_run_filter=filters.FlowRunFilter(
                expected_start_time=filters.FlowRunFilterExpectedStartTime.model_validate(due)
            ),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=LAST_RUNS,
        )
    return [run_to_json(run) for run in found]


class LiveRuns:
    """Runs as they go on. However many look at a run, Prefect is asked for it once a second."""

    def __init__(self, prefect: Prefect, runs: RunQueue) -> None:
        self._prefect, self._runs = prefect, runs
        self._reports = Shared(self._report, SECONDS_BETWEEN_LOOKS)

    async def report(self, identity: UUID) -> dict[str, Any]:
        """The run's report, with its page in Prefect and when each table was begun and ended. Raises ApiProblem."""
        return await self._reports.get(identity)

    async def events(self, identity: UUID) -> AsyncIterator[str]:
        """The run's report, and again each time that it has changed, until the run has ended. Ends early if Prefect
        does not answer."""
        last, until = "", time.monotonic() + LONGEST_STREAM
        while time.monotonic() < until:
            try:
                report = await self.report(identity)
            except ApiProblem:
                return
            if (text := json.dumps(report)) != last:
                yield text
            if report["ended"]:
                return
            last = text
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS if report["started"] else SECONDS_WHILE_IT_WAITS)

    async def _report(self, identity: UUID) -> dict[str, Any]:
        run = await self._runs.get(identity)
        async with self._prefect.client() as client:
            tasks = await tasks_of(client, run.id)
        report = await report_of(self._prefect, run, tasks)
        moments = {task.name: {"started": _text(task.start_time), "ended": _text(task.end_time)} for task in tasks}
        nothing = {"started": None, "ended": None}
        tables = [{**table, **moments.get(table["table"], nothing)} for table in report["tables"]]
        return {**report, "tables": tables, "page": _page(run.id)}


def _page(identity: UUID) -> str | None:
    from prefect.utilities.urls import url_for

    return url_for("flow-run", obj_id=identity)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
