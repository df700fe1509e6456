"""`refresh doctor`: what is set up, what is missing, and the command that mends it. It changes nothing."""

import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from flows.findings import Finding, Health, fine, note, wrong
from flows.problems import Refused, errors_in
from flows.project import Project, read_project, reads_of
from flows.scripts import RAW
from flows.settings import SettingError, Settings, read_settings
from warehouse.engine import Warehouse
from warehouse.errors import NotAllowed, WarehouseError
from warehouse.names import TableName
from warehouse.query import parse_query
from warehouse.url import connect, project_of


def run(options: Namespace) -> int:  # noqa: ARG001 (the command has no options)
    """Print a line for each thing that a refresh needs; answer 0 if nothing is missing, else 1."""
    from flows.prefect_findings import prefect_findings

    healths = []
    for findings in (_settings(), prefect_findings()):
        for finding in findings:
            healths.append(finding.health)
            print(finding, flush=True)
    missing = healths.count(Health.WRONG)
    print(f"\n{missing} missing" if missing else "\nnothing is missing")
    return 1 if missing else 0


def _settings() -> Iterator[Finding]:
    try:
        settings = read_settings()
    except SettingError as error:
        yield wrong("settings", str(error))
        return
    yield fine("settings", f"WAREHOUSE_URL {settings.warehouse_url}, REFRESH_WORKERS {settings.workers}")
    if not os.environ.get("REFRESH_WEBHOOK_URL"):
        yield note("webhook", "REFRESH_WEBHOOK_URL is not set: nobody is told of a refresh that fails")
    if not os.environ.get("API_TOKEN"):
        yield note("API token", "API_TOKEN is not set here: an API with these settings is open to everybody")
    yield from _project_and_warehouse(settings)


def _project_and_warehouse(settings: Settings) -> Iterator[Finding]:
    try:
        project = read_project(settings.folder, project_of(settings.warehouse_url))
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


def warehouse_findings(warehouse: Warehouse, project: Project) -> Iterator[Finding]:
    """Whether the warehouse answers, may be queried, and has the raw tables that the scripts read. Raises
    WarehouseError."""
    wanted = {table for script in project.scripts.values() for table in reads_of(script) if table.dataset == RAW}
    missing = sorted(wanted - set(warehouse.tables(RAW)))
    if missing:
        has_scripts = any(Path(project.folder, "db_init").glob("*.sql"))
        mend = "refresh init" if has_scripts else "load them, or write scripts that create them in db_init/"
        yield wrong("raw tables", f"not there: {', '.join(map(str, missing))}", mend)
    else:
        yield fine("raw tables", f"all {len(wanted)} that the scripts read are there")
    warehouse.plan(parse_query("SELECT 1 AS one"), {})
    yield fine("warehouse", "it answers, and takes queries")
    yield from _never_built(warehouse, project)


def _never_built(warehouse: Warehouse, project: Project) -> Iterator[Finding]:
    built: set[TableName] = set()
    for dataset in {table.dataset for table in project.scripts}:
        built |= set(warehouse.tables(dataset))
    missing = sorted(set(project.scripts) - built)
    if missing:
        yield note("tables", f"not built yet: {', '.join(map(str, missing))}", "make run, or run the deployment")
