"""`refresh build`: the same schedule as the flow's, over threads of this process."""

import uuid
from argparse import Namespace
from contextlib import nullcontext

from warehouse_refresh.commands.building.again import Done, until_whole
from warehouse_refresh.commands.building.ahead import read_ahead
from warehouse_refresh.commands.selection import selection
from warehouse_refresh.commands.terminal.output import as_json, exit_code, say_for, shown
from warehouse_refresh.commands.terminal.question import ask_for_production
from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.refresh import Loads, start_refresh
from warehouse_refresh.pipeline.running.execution import Execution, ignore, run_here
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.tables.partitions.asked import Asked
from warehouse_refresh.warehouse import BuildContext


def run(options: Namespace) -> int:
    """Build, show what happens, and answer the exit code."""
    settings = settings_of(options)
    ask_for_production(settings, options)
    return until_whole(lambda: _build(settings, options), say_for(options))


def _build(settings: RefreshSettings, options: Namespace) -> Done:
    asked, loads = Asked(full=options.full), Loads.FIRST if options.load else Loads.NONE
    selectors = selection(options, settings.select)
    if not options.load:  # the columns of what is loaded are not known yet
        read_ahead(settings, selectors)
    with start_refresh(settings, selectors, "`refresh build`", say_for(options), asked=asked, loads=loads) as refresh:
        graph = refresh.plan.graph
        work = refresh.work(BuildContext(run=uuid.uuid4().hex, keep_previous=settings.keep_previous))
        with nullcontext(ignore) if options.json else shown(graph) as report:
            execution = Execution(graph, work, report, settings.publishing, refresh.plan.owners, refresh.source_checks)
            run_here(graph, execution, 1 if options.in_order else settings.workers, refresh.expected)
    runs, message = execution.runs.values(), execution.summary()
    checks, succeeded = execution.source_checks, execution.succeeded
    text = as_json(runs, checks, message, settings, succeeded=succeeded) if options.json else message
    return Done(text, exit_code(runs, succeeded=succeeded), refresh.plan.was_lost)
