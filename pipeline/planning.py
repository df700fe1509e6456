"""What each script would make, found in the order in which the scripts read each other, without building anything."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.project.graph import Graph, find_cycles
from pipeline.project.problems import Problem, Severity, sql_problem
from pipeline.project.project import reads_of
from pipeline.project.scripts import Script
from pipeline.schedule import Schedule, returned, run_in_order, run_in_parallel
from warehouse import QueryPlan
from warehouse.errors import Place, SqlError, UnsupportedSql
from warehouse.names import TableName
from warehouse.types import Column

if TYPE_CHECKING:
    from sqlglot import exp

Columns = tuple[Column, ...]
Plan = Callable[[TableName, Mapping[TableName, Columns]], QueryPlan]
"""What building a table would do, given the columns of those that are built before it. Raises SqlError."""


@dataclass(frozen=True)
class Planned:
    """The plans of the scripts that work, what is wrong with others, and the tables that were not looked at, since what
    they read is wrong or unknown."""

    plans: dict[TableName, QueryPlan]
    problems: list[Problem]
    skipped: list[TableName]


class _Refused(Exception):
    """A script whose result cannot be stored as a table."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


class _Skipped(Exception):
    """A script that reads a table whose columns nobody knows."""


def plan_scripts(
    scripts: Mapping[TableName, Script],
    plan: Plan,
    *,
    unknown: Collection[TableName] = (),
    unsupported: Severity = Severity.ERROR,
    at_once: int = 1,
) -> Planned:
    """Plan every script after those that it reads, each with their columns.

    What depends on a table whose columns are `unknown`, on a script in a cycle or on one that is wrong is skipped.
    `unsupported` says how bad SQL is that only BigQuery can run. Raises WarehouseError for anything but wrong SQL.
    """
    graph, cyclic = _read_graph(scripts)
    plans: dict[TableName, QueryPlan] = {}

    def one(table: TableName) -> None:
        reads = {read.table for read in scripts[table].query.reads}
        if not reads.isdisjoint(unknown) or not reads.isdisjoint(cyclic):
            raise _Skipped
        made = plan(table, {read: plans[read].columns for read in reads if read in plans})
        if problems := list(_unstorable(scripts[table], made.columns)):
            raise _Refused(problems)
        plans[table] = made

    schedule = run_in_order(graph, one) if at_once == 1 else _run_in_threads(graph, one, at_once)
    problems = [*_problems(scripts, schedule.results, unsupported)]
    skipped = {table for table, done in schedule.results.items() if isinstance(done.exception(), _Skipped)}
    return Planned(
        {table: plans[table] for table in graph.order if table in plans},
        problems,
        sorted({*skipped, *schedule.not_run, *cyclic}),
    )


def _read_graph(scripts: Mapping[TableName, Script]) -> tuple[Graph, set[TableName]]:
    """The graph of what the scripts read of each other, and those left out of it because they go round in circles."""
    edges = {table: {read for read in reads_of(script) if read in scripts} for table, script in scripts.items()}
    cyclic = {table for cycle in find_cycles(edges) for table in cycle}
    kept = {table: frozenset(reads - cyclic) for table, reads in edges.items() if table not in cyclic}
    return Graph(kept), cyclic


def _run_in_threads(graph: Graph, one: Callable[[TableName], None], workers: int) -> Schedule[Future[None]]:
    with ThreadPoolExecutor(workers, thread_name_prefix="plan") as pool:
        return run_in_parallel(graph, lambda table, _dependencies: pool.submit(one, table), returned)


def _problems(
    scripts: Mapping[TableName, Script], results: Mapping[TableName, Future[None]], unsupported: Severity
) -> Iterator[Problem]:
    for table, done in results.items():
        error = done.exception()
        if isinstance(error, _Refused):
            yield from error.problems
        elif isinstance(error, SqlError):
            severity = unsupported if isinstance(error, UnsupportedSql) else Severity.ERROR
            yield sql_problem(scripts[table].path, error, severity)
        elif error is not None and not isinstance(error, _Skipped):
            raise error


def _unstorable(script: Script, columns: Columns) -> Iterator[Problem]:
    """A table's columns have names, and no two have one name:
    https://cloud.google.com/bigquery/docs/schemas#column_names"""
    if not _doubtful(columns):
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
        seen.add(name)


def _doubtful(columns: Columns) -> bool:
    """Whether a name is missing, stands twice, or may be one that BigQuery made up; else the SQL need not be read."""
    names = {column.name.casefold() for column in columns}
    return len(names) < len(columns) or any(not name or re.search(r"_\d*$", name) for name in names)


def _written_name(projections: "list[exp.Expr]", number: int, columns: Columns) -> str:
    """The name that the query gives its column of that number. BigQuery makes some up: `f0_`, and `id_1` for a second
    `id`."""
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
    """Where the query names its column of that number: its place in the first SELECT, or that of the `*` it is in."""
    from warehouse.sql.parser import place_of

    if len(projections) == count and not any(projection.is_star for projection in projections):
        return place_of(script.query.text, projections[number - 1])
    named = [projection for projection in projections if projection.alias_or_name.casefold() == name]
    stars = [projection for projection in projections if projection.is_star]
    found: list[exp.Expr] = [*named[1:], *stars, *named, *projections]
    return place_of(script.query.text, found[0]) if found else None
