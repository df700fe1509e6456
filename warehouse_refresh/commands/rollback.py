"""`refresh rollback`: tables as they were before they were published last."""

import sys
import uuid
from argparse import Namespace
from collections.abc import Collection, Iterator, Sequence

from warehouse_refresh.commands.terminal.question import ask
from warehouse_refresh.pipeline.project.files import res_folder
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reading import project_in, sql_cache
from warehouse_refresh.pipeline.project.reads import reads_of
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.refresh import waiting_turn
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import BuildContext, Publication, Warehouse, connect
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName


def run(options: Namespace) -> int:
    """Ask, roll the tables back together, and answer the exit code: 0, or 1 if one stays as it is.

    Nobody is asked with `--yes`. Raises SelectionError, NotConfirmed, WarehouseError.
    """
    settings = read_settings()
    res_folder(settings.folder, settings.layout.res)
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
    with connect(settings.warehouse_url) as warehouse:
        datasets = {project.layout.raw, *(table.dataset for table in project.scripts)}
        publication = _publication(warehouse, options.tables, datasets)
        tables = [table for table in publication.tables if not options.tables or str(table) in options.tables]
        if not options.yes:
            _ask(publication, tables, list(_readers(project, tables)))
        with waiting_turn(warehouse, "`refresh rollback`", print):
            warehouse.recover("", print)
            context = BuildContext(uuid.uuid4().hex, keep_previous=True)
            left = warehouse.roll_back(publication, tables, context)
        there = {table for dataset in {table.dataset for table in tables} for table in warehouse.tables(dataset)}
    for table in tables:
        if table not in left:
            print(f"rolled back {table}" if table in there else f"{table} is gone: it was new")
    for table, reason in left.items():
        print(f"{table} stays as it is: {reason}", file=sys.stderr)
    return 1 if left else 0


def _publication(warehouse: Warehouse, names: Sequence[str], datasets: Collection[str]) -> Publication:
    """The last publication of tables in these datasets, not in an environment's, or the last one that has one of the
    named tables; it has them all. Raises SelectionError, WarehouseError."""
    for publication in warehouse.publications():
        if not any(table.dataset in datasets for table in publication.tables):
            continue
        published = {str(table) for table in publication.tables}
        if missing := [name for name in names if name not in published]:
            if len(missing) < len(names):
                others = ", ".join(name for name in names if name in published)
                raise SelectionError(f"{missing[0]} and {others} were not published together: roll back one by one")
            continue
        return publication
    of_tables = f" of {', '.join(names)}" if names else ""
    raise WarehouseError(f"there is nothing to roll back: no publication{of_tables} is on record")


def _readers(project: Project, tables: Collection[TableName]) -> Iterator[TableName]:
    """The tables that are built from some of these, and stay as they are."""
    for table, script in project.scripts.items():
        if table not in tables and not reads_of(script).isdisjoint(tables):
            yield table


def _ask(publication: Publication, tables: Sequence[TableName], readers: Sequence[TableName]) -> None:
    """Ask whether these tables are to be rolled back. Raises NotConfirmed."""
    names, at = ", ".join(map(str, tables)), f"{publication.at:%Y-%m-%d %H:%M:%S} UTC"
    stay = f"\nbuilt from them, and not rolled back: {', '.join(map(str, readers))}" if readers else ""
    ask(
        f"published at {at}; readers see these as they were before:\n  {names}{stay}",
        f"nothing was changed. {names}: to roll back what was published at {at}, say `refresh rollback --yes`{stay}",
    )
