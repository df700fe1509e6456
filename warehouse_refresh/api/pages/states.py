"""GET /catalogue/state.json: how each table stands and what the last runs did with it, for the catalogue's pages.

The warehouse and Prefect are asked once for all pages that are open, and only while one is. docs/catalogue.md
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from warehouse_refresh.api.pages.routes import check_reader
from warehouse_refresh.api.runs.history import Builds, History
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.api.shared import Shared
from warehouse_refresh.catalogue.pages import FOLDER
from warehouse_refresh.catalogue.standing import TableStanding
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.warehouse.errors import WarehouseError

Json = dict[str, Any]
Standings = Mapping[str, TableStanding]
SECONDS_BETWEEN_LOOKS = 5.0
LAST_RUNS = 5
OF_A_RUN = ("id", "name", "state", "started", "ended", "seconds")


class States:
    """How the tables stand, as `find_standings` finds it in the warehouse, and what `history` says of them."""

    def __init__(self, find_standings: Callable[[], Awaitable[Standings]], history: History) -> None:
        async def find(_: str) -> Standings:
            return await find_standings()

        self._standings, self._history = Shared(find, SECONDS_BETWEEN_LOOKS), history

    async def of_all(self) -> Json:
        """Every table's state, and the last runs."""
        standings, (runs, builds) = await self._found(), await self._history.look()
        tables = {name: _state(name, standings, builds) for name in sorted(standings.keys() | builds.keys())}
        return {"tables": tables, "runs": [{name: run[name] for name in OF_A_RUN} for run in runs[:LAST_RUNS]]}

    async def of_one(self, table: str) -> Json:
        """A table's state, its last builds, and the results of its checks in the newest run that had it."""
        standings, (_, builds) = await self._found(), await self._history.look()
        known = builds.get(table, [])
        checks = await self._history.checks(known[0]["run"], table) if known else []
        return {**_state(table, standings, builds), "builds": known, "checks": checks}

    async def _found(self) -> Standings:
        """Nothing if the warehouse cannot be asked: the pages are of use without it."""
        try:
            return await self._standings.get("")
        except (WarehouseError, Refused, SettingError):
            return {}


def _state(table: str, standings: Standings, builds: Builds) -> Json:
    """With `last`, what the newest run did with it, unless a build that Prefect does not know came after it."""
    standing = standings.get(table, TableStanding())
    found: Json = msgspec.to_builtins(standing)
    last = next(iter(builds.get(table, [])), None)
    if last and (standing.is_failed or standing.run in ("", last["run"])):
        found["last"] = {name: last[name] for name in ("state", "rows", "seconds", "ended")}
    found.pop("run", None)
    return found


@get(f"/{FOLDER}/state.json")
async def show_state(
    request: Request[Any, Any, Any],
    states: NamedDependency[States],
    settings: NamedDependency[ApiSettings],
    table: FromQuery[str | None] = None,
) -> Response[bytes]:
    """Answer with the state of all tables, or of one with its builds; 304 if the client has this answer."""
    check_reader(request, settings)
    content = msgspec.json.encode(await (states.of_all() if table is None else states.of_one(table)))
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(b"", status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


HANDLERS = [show_state]
