"""Everything that can be known to be wrong before anything runs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.planning import Columns, Planned, plan_scripts
from pipeline.project.problems import Problem, Severity
from pipeline.project.project import Project, reads_in, tables_outside
from warehouse import QueryPlan
from warehouse.duckdb.stand_ins import EmptyTables
from warehouse.names import TableName


@dataclass(frozen=True)
class Checked:
    """What is wrong, in order of file and line, and the tables whose SQL was not looked at, since what they read is
    wrong or unknown."""

    problems: list[Problem]
    skipped: list[TableName]


def check_project(
    project: Project, columns: Mapping[TableName, Columns], found_before: Iterable[Problem] = ()
) -> Checked:
    """Hold the map to the SQL, and build every script over empty tables in the order in which they read each other.

    `columns` are those of the tables that no script builds; `found_before` are problems to tell with the others. No
    warehouse is needed.
    """
    planned = plan_over_empty_tables(project, columns)
    problems = {*found_before, *project.problems, *planned.problems, *_unknown_columns(project, columns)}
    return Checked(sorted(problems, key=lambda problem: problem.position), planned.skipped)


def plan_over_empty_tables(project: Project, columns: Mapping[TableName, Columns]) -> Planned:
    """The columns that every script makes, of tables with those `columns` and of each other's."""
    tables = EmptyTables(columns)

    def plan(table: TableName, known: Mapping[TableName, Columns]) -> QueryPlan:
        for read, read_columns in known.items():
            tables.add(read, read_columns)
        return QueryPlan(tables.columns_of(project.scripts[table].query))

    unknown = tables_outside(project.scripts.values()) - set(columns)
    return plan_scripts(project.scripts, plan, unknown=unknown, unsupported=Severity.WARNING)


def _unknown_columns(project: Project, columns: Mapping[TableName, Columns]) -> Iterator[Problem]:
    """A warning for each raw table that is read although nobody knows its columns."""
    seen = set(columns)
    for script in project.scripts.values():
        for read in reads_in(script):
            if read.table in project.raw_tables - seen:
                seen.add(read.table)
                yield Problem(
                    script.path,
                    read.place,
                    f"the columns of {read.table} are not known from db_init/, so what depends on it is not checked"
                    " any further",
                    "write its CREATE TABLE in db_init/, or check against the warehouse with --live",
                    Severity.WARNING,
                )
