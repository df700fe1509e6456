"""`refresh diff tmp.x`: what differs in an environment from production, or in one table from another."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence

from warehouse_refresh.commands.project.plan import human_dollars
from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.project.project import Project, project_in, sql_cache
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.settings import RefreshSettings, cost, human_bytes
from warehouse_refresh.pipeline.tables.differences import Difference, difference
from warehouse_refresh.warehouse import Warehouse, connect
from warehouse_refresh.warehouse.builds.environment import Environment
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
    with connect(settings.warehouse_url) as warehouse:
        if options.other:
            other = _parsed(options.other)
        elif settings.environment:
            other = Environment(warehouse, settings.environment).stored(table)
        else:
            raise SelectionError(f"{table} is compared with itself: name an environment, --env NAME, or --with TABLE")
        found = compared(warehouse, project, settings, table, other, options.key)
    print("\n".join(markdown([found]) if options.markdown else lines(found)))
    return 0


def compared(
    warehouse: Warehouse,
    project: Project,
    settings: RefreshSettings,
    table: TableName,
    other: TableName,
    keys: Sequence[str] = (),
) -> Difference:
    """What differs in `other` from `table`, by these keys, else by the first unique key that the settings file of the
    table names. Raises SelectionError, WarehouseError."""

    def say_bytes(number: int | None) -> None:
        if number is not None:
            price = human_dollars(cost(number, settings.price_per_tib))
            print(f"{table}: reads {human_bytes(number)}, {price}", file=sys.stderr)

    try:
        return difference(warehouse, table, table, other, keys or key_of(project, table), project.own, say_bytes)
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


def markdown(differences: Sequence[Difference]) -> Iterator[str]:
    """The differences as a comment for a review."""
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


def _parsed(text: str) -> TableName:
    try:
        return TableName.parse(text)
    except ValueError as error:
        raise SelectionError(str(error)) from error
