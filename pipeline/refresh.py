"""How a refresh begins, whoever starts it: read the project, choose its tables, check them, then wait for its turn."""

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.check import check_scripts
from pipeline.project.files import res_folder
from pipeline.project.graph import Graph
from pipeline.project.problems import Refused
from pipeline.project.project import read_project, sql_cache
from pipeline.project.scripts import Script
from pipeline.project.selectors import select
from pipeline.settings import RefreshSettings
from pipeline.sources import stored_sources
from warehouse import QueryPlan, Warehouse, connect, project_of
from warehouse.names import TableName
from warehouse.sql.cache import SqlCache


@dataclass(frozen=True)
class RefreshPlan:
    """A refresh that would succeed as far as can be known: the tables in the order of their dependencies, their
    scripts, and what each script's query would do."""

    graph: Graph
    scripts: Mapping[TableName, Script]
    queries: Mapping[TableName, QueryPlan]

    @property
    def bytes_processed(self) -> int | None:
        """The bytes that all queries would read together; None where the engine has no such figure."""
        known = [query.bytes_processed for query in self.queries.values() if query.bytes_processed is not None]
        return sum(known) if known else None

    @property
    def is_estimate(self) -> bool:
        """Whether a query reads a table that does not exist yet, so that the bytes are a lower bound."""
        return any(query.estimate for query in self.queries.values())


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh whose turn it is: its plan, and the warehouse that it fills."""

    plan: RefreshPlan
    warehouse: Warehouse


@contextmanager
def start_refresh(
    settings: RefreshSettings, selectors: Iterable[str], who: str, say: Callable[[str], None]
) -> Iterator[Refresh]:
    """Plan the refresh of these tables and create its datasets. Inside the block the warehouse has no other refresh.

    `who` says to others whose refresh this is. `say` gets a message before a wait for another refresh. An exception in
    the block cancels the warehouse's work. Raises what `plan_refresh` raises; nothing was changed then.
    """
    res_folder(settings.folder)  # before anything else: a command in the wrong folder creates no warehouse
    cache = sql_cache(settings.folder)
    with (
        connect(settings.warehouse_url, cache) as warehouse,
        warehouse.refresh_lock(_holder(who), lambda holder: say(_waits_for(holder))),
        cancelled_with(warehouse),  # before another refresh may begin
    ):
        with cache:
            plan = plan_refresh(settings, selectors, warehouse, cache)
        warehouse.create_datasets(sorted({table.dataset for table in plan.graph.dependencies}))
        yield Refresh(plan, warehouse)


@contextmanager
def cancelled_with(warehouse: Warehouse) -> Iterator[None]:
    """Cancel the warehouse's work when an exception, Ctrl-C included, ends the block."""
    try:
        yield
    except BaseException:
        warehouse.cancel()
        raise


def plan_refresh(
    settings: RefreshSettings, selectors: Iterable[str], warehouse: Warehouse, cache: SqlCache | None = None
) -> RefreshPlan:
    """Read the project, choose the tables, and check them against the warehouse as it is now.

    Raises Refused with all problems, SelectionError, WarehouseError.
    """
    project = read_project(settings.folder, project_of(settings.warehouse_url), cache)
    graph = select(project.graph, selectors)
    scripts = {table: project.scripts[table] for table in graph.order}
    checked = check_scripts(scripts, stored_sources(warehouse, scripts))
    if checked.problems:
        raise Refused(checked.problems)
    return RefreshPlan(graph, scripts, checked.plans)


def _holder(who: str) -> str:
    """The words by which others know the refresh that `who` has started in this process."""
    return f"{who} on {socket.gethostname()}, process {os.getpid()}"


def _waits_for(holder: str) -> str:
    """The message before a wait for the refresh of `holder`, which may be empty."""
    return f"another refresh is under way ({holder or 'it does not say whose'}); this one starts when it has ended"
