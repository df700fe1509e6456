"""Turn the checks in settings files and in `res/checks/` into the units that a refresh runs, and report wrong checks.

A reference adds no dependency between tables. If the same refresh builds the other table, but not before this one, the
check of the reference is a unit of its own, which runs once both are built.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from warehouse_refresh.pipeline.checks.declared import Declared, References, RowCount
from warehouse_refresh.pipeline.checks.faults import Fault, faults_of, faults_of_references
from warehouse_refresh.pipeline.checks.own import OwnCheck, counting, read_own_answer
from warehouse_refresh.pipeline.checks.partitions import (
    Checkable,
    bounded,
    counts_text,
    divided,
    first_of,
    new_rows,
    with_counts,
)
from warehouse_refresh.pipeline.checks.queries import Subject, query_text
from warehouse_refresh.pipeline.checks.results import read_answer
from warehouse_refresh.pipeline.checks.run import Unit
from warehouse_refresh.pipeline.outcomes import CheckResult
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.problems import Problem, Severity, sql_problem
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import reads_of
from warehouse_refresh.pipeline.raw.sources import Sources
from warehouse_refresh.pipeline.tables.files import SettingsFile
from warehouse_refresh.warehouse import Answer, Planner, QueryPlan
from warehouse_refresh.warehouse.builds.parts import query_of
from warehouse_refresh.warehouse.errors import SqlError, TableNotFound, UnsupportedSql
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Query, parse_query
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import Column

Columns = tuple[Column, ...]


@dataclass(frozen=True)
class Tables:
    """Looks up the columns of tables. `planned` has the columns that scripts will produce or files declare. `look_up`
    asks the warehouse for the columns of any other table, and raises TableNotFound; it is None without a warehouse.
    `unsupported` is the severity of SQL that the engine cannot run, but BigQuery may."""

    planner: Planner
    planned: Mapping[TableName, Columns]
    look_up: Callable[[TableName], Columns] | None = None
    unsupported: Severity = Severity.ERROR
    _found: dict[TableName, Columns | None] = field(default_factory=dict)

    def columns_of(self, table: TableName) -> Columns | None:
        """The table's columns. None if there is no such table, or its columns are unknown."""
        if table not in self._found:
            self._found[table] = self.planned.get(table) or self._looked_up(table)
        return self._found[table]

    def _looked_up(self, table: TableName) -> Columns | None:
        try:
            return self.look_up(table) if self.look_up else None
        except TableNotFound:
            return None

    def stand_ins(self, tables: Collection[TableName]) -> dict[TableName, Columns]:
        """The planned columns of these tables, for `Planner.plan`. Tables without planned columns are left out."""
        return {table: self.planned[table] for table in tables if table in self.planned}


def tables_of(sources: Sources, plans: Mapping[TableName, QueryPlan]) -> Tables:
    """The tables with the columns that scripts and files give them; for all others, those of the warehouse if there is
    one."""
    planned = {**sources.columns, **{table: plan.columns for table, plan in plans.items()}}
    return Tables(sources.planner, planned, sources.look_up, sources.unsupported)


@dataclass(frozen=True)
class PlannedChecks:
    """The units to run, the problems of wrong checks, and a note for each check that cannot run yet."""

    units: tuple[Unit, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def plan_checks(
    project: Project,
    tables: Tables,
    built: Graph,
    checked: Collection[TableName],
    cache: SqlCache | None = None,
    parts: Mapping[TableName, Checkable] | None = None,
) -> PlannedChecks:
    """Plan the checks of the tables `checked`, and those in `res/checks/` that read one of them.

    `built` is the graph of the tables that the refresh builds: a check waits for those of them that it reads. Queries
    that the `cache` knows are not parsed again. `parts` are what is checked of tables by date."""
    found = _Found(project, tables, built, cache, parts or {})
    settings = _settings_of(project)
    for table in sorted(checked):
        file = settings.get(table)
        columns = tables.columns_of(table)
        if file is not None and columns is not None and any(file.says.checks.listed()):
            found.add_table(table, file, columns)
    for own in project.own_checks.values():
        if reads_of(own.script) & set(checked):
            found.add_own(own)
    return PlannedChecks(tuple(found.units), tuple(found.problems), tuple(found.notes))


def _settings_of(project: Project) -> dict[TableName, SettingsFile]:
    of_scripts = {table: script.settings for table, script in project.scripts.items() if script.settings is not None}
    return {**project.raw_settings, **of_scripts}


@dataclass
class _Found:
    """Collects the parts of PlannedChecks."""

    project: Project
    tables: Tables
    built: Graph
    cache: SqlCache | None = None
    parts: Mapping[TableName, Checkable] = field(default_factory=dict)
    units: list[Unit] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def filtered(self) -> dict[TableName, str]:
        """The partition column of each table that refuses queries without a partition filter."""
        builds = [script.build for script in self.project.scripts.values()]
        strict = [build for build in builds if build.storage.require_partition_filter]
        return {build.table: build.storage.partition.column for build in strict if build.storage.partition}

    def add_table(self, table: TableName, file: SettingsFile, columns: Columns) -> None:
        """Add a table's checks: units for the right ones, problems for the wrong ones."""
        checks = file.says.checks
        is_source = table not in self.project.scripts
        faults = list(faults_of(table, checks, columns, is_source=is_source))
        wrong = {path[:3] for path, _, _ in faults}
        right = [declared for declared in checks.listed() if declared.path not in wrong]
        for declared in list(right):
            found = list(self._faults_of_reference(declared, table, columns))
            faults += found
            if found or not self._is_there(declared, table):
                right.remove(declared)
        self.problems += [file.problem(path, reason, hint) for path, reason, hint in faults]
        self._add_divided(Subject(table, columns, checks.where or "", self.filtered), right, file)

    def _add_divided(self, subject: Subject, checks: list[Declared], file: SettingsFile) -> None:
        """Add the units of a table, of which those of a table by date look at the new partitions."""
        found = self.parts.get(subject.table) or first_of(file)
        if found is None or Column(found.parts.column, found.parts.kind) not in subject.columns:
            self._add_units(subject, checks, file)
            return
        of_all, of_new, counts = divided(checks, found.parts)
        self._add_units(subject, of_all, file)
        self._add_units(new_rows(subject, found.parts.column), of_new, file, found)
        for declared in counts:
            self._add_counts(subject, declared, file, found)

    def _add_counts(self, subject: Subject, declared: Declared, file: SettingsFile, found: Checkable) -> None:
        """Add the unit that counts the rows of each partition."""
        query = query_of(self._query(counts_text(subject, found.parts)), found.span, found.parts)
        plan = self._plan(query, subject, (), file)
        if plan is not None:
            unit = self._unit(subject, query, (), plan, lambda _answer, _before: ())
            self.units.append(with_counts(unit, subject, declared, found))

    def _unit(
        self,
        subject: Subject,
        query: Query,
        checks: Sequence[Declared],
        plan: QueryPlan,
        read: Callable[[Answer, int | None], Sequence[CheckResult]],
    ) -> Unit:
        """The unit of these checks of a table."""
        needs = {table for declared in checks for table in self._others(subject, declared)}
        needs |= {subject.table} & self.built.dependencies.keys()
        counts = any(isinstance(it.check, RowCount) and it.check.change_at_most is not None for it in checks)
        about = (subject.table,)
        return Unit(str(subject.table), query, about, frozenset(needs), read, counts, plan.bytes_processed)

    def _faults_of_reference(self, declared: Declared, table: TableName, columns: Columns) -> Iterator[Fault]:
        if not isinstance(declared.check, References):
            return
        other, _ = declared.check.target
        known = {*self.project.scripts, *self.project.unreadable, *self.project.sources}
        if other not in known and self.tables.columns_of(other) is None:
            hint = did_you_mean(str(other), map(str, known)) or "name a table that a script builds, or a source"
            yield declared.path, f"{table} refers to {other}, which is neither a script nor a source", hint
        if table not in self.project.scripts and other in self.project.scripts:
            hint = "write a query in res/checks/ instead"
            yield declared.path, f"{table} is checked before {other} is built, and cannot refer to it", hint
        own = next(column for column in columns if column.name.casefold() == declared.columns[0].casefold())
        yield from faults_of_references(declared, table, own, self.tables.columns_of)

    def _is_there(self, declared: Declared, table: TableName) -> bool:
        """Whether the table that a check refers to exists. If it does not, a note says that the check is not run."""
        if not isinstance(declared.check, References) or self.tables.columns_of(declared.check.target[0]) is not None:
            return True
        other = declared.check.target[0]
        self.notes.append(f"not checked: references {declared.columns[0]} of {table}, since {other} is not there yet")
        return False

    def _add_units(
        self, subject: Subject, checks: Sequence[Declared], file: SettingsFile, found: Checkable | None = None
    ) -> None:
        """Add one unit for all checks that can run as soon as the table is built, and one for each reference that must
        wait for another table. With `found`, they look at the rows between its bounds."""
        upstream = {*self.built.upstream(subject.table)} if subject.table in self.built.dependencies else set()
        later = [declared for declared in checks if self._others(subject, declared) - upstream]
        at_once = [declared for declared in checks if declared not in later]
        for group in ([at_once] if at_once else []) + [[declared] for declared in later]:
            query = self._query(query_text(subject, group))
            query = query_of(query, found.span, found.parts) if found else query
            plan = self._plan(query, subject, group, file)
            if plan is None:
                return
            unit = self._unit(subject, query, group, plan, partial(_read, subject, group))
            self.units.append(bounded(unit, found) if found else unit)

    def _others(self, subject: Subject, declared: Declared) -> set[TableName]:
        """The other tables of this refresh that the check reads."""
        if not isinstance(declared.check, References):
            return set()
        return {declared.check.target[0]} & self.built.dependencies.keys() - {subject.table}

    def _plan(self, query: Query, subject: Subject, group: Sequence[Declared], file: SettingsFile) -> QueryPlan | None:
        """The plan of a query for a group of checks. If the query is wrong, add a problem and return None. The problem
        blames the `where` of the checks if there is one: everything else was checked before."""
        reads = {subject.table, *(it.check.target[0] for it in group if isinstance(it.check, References))}
        try:
            return self._confirmed(query, self.tables.stand_ins(reads))
        except SqlError as error:
            severity = self.tables.unsupported if isinstance(error, UnsupportedSql) else Severity.ERROR
            keys = ("checks", "where") if subject.where else ("checks",)
            what = "the condition" if subject.where else "these checks"
            self.problems.append(file.problem(keys, f"{what} cannot be used: {error.reason}", error.hint, severity))
            return None

    def _query(self, text: str) -> Query:
        functions = {name: one.function for name, one in self.project.functions.items()}
        return (
            parse_query(text, self.cache)
            .within(self.project.own)
            .given(self.project.check.variables)
            .calling(functions)
        )

    def add_own(self, own: OwnCheck) -> None:
        """Add a check from a file. A wrong one becomes a problem. If a table that it reads does not exist, add a
        note."""
        query, reads = own.script.query, reads_of(own.script)
        if len(query.variables) < len(query.parameters):
            return  # `read_project` reports it
        missing = sorted(table for table in reads if self.tables.columns_of(table) is None)
        if missing:
            self.notes.append(f"not checked: {own.name}, since {', '.join(map(str, missing))} is not there yet")
            return
        stand_ins = self.tables.stand_ins(reads)
        try:
            columns = self._confirmed(query, stand_ins).columns
            counted = counting(query, columns)
            plan = self._confirmed(counted, stand_ins)
        except SqlError as error:
            severity = self.tables.unsupported if isinstance(error, UnsupportedSql) else Severity.ERROR
            self.problems.append(sql_problem(own.script.path, error, severity))
            return
        needs = reads & self.built.dependencies.keys()
        about = tuple(sorted(needs or reads))
        path = own.script.path.relative_to(self.project.folder).as_posix()
        read = partial(_read_own, own, path, about, columns)
        self.units.append(Unit(own.name, counted, about, frozenset(needs), read, bytes_processed=plan.bytes_processed))

    def _confirmed(self, query: Query, stand_ins: Mapping[TableName, Columns]) -> QueryPlan:
        """The plan of a query, once the engine has accepted it. Raises SqlError if it does not."""
        plan = self.tables.planner.plan(query, stand_ins)
        plan.confirm()
        return plan


def _read(subject: Subject, checks: Sequence[Declared], answer: Answer, published: int | None) -> list[CheckResult]:
    return [replace(it, tables=(subject.table,)) for it in read_answer(subject, checks, answer, published)]


def _read_own(
    own: OwnCheck, path: str, about: tuple[TableName, ...], columns: Columns, answer: Answer, _published: int | None
) -> list[CheckResult]:
    return [read_own_answer(own, path, about, columns, answer)]
