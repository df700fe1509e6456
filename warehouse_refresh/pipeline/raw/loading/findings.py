"""Whether each database that raw tables come from answers, and has the tables, and whether files are there, for
`refresh doctor`."""

from collections.abc import Iterator
from contextlib import ExitStack

from warehouse_refresh.pipeline.findings import Finding, fine, note, wrong
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.raw.loading.planning import plan_load, tables_with_source
from warehouse_refresh.pipeline.raw.loading.sources import Loaded
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.warehouse.errors import WarehouseError


def connection_findings(settings: RefreshSettings, project: Project) -> Iterator[Finding]:
    """A finding for each connection that a raw table names, one for files, and one for what is wrong in settings."""
    try:
        tables = tables_with_source(project, settings.connections)
    except Refused as error:
        yield wrong("loaded tables", str(error))
        return
    for name in sorted({one.place for one in tables.values()}):
        yield _finding(name, [one for one in tables.values() if one.place == name])


def _finding(name: str, tables: list[Loaded]) -> Finding:
    of_table = {one.table: one for one in tables}
    what, works = (f"connection {name}", "it answers, and gives") if name else ("files", "they are there, and give")
    try:
        with ExitStack() as stack:
            slow = plan_load(stack, of_table).moments[name].snapshot.note
    except (Refused, SettingError, WarehouseError) as error:
        return wrong(what, str(error))
    works += f" {', '.join(map(str, sorted(of_table)))}"
    return note(what, f"{works}\n{slow}") if slow else fine(what, works)
