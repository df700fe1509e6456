"""Load raw tables: read each from its database's snapshot, stage it, check it, and publish the healthy ones together.

A load is an Execution like a refresh: only the work for each table differs.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_refresh.origins import Described, OriginError, Snapshot, open_snapshot
from warehouse_refresh.pipeline.execution import BuildFailed, Progress, no_progress
from warehouse_refresh.pipeline.outcomes import CheckResult
from warehouse_refresh.pipeline.project.files import res_folder
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.problems import Problem, Refused
from warehouse_refresh.pipeline.project.project import Project, project_in, sql_cache
from warehouse_refresh.pipeline.project.scripts import source_folders
from warehouse_refresh.pipeline.project.selectors import Named, SelectionError, select
from warehouse_refresh.pipeline.raw.loading.sources import Loaded, address_of, limits_of, loaded_tables, salt_of
from warehouse_refresh.pipeline.raw.loads import path_sql, run_script
from warehouse_refresh.pipeline.raw.seeds import bad_names
from warehouse_refresh.pipeline.refresh import cancel_on_error, waiting_turn
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.tables.settings import storage_of
from warehouse_refresh.warehouse import BuildContext, Built, Published, TableBuild, Warehouse, connect
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import STRING, Column, SqlType

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.checks.run import Checker
    from warehouse_refresh.warehouse.values.parquet import ParquetFile

Say = Callable[[str], None]


@dataclass(frozen=True)
class LoadPlan:
    """What a load would do: the graph of its tables, none of which waits for another, and what each one's database says
    of it."""

    graph: Graph
    tables: Mapping[TableName, Loaded]
    described: Mapping[TableName, Described]

    @property
    def owners(self) -> dict[TableName, str]:
        """Whom to ask about each table, where its settings say it."""
        return {table: one.file.says.owner for table, one in self.tables.items()}

    def columns(self, table: TableName) -> tuple[Column, ...]:
        """The table's columns after the load."""
        return tuple(it.column for it in self.described[table].columns)


@dataclass(frozen=True)
class Loader:
    """Loads tables in the run of `context`. Implements Work."""

    plan: LoadPlan
    snapshots: Mapping[str, Snapshot]
    salts: Mapping[str, str]
    warehouse: Warehouse
    context: BuildContext
    folder: Path
    checker: "Checker | None" = None
    blocked: Mapping[TableName, str] = field(default_factory=dict)

    def must_stage(self, _table: TableName) -> bool:
        return True

    def build(self, table: TableName, _progress: Progress = no_progress) -> Built:
        raise NotImplementedError(f"{table} is staged, since must_stage says so")

    def stage(self, table: TableName, staged: Collection[TableName]) -> Built:
        started = time.monotonic()
        path = self.folder / f"{table}.parquet"
        landed = _landed(table)
        try:
            file = self._read(table, path)
            self.warehouse.offer(landed, file)
            built = self.warehouse.stage(self._build(table), staged, self.context)
        finally:
            path.unlink(missing_ok=True)
            self.warehouse.drop(landed)
        return replace(built, seconds=time.monotonic() - started)

    def check(self, table: TableName) -> Sequence[CheckResult]:
        return self.checker.check(table) if self.checker is not None else ()

    def check_rest(self) -> Sequence[CheckResult]:
        return self.checker.check_rest() if self.checker is not None else ()

    def publish(self, tables: Sequence[TableName]) -> Published:
        return self.warehouse.publish([self._build(table) for table in tables], self.context)

    def discard(self, keep: Collection[TableName]) -> None:
        self.warehouse.discard(self.context, keep)

    def note_failed(self, tables: Sequence[TableName]) -> None:
        self.warehouse.note_failed(tables)

    def _read(self, table: TableName, path: Path) -> "ParquetFile":
        from warehouse_refresh.origins.landing import land  # imports DuckDB

        one, columns = self.plan.tables[table], self.plan.described[table].columns
        name = one.source.connection
        try:
            with self.snapshots[name].reading(one.relation, columns) as stream:
                return land(stream, columns, one.source.mask, self.salts[name], path)
        except OriginError as error:
            raise BuildFailed(f"{one.file.path}: {error}") from error

    def _build(self, table: TableName) -> TableBuild:
        query = parse_query(f"SELECT * FROM {path_sql(_landed(table))}")
        return TableBuild(table, query, storage=storage_of(self.plan.tables[table].file.says))


def _landed(table: TableName) -> TableName:
    """Where the table's rows are until they are staged."""
    return TableName(OWN_DATASET, f"load_{table.dataset}_{table.name}")


@contextmanager
def start_load(settings: RefreshSettings, selectors: Iterable[str], who: str, say: Say, run: str) -> Iterator[Loader]:
    """Wait for the refresh lock, plan the load of the selected tables, and hold a snapshot of each database in the
    block.

    Raises Refused for what is wrong with the settings or cannot be read, SelectionError, SettingError, WarehouseError;
    no table has changed then."""
    project, tables = _tables(settings)
    graph = _chosen(tables, selectors, project)
    with ExitStack() as stack:
        warehouse = stack.enter_context(connect(settings.warehouse_url))
        stack.enter_context(waiting_turn(warehouse, who, say))
        stack.enter_context(cancel_on_error(warehouse))
        warehouse.recover("", say)
        chosen = {table: tables[table] for table in graph.order}
        plan, snapshots = plan_load(stack, graph, chosen)
        _report_changes(plan, warehouse, say)
        warehouse.create_datasets(sorted({table.dataset for table in chosen}))
        run_script(warehouse, f"CREATE SCHEMA IF NOT EXISTS {OWN_DATASET}")
        folder = Path(tempfile.mkdtemp(prefix="refresh-load-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        context = BuildContext(run=run, keep_previous=settings.keep_previous)
        salts = {one.source.connection: salt_of(one.source.connection, one.connection) for one in chosen.values()}
        yield Loader(plan, snapshots, salts, warehouse, context, folder, _checker(plan, project, warehouse, context))


def _tables(settings: RefreshSettings) -> tuple[Project, dict[TableName, Loaded]]:
    res = res_folder(settings.folder, settings.layout.res)
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
    folders = source_folders(res, settings.layout.raw)
    return project, loaded_tables(project.raw_settings, settings.connections, folders)


def _chosen(tables: Mapping[TableName, Loaded], selectors: Iterable[str], project: Project) -> Graph:
    if not tables:
        raise SelectionError("no table has a source: write [source] into res/raw/TABLE.toml (docs/load.md)")
    files = {table: one.file.path.relative_to(project.folder).as_posix() for table, one in tables.items()}
    tags = {table: one.file.says.tags for table, one in tables.items()}
    return select(Graph({table: frozenset() for table in tables}), selectors, Named(files, tags))


def plan_load(
    stack: ExitStack, graph: Graph, tables: Mapping[TableName, Loaded]
) -> tuple[LoadPlan, dict[str, Snapshot]]:
    """Open a snapshot of each database for as long as the `stack`, and ask it about its tables. Raises Refused with all
    that cannot be read."""
    connections = {one.source.connection: one.connection for one in tables.values()}
    urls = {name: address_of(name, connection) for name, connection in connections.items()}
    snapshots = {
        name: stack.enter_context(open_snapshot(urls[name], limits_of(connection)))
        for name, connection in connections.items()
    }
    described: dict[TableName, Described] = {}
    problems: list[Problem] = []
    for table, one in tables.items():
        try:
            described[table] = _described(one, snapshots[one.source.connection])
        except Refused as error:
            problems += error.problems
        except OriginError as error:
            problems.append(one.file.problem(("source",), str(error)))
    if problems:
        raise Refused(problems)
    return LoadPlan(graph, tables, described), snapshots


def _described(one: Loaded, snapshot: Snapshot) -> Described:
    """The columns to read. Raises Refused for those that cannot be, and for settings of a column that is not there."""
    source = one.source
    found = snapshot.describe(one.relation, {**one.wanted, **dict.fromkeys(source.mask, STRING)})
    names = [*(it.column.name for it in found.columns), *found.refused]
    problem = one.file.problem
    problems = [
        problem(("source", "table" if source.table else "query"), f"{name}: {reason}")
        for name, reason in found.refused.items()
        if name not in source.exclude
    ]
    for key, listed in (("exclude", source.exclude), ("mask", source.mask)):
        problems += [
            problem(("source", key), f"{one.relation} has no column {name}", did_you_mean(name, names))
            for name in listed
            if name not in names
        ]
    kept = tuple(it for it in found.columns if it.column.name not in source.exclude)
    left = [it.column.name for it in kept]
    problems += [
        problem(("columns", name), f"{one.relation} gives no column {name}", did_you_mean(name, left))
        for name in one.file.says.columns
        if name not in left
    ]
    wrong = bad_names(one.file.path, left)
    problems += [problem(("source",), it.reason, "leave it out (exclude), or rename it in a query") for it in wrong]
    if not kept and not problems:
        problems.append(problem(("source", "exclude"), "no column is left", "leave fewer out"))
    if problems:
        raise Refused(problems)
    return replace(found, columns=kept)


def _report_changes(plan: LoadPlan, warehouse: Warehouse, say: Say) -> None:
    """Say which columns are new. Raises Refused for those that are gone or have another type, where the settings do not
    take that."""
    problems: list[Problem] = []
    for table, one in plan.tables.items():
        try:
            before = {column.name: column.type for column in warehouse.columns(table)}
        except TableNotFound:
            continue
        now = {column.name: column.type for column in plan.columns(table)}
        for name in now.keys() - before.keys():
            say(f"{table} gets a new column: {name} {now[name]}")
        for change in _lost(before, now):
            if one.source.changes == "take":
                say(f"{table}: {change}")
            else:
                hint = 'write changes = "take" if that is meant: scripts may need the column'
                problems.append(one.file.problem(("source",), f"{table}: {change}", hint))
    if problems:
        raise Refused(problems)


def _lost(before: Mapping[str, SqlType], now: Mapping[str, SqlType]) -> Iterator[str]:
    for name, kind in before.items():
        if name not in now:
            yield f"the source has no column {name} any more"
        elif now[name] != kind:
            yield f"{name} is {kind}, and the source now gives {now[name]}"


def _checker(plan: LoadPlan, project: Project, warehouse: Warehouse, context: BuildContext) -> "Checker | None":
    """Runs the checks that the settings of the loaded tables declare, before they are published. Raises Refused."""
    if not any(any(one.file.says.checks.listed()) for one in plan.tables.values()):
        return None
    from warehouse_refresh.pipeline.checks.planning import Tables, plan_checks
    from warehouse_refresh.pipeline.checks.run import Checker

    planned = {table: plan.columns(table) for table in plan.tables}
    tables = Tables(warehouse, planned, warehouse.columns)
    checks = plan_checks(replace(project, own_checks={}), tables, plan.graph, plan.tables)
    if checks.problems:
        raise Refused(checks.problems)

    def published_rows(table: TableName) -> int | None:
        try:
            return warehouse.row_count(table)
        except TableNotFound:
            return None

    return Checker(checks.units, lambda query, tables: warehouse.fetch(query, None, tables, context), published_rows)
