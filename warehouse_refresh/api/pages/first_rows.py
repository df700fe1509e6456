"""GET /catalogue/rows.json?table=tmp.variants: the first rows of a table, for its page in the catalogue."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from warehouse_refresh.api.pages.routes import check_reader
from warehouse_refresh.api.problems import ApiProblem
from warehouse_refresh.api.security import needs_token
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.api.shared import Shared
from warehouse_refresh.catalogue.document import FirstRows
from warehouse_refresh.catalogue.pages import FOLDER
from warehouse_refresh.catalogue.project_pages import PrivateTable
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.warehouse.errors import SqlError, TableNotFound

SECONDS_BETWEEN_LOOKS = 5.0
Rows = Shared[str, FirstRows]


def rows_of(find: Callable[[str], Awaitable[FirstRows]]) -> Rows:
    """The first rows of tables, as `find` finds them: once in a while, however many look."""
    return Shared(find, SECONDS_BETWEEN_LOOKS)


@get(f"/{FOLDER}/rows.json", before_request=needs_token)
async def show_rows(
    request: Request[Any, Any, Any],
    first_rows: NamedDependency[Rows],
    settings: NamedDependency[ApiSettings],
    table: FromQuery[str],
) -> Response[bytes]:
    """Answer with the first rows of a table, without its personal columns."""
    check_reader(request, settings)
    if not settings.first_rows:
        raise ApiProblem("not-found", "Rows are not shown here: API_FIRST_ROWS=20 shows them.")
    try:
        found = await first_rows.get(table)
    except (KeyError, Refused, SettingError):
        raise ApiProblem("not-found", "The catalogue has no such table.") from None
    except PrivateTable:
        raise ApiProblem("not-found", "The table is marked as private: no page shows its rows.") from None
    except TableNotFound:
        raise ApiProblem("not-found", "The table is not built yet.") from None
    except SqlError:
        raise ApiProblem("not-found", "The view cannot be read: `refresh show` says why.") from None
    return Response(msgspec.json.encode(found), media_type="application/json")


HANDLERS = [show_rows]
