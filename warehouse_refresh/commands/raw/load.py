"""`refresh load`: raw tables from the databases that their settings name."""

import uuid
from argparse import Namespace
from contextlib import nullcontext

from warehouse_refresh.commands.selection import selection
from warehouse_refresh.commands.terminal.output import as_json, exit_code, say_for, shown
from warehouse_refresh.pipeline.execution import Execution, ignore, run_here
from warehouse_refresh.pipeline.raw.loading.loading import start_load
from warehouse_refresh.pipeline.settings import read_settings


def run(options: Namespace) -> int:
    """Load, show what happens, and answer the exit code."""
    settings = read_settings()
    with start_load(settings, selection(options), "`refresh load`", say_for(options), uuid.uuid4().hex) as loader:
        graph = loader.plan.graph
        with nullcontext(ignore) if options.json else shown(graph) as report:
            execution = Execution(graph, loader, report, settings.publishing, loader.plan.owners)
            run_here(graph, execution, settings.workers)
    runs, message = execution.runs.values(), execution.summary()
    checks, succeeded = execution.source_checks, execution.succeeded
    print(as_json(runs, checks, message, settings, succeeded=succeeded) if options.json else message)
    return exit_code(runs, succeeded=succeeded)
