"""Whether each database that raw tables come from answers, and has the tables, for `refresh doctor`."""

from collections.abc import Iterator
from contextlib import ExitStack

from warehouse_refresh.pipeline.findings import Finding, fine, wrong
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.raw.loading.planning import plan_load, tables_with_source
from warehouse_refresh.pipeline.raw.loading.sources import Loaded
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.warehouse.errors import WarehouseError


def connection_findings(settings: RefreshSettings, project: Project) -> Iterator[Finding]:
    """A finding for each connection that a raw table names, and one for what is wrong in the files."""
    try:
        tables = tables_with_source(project, settings.connections)
    except Refused as error:
        yield wrong("loaded tables", str(error))
        return
    for name in sorted({one.source.connection for one in tables.values()}):
        yield _finding(name, [one for one in tables.values() if one.source.connection == name])


def _finding(name: str, tables: list[Loaded]) -> Finding:
    of_table = {one.table: one for one in tables}
    try:
        with ExitStack() as stack:
            plan_load(stack, of_table)
    except (Refused, SettingError, WarehouseError) as error:
        return wrong(f"connection {name}", str(error))
    return fine(f"connection {name}", f"it answers, and gives {', '.join(map(str, sorted(of_table)))}")
