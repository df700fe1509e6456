"""Check whether everything that a refresh needs is set up, for `refresh doctor`. Nothing is changed."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from warehouse_refresh.pipeline.project.problems import Refused, errors_in
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reading import project_in
from warehouse_refresh.pipeline.project.reads import tables_outside
from warehouse_refresh.pipeline.raw.init_scripts import has_init_scripts
from warehouse_refresh.pipeline.settings import RefreshSettings, read_settings
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.pipeline.tables.leftovers import leftovers
from warehouse_refresh.warehouse import Warehouse, connect
from warehouse_refresh.warehouse.errors import NotAllowed, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query


class Health(Enum):
    """How bad a finding is."""

    FINE = "ok"
    NOTE = "note"  # it works, and could be better
    WRONG = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a refresh needs, its state, and the command that fixes it ("" if none does)."""

    subject: str
    health: Health
    detail: str
    fix: str = ""

    def __str__(self) -> str:
        first, *rest = self.detail.splitlines() or [""]
        lines = [f"{self.health.value:<8} {self.subject:<18} {first}", *(f"{'':28}{line}" for line in rest)]
        if self.fix and self.health is not Health.FINE:
            lines.append(f"{'':28}do: {self.fix}")
        return "\n".join(lines)


def fine(subject: str, detail: str) -> Finding:
    """A finding that all is well."""
    return Finding(subject, Health.FINE, detail)


def note(subject: str, detail: str, fix: str = "") -> Finding:
    """A finding about something that works but could be better."""
    return Finding(subject, Health.NOTE, detail, fix)


def wrong(subject: str, detail: str, fix: str = "") -> Finding:
    """A finding about something that is missing: without it a refresh fails or never starts."""
    return Finding(subject, Health.WRONG, detail, fix)


def project_findings() -> Iterator[Finding]:
    """Check the settings, the scripts and the warehouse."""
    try:
        settings = read_settings()
    except SettingError as error:
        yield wrong("settings", str(error))
        return
    yield fine("settings", f"WAREHOUSE_URL {settings.warehouse_url}, REFRESH_WORKERS {settings.workers}")
    if not os.environ.get("REFRESH_WEBHOOK_URL"):
        yield note("webhook", "REFRESH_WEBHOOK_URL is not set: nobody is notified when a refresh fails")
    if not os.environ.get("API_TOKEN"):
        yield note("API token", "API_TOKEN is not set here: an API with these settings is open to everybody")
    yield from _project_and_warehouse(settings)


def _project_and_warehouse(settings: RefreshSettings) -> Iterator[Finding]:
    try:
        project = project_in(settings)
    except Refused as error:
        yield wrong("scripts", str(error))
        return
    errors = errors_in(project.problems)
    if errors:
        yield wrong("scripts", f"{len(errors)} errors, the first:\n{errors[0]}", "refresh check")
    else:
        yield fine("scripts", f"{len(project.scripts)} scripts, no errors")
    try:
        with connect(settings.warehouse_url) as warehouse:
            yield from warehouse_findings(warehouse, project)
    except NotAllowed as error:
        yield wrong("permissions", str(error), "see docs/deploy.md, or ask whoever manages the project's access")
    except WarehouseError as error:
        yield wrong("warehouse", str(error))
    if any(file.says.source for file in project.raw_settings.values()):
        from warehouse_refresh.pipeline.raw.loading.findings import connection_findings

        yield from connection_findings(settings, project)


def warehouse_findings(warehouse: Warehouse, project: Project) -> Iterator[Finding]:
    """Check that the warehouse answers and has the raw tables that the scripts read. Raises WarehouseError."""
    wanted = tables_outside(project.scripts.values())
    existing = {table for dataset in {table.dataset for table in wanted} for table in warehouse.tables(dataset)}
    missing = sorted(wanted - existing)
    if missing:
        has_scripts = has_init_scripts(project.folder / project.layout.db_init)
        fix = "refresh init" if has_scripts else "load them, or write scripts that create them in db_init/"
        yield wrong("sources", f"not there: {', '.join(map(str, missing))}", fix)
    else:
        yield fine("sources", f"all {len(wanted)} that the scripts read are there")
    warehouse.plan(parse_query("SELECT 1 AS one"), {})
    yield fine("warehouse", "it answers, and takes queries")
    yield from _built(warehouse, project)


def _built(warehouse: Warehouse, project: Project) -> Iterator[Finding]:
    """Tables that were never built, and tables that no script builds any more."""
    built: set[TableName] = set()
    for dataset in {table.dataset for table in project.scripts}:
        built |= set(warehouse.tables(dataset))
    missing = sorted(set(project.scripts) - built)
    if missing:
        yield note("tables", f"not built yet: {', '.join(map(str, missing))}", "refresh run, or run the deployment")
    if left := leftovers(warehouse, project):
        yield note("left over", f"built by no script any more: {', '.join(map(str, left))}", "refresh clean")
