"""What operates the API: health, and the pages of its OpenAPI document."""

import asyncio
from collections.abc import Awaitable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from litestar import MediaType, Response, get
from litestar.di import NamedDependency

from api.openapi.document import document
from api.problems import Problem, problem_of, retry_after
from api.runs.requests import Runs
from api.settings import Settings
from api.tables.catalogue import Cache, Catalogue

LONGEST_CHECK = 10.0
READY_SECONDS = 1.0
SWAGGER_UI = Path(str(distribution("fastapi-swagger").locate_file("fastapi_swagger/resources")))
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Warehouse API</title>
<link rel="icon" href="/schema/assets/favicon-32x32.png">
<link rel="stylesheet" href="/schema/assets/swagger-ui.css"></head>
<body><div id="page"></div><script src="/schema/assets/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/schema/openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null})</script>
</body></html>
"""


@get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


class Health:
    """What keeps the API from its work. Askers at the same time share one look at both."""

    def __init__(self, catalogue: Catalogue, runs: Runs) -> None:
        self._catalogue, self._runs = catalogue, runs
        self._missing: Cache[str, list[dict[str, str]]] = Cache(self._look, READY_SECONDS)

    async def missing(self) -> list[dict[str, str]]:
        """What is missing: `what`, `code` and `detail` of each."""
        return await self._missing.get("")

    async def _look(self, _: str) -> list[dict[str, str]]:
        checks = {"warehouse": _has_raw_tables(self._catalogue), "prefect": self._runs.check()}
        found = await asyncio.gather(*(_fault(what, check) for what, check in checks.items()))
        return [fault for fault in found if fault]


@get("/health/ready")
async def ready(health: NamedDependency[Health]) -> dict[str, str]:
    """Rows can be stored and runs asked for."""
    if missing := await health.missing():
        what = " and ".join(fault["what"] for fault in missing)
        raise Problem("not-ready", f"missing: {what}", headers=retry_after(5), missing=missing)
    return {"status": "ok"}


@get("/schema", media_type=MediaType.HTML)
async def page() -> str:
    """Swagger UI, from files beside this process: no network is needed."""
    return PAGE


@get("/schema/openapi.json")
async def openapi(
    catalogue: NamedDependency[Catalogue], settings: NamedDependency[Settings]
) -> Response[dict[str, Any]]:
    """The OpenAPI document, made from the raw tables as they are now."""
    tables = {name: (await catalogue.table(name))[1] for name in await catalogue.names()}
    return Response(document(tables, settings), media_type="application/json")


async def _has_raw_tables(catalogue: Catalogue) -> None:
    if not await catalogue.names():
        raise Problem("not-ready", "the dataset raw has no tables; create them first")


async def _fault(what: str, check: Awaitable[None]) -> dict[str, str] | None:
    try:
        async with asyncio.timeout(LONGEST_CHECK):
            await check
    except TimeoutError:
        return {"what": what, "code": "slow", "detail": f"no answer within {LONGEST_CHECK:g} s"}
    except Exception as error:
        problem = problem_of(error)
        return {"what": what, "code": problem.code, "detail": problem.detail}
    return None
