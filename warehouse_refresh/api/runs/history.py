"""What the last runs have built, from the artifacts that they wrote at their ends."""

from typing import Any
from uuid import UUID

from warehouse_refresh.api.problems import ApiProblem
from warehouse_refresh.api.runs.live import last_runs
from warehouse_refresh.api.runs.prefect_client import Prefect
from warehouse_refresh.api.runs.reports import rows_of, tables_in_artifacts
from warehouse_refresh.api.runs.run_queue import RunQueue
from warehouse_refresh.api.shared import Shared
from warehouse_refresh.pipeline.contract import CHECKS_ARTIFACT

Json = dict[str, Any]
Builds = dict[str, list[Json]]
SECONDS_BETWEEN_LOOKS = 5.0
SECONDS_OF_CHECKS = 600.0
RESULT = ("check", "result", "broken", "rows")
"""What is shown of a check: its examples are rows of the table."""


class History:
    """The last runs with their tables. A run that has ended is read once, so that a look costs one request, and another
    one after a run has ended."""

    def __init__(self, prefect: Prefect, runs: RunQueue) -> None:
        self._prefect, self._runs = prefect, runs
        self._ended: dict[tuple[str, str], list[Json]] = {}
        self._builds: Builds = {}
        self._looks = Shared(self._look, SECONDS_BETWEEN_LOOKS)
        self._checks = Shared(self._read_checks, SECONDS_OF_CHECKS)

    async def look(self) -> tuple[list[Json], Builds]:
        """The last runs, and for each table what those that have ended did with it, the newest first. Nothing if
        Prefect does not answer."""
        try:
            return await self._looks.get("")
        except ApiProblem:
            return [], {}

    async def checks(self, run: str, table: str) -> list[Json]:
        """The results of the table's checks in a run."""
        try:
            found = await self._checks.get(run)
        except ApiProblem:
            return []
        return [{name: row.get(name) for name in RESULT} for row in found if row.get("table") == table]

    async def _look(self, _: str) -> tuple[list[Json], Builds]:
        runs = await last_runs(self._prefect, self._runs)
        ended = {(run["id"], run["ended"]): run for run in runs if run["ended"]}
        if ended.keys() != self._ended.keys():
            await self._read(ended)
        return runs, self._builds

    async def _read(self, ended: dict[tuple[str, str], Json]) -> None:
        """Read the runs that have ended since, and forget those that are no longer among the last ones."""
        new = {key: UUID(key[0]) for key in ended if key not in self._ended}
        async with self._prefect.client() as client:
            found = await tables_in_artifacts(client, list(new.values())) if new else {}
        self._ended = {key: self._ended[key] if key in self._ended else found.get(new[key], []) for key in ended}
        self._builds = {}
        for key, run in ended.items():
            about = {"job": None, "run": run["id"], "name": run["name"], "ended": run["ended"]}
            for row in self._ended[key]:
                self._builds.setdefault(row["table"], []).append({**row, **about})

    async def _read_checks(self, run: str) -> list[Json]:
        async with self._prefect.client() as client:
            return (await rows_of(client, CHECKS_ARTIFACT, [UUID(run)])).get(UUID(run), [])
