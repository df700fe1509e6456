"""GET / and /catalogue/…: the pages of the catalogue, as `refresh docs` writes them. docs/catalogue.md"""

from mimetypes import guess_type
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from warehouse_refresh.api.problems import ApiProblem
from warehouse_refresh.api.security import check_token
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.catalogue.pages import FOLDER
from warehouse_refresh.catalogue.project_pages import ProjectPages
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.settings_file import SettingError

HEADERS = {"Cache-Control": "no-cache", "Referrer-Policy": "no-referrer"}


@get("/", sync_to_thread=True)
def first(
    request: Request[Any, Any, Any],
    project_pages: NamedDependency[ProjectPages],
    settings: NamedDependency[ApiSettings],
) -> Response[bytes]:
    """The page with all tables."""
    check_reader(request, settings)
    return _answer("index.html", project_pages)


@get(f"/{FOLDER}/{{path:path}}", sync_to_thread=True)
def other(
    path: FromPath[Path],
    request: Request[Any, Any, Any],
    project_pages: NamedDependency[ProjectPages],
    settings: NamedDependency[ApiSettings],
) -> Response[bytes]:
    """A table's or a column's page, or a file that the pages need."""
    check_reader(request, settings)
    return _answer(f"{FOLDER}/{path.as_posix().lstrip('/')}", project_pages)


def _answer(path: str, pages: ProjectPages) -> Response[bytes]:
    try:
        content = pages.file(path)
    except KeyError:
        raise ApiProblem("not-found", "There is no such page.") from None
    except (Refused, SettingError):
        raise ApiProblem("not-found", "There is no catalogue: `refresh check` says what is wrong.") from None
    kind = guess_type(path)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers=HEADERS)


def check_reader(request: Request[Any, Any, Any], settings: ApiSettings) -> None:
    """Raises ApiProblem for who may not read the catalogue: nobody may where it is off, and unless it is public only
    who sends the token, if one is set."""
    if settings.pages == "off":
        raise ApiProblem("not-found", "The catalogue is not shown here: API_PAGES is off.")
    if settings.pages_ask:
        check_token(request, is_page=True)


HANDLERS: list[ControllerRouterHandler] = [first, other]
