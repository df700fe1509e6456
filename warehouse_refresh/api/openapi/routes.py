"""GET /schema and its parts: the OpenAPI document and the pages that show it."""

from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler

from warehouse_refresh.api.openapi.document import document
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.api.tables.catalogue import Catalogue

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


@get("/schema", media_type=MediaType.HTML)
async def page() -> str:
    """Swagger UI, from files beside this process: no network is needed."""
    return PAGE


@get("/schema/openapi.json")
async def openapi(
    catalogue: NamedDependency[Catalogue], settings: NamedDependency[ApiSettings]
) -> Response[dict[str, Any]]:
    """The OpenAPI document, made from the raw tables as they are now."""
    tables = {name: (await catalogue.table(name))[1] for name in await catalogue.names()}
    said = {name: text for name in tables if (text := catalogue.description(name))}
    loaded = {name for name in tables if catalogue.is_loaded(name)}
    return Response(document(tables, settings, said, loaded), media_type="application/json")


HANDLERS: list[ControllerRouterHandler] = [
    page,
    openapi,
    create_static_files_router(path="/schema/assets", directories=[SWAGGER_UI]),
]
