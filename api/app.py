"""The API's application: `create_app(settings, warehouse)`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import copy_context
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, ControllerRouterHandler

from api import service
from api.middleware.access import Access
from api.middleware.gate import Gate
from api.middleware.intake import Intake
from api.paths import RESERVED
from api.problems import answer_problem
from api.runs import routes as refreshes
from api.runs.lost_runs import look_for_lost_runs
from api.runs.prefect_client import Prefect
from api.runs.requests import Runs
from api.settings import Settings
from api.tables import routes as tables
from api.tables.batcher import Batcher
from api.tables.catalogue import Catalogue
from api.tables.incoming import Reader
from warehouse import Warehouse
from warehouse.errors import WarehouseError

THREADS = 32  # for calls of the warehouse, which wait for locks and networks
PUBLIC = (
    "this API is public: whoever reaches it can append rows, and keep refreshes running at your cost; "
    "API_TOKEN closes it"
)
BODIES_AT_ONCE = 2  # of the largest size, or as many more as they are smaller; each can take 20 times its size
HANDLERS: list[ControllerRouterHandler] = [
    tables.say_methods,
    *(tables.describe, tables.describe_shadowable, tables.append, tables.append_shadowable),
    *(refreshes.ask_for_run, refreshes.show_run),
    *(service.live, service.ready, service.page, service.openapi),
    PrometheusController,
    create_static_files_router(path="/schema/assets", directories=[service.SWAGGER_UI]),
]
logger = logging.getLogger("api")


def create_app(settings: Settings, warehouse: Warehouse) -> ASGIApp:
    """The ASGI application over `warehouse`, which is closed when the application shuts down."""
    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="warehouse")

    async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        context = copy_context()  # with how long the request waits
        return await asyncio.get_running_loop().run_in_executor(executor, context.run, function, *arguments)

    prefect = Prefect()
    catalogue = Catalogue(warehouse, in_thread, settings.schema_seconds)
    batcher = Batcher(warehouse, in_thread)

    runs = Runs(prefect, settings.deployment)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        if not settings.token.get_secret_value():
            logger.warning(PUBLIC)
        aside = [asyncio.create_task(work) for work in (_say_shadowed(catalogue), look_for_lost_runs(prefect, runs))]
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
        runs=runs,
        health=service.Health(catalogue, runs),
        tables=tables.Tables(catalogue, batcher, Reader(in_thread, settings.max_rows)),
    )
    gate = Gate(settings.rate_limit, settings.max_connections, settings.origins, settings.host)
    return Access(Intake(app, BODIES_AT_ONCE * settings.max_body_bytes), gate, settings.proxies)


def _litestar(
    lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]], settings: Settings, **parts: object
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
        state=State({"token": settings.token.get_secret_value()}),
    )


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
