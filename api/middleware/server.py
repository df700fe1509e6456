"""The HTTP server under the application: uvicorn, and what it is let do."""

import uvicorn
from litestar.types import ASGIApp

from api.middleware.protocol import LimitedProtocol


def server(app: ASGIApp, host: str, port: int, max_connections: int) -> uvicorn.Server:
    """A server of `app` that has not begun to listen. Headers of proxies are read by the application, not here."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=LimitedProtocol,
        limit_concurrency=max_connections,
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=30,
    )
    return uvicorn.Server(config)
