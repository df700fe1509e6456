"""Find all problems that can be found without running the scripts.

`refresh check`, `refresh plan` and every refresh call `check_scripts`. They differ in where they look up the columns of
tables that no script builds: see pipeline/raw/sources.py.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.project.graph import Graph, find_cycles
from warehouse_refresh.pipeline.project.problems import Problem, Severity, and_others, sql_problem
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import reads_of, tables_outside
from warehouse_refresh.pipeline.project.scripts import FUNCTIONS, FunctionScript, Script, dataset_folders
from warehouse_refresh.pipeline.raw.sources import Sources
from warehouse_refresh.pipeline.running.schedule import ScheduleResult, returned, run_in_order, run_in_parallel
from warehouse_refresh.pipeline.tables.contract import contract_problems, own_columns, raw_problems
from warehouse_refresh.warehouse import QueryPlan
from warehouse_refresh.warehouse.errors import ForeignSource, Place, SqlError, UnsupportedSql
from warehouse_refresh.warehouse.names import TableName, why_unstorable
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Query, parse_query
from warehouse_refresh.warehouse.types import Column, with_required

if TYPE_CHECKING:
    from sqlglot import exp

Columns = tuple[Column, ...]


@dataclass(frozen=True)
class Checked:
    """The plan of each query, by table, dependencies first; all problems; and the tables whose SQL was not checked,
    because a table that they read is wrong or unknown."""

    plans: dict[TableName, QueryPlan]
    problems: list[Problem]
    skipped: list[TableName]


class _Refused(Exception):
    """A script whose result cannot be stored as a table."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


class _Skipped(Exception):
    """A script that reads a table whose columns are not known."""


def check_project(project: Project, sources: Sources, cache: SqlCache | None = None) -> Checked:
    """Check the project's files, its map, its SQL, the checks of its tables and the tests of its scripts. Queries of
    checks that the `cache` knows are not parsed again."""
    checked = check_scripts(project.scripts, sources, project.functions, project.unreadable)
    raw = raw_problems(project.raw_settings, sources.columns)
    found = (*_wrong_checks(project, sources, checked, cache), *_wrong_tests(project, sources, checked, cache))
    problems = {*project.problems, *checked.problems, *raw, *found}
    return Checked(checked.plans, sorted(problems, key=lambda problem: problem.position), checked.skipped)


def _wrong_checks(project: Project, sources: Sources, checked: Checked, cache: SqlCache | None) -> Iterable[Problem]:
    if not project.has_checks:
        return ()
    from warehouse_refresh.pipeline.checks.planning import plan_checks, tables_of  # imports msgspec

    tables = {*checked.plans, *tables_outside(project.scripts.values()), *project.raw_settings}
    return plan_checks(project, tables_of(sources, checked.plans), Graph({}), tables, cache).problems


def _wrong_tests(project: Project, sources: Sources, checked: Checked, cache: SqlCache | None) -> Iterable[Problem]:
    """What is wrong with the files of tests, which are not run."""
    from warehouse_refresh.pipeline.testing.files import test_files

    if not any(test_files(dataset_folders(project.folder / project.layout.res))):
        return ()
    from warehouse_refresh.pipeline.testing.reading import read_cases  # imports msgspec

    return read_cases(project, sources, checked, cache).problems


def check_scripts(
    scripts: Mapping[TableName, Script],
    sources: Sources,
    functions: Mapping[TableName, FunctionScript] | None = None,
    unreadable: Collection[TableName] = (),
) -> Checked:
    """Plan the functions, then the scripts in order, each over the columns that the scripts before it produce. Nothing
    is built.

    A script is skipped if it reads a table of `sources.unknown` or a variable that does not exist, calls a function
    that is wrong, reads a script that is wrong or skipped, or is part of a cycle. `unreadable` has the names of the
    files that cannot be read: some of them may create functions. The columns in settings files are compared with the
    plans. Raises WarehouseError for any error but wrong SQL.
    """
    graph, cyclic = _read_graph(scripts)
    plans: dict[TableName, QueryPlan] = {}
    called = {function.name for script in scripts.values() for function in script.query.functions}
    faults = {
        name: fault
        for name, (fault, is_wrong) in function_faults(functions or {}, sources, unreadable).items()
        if is_wrong or name in called or sources.unsupported is Severity.WARNING
    }

    def plan(table: TableName) -> None:
        reads = scripts[table].query.tables
        if not reads.isdisjoint(sources.unknown) or not reads.isdisjoint(cyclic) or _lacks_values(scripts[table]):
            raise _Skipped
        if any(function.name in faults for function in scripts[table].query.functions):
            raise _Skipped
        if _calls_unreadable(scripts[table].query, unreadable):
            raise _Skipped
        query_plan = sources.planner.plan(scripts[table].query, known_columns(scripts[table], sources, plans))
        if problems := list(_unstorable(scripts[table], query_plan.columns)):
            raise _Refused(problems)
        if required := scripts[table].build.storage.required:
            query_plan = replace(query_plan, columns=with_required(query_plan.columns, required))
        plans[table] = query_plan

    at_once = sources.planner.plans_at_once
    done = run_in_order(graph, plan) if at_once == 1 else _run_in_threads(graph, plan, at_once)
    refused_later = _refused_later(plans)
    broken = [problem for table, plan in plans.items() for problem in contract_problems(scripts[table], plan.columns)]
    broken += [problem for table in plans for problem in _wrong_ids(scripts[table], sources)]
    skipped = {table for table, future in done.results.items() if isinstance(future.exception(), _Skipped)}
    errors = {table: future.exception() for table, future in done.results.items()} | refused_later
    return Checked(
        {table: plans[table] for table in graph.order if table in plans},
        [*sources.problems, *faults.values(), *broken, *_problems(scripts, errors, sources.unsupported)],
        sorted({*skipped, *done.not_run, *cyclic}),
    )


def _wrong_ids(script: Script, sources: Sources) -> Iterable[Problem]:
    """What is wrong with the column that has the highest id, of a table that is built by ranges of ids."""
    build = script.settings.says.build if script.settings is not None else None
    if build is None or build.source is None:
        return ()
    from warehouse_refresh.pipeline.tables.partitions.ids import column_problems

    return column_problems(script, sources.columns_of)


def known_columns(script: Script, sources: Sources, plans: Mapping[TableName, QueryPlan]) -> dict[TableName, Columns]:
    """The columns of the tables that the script reads, as far as the planner cannot look them up."""
    reads = script.query.tables
    columns = {read: sources.columns[read] for read in reads if read in sources.columns}
    columns |= {read: plans[read].columns for read in reads if read in plans}
    return {**columns, script.table: own_columns(script)} if script.table in reads else columns


def function_faults(
    functions: Mapping[TableName, FunctionScript], sources: Sources, unreadable: Collection[TableName] = ()
) -> dict[TableName, tuple[Problem, bool]]:
    """The problem of each function that is wrong by itself, and whether it is wrong on BigQuery, too.

    A function that reads tables, or takes an argument of any type, is checked where it is called. One that calls a
    function that is wrong, or in a file that cannot be read, is not checked."""
    faults: dict[TableName, tuple[Problem, bool]] = {}
    files = {name: one.function for name, one in functions.items()}
    for name, one in functions.items():
        arguments = ", ".join(f"CAST(NULL AS {kind})" for kind in one.function.arguments)
        query = parse_query(f"SELECT `{name}`({arguments}) AS x").calling(files)
        wrong = any(function.name in faults for function in query.functions) or _calls_unreadable(query, unreadable)
        if wrong or query.names or "ANY TYPE" in one.function.arguments:
            continue
        try:
            sources.planner.plan(query, {})
        except SqlError as error:
            is_wrong = not isinstance(error, UnsupportedSql)
            faults[name] = _function_problem(one, error, sources.unsupported), is_wrong
    return faults


def _calls_unreadable(query: Query, unreadable: Collection[TableName]) -> bool:
    """Whether the query, or a function that it calls, calls a function in a file that cannot be read."""
    if not unreadable:
        return False
    calls = {call.name for call in (*query.calls, *(call for one in query.functions for call in one.calls))}
    return any(name in unreadable or TableName(FUNCTIONS, name.name) in unreadable for name in calls)


def _function_problem(one: FunctionScript, error: SqlError, unsupported: Severity) -> Problem:
    """The problem for an error of a query that only calls the function: what caused it has its place in the file."""
    severity = unsupported if isinstance(error, UnsupportedSql) else Severity.ERROR
    cause = error.__cause__
    found = cause if isinstance(cause, SqlError) else SqlError(error.reason, hint=error.hint)
    place = one.function.language if found.place is None else found.place
    return Problem(one.path, place, found.reason, found.hint, severity)


def _lacks_values(script: Script) -> bool:
    """Whether the script reads a variable that does not exist: `read_project` reports it."""
    return len(script.query.variables) < len(script.query.parameters)


def _read_graph(scripts: Mapping[TableName, Script]) -> tuple[Graph, set[TableName]]:
    """The graph of which script reads which, without scripts in cycles; and the scripts in cycles."""
    edges = {
        table: {read for read in reads_of(script) if read in scripts and (read != table or not own_columns(script))}
        for table, script in scripts.items()
    }
    cyclic = {table for cycle in find_cycles(edges) for table in cycle}
    kept = {table: frozenset(reads - cyclic) for table, reads in edges.items() if table not in cyclic}
    return Graph(kept), cyclic


def _run_in_threads(graph: Graph, plan: Callable[[TableName], None], workers: int) -> ScheduleResult[Future[None]]:
    with ThreadPoolExecutor(workers, thread_name_prefix="plan") as pool:
        return run_in_parallel(graph, lambda table, _dependencies: pool.submit(plan, table), returned)


def _refused_later(plans: dict[TableName, QueryPlan]) -> dict[TableName, SqlError]:
    """Confirm all plans, and take out those of queries that the engine refuses; answers its errors."""
    errors = {}
    for table, plan in list(plans.items()):
        try:
            plan.confirm()
        except SqlError as error:
            errors[table] = error
            del plans[table]
    return errors


def _problems(
    scripts: Mapping[TableName, Script], errors: Mapping[TableName, BaseException | None], unsupported: Severity
) -> Iterator[Problem]:
    foreign: dict[str, list[tuple[Script, ForeignSource]]] = {}
    for table, error in errors.items():
        if isinstance(error, _Refused):
            yield from error.problems
        elif isinstance(error, ForeignSource):
            foreign.setdefault(error.reason, []).append((scripts[table], error))
        elif isinstance(error, SqlError):
            severity = unsupported if isinstance(error, UnsupportedSql) else Severity.ERROR
            yield sql_problem(scripts[table].path, error, severity)
        elif error is not None and not isinstance(error, _Skipped):
            raise error
    for reason, readers in foreign.items():
        script, error = readers[0]
        found = sql_problem(script.path, error, unsupported)
        yield replace(found, reason=reason + and_others(len(readers) - 1))


def _unstorable(script: Script, columns: Columns) -> Iterator[Problem]:
    """A problem for each column without a name, for each name that is used twice, and for each that no table can have:
    https://cloud.google.com/bigquery/docs/schemas#column_names"""
    if script.query.listed or not _names_need_check(columns):
        return
    projections = script.query.tree.selects
    seen: set[str] = set()
    for number in range(1, len(columns) + 1):
        written = _written_name(projections, number, columns)
        name = written.casefold()
        if not name:
            place = _projection_place(script, projections, number, len(columns), name)
            reason = f"column {number} of {script.table} has no name"
            yield Problem(script.path, place, reason, "write AS name after it")
        elif name in seen:
            place = _projection_place(script, projections, number, len(columns), name)
            reason = f"{script.table} has two columns named {written}"
            yield Problem(script.path, place, reason, "give one of them another name with AS, or leave it out")
        elif why := why_unstorable(written):
            place = _projection_place(script, projections, number, len(columns), name)
            yield Problem(script.path, place, f"{script.table} cannot have column {number}: {why}", "rename it with AS")
        seen.add(name)


def _names_need_check(columns: Columns) -> bool:
    """Whether a name is missing, used twice, maybe generated by BigQuery, or one that no table can have. If not, the
    SQL need not be parsed."""
    names = {column.name.casefold() for column in columns}
    return len(names) < len(columns) or any(
        not name or _GENERATED.search(name) or why_unstorable(name) for name in names
    )


_GENERATED = re.compile(r"_\d*$")


def _written_name(projections: "list[exp.Expr]", number: int, columns: Columns) -> str:
    """The name that the query's text gives to a column, "" if it gives none. `number` counts from 1. BigQuery generates
    names: `f0_` for none, `id_1` for a second `id`."""
    from sqlglot import exp

    if len(projections) == len(columns) and not any(projection.is_star for projection in projections):
        projection = projections[number - 1]
        if isinstance(projection, exp.Alias | exp.Column | exp.Dot):
            return projection.alias_or_name
    name = columns[number - 1].name
    return "" if re.fullmatch(r"f\d+_", name) else name


def _projection_place(
    script: Script, projections: "list[exp.Expr]", number: int, count: int, name: str
) -> Place | None:
    """The place of a column in the first SELECT, or the place of the `*` that it comes from. `number` counts from 1."""
    from warehouse_refresh.warehouse.sql.parser import place_of

    if len(projections) == count and not any(projection.is_star for projection in projections):
        return place_of(script.query.text, projections[number - 1])
    named = [projection for projection in projections if projection.alias_or_name.casefold() == name]
    stars = [projection for projection in projections if projection.is_star]
    found: list[exp.Expr] = [*named[1:], *stars, *named, *projections]
    return place_of(script.query.text, found[0]) if found else None
