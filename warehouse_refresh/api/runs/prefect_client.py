"""One client of Prefect's API for the whole process, made when it is first needed: importing Prefect takes seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

from warehouse_refresh.api.problems import ApiProblem, retry_after

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
    from prefect.client.schemas.objects import FlowRun

CALL_SECONDS = 20.0
PAGE = 200  # the most that Prefect's API returns at once


class Prefect:
    """Hands out the client, and turns connection errors into ApiProblem."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._client: PrefectClient | None = None
        self._connecting = asyncio.Lock()

    @asynccontextmanager
    async def client(self) -> AsyncIterator["PrefectClient"]:
        """A connected client, for one or a few calls. Raises ApiProblem when Prefect cannot be reached."""
        try:
            client = await self._connected()
            async with asyncio.timeout(CALL_SECONDS):
                yield client
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise unavailable(f"Prefect's API does not answer ({type(error).__name__}).") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._stack.aclose()

    async def _connected(self) -> "PrefectClient":
        async with self._connecting:
            if self._client is None:
                self._client = await self._stack.enter_async_context(await asyncio.to_thread(_new_client))
            return self._client


async def all_flow_runs(
    client: "PrefectClient", condition: "FlowRunFilter", *, flow_filter: "FlowFilter | None" = None
) -> "list[FlowRun]":
    """Read all runs that meet the conditions, page by page, in no order that says anything."""
    from prefect.client.schemas.sorting import FlowRunSort

    runs: dict[UUID, FlowRun] = {}  # a run that is created meanwhile moves the others to later places
    offset = 0
    while page := await client.read_flow_runs(
        flow_filter=flow_filter,
        flow_run_filter=condition,
        sort=FlowRunSort.ID_DESC,
        limit=PAGE,
        offset=offset,
    ):
        runs.update({run.id: run for run in page})
        offset += len(page)
        if len(page) < PAGE:
            break
    return list(runs.values())


async def server_time(client: "PrefectClient") -> datetime:
    """The time by the server's clock, to the second. The server's times are compared with it, since this machine's
    clock may be minutes off."""
    return parsedate_to_datetime((await client.request("GET", "/health")).headers["date"])


def unavailable(detail: str) -> ApiProblem:
    """Prefect cannot be used; `detail` says why."""
    return ApiProblem("prefect-unavailable", detail, headers=retry_after(5))


def _new_client() -> "PrefectClient":
    """Without an address Prefect would start a temporary server, whose runs no worker would ever see."""
    from prefect.client.orchestration import get_client
    from prefect.settings import get_current_settings

    if not get_current_settings().api.url:
        raise unavailable("PREFECT_API_URL is not set: the API does not know where Prefect is.")
    return get_client()
