"""What breaks without a column: plan the scripts once more over tables that do not have it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from warehouse_refresh.pipeline.check import Checked, Columns, check_scripts
from warehouse_refresh.pipeline.project.lineage.columns import ColumnName
from warehouse_refresh.pipeline.project.problems import Problem
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import read_edges, reads_of
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.raw.sources import Sources
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import Column


@dataclass(frozen=True, slots=True)
class Impact:
    """What happens without a column: the scripts that fail, one problem for each; the columns of other tables that go
    with it, since `*` hands them on; and the tables that are not built, because a table that they read is not."""

    problems: list[Problem]
    lost: list[ColumnName]
    not_built: list[TableName]


def impact_of(project: Project, sources: Sources, name: str) -> Impact:
    """The impact of dropping the column `name`, such as `raw.orders.status`, of a script's table or a source's.

    A script that cannot be planned as it is now is not counted. Raises Refused, SelectionError."""
    order = project.graph.order
    now = check_scripts({table: project.scripts[table] for table in order}, sources)
    known = {**sources.columns, **{table: plan.columns for table, plan in now.plans.items()}}
    dropped = _column(name, known)
    readers = _downstream(project, dropped.table) & set(now.plans)
    scripts = {table: project.scripts[table] for table in order if table in readers}
    left = {table: columns for table, columns in known.items() if table not in readers}
    left[dropped.table] = _without(left[dropped.table], dropped.column)
    then = check_scripts(scripts, Sources(sources.planner, left))
    return Impact(then.problems, _lost(now, then), then.skipped)


def _column(name: str, known: Mapping[TableName, Columns]) -> ColumnName:
    names = {str(found): found for table in known for found in (ColumnName(table, it.name) for it in known[table])}
    if name not in names:
        hint = did_you_mean(name, names) or "write DATASET.TABLE.COLUMN"
        raise SelectionError(f"--readers {name}: no table has this column; {hint}")
    return names[name]


def _downstream(project: Project, table: TableName) -> set[TableName]:
    """The scripts' tables that read `table`, directly or through others."""
    edges = read_edges(project.scripts)
    found = last = {reader for reader, script in project.scripts.items() if table in reads_of(script)}
    while last:
        last = {reader for reader, reads in edges.items() if reads & last} - found
        found = found | last
    return found


def _without(columns: Columns, name: str) -> Columns:
    """The columns but one. A table needs at least one: a last one gets a name that no script knows."""
    left = tuple(column for column in columns if column.name != name)
    return left or tuple(replace(column, name="_no_column_is_left") for column in columns)


def _lost(now: Checked, then: Checked) -> list[ColumnName]:
    def missing(table: TableName) -> list[Column]:
        names = {column.name for column in then.plans[table].columns}
        return [column for column in now.plans[table].columns if column.name not in names]

    return [ColumnName(table, column.name) for table in then.plans for column in missing(table)]
