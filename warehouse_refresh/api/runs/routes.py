"""POST /run and GET /run/<id>."""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from litestar import HttpMethod, Request, Response, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import ServerSentEvent

from warehouse_refresh.api.idempotency import idempotency_key
from warehouse_refresh.api.problems import ApiProblem, request_id
from warehouse_refresh.api.runs.live import LiveRuns, last_runs
from warehouse_refresh.api.runs.prefect_client import Prefect
from warehouse_refresh.api.runs.reports import report_of, run_to_json
from warehouse_refresh.api.runs.run_queue import RunQueue, Wanted, is_in_doubt
from warehouse_refresh.api.security import needs_token
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.api.tables.request_rows import check_json_type, parsed_json
from warehouse_refresh.pipeline.project.selectors import FORMS, SELECTOR
from warehouse_refresh.pipeline.project.variables import as_json, given_as_json, read_variables
from warehouse_refresh.pipeline.settings_file import SettingError, read_settings_file
from warehouse_refresh.warehouse.values.json_text import Object

PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,6})(?:$|[,;\s])", re.IGNORECASE)
EVENTS = "text/event-stream"
FIRST_LOOK, LONGEST_LOOK = 0.2, 2.0


@post("/run", before_request=needs_token)
async def ask_for_run(
    request: Request[Any, Any, Any],
    runs: NamedDependency[RunQueue],
    prefect: NamedDependency[Prefect],
    settings: NamedDependency[ApiSettings],
) -> Response[dict[str, Any]]:
    """Ask for a refresh; with `Prefer: wait=30`, wait that long for its end."""
    select, load = _asked(request.scope["query_string"])
    wanted = Wanted(tuple(select), await _variables(request), load)
    run = await runs.ask(wanted, idempotency_key(request.headers), request_id.get())
    seconds = min(_wait_seconds(request), settings.max_wait_seconds)
    headers = {"Location": f"/run/{run.id}"}
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds:g}"
        if await _ends(runs, run.id, seconds):
            return Response(await _report(runs, prefect, run.id), status_code=200, headers=headers)
    return Response(run_to_json(run), status_code=202, headers=headers)


@route("/run", http_method=HttpMethod.OPTIONS, status_code=204)
async def say_methods() -> Response[None]:
    """Answer with the methods of /run. Litestar's own answer leaves out GET, which has a handler of its own."""
    return Response(None, headers={"Allow": "GET, OPTIONS, POST"})


@get("/run", before_request=needs_token)
async def list_runs(runs: NamedDependency[RunQueue], prefect: NamedDependency[Prefect]) -> dict[str, Any]:
    """Answer with the last runs, the newest first."""
    return {"runs": await last_runs(prefect, runs)}


@get("/run/{run:str}", before_request=needs_token)
async def show_run(
    run: FromPath[str],
    request: Request[Any, Any, Any],
    runs: NamedDependency[RunQueue],
    prefect: NamedDependency[Prefect],
    live: NamedDependency[LiveRuns],
) -> Response[Any]:
    """Answer with the state of a run and of its tables, or with a stream of it if the client accepts events."""
    try:
        identity = UUID(run)
    except ValueError:
        raise ApiProblem("unknown-run", "a run's id is a UUID") from None
    if EVENTS not in request.headers.get("accept", ""):
        return Response(await _report(runs, prefect, identity))
    await live.report(identity)  # a problem is an answer of its own, and not an event
    return ServerSentEvent(live.events(identity))


async def _report(runs: RunQueue, prefect: Prefect, identity: UUID) -> dict[str, Any]:
    return await report_of(prefect, await runs.get(identity))


async def _ends(runs: RunQueue, identity: UUID, seconds: float) -> bool:
    """Wait for the run's end for up to `seconds`."""
    deadline, pause = time.monotonic() + seconds, FIRST_LOOK
    while True:
        run = await runs.get(identity)
        if run.state is not None and run.state.is_final() and not is_in_doubt(run):
            return True
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_LOOK)


async def _variables(request: Request[Any, Any, Any]) -> str:
    """The values of variables in the body, as JSON with sorted names. Raises ApiProblem, also for a variable that
    refresh.toml does not declare, and for a value of another type."""
    body = await request.body()
    if not body:
        return "{}"
    check_json_type(request, "Send variables as application/json in UTF-8.")
    found = parsed_json(body)
    values = found.get("variables") if isinstance(found, Object) and set(found) == {"variables"} else None
    if not isinstance(values, Object) or values.repeated:
        detail = 'the body is {"variables": {"name": value}}; tables are selected in the query: ?select=tmp.variants'
        raise ApiProblem("invalid-variables", detail)
    declared = read_variables(read_settings_file(Path()).variables, "refresh.toml")
    try:
        return json.dumps(as_json(given_as_json(declared, values)), sort_keys=True)
    except SettingError as error:
        raise ApiProblem("invalid-variables", str(error)) from error


def _asked(query: bytes) -> tuple[list[str], bool]:
    """The selectors in a query, sorted, and whether raw tables are loaded, too. Raises ApiProblem."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError:
        raise ApiProblem("invalid-selection", "write ?select=tmp.variants, more than once for several") from None
    if others := {name for name, _ in pairs} - {"select", "load"}:
        detail = f"/run takes select and load, and nothing else, not {', '.join(sorted(others))}"
        raise ApiProblem("invalid-selection", detail)
    selectors = {value for name, value in pairs if name == "select"}
    loads = [value for name, value in pairs if name == "load"] or ["false"]
    if not all(SELECTOR.fullmatch(selector) for selector in selectors):
        raise ApiProblem("invalid-selection", f"select takes {FORMS}; in a query, + is written %2B")
    if loads not in (["true"], ["false"]):
        raise ApiProblem("invalid-selection", "load is true or false, once")
    return sorted(selectors), loads == ["true"]


def _wait_seconds(request: Request[Any, Any, Any]) -> float:
    """RFC 7240: a preference that cannot be read is ignored."""
    found = PREFER_WAIT.search(",".join(request.headers.getall("prefer", [])))
    return float(found[1]) if found else 0.0


HANDLERS = [say_methods, ask_for_run, list_runs, show_run]
