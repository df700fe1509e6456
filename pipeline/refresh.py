"""What a refresh makes sure of before it touches anything."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.planning import Columns, Planned, plan_scripts
from pipeline.project.files import res_folder
from pipeline.project.graph import Graph
from pipeline.project.problems import Problem, Refused
from pipeline.project.project import Project, read_project, reads_in, reads_of, remembered
from pipeline.project.scripts import RAW, Script
from pipeline.project.selectors import select
from pipeline.settings import Settings
from warehouse import QueryPlan, Warehouse, connect, project_of
from warehouse.exclusive import waits_for
from warehouse.names import TableName
from warehouse.suggest import Suggestions


@dataclass(frozen=True, slots=True)
class Prepared:
    """A refresh that may run: the project, and the part of its graph that is to be built."""

    project: Project
    graph: Graph


@dataclass(frozen=True, slots=True)
class Ready:
    """A refresh whose turn it is, and the warehouse that it fills."""

    prepared: Prepared
    warehouse: Warehouse


@contextmanager
def ready(settings: Settings, selectors: Iterable[str], who: str, say: Callable[[str], None]) -> Iterator[Ready]:
    """A refresh that may run, and inside the block no other one does; `who` says whose it is, and `say` is called with
    a message before a wait for another.

    What breaks the block off cancels the warehouse's work. Raises what `prepare_refresh` raises.
    """
    res_folder(settings.folder)
    with (
        connect(settings.warehouse_url) as warehouse,
        warehouse.refreshing(who, lambda holder: say(waits_for(holder))),
        cancelled_with(warehouse),  # before another refresh may begin
    ):
        with remembered(settings.folder):
            prepared = prepare_refresh(settings.folder, selectors, warehouse, project_of(settings.warehouse_url))
        yield Ready(prepared, warehouse)


@contextmanager
def cancelled_with(warehouse: Warehouse) -> Iterator[None]:
    """When the block is interrupted, cancelled or broken, cancel the warehouse's work: nothing goes on in its name."""
    try:
        yield
    except BaseException:
        warehouse.cancel()
        raise


def prepare_refresh(folder: Path, selectors: Iterable[str], warehouse: Warehouse, own: str = "") -> Prepared:
    """Read the project, choose what is to be built, and check that it can be. Only then are datasets made, if missing.

    Raises Refused with all problems, SelectionError, WarehouseError; nothing was changed then.
    """
    project = read_project(folder, own)
    graph = select(project.graph, selectors)
    scripts = {table: project.scripts[table] for table in graph.order}
    problems = list(missing_tables(scripts.values(), set(scripts), warehouse))
    problems = problems or plan_refresh(scripts, warehouse).problems
    if problems:
        raise Refused(problems)
    warehouse.create_datasets(sorted({table.dataset for table in graph.dependencies}))
    return Prepared(project, graph)


def plan_refresh(scripts: Mapping[TableName, Script], warehouse: Warehouse) -> Planned:
    """What building these scripts' tables would do, over the other tables as they are now. Raises WarehouseError."""

    def plan(table: TableName, built: Mapping[TableName, Columns]) -> QueryPlan:
        return warehouse.plan(scripts[table].query, built)

    return plan_scripts(scripts, plan, at_once=warehouse.plans_at_once)


def missing_tables(scripts: Collection[Script], built: set[TableName], warehouse: Warehouse) -> Iterator[Problem]:
    """The tables that scripts read, and that neither this refresh builds nor the warehouse has."""
    wanted = {table for script in scripts for table in reads_of(script)} - built
    existing = {table for dataset in sorted({table.dataset for table in wanted}) for table in warehouse.tables(dataset)}
    missing = wanted - existing
    like = Suggestions(map(str, existing))
    for script in scripts:
        for read in reads_in(script):
            if read.table in missing:
                reason = f"{script.table} reads {read.table}, which does not exist in the warehouse"
                yield Problem(script.path, read.place, reason, _way_out(read.table, like))


def _way_out(table: TableName, like: Suggestions) -> str:
    if table.dataset != RAW:
        return f"build it first: --select +{table}"
    return like.did_you_mean(str(table)) or "`refresh init` creates the tables that db_init/ has scripts for"
