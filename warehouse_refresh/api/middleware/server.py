"""The HTTP server that runs the application: uvicorn and its settings."""

import uvicorn
from litestar.types import ASGIApp

from warehouse_refresh.api.middleware.protocol import LimitedProtocol

IDLE_SECONDS = 20
"""How long a connection stays open after an answer. Longer than httpx, Node (5 s) and aiohttp (15 s) keep one, and
no value that we send as Retry-After: a client that sends its next request as we close gets no answer, and cannot know
whether its rows were stored. Not much longer, since an idle connection counts against `max_connections`."""


def server(app: ASGIApp, host: str, port: int, max_connections: int) -> uvicorn.Server:
    """A server for `app` that does not listen yet. Headers of proxies are read by the application, not here."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=LimitedProtocol,
        limit_concurrency=max_connections,
        timeout_keep_alive=IDLE_SECONDS,
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=30,
    )
    return uvicorn.Server(config)
