"""Start a refresh: take the warehouse's refresh lock, read the project, choose the tables and check them.

`refresh build`, `refresh run` and the deployed flow all start here.
"""

import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.check import check_scripts
from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.pipeline.project.files import res_folder
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reading import project_in, sql_cache
from warehouse_refresh.pipeline.project.reads import reads_of, tables_outside
from warehouse_refresh.pipeline.project.scripts import FunctionScript, Script
from warehouse_refresh.pipeline.project.selectors import SelectionError, select
from warehouse_refresh.pipeline.raw.sources import Sources, stored_sources, with_stored_wildcards
from warehouse_refresh.pipeline.running.builder import Builder
from warehouse_refresh.pipeline.running.schedule import Expected, expected_seconds
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.pipeline.tables.changes.standing import finder, known_versions
from warehouse_refresh.pipeline.tables.partitions.asked import DUE, Asked
from warehouse_refresh.warehouse import BuildContext, QueryPlan, Staged, TableBuild, Warehouse, connect
from warehouse_refresh.warehouse.errors import TableNotFound, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Function

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.checks.partitions import Checkable
    from warehouse_refresh.pipeline.checks.run import Checker, Unit
    from warehouse_refresh.pipeline.raw.loading.planning import LoadPlan
    from warehouse_refresh.pipeline.raw.loading.sources import Loaded
    from warehouse_refresh.pipeline.tables.partitions.planning import DuePartitions


class Loads(Enum):
    """Whether a refresh loads raw tables from the databases that their settings name: none, before the scripts that
    read them, or without running scripts."""

    NONE = "none"
    FIRST = "first"
    ALONE = "alone"


@dataclass(frozen=True)
class RefreshPlan:
    """A refresh of the project that passed all checks: the graph of its tables, their scripts, and each query's columns
    and bytes. `units` are the checks of its tables and of the sources that they read, and `notes` say which cannot
    be run. `functions` are those to create: all, or those that a part of the scripts calls. `due` are the
    partitions that are built of tables by date. `load` has the raw tables of the graph, if it loads some."""

    graph: Graph
    scripts: Mapping[TableName, Script]
    queries: Mapping[TableName, QueryPlan]
    project: Project
    units: "Sequence[Unit]" = ()
    notes: Sequence[str] = ()
    functions: Mapping[TableName, FunctionScript] = field(default_factory=dict)
    due: "Mapping[TableName, DuePartitions]" = field(default_factory=dict)
    load: "LoadPlan | None" = None

    @property
    def builds(self) -> dict[TableName, TableBuild]:
        """What builds each table of the graph."""
        loaded = self.load.builds if self.load is not None else {}
        return {**loaded, **{table: script.build for table, script in self.scripts.items()}}

    def seconds(self, took: Mapping[TableName, Sequence[float]]) -> dict[TableName, float]:
        """How long each table of the graph is expected to take, by what its last builds took."""
        return expected_seconds({table: build.steps for table, build in self.builds.items()}, took)

    @property
    def bytes_processed(self) -> int | None:
        """The bytes that all queries would read together; None where the engine has no such figure."""
        known = [query.bytes_processed for query in self.queries.values() if query.bytes_processed is not None]
        return sum(known) if known else None

    @property
    def owners(self) -> dict[TableName, str]:
        """Whom to ask about each table, where its settings say it."""
        loaded = self.load.owners if self.load is not None else {}
        return {**loaded, **{table: one.settings.says.owner for table, one in self.scripts.items() if one.settings}}

    @property
    def was_lost(self) -> bool:
        """Whether the refresh has lost a database after it had read some of its tables."""
        return self.load is not None and self.load.was_lost

    @property
    def is_estimate(self) -> bool:
        """Whether a query reads a table that does not exist yet, so that the bytes are a lower bound."""
        return any(query.estimate for query in self.queries.values())


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh that holds the lock: its plan, the warehouse and its URL. `source_checks` are the results of the checks
    of its sources. `versions` are those of the tables that it reads and does not build, from before anything was
    built. Rows that it loads pass through files in `folder`. `took` is what each table took in its last builds."""

    plan: RefreshPlan
    warehouse: Warehouse
    url: str
    source_checks: Sequence[CheckResult] = ()
    versions: Mapping[TableName, str] = field(default_factory=dict)
    folder: Path = Path()
    took: Mapping[TableName, tuple[float, ...]] = field(default_factory=dict)

    @property
    def expected(self) -> Expected:
        """What is known before it begins."""
        return Expected(self.plan.seconds(self.took), self.warehouse.builds_at_first)

    def cancel(self) -> None:
        """Cancel the warehouse's work, and what is read from databases."""
        if self.plan.load is not None:
            self.plan.load.close()
        self.warehouse.cancel()

    @property
    def blocked(self) -> dict[TableName, str]:
        """The tables that it does not build, because a check of a source that they read has failed, each with the
        reason."""
        failed = [check for check in self.source_checks if check.verdict is Verdict.FAILED]
        return {
            table: f"a check failed: {check.message}"
            for check in failed
            for table, script in self.plan.scripts.items()
            if not reads_of(script).isdisjoint(check.tables)
        }

    def work(self, context: BuildContext, good: Mapping[TableName, Staged] | None = None) -> Builder:
        """The Builder for the run of `context`. `good` are the tables that earlier attempts of the run have built."""
        published = {table for table, found in (good or {}).items() if found.is_published}
        context = replace(context, tables=tuple(self.plan.scripts))
        units = [replace(unit, needs=unit.needs - published) for unit in self.plan.units if unit.needs - published]
        kept = (good or {}).keys() - published
        checker = checker_of(units, self.warehouse, context) if units else None
        versions = {**self.versions, **dict.fromkeys(self.plan.graph.dependencies, context.version)}
        if published:
            records = self.warehouse.records()
            versions |= {table: records[table].version for table in published if table in records}
        built = self.plan.scripts, self.warehouse, context, kept, checker, self.blocked, versions
        if self.plan.load is None:
            return Builder(*built, took=dict(self.took))
        from warehouse_refresh.pipeline.raw.loading.loading import Loader

        return Builder(*built, Loader(self.plan.load, self.warehouse, self.folder), dict(self.took))


def checker_of(units: Sequence["Unit"], warehouse: Warehouse, context: BuildContext) -> "Checker":
    """The Checker of these units, for the run of `context`."""
    from warehouse_refresh.pipeline.checks.run import Checker  # imports what a project without checks has no use for

    def published_rows(table: TableName) -> int | None:
        try:
            return warehouse.row_count(table)
        except TableNotFound:
            return None

    return Checker(units, lambda query, tables: warehouse.fetch(query, None, tables, context), published_rows)


def connected(settings: RefreshSettings, cache: SqlCache | None = None) -> Warehouse:
    """The warehouse of the settings, as their environment sees it."""
    if not (settings.environment or settings.promoted):
        return connect(settings.warehouse_url, cache)
    from warehouse_refresh.pipeline.tables.environments import (  # what production has no use for
        environment_of,
        production_of,
    )

    return environment_of(settings, cache) if settings.environment else production_of(settings, cache)


@contextmanager
def start_refresh(
    settings: RefreshSettings,
    selectors: Iterable[str],
    who: str,
    say: Callable[[str], None],
    run: str = "",
    asked: Asked = DUE,
    loads: Loads = Loads.NONE,
) -> Iterator[Refresh]:
    """Wait for the refresh lock, clear up after refreshes that died, plan the refresh of the selected tables and create
    their datasets. The block holds the lock, so that no other refresh of this warehouse runs.

    `who` names this refresh, such as "`refresh run`": a refresh that has to wait for this one shows it. If this one has
    to wait, `say` gets a message first. `run` is the run's id, if earlier attempts of it may have staged tables. An
    exception in the block cancels the warehouse's work, and drops what is staged. Raises what `plan_refresh` raises,
    and Refused for a table by date that only a full build can change; no table has changed then. The databases of raw
    tables are open as long as the block.
    """
    # Before anything else: a command in the wrong folder creates no warehouse.
    res_folder(settings.folder, settings.layout.res)
    cache = sql_cache(settings.folder)
    with (
        connected(settings, cache) as warehouse,
        waiting_turn(warehouse, who, say),
        _cancel_on_error(warehouse.cancel),  # inside the lock: so it ends before the next refresh gets the lock
        ExitStack() as stack,
    ):
        warehouse.recover(run, say)
        with cache:
            plan = plan_refresh(settings, selectors, warehouse, cache, asked, loads, stack)
        _need_full(plan)
        folder = _room_for_rows(plan, stack)
        functions = [one.function for one in plan.functions.values()]
        names = [*plan.graph.dependencies, *(function.name for function in functions)]
        warehouse.create_datasets(sorted({name.dataset for name in names}))
        warehouse.create_functions(list(free_of_tables(functions)))
        with cache if plan.units or plan.load else nullcontext():  # checks and loads are read when they run
            checks, versions = _check_sources(plan, warehouse, settings.workers, say), _versions(plan, warehouse)
            took = warehouse.durations()
            refresh = Refresh(plan, warehouse, settings.warehouse_url, checks, versions, folder, took)
            with cleared_on_error(refresh):
                yield refresh


def _room_for_rows(plan: RefreshPlan, stack: ExitStack) -> Path:
    """A folder for the rows that are loaded, as long as the `stack`."""
    if plan.load is None:
        return Path()
    from warehouse_refresh.origins.rooms import room

    return stack.enter_context(room("refresh-load-"))


def _need_full(plan: RefreshPlan) -> None:
    """Raises Refused for tables by date whose settings have changed since they were built: with other partitions, what
    is recorded of them says nothing."""
    changed = [(plan.scripts[table], found) for table, found in plan.due.items() if found.changed]
    problems = [
        script.settings.problem(("build",), f"{script.table}: {found.fault}", found.way_out)
        for script, found in changed
        if script.settings is not None
    ]
    if problems:
        raise Refused(problems)


def _versions(plan: RefreshPlan, warehouse: Warehouse) -> dict[TableName, str]:
    """The versions of the tables that the refresh reads and does not build."""
    read = tables_outside(plan.scripts.values())
    records = {} if plan.project.scripts.keys().isdisjoint(read) else warehouse.records()
    return known_versions(plan.project, warehouse, read, records)


def _check_sources(
    plan: RefreshPlan, warehouse: Warehouse, workers: int, say: Callable[[str], None]
) -> list[CheckResult]:
    """Run the checks of the sources, and say which fail. Returns their results."""
    for note in plan.notes:
        say(note)
    units = [unit for unit in plan.units if not unit.needs]
    if not units:
        return []
    from warehouse_refresh.pipeline.checks.run import run_now

    results = run_now(units, warehouse, workers)
    for result in results:
        if result.verdict is not Verdict.PASSED:
            say(f"{result.verdict.value}: {result}")
    return results


def free_of_tables(functions: Iterable[Function]) -> Iterator[Function]:
    """The functions that read no tables, directly or through other functions. The others are created when the first
    table that calls them is built or published: only then the tables that they read are sure to exist."""
    reading: set[TableName] = set()
    for function in functions:
        if function.names or not reading.isdisjoint(call.name for call in function.calls):
            reading.add(function.name)
        else:
            yield function


def waiting_turn(warehouse: Warehouse, who: str, say: Callable[[str], None]) -> AbstractContextManager[None]:
    """Hold the warehouse's refresh lock inside the block: see `start_refresh`."""
    return warehouse.refresh_lock(_holder(who), lambda holder: say(_waiting_message(holder)))


@contextmanager
def _cancel_on_error(cancel: Callable[[], None]) -> Iterator[None]:
    """Call `cancel` when an exception, Ctrl-C included, ends the block."""
    try:
        yield
    except BaseException:
        cancel()
        raise


@contextmanager
def cleared_on_error(refresh: Refresh) -> Iterator[None]:
    """When an exception, Ctrl-C included, ends the block, cancel the work and drop what is staged. The refresh holds
    the lock."""
    try:
        with _cancel_on_error(refresh.cancel):
            yield
    except BaseException:
        with suppress(WarehouseError), connect(refresh.url) as again:  # if it fails, the next refresh does it
            again.recover("", lambda _line: None)
        raise


def plan_refresh(
    settings: RefreshSettings,
    selectors: Iterable[str],
    warehouse: Warehouse,
    cache: SqlCache | None = None,
    asked: Asked = DUE,
    loads: Loads = Loads.NONE,
    stack: ExitStack | None = None,
) -> RefreshPlan:
    """Read the project, choose the tables, and check them against the warehouse as it is now. Of tables by date the
    plan has what is `asked` for. If raw tables are loaded, their databases are asked, and stay open as long as the
    `stack`.

    Raises Refused with all problems, SelectionError, SettingError, WarehouseError.
    """
    project = project_in(settings, cache)
    loaded = {} if loads is Loads.NONE else _loaded(project, settings)
    graph = _chosen(project, selectors, warehouse, loaded, alone=loads is Loads.ALONE)
    scripts = {table: project.scripts[table] for table in graph.order if table not in loaded}
    load, notes = _planned_load(graph, loaded, warehouse, cache, stack, full=asked.full)
    scripts = with_stored_wildcards(warehouse, scripts, project)
    sources = stored_sources(warehouse, scripts, project, load.columns if load is not None else {})
    functions = project.functions if len(scripts) == len(project.scripts) else _called_by(scripts, project.functions)
    checked = check_scripts(scripts, sources, functions)
    if checked.problems:
        raise Refused(checked.problems)
    plan = RefreshPlan(graph, scripts, checked.plans, project, notes=notes, functions=functions, load=load)
    plan = _with_parts(plan, warehouse, asked, cache)
    return _with_checks(plan, sources, cache) if project.has_checks else plan


def _loaded(project: Project, settings: RefreshSettings) -> "dict[TableName, Loaded]":
    """The raw tables that come from a database. Raises Refused, SelectionError if there are none, SettingError."""
    from warehouse_refresh.pipeline.raw.loading.planning import tables_with_source

    if settings.environment:
        raise SettingError(f"the environment {settings.environment} reads production's raw tables: load them there")
    found = tables_with_source(project, settings.connections)
    if not found:
        raise SelectionError("no table has a source: write [source] into res/raw/TABLE.toml (docs/load.md)")
    return found


def _chosen(
    project: Project, selectors: Iterable[str], warehouse: Warehouse, loaded: Collection[TableName], *, alone: bool
) -> Graph:
    """The part of the graph that the selectors name: of the scripts and the raw tables `loaded`, or of these `alone`.
    What is loaded is stale, and so is all that is built from it."""
    if alone:
        return select(Graph(dict.fromkeys(loaded, frozenset())), selectors, project.names_over(loaded))
    find = finder(project, warehouse)

    def found(state: str) -> Collection[TableName]:
        if state != "stale" or not loaded:
            return find(state)
        whole = project.over(loaded)
        return {*find(state), *loaded}.union(*(whole.downstream(table) for table in loaded))

    return with_views_between(project.chosen(selectors, found, loaded), project, loaded)


def _planned_load(
    graph: Graph,
    loaded: "Mapping[TableName, Loaded]",
    warehouse: Warehouse,
    cache: SqlCache | None,
    stack: ExitStack | None,
    *,
    full: bool,
) -> "tuple[LoadPlan | None, Sequence[str]]":
    """What is loaded of the graph's tables, with `full` all of their rows, and how their columns change."""
    chosen = {table: loaded[table] for table in graph.order if table in loaded}
    if not chosen or stack is None:
        return None, ()
    from warehouse_refresh.pipeline.raw.loading.changing import with_changes
    from warehouse_refresh.pipeline.raw.loading.planning import changes, plan_load

    plan = plan_load(stack, chosen, cache)
    notes = changes(plan, warehouse)
    return with_changes(plan, warehouse, full=full), notes


def _with_parts(plan: RefreshPlan, warehouse: Warehouse, asked: Asked, cache: SqlCache | None) -> RefreshPlan:
    """The plan with what is due or asked for of the tables by date, if it has any. Raises Refused, WarehouseError."""
    if not any(script.settings is not None and script.settings.says.build for script in plan.scripts.values()):
        return plan
    from warehouse_refresh.pipeline.tables.partitions import due, planning

    moment = asked.moment or due.now()
    of_plan = plan.graph, plan.scripts, plan.project
    scripts, found = planning.with_parts(*of_plan, warehouse, asked, moment, cache, plan.load)
    queries = {table: planning.of_all(plan.queries[table], due_now) for table, due_now in found.items()}
    return replace(plan, scripts=scripts, due=found, queries={**plan.queries, **queries})


def _with_checks(plan: RefreshPlan, sources: Sources, cache: SqlCache | None) -> RefreshPlan:
    """The plan with the checks of the tables that are built and of the sources that they read. Raises Refused."""
    from warehouse_refresh.pipeline.checks.planning import plan_checks, tables_of  # imports msgspec

    read = tables_outside(plan.scripts.values()) - plan.project.scripts.keys()
    tables = {*plan.graph.dependencies, *read}
    found = tables_of(sources, plan.queries)
    checks = plan_checks(plan.project, found, plan.graph, tables, cache, _checkable(plan))
    if checks.problems:
        raise Refused(checks.problems)
    return replace(plan, units=checks.units, notes=[*plan.notes, *checks.notes])


def _checkable(plan: RefreshPlan) -> "dict[TableName, Checkable]":
    """What checks look at of the tables by date."""
    if not plan.due:
        return {}
    from warehouse_refresh.pipeline.checks.partitions import of_build

    parts = {table: plan.scripts[table].build.parts for table in plan.due}
    return {table: of_build(one, plan.due[table]) for table, one in parts.items() if one}


def with_views_between(graph: Graph, project: Project, loaded: Collection[TableName] = ()) -> Graph:
    """The graph of the chosen tables, plus the views through which one of them reads another one. Without these, such a
    view would show that other table as it was before this refresh."""
    views = {script.table for script in project.scripts.values() if script.build.is_view} - graph.dependencies.keys()
    if not views:
        return graph
    whole = project.over(loaded)
    left = [table for table in whole.order if table in views]
    above, below = set(graph.dependencies), set(graph.dependencies)
    for view in left:
        if not above.isdisjoint(whole.dependencies[view]):
            above.add(view)
    for view in reversed(left):
        if not below.isdisjoint(whole.dependents[view]):
            below.add(view)
    return whole.only({*graph.dependencies, *(above & below & views)})


def _called_by(
    scripts: Mapping[TableName, Script], functions: Mapping[TableName, FunctionScript]
) -> dict[TableName, FunctionScript]:
    """The functions that the scripts call, in the order of `functions`."""
    called = {function.name for script in scripts.values() for function in script.query.functions}
    return {name: one for name, one in functions.items() if name in called}


def _holder(who: str) -> str:
    """The text in the lock that names this refresh: `who`, the machine and the process."""
    return f"{who} on {socket.gethostname()}, process {os.getpid()}"


def _waiting_message(holder: str) -> str:
    """Says that this refresh waits for that of `holder` ("" if unknown)."""
    return f"another refresh is under way ({holder or 'its holder is unknown'}); this one starts when it has ended"
