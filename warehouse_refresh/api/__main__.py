"""`refresh api`: the API in one process."""

import gc
import logging
import sys

from pydantic import ValidationError

from warehouse_refresh.api.app import create_app
from warehouse_refresh.api.middleware.server import server
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.pipeline.contract import ProjectNameError
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.errors import WarehouseError

_OBJECTS = 10_000
"""How many new objects there are before garbage is looked for."""


def main() -> None:
    """Serve until SIGTERM or Ctrl-C. A wrong setting ends with exit code 2 and a line that says which."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = ApiSettings()
        app = create_app(settings, connect(settings.warehouse_url))
    except ValidationError as error:
        for fault in error.errors():
            print(f"{_variable(str(fault['loc'][0]))}: {fault['msg']}", file=sys.stderr)
        sys.exit(2)
    except (ProjectNameError, SettingError, WarehouseError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    _collect_seldom()
    server(app, settings.host, settings.port, settings.max_connections).run()


def _collect_seldom() -> None:
    """Leave what is there by now out of garbage collection: looking at all modules held up requests for 60 ms, twice
    in a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS)


def _variable(name: str) -> str:
    return name if name.isupper() else f"API_{name.upper()}"


if __name__ == "__main__":
    main()
