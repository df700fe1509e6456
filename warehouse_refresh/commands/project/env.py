"""`refresh env`: the environments of a warehouse, what they change, and how they end."""

import sys
import uuid
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import replace

from warehouse_refresh.commands.project.diff import compared, lines, markdown
from warehouse_refresh.commands.terminal.output import exit_code, shown
from warehouse_refresh.commands.terminal.question import ask
from warehouse_refresh.pipeline.execution import Execution, run_here
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.project.project import project_in, sql_cache
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.refresh import start_refresh, waiting_turn
from warehouse_refresh.pipeline.settings import RefreshSettings, environment_name, read_settings
from warehouse_refresh.pipeline.tables.promoting import with_copies
from warehouse_refresh.warehouse import BuildContext, Warehouse, connect
from warehouse_refresh.warehouse.builds.environment import Environment, built_at, drop_environment, environments
from warehouse_refresh.warehouse.names import TableName


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
    with connect(settings.warehouse_url) as warehouse:
        found = environments(warehouse.records())
        times = {name: built_at(warehouse, name, tables) for name, tables in found.items()}
    for name, tables in sorted(found.items()):
        at = times[name]
        when = f"built last at {at:%Y-%m-%d %H:%M} UTC" if at is not None else "not built lately"
        print(f"{name}: {counted(len(tables), 'table')}, {when}")
    if not found:
        print("there is no environment; `refresh build --env NAME` makes one")
    return 0


def _diff(settings: RefreshSettings, name: str, options: Namespace) -> int:
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
    with connect(settings.warehouse_url) as warehouse:
        tables = _tables(warehouse, name)
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
    with connect(settings.warehouse_url) as warehouse:
        tables = _tables(warehouse, name)
    names = ", ".join(map(str, tables))
    if not options.yes:
        ask(
            f"these tables of {name} take the place of production's:\n  {names}",
            f"nothing was changed. To publish {names} of {name}, say `refresh env promote {name} --yes`",
        )
    with start_refresh(settings, list(map(str, tables)), "`refresh env promote`", print) as started:
        context = BuildContext(uuid.uuid4().hex, keep_previous=settings.keep_previous)
        refresh = with_copies(started, name, context)
        graph = refresh.plan.graph
        with shown(graph) as report:
            execution = Execution(
                graph, refresh.work(context), report, settings.publishing, refresh.plan.owners, refresh.source_checks
            )
            run_here(graph, execution, settings.workers)
    print(execution.summary())
    return exit_code(execution.runs.values(), succeeded=execution.succeeded)


def _drop(settings: RefreshSettings, name: str, options: Namespace) -> int:
    with connect(settings.warehouse_url) as warehouse:
        tables = _tables(warehouse, name)
        if not options.yes:
            ask(
                f"these tables of {name} are dropped: {', '.join(map(str, tables))}",
                f"nothing was changed. To drop the environment, say `refresh env drop {name} --yes`",
            )
        with waiting_turn(warehouse, "`refresh env drop`", print):
            drop_environment(warehouse, name, tables)
    print(f"dropped {name}: {counted(len(tables), 'table')}", file=sys.stderr)
    return 0


def _tables(warehouse: Warehouse, name: str) -> list[TableName]:
    """The environment's tables. Raises SelectionError if it has none."""
    found = environments(warehouse.records())
    if name not in found:
        there = f"there are {', '.join(sorted(found))}" if found else "there is none"
        raise SelectionError(f"there is no environment {name}; {there}")
    return sorted(found[name])


_ACTIONS: Mapping[str, Callable[[RefreshSettings, str, Namespace], int]] = {
    "list": _list,
    "diff": _diff,
    "promote": _promote,
    "drop": _drop,
}
