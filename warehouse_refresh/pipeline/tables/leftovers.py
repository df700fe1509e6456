"""What an earlier refresh built and no script builds any more: `refresh clean` drops it."""

from collections.abc import Collection, Iterable, Mapping

from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import tables_outside
from warehouse_refresh.pipeline.project.scripts import script_files
from warehouse_refresh.pipeline.raw.init_scripts import read_created
from warehouse_refresh.pipeline.raw.sources import with_stored_wildcards
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName


def leftovers(warehouse: Warehouse, project: Project) -> list[TableName]:
    """The tables and views, sorted, that no script builds, in the datasets that scripts build. Raises WarehouseError.

    Sources are left out: what a script reads, what a file under res/ names, and what the scripts in db_init/ create.
    Names that differ only by case count as one.
    """
    res = project.folder / project.layout.res
    built = script_files(res, project.layout.raw)
    datasets = {table.dataset for table in built} - {project.layout.raw, OWN_DATASET}
    stored = {table for dataset in sorted(datasets) for table in warehouse.built_tables(dataset)}
    left = _without(stored, [*built, *project.sources])
    if left:  # the rest takes time
        scripts = with_stored_wildcards(warehouse, project.scripts, project)
        created = read_created(project.folder / project.layout.db_init)
        left = _without(left, [*tables_outside(scripts.values()), *created.tables])
        left = {table for table in left if not created.hiding(table)}
    return sorted(left)


def _without(tables: set[TableName], others: Iterable[TableName]) -> set[TableName]:
    folded = {other.folded() for other in others}
    return {table for table in tables if table.folded() not in folded}


def left_over(tables: Iterable[TableName]) -> str:
    """One line for people about what `leftovers` found; "" if it found nothing."""
    names = ", ".join(map(str, tables))
    return f"built by no script any more, and still there: {names} (`refresh clean` drops them)" if names else ""


def views_left(
    reads: Mapping[TableName, Iterable[TableName]], dropped: Collection[TableName]
) -> list[tuple[TableName, TableName]]:
    """Each view that stays, with each dropped table that it reads. `reads` has the tables that each view reads."""
    pairs = [(view, table) for view, tables in reads.items() if view not in dropped for table in tables]
    return sorted((view, table) for view, table in pairs if table in dropped)
