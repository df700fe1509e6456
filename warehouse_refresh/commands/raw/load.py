"""`refresh load`: raw tables from the databases that their settings name."""

import uuid
from argparse import Namespace
from collections.abc import Callable
from contextlib import nullcontext

from warehouse_refresh.commands.building.again import Done, until_whole
from warehouse_refresh.commands.selection import selection
from warehouse_refresh.commands.terminal.output import as_json, exit_code, say_for, shown
from warehouse_refresh.pipeline.refresh import Loads, start_refresh
from warehouse_refresh.pipeline.running.execution import Execution, ignore, run_here
from warehouse_refresh.pipeline.settings import RefreshSettings, read_settings
from warehouse_refresh.pipeline.tables.partitions.asked import Asked
from warehouse_refresh.warehouse import BuildContext


def run(options: Namespace) -> int:
    """Load, show what happens, and answer the exit code."""
    settings, say = read_settings(), say_for(options)
    return until_whole(lambda: _load(settings, options, say), say)


def _load(settings: RefreshSettings, options: Namespace, say: Callable[[str], None]) -> Done:
    asked = Asked(full=options.full)
    with start_refresh(settings, selection(options), "`refresh load`", say, asked=asked, loads=Loads.ALONE) as refresh:
        graph = refresh.plan.graph
        work = refresh.work(BuildContext(run=uuid.uuid4().hex, keep_previous=settings.keep_previous))
        with nullcontext(ignore) if options.json else shown(graph) as report:
            execution = Execution(graph, work, report, settings.publishing, refresh.plan.owners)
            run_here(graph, execution, settings.workers, refresh.expected)
    runs, message = execution.runs.values(), execution.summary()
    checks, succeeded = execution.source_checks, execution.succeeded
    text = as_json(runs, checks, message, settings, succeeded=succeeded) if options.json else message
    return Done(text, exit_code(runs, succeeded=succeeded), refresh.plan.was_lost)
