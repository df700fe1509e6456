"""`refresh build`: the same schedule as the flow's, over threads of this process."""

import uuid
from argparse import Namespace

from warehouse_refresh.commands.selection import selection
from warehouse_refresh.commands.terminal.output import finish, shown
from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.execution import Execution, run_here
from warehouse_refresh.pipeline.refresh import start_refresh
from warehouse_refresh.warehouse import BuildContext


def run(options: Namespace) -> int:
    """Build, show what happens, and answer the exit code."""
    settings = settings_of(options)
    with start_refresh(settings, selection(options), "`refresh build`", print) as refresh:
        graph = refresh.plan.graph
        work = refresh.work(BuildContext(run=uuid.uuid4().hex))
        with shown(graph) as report:
            execution = Execution(graph, work, report, settings.publishing, refresh.plan.owners)
            run_here(graph, execution, 1 if options.in_order else settings.workers)
    return finish(execution)
