"""GET /catalogue/failures.json?run=…: where the scripts that failed in a run are wrong, for the page of runs.

`GET /run/<id>` has only the kind of each failure. Here is the line of SQL with the place in it, which the table's page
shows, too, and what the engine says of it. An engine may quote a row's value, so that is left out where a value could
be personal.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from msgspec import Struct

from warehouse_refresh.api.pages.routes import check_reader
from warehouse_refresh.api.problems import ApiProblem
from warehouse_refresh.api.runs.prefect_client import Prefect
from warehouse_refresh.api.runs.reports import is_of_table, rows_of, tasks_of
from warehouse_refresh.api.runs.run_queue import RunQueue
from warehouse_refresh.api.security import needs_token
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.catalogue.pages import FOLDER
from warehouse_refresh.pipeline.contract import ARTIFACT

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, TaskRun

PROBLEM = re.compile(
    r"^(?:error: )?(?P<file>[^\s:/][^\s:]*(?:\.sql|/dependencies\.toml)):(?P<line>[0-9]+):(?P<column>[0-9]+): "
    r"(?P<reason>(?:(?!\nerror: )[\s\S])+?)\n"
    r"  (?P=line) \| (?P<text>.*)\n +\| (?P<lead>\s*)(?P<marks>\^+)(?:\n  help: (?P<help>.*))?$",
    re.MULTILINE,
)
"""A problem as pipeline.project.problems writes it, at a place in a script or in the dependency map."""


class Fault(Struct, frozen=True, omit_defaults=True):
    """A place in a file: `text` is its line, or the part around the place, which begins at `start` and has `length`.
    `table` is the table that was not built ("": the run was refused before anything was built). `reason` says what is
    wrong; it is left out where it could quote a personal value."""

    file: str
    line: int
    column: int
    text: str
    start: int
    length: int
    table: str = ""
    reason: str = ""
    help: str = ""


class Failures:
    """The faults of runs. `may_quote` says of tables whether what the engine says of them may be shown."""

    def __init__(
        self, prefect: Prefect, runs: RunQueue, may_quote: Callable[[list[str]], Awaitable[dict[str, bool]]]
    ) -> None:
        self._prefect, self._runs, self._may_quote = prefect, runs, may_quote

    async def of(self, identity: UUID) -> list[Fault]:
        """The faults of a run, by table. Raises ApiProblem."""
        run = await self._runs.get(identity)
        said = await self._said(run.id)
        allowed = await self._may_quote(sorted(said))
        found = [fault for table in sorted(said) for fault in faults_in(said[table], table, allowed[table])]
        if said:
            return found
        return list(faults_in(_message(run), "", may_quote=True))  # nothing was run: no value is in it

    async def _said(self, run: UUID) -> dict[str, str]:
        """What was said of each table, by the run's artifact or else by its task runs."""
        async with self._prefect.client() as client:
            rows = (await rows_of(client, ARTIFACT, [run])).get(run)
            if rows is not None:
                return {row["table"]: row.get("error") or "" for row in rows}
            return {task.name: _message(task) for task in await tasks_of(client, run) if is_of_table(task)}


def _message(of: "FlowRun | TaskRun") -> str:
    return (of.state.message or "") if of.state and of.state.is_failed() else ""


def faults_in(message: str, table: str, may_quote: bool) -> Iterator[Fault]:
    """The problems that a message names."""
    for found in PROBLEM.finditer(message):
        yield Fault(
            found["file"],
            int(found["line"]),
            int(found["column"]),
            found["text"],
            len(found["lead"]),
            len(found["marks"]),
            table,
            found["reason"] if may_quote else "",
            (found["help"] or "") if may_quote else "",
        )


@get(f"/{FOLDER}/failures.json", before_request=needs_token)
async def show_failures(
    request: Request[Any, Any, Any],
    failures: NamedDependency[Failures],
    settings: NamedDependency[ApiSettings],
    run: FromQuery[str],
) -> Response[bytes]:
    """Answer with the places of a run's failures in the scripts."""
    check_reader(request, settings)
    try:
        identity = UUID(run)
    except ValueError:
        raise ApiProblem("unknown-run", "a run's id is a UUID") from None
    return Response(msgspec.json.encode(await failures.of(identity)), media_type="application/json")


HANDLERS = [show_failures]
