"""What a refresh makes sure of before it touches anything."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.graph import Graph
from flows.problems import Problem, Refused, closest
from flows.project import Project, read_project
from flows.scripts import RAW, Script
from flows.select import select
from warehouse.engine import Warehouse
from warehouse.names import TableName


@dataclass(frozen=True, slots=True)
class Prepared:
    """A refresh that may run: the project, and the part of its graph that is to be built."""

    project: Project
    graph: Graph


def prepare_refresh(folder: Path, selectors: Iterable[str], warehouse: Warehouse) -> Prepared:
    """Read the project, choose what is to be built, and check that it can be. Only then are datasets made, if missing.

    Raises Refused with all problems, SelectionError, WarehouseError; nothing was changed then.
    """
    project = read_project(folder)
    graph = select(project.graph, selectors)
    scripts = [project.scripts[table] for table in graph.order]
    problems = list(_missing_tables(scripts, set(graph.dependencies), warehouse))
    if problems:
        raise Refused(problems)
    warehouse.create_datasets(sorted({table.dataset for table in graph.dependencies}))
    return Prepared(project, graph)


def _missing_tables(scripts: list[Script], built: set[TableName], warehouse: Warehouse) -> Iterator[Problem]:
    """The tables that scripts read, and that neither this refresh builds nor the warehouse has."""
    wanted = {read.table for script in scripts for read in script.query.reads} - built
    existing = {table for dataset in sorted({table.dataset for table in wanted}) for table in warehouse.tables(dataset)}
    for script in scripts:
        for read in script.query.reads:
            if read.table in wanted - existing:
                reason = f"{script.table} reads {read.table}, which does not exist in the warehouse"
                yield Problem(script.path, read.place, reason, _way_out(read.table, existing))


def _way_out(table: TableName, existing: set[TableName]) -> str:
    if table.dataset != RAW:
        return f"build it first: --select +{table}"
    return closest(str(table), map(str, existing)) or "`refresh init` creates the tables that db_init/ has scripts for"
