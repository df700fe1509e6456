"""`refresh run`: the flow, in this process, recorded by Prefect's server."""

import os
from argparse import Namespace
from contextlib import nullcontext

from warehouse_refresh.commands.imports import kept
from warehouse_refresh.commands.selection import selection
from warehouse_refresh.commands.terminal.output import as_json, exit_code, say_for, show_rows, shown
from warehouse_refresh.commands.terminal.question import ask_for_production
from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.project.variables import as_json as variables_as_json
from warehouse_refresh.pipeline.refresh import Loads, start_refresh
from warehouse_refresh.pipeline.running.execution import TableRun, ignore
from warehouse_refresh.pipeline.tables.partitions.asked import Asked
from warehouse_refresh.warehouse.names import TableName


def run(options: Namespace) -> int:
    """Check, run the flow and show what happens, the first rows of the last table, and where Prefect shows the run.

    Answers the exit code. Raises Refused, NoServer and what else is the user's to fix.
    """
    # The view shows what the flow's log says; the log itself goes to the server. Prefect reads this at its import.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    settings = settings_of(options)
    ask_for_production(settings, options)
    selectors = selection(options, settings.select)
    asked = Asked(full=options.full)
    loads = Loads.FIRST if options.load else Loads.NONE
    with start_refresh(settings, selectors, "`refresh run`", say_for(options), asked=asked, loads=loads) as started:
        with kept():
            from warehouse_refresh.flows.flow import Started, refresh_flow
            from warehouse_refresh.flows.recorded import address_of, answering_server, run_recorded

        runs: dict[TableName, TableRun] = {}
        with answering_server():
            with nullcontext(ignore) if options.json else shown(started.plan.graph) as report:

                def noted(run: TableRun) -> None:
                    runs[run.table] = run
                    report(run)

                flow = refresh_flow(settings, Started(started, noted))
                variables = variables_as_json(settings.variables)
                switches = {"in_order": options.in_order, "full": options.full, "load": options.load}
                state = run_recorded(flow, selectors, variables=variables, env=settings.environment, **switches)
            message, address, succeeded = state.message or "", address_of(state), state.is_completed()
        if options.json:
            checks = started.source_checks
            print(as_json(runs.values(), checks, message, settings, succeeded=succeeded, prefect=address))
        else:
            print(f"in Prefect: {address}\n{message}")
            if succeeded and started.plan.graph.order:
                show_rows(started.warehouse, started.plan.graph.order[-1])
    return exit_code(runs.values(), succeeded=succeeded)
