"""`refresh env`: the environments of a warehouse, what they change, and how they end."""

import sys
import uuid
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import replace

from warehouse_refresh.commands.project.diff import compared, lines, markdown
from warehouse_refresh.commands.terminal.output import exit_code, shown
from warehouse_refresh.commands.terminal.question import ask
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.project.reading import project_in, sql_cache
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.refresh import start_refresh, waiting_turn
from warehouse_refresh.pipeline.running.execution import Execution, run_here
from warehouse_refresh.pipeline.settings import RefreshSettings, environment_name, read_settings
from warehouse_refresh.pipeline.tables.environments import (
    all_of,
    connected_to,
    drop,
    held,
    home_of,
    seen_beside,
    tables_in,
)
from warehouse_refresh.pipeline.tables.promoting import with_copies
from warehouse_refresh.warehouse import BuildContext, connect
from warehouse_refresh.warehouse.builds.environment import Environment


def run(options: Namespace) -> int:
    """List, compare, promote or drop, and answer the exit code. Raises SelectionError for an environment that is not
    there, NotConfirmed, Refused, WarehouseError."""
    settings = replace(read_settings(), environment="")
    name = environment_name(options.name or "")
    if options.action != "list" and not name:
        raise SelectionError(
            f"`refresh env {options.action}` needs the name of an environment; `refresh env list` has all"
        )
    return _ACTIONS[options.action](settings, name, options)


def _list(settings: RefreshSettings, _name: str, _options: Namespace) -> int:
    found = list(all_of(settings))
    for one in found:
        when = f"built last at {one.at:%Y-%m-%d %H:%M} UTC" if one.at is not None else "not built lately"
        print(f"{one.name}: {counted(len(one.tables), 'table')}, {when}")
    if not found:
        print("there is no environment; `refresh build --env NAME` makes one")
    return 0


def _diff(settings: RefreshSettings, name: str, options: Namespace) -> int:
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
    tables = tables_in(settings, name)
    with connected_to(settings, name) as warehouse:
        environment = Environment(warehouse, name)
        there = {table for one in {table.dataset for table in tables} for table in warehouse.tables(one)}
        found = [
            compared(warehouse, project, settings, table, environment.stored(table))
            for table in tables
            if table in there
        ]
    new = [table for table in tables if table not in there]
    text = list(markdown(found, project, new)) if options.markdown else [line for one in found for line in lines(one)]
    print("\n".join([*text, *(f"{table}: new, with no table in production" for table in new)]))
    return 0


def _promote(settings: RefreshSettings, name: str, options: Namespace) -> int:
    tables = tables_in(settings, name)
    names = ", ".join(map(str, tables))
    if not options.yes:
        ask(
            f"these tables of {name} take the place of production's:\n  {names}",
            f"nothing was changed. To publish {names} of {name}, say `refresh env promote {name} --yes`",
        )
    promoting = replace(settings, promoted=name)
    who = "`refresh env promote`"
    with start_refresh(promoting, list(map(str, tables)), who, print) as started, held(promoting, who, print):
        context = BuildContext(uuid.uuid4().hex, keep_previous=settings.keep_previous)
        with seen_beside(started.warehouse, settings, name) as environment:
            refresh = with_copies(started, environment, context)
        graph = refresh.plan.graph
        with shown(graph) as report:
            execution = Execution(
                graph, refresh.work(context), report, settings.publishing, refresh.plan.owners, refresh.source_checks
            )
            run_here(graph, execution, settings.workers, refresh.expected)
    print(execution.summary())
    return exit_code(execution.runs.values(), succeeded=execution.succeeded)


def _drop(settings: RefreshSettings, name: str, options: Namespace) -> int:
    tables = tables_in(settings, name)
    if not options.yes:
        ask(
            f"these tables of {name} are dropped: {', '.join(map(str, tables))}",
            f"nothing was changed. To drop the environment, say `refresh env drop {name} --yes`",
        )
    with connect(home_of(settings)) as warehouse, waiting_turn(warehouse, "`refresh env drop`", print):
        drop(settings, name, tables)
    print(f"dropped {name}: {counted(len(tables), 'table')}", file=sys.stderr)
    return 0


_ACTIONS: Mapping[str, Callable[[RefreshSettings, str, Namespace], int]] = {
    "list": _list,
    "diff": _diff,
    "promote": _promote,
    "drop": _drop,
}
