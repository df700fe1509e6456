"""GET / and /catalogue/…: the pages of the catalogue, as `refresh docs` writes them. docs/catalogue.md"""

from mimetypes import guess_type
from pathlib import Path

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from warehouse_refresh.api.problems import ApiProblem
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.catalogue.pages import FOLDER
from warehouse_refresh.catalogue.project_pages import ProjectPages
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.settings_file import SettingError

HEADERS = {"Cache-Control": "no-cache", "Referrer-Policy": "no-referrer"}


@get("/", sync_to_thread=True)
def first(project_pages: NamedDependency[ProjectPages], settings: NamedDependency[ApiSettings]) -> Response[bytes]:
    """The page with all tables."""
    return _answer("index.html", project_pages, settings)


@get(f"/{FOLDER}/{{path:path}}", sync_to_thread=True)
def other(
    path: FromPath[Path], project_pages: NamedDependency[ProjectPages], settings: NamedDependency[ApiSettings]
) -> Response[bytes]:
    """A table's or a column's page, or a file that the pages need."""
    return _answer(f"{FOLDER}/{path.as_posix().lstrip('/')}", project_pages, settings)


def _answer(path: str, pages: ProjectPages, settings: ApiSettings) -> Response[bytes]:
    check_shown(settings)
    try:
        content = pages.file(path)
    except KeyError:
        raise ApiProblem("not-found", "There is no such page.") from None
    except (Refused, SettingError):
        raise ApiProblem("not-found", "There is no catalogue: `refresh check` says what is wrong.") from None
    kind = guess_type(path)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers=HEADERS)


def check_shown(settings: ApiSettings) -> None:
    """Raises ApiProblem where the settings hide the pages."""
    if not settings.shows_pages:
        raise ApiProblem("not-found", "The catalogue is not shown here: API_PAGES=public shows it.")


HANDLERS: list[ControllerRouterHandler] = [first, other]
