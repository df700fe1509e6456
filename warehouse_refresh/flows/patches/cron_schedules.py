"""Let Prefect's server plan the runs of cron schedules on Python 3.11 and 3.12. Written for Prefect 3.9.1.

There its times have time zones of pendulum, and the library `whenever` takes none but those of zoneinfo: the server
logs an error and plans no run. A server imports this module at its start, from wherever it is started: pyproject.toml
names it as an entry point of Prefect's collections. Elsewhere it changes nothing.
"""

import os
import sys
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from warehouse_refresh.flows.patches import SETTING

_NAME = "_whenever_zdt_from_py"


def fix(schedules: Any) -> None:
    """Change the module that computes the dates of schedules, unless it lacks the name for that."""
    stock = getattr(schedules, _NAME, None)
    if stock is None:
        return

    def with_a_zone_of_zoneinfo(moment: datetime) -> Any:
        key = getattr(moment.tzinfo, "key", None)
        return stock(moment.replace(tzinfo=ZoneInfo(key)) if key else moment)

    setattr(schedules, _NAME, with_a_zone_of_zoneinfo)


if sys.version_info < (3, 13) and os.environ.get(SETTING) != "off":
    fix(sys.modules.get("prefect.server.schemas.schedules"))
