"""The API's application: `create_app(settings, warehouse)`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from litestar.types import ASGIApp, ControllerRouterHandler

from warehouse_refresh.api import health
from warehouse_refresh.api.middleware.admission import Admission
from warehouse_refresh.api.middleware.body_limits import BodyLimits
from warehouse_refresh.api.middleware.request_log import RequestLog
from warehouse_refresh.api.openapi import routes as openapi
from warehouse_refresh.api.pages import failures, first_rows, states
from warehouse_refresh.api.pages import routes as pages
from warehouse_refresh.api.paths import RESERVED
from warehouse_refresh.api.problems import answer_problem
from warehouse_refresh.api.runs import routes as refreshes
from warehouse_refresh.api.runs.history import History
from warehouse_refresh.api.runs.idempotency import delete_old_keys_again_and_again
from warehouse_refresh.api.runs.live import LiveRuns
from warehouse_refresh.api.runs.lost_runs import look_for_lost_runs
from warehouse_refresh.api.runs.prefect_client import Prefect
from warehouse_refresh.api.runs.run_queue import RunQueue
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.api.tables import routes as tables
from warehouse_refresh.api.tables.batcher import Batcher
from warehouse_refresh.api.tables.catalogue import Catalogue
from warehouse_refresh.api.tables.request_rows import Reader
from warehouse_refresh.catalogue.pages import Served
from warehouse_refresh.catalogue.project_pages import ProjectPages
from warehouse_refresh.pipeline.settings_file import read_settings_file
from warehouse_refresh.pipeline.tables.files import raw_settings
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.errors import WarehouseError

THREADS = 32  # for calls of the warehouse, which wait for locks and networks
PUBLIC = (
    "this API is public: whoever reaches it can append rows, and keep refreshes running at your cost; "
    "API_TOKEN closes it"
)
BODIES_AT_ONCE = 2  # of the largest allowed size, or more smaller ones; parsed, each can take 20 times its size
HANDLERS: list[ControllerRouterHandler] = [
    *tables.HANDLERS,
    *refreshes.HANDLERS,
    *health.HANDLERS,
    *openapi.HANDLERS,
    *pages.HANDLERS,
    *states.HANDLERS,
    *first_rows.HANDLERS,
    *failures.HANDLERS,
    PrometheusController,
]
logger = logging.getLogger("warehouse_refresh.api")


def create_app(settings: ApiSettings, warehouse: Warehouse) -> ASGIApp:
    """The ASGI application over `warehouse`, which is closed when the application shuts down."""
    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="warehouse")

    async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        context = copy_context()  # carries the request's deadline
        return await asyncio.get_running_loop().run_in_executor(executor, context.run, function, *arguments)

    prefect = Prefect()
    said = raw_settings(Path(read_settings_file(Path()).layout.res) / settings.raw)
    catalogue = Catalogue(warehouse, in_thread, settings.schema_seconds, settings.raw, said)
    batcher = Batcher(warehouse, in_thread)

    runs = RunQueue(prefect, settings.deployment)
    project_pages = ProjectPages(Served(_has_token_field(settings), settings.first_rows > 0))

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        if not settings.token.get_secret_value():
            logger.warning(PUBLIC)
        works = (
            _say_shadowed(catalogue),
            look_for_lost_runs(prefect, runs),
            delete_old_keys_again_and_again(prefect, runs),
        )
        aside = [asyncio.create_task(work) for work in works]
        yield
        for task in aside:
            task.cancel()
        await batcher.drain()
        await prefect.close()
        executor.shutdown()
        warehouse.close()

    app = _litestar(
        lifespan,
        settings=settings,
        prefect=prefect,
        catalogue=catalogue,
        project_pages=project_pages,
        states=states.States(lambda: in_thread(project_pages.standings, warehouse), History(prefect, runs)),
        first_rows=first_rows.rows_of(
            lambda table: in_thread(project_pages.first_rows, warehouse, table, settings.first_rows)
        ),
        runs=runs,
        failures=failures.Failures(prefect, runs, partial(in_thread, project_pages.may_quote)),
        live=LiveRuns(prefect, runs),
        health=health.Health(catalogue, runs),
        tables=tables.Tables(catalogue, batcher, Reader(in_thread, settings.max_rows)),
    )
    gate = Admission(settings.rate_limit, settings.max_connections, settings.origins, settings.host)
    return RequestLog(BodyLimits(app, BODIES_AT_ONCE * settings.max_body_bytes), gate, settings.proxies)


def _litestar(
    lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]], settings: ApiSettings, **parts: object
) -> Litestar:
    return Litestar(
        HANDLERS,
        dependencies={
            name: Provide(_always(part), sync_to_thread=False)
            for name, part in [("settings", settings), *parts.items()]
        },
        exception_handlers={Exception: answer_problem},
        lifespan=[lifespan],
        logging_config=None,
        middleware=[PrometheusConfig(app_name="api", prefix="api", group_path=True).middleware],
        openapi_config=None,
        request_max_body_size=settings.max_body_bytes,
        state=State({"token": settings.token.get_secret_value(), "pages_ask": settings.pages_ask}),
    )


def _has_token_field(settings: ApiSettings) -> bool:
    """Whether pages have a field for the token: the browser has not asked for it, and what they ask needs it."""
    return bool(settings.token.get_secret_value()) and not settings.pages_ask


def _always(part: object) -> Callable[[], Any]:
    return lambda: part


async def _say_shadowed(catalogue: Catalogue) -> None:
    try:
        shadowed = [name for name in await catalogue.names() if name in RESERVED]
    except WarehouseError as error:
        logger.warning("the raw tables cannot be listed yet: %s", error)
        return
    for name in shadowed:
        logger.warning("the raw table %s is shadowed by the API's own path /%s: use /tables/%s", name, name, name)
