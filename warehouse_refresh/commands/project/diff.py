"""`refresh diff tmp.x`: what differs in an environment from production, or in one table from another."""

import sys
from argparse import Namespace
from collections.abc import Collection, Iterator, Sequence

from warehouse_refresh.commands.project.plan import human_dollars
from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.project.lineage.picture import Picture, mermaid, picture_of
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reading import project_in, sql_cache
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.settings import RefreshSettings, cost, human_bytes
from warehouse_refresh.pipeline.tables.differences import Difference, difference
from warehouse_refresh.pipeline.tables.elsewhere import copied
from warehouse_refresh.pipeline.tables.environments import connected_to, tables_in
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.builds.environment import Environment, environments
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import TableName


def run(options: Namespace) -> int:
    """Print what differs, and answer the exit code: 0, or 1 if something differs and `--exit-code` asks.

    Raises SelectionError for a table that is not there, WarehouseError.
    """
    settings = settings_of(options)
    table = _parsed(options.table)
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
    with connected_to(settings, settings.environment) as warehouse:
        new = _parsed(options.other) if options.other else _of_environment(warehouse, settings, table)
        if new != table and not options.other:
            _need_built(warehouse, settings, table)
        if options.where:
            with copied(warehouse, options.where, table) as (old, left_out):
                if left_out:
                    print(f"{table}: {', '.join(left_out)} cannot be copied, and not be compared", file=sys.stderr)
                found = compared(warehouse, project, settings, table, new, options.key, old, left_out)
        elif new == table and not options.other:
            others = "--env NAME, --with TABLE or --from FILE"
            raise SelectionError(f"{table} is compared with itself: name an environment or what else, {others}")
        else:
            found = compared(warehouse, project, settings, table, new, options.key)
    print("\n".join(markdown([found], project) if options.markdown else lines(found)))
    return 0


def _of_environment(warehouse: Warehouse, settings: RefreshSettings, table: TableName) -> TableName:
    """The table in the environment of the settings, which may be production."""
    return Environment(warehouse, settings.environment).stored(table) if settings.environment else table


def _need_built(warehouse: Warehouse, settings: RefreshSettings, table: TableName) -> None:
    """Raise SelectionError if the environment is not there, or has not built the table."""
    if table not in environments(warehouse.records()).get(settings.environment, {}):
        there = ", ".join(map(str, tables_in(settings, settings.environment)))
        raise SelectionError(f"{settings.environment} has not built {table}, but {there}")


def compared(
    warehouse: Warehouse,
    project: Project,
    settings: RefreshSettings,
    table: TableName,
    new: TableName,
    keys: Sequence[str] = (),
    old: TableName | None = None,
    left_out: Collection[str] = (),
) -> Difference:
    """What differs in `new` from `old`, else from `table`, by these keys, else by the first unique key that the table's
    settings name. Raises SelectionError, WarehouseError."""

    def say_bytes(number: int | None) -> None:
        if number is not None:
            price = human_dollars(cost(number, settings.price_per_tib))
            print(f"{table}: reads {human_bytes(number)}, {price}", file=sys.stderr)

    try:
        keys = keys or key_of(project, table)
        return difference(warehouse, table, old or table, new, keys, project.own, say_bytes, left_out)
    except TableNotFound as error:
        raise SelectionError(str(error)) from error


def key_of(project: Project, table: TableName) -> tuple[str, ...]:
    """The first unique key that the table's settings name; none if they name none."""
    script = project.scripts.get(table)
    if script is None or script.settings is None:
        return ()
    return next((one.columns for one in script.settings.says.checks.listed() if one.path[1] == "unique"), ())


def lines(found: Difference) -> Iterator[str]:
    """The difference for people."""
    if found.is_none:
        yield f"{found.table}: the same {counted(found.after, 'row')}"
        return
    yield f"{found.table}: {found.before:,} rows before, {found.after:,} after"
    yield from (f"  {change}" for change in found.columns)
    by = f" by {', '.join(found.keys)}" if found.keys else ""
    yield f"  {found.added:,} added, {found.removed:,} removed, {found.changed:,} changed{by}"
    for name, count in found.by_column.items():
        yield f"    {name}: {count:,} ({count / max(found.before, 1):.1%} of the rows before)"
    if found.repeated:
        yield f"  {', '.join(found.keys)} is not unique: pairs of rows are counted"
    yield from (f"  {example}" for example in found.examples)


def markdown(differences: Sequence[Difference], project: Project, new: Sequence[TableName] = ()) -> Iterator[str]:
    """The differences as a comment for a review, with a picture of what they and the `new` tables touch, which GitHub
    and GitLab draw."""
    yield "| table | rows before | after | added | removed | changed | columns |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for one in differences:
        columns = "; ".join([*one.columns, *(f"{name}: {count:,} changed" for name, count in one.by_column.items())])
        numbers = " | ".join(f"{number:,}" for number in (one.before, one.after, one.added, one.removed, one.changed))
        yield f"| `{one.table}` | {numbers} | {columns} |"
    for one in differences:
        if one.examples:
            yield f"\n<details><summary>{one.table}</summary>\n\n```diff"
            yield from one.examples
            yield "```\n\n</details>"
    changed = {*new, *(one.table for one in differences if not one.is_none)} & project.scripts.keys()
    if changed:
        yield f"\nWhat this touches:\n\n```mermaid\n{mermaid(_touched(project, changed), changed)}\n```"


def _touched(project: Project, changed: Collection[TableName]) -> Picture:
    """The picture of these tables, and of all that is built from them."""
    found = picture_of(project, [f"{table}+" for table in sorted(changed)])
    edges = {table: [read for read in reads if read in found.edges] for table, reads in found.edges.items()}
    return Picture(edges, found.files)


def _parsed(text: str) -> TableName:
    try:
        return TableName.parse(text)
    except ValueError as error:
        raise SelectionError(str(error)) from error
