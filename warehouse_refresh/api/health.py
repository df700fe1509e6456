"""GET /health/live and /health/ready."""

import asyncio
from collections.abc import Awaitable

from litestar import get
from litestar.di import NamedDependency

from warehouse_refresh.api.problems import ApiProblem, problem_of, retry_after
from warehouse_refresh.api.runs.run_queue import RunQueue
from warehouse_refresh.api.tables.catalogue import Cache, Catalogue

LONGEST_CHECK = 10.0
READY_SECONDS = 1.0


@get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


class Health:
    """Checks the warehouse and Prefect. Requests at the same time share one check."""

    def __init__(self, catalogue: Catalogue, runs: RunQueue) -> None:
        self._catalogue, self._runs = catalogue, runs
        self._missing: Cache[str, list[dict[str, str]]] = Cache(self._look, READY_SECONDS)

    async def missing(self) -> list[dict[str, str]]:
        """The failed checks, each with `what`, `code` and `detail`; empty if all is well."""
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
        raise ApiProblem("not-ready", f"missing: {what}", headers=retry_after(5), missing=missing)
    return {"status": "ok"}


async def _has_raw_tables(catalogue: Catalogue) -> None:
    if not await catalogue.names():
        raise ApiProblem("not-ready", "the dataset raw has no tables; create them first")


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


HANDLERS = [live, ready]
