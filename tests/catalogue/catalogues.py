"""Catalogues for tests: that of a project in a folder, and made-up ones."""

from pathlib import Path

from warehouse_refresh.catalogue.collecting import collect
from warehouse_refresh.catalogue.document import VERSION, Catalogue, ColumnEntry, TableEntry
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.pipeline.raw.sources import declared_sources


def catalogue_of(folder: Path) -> Catalogue:
    """The catalogue of the project in the folder."""
    project = read_project(folder)
    return collect(project, declared_sources(project), "shop")


def entry(catalogue: Catalogue, name: str) -> TableEntry:
    """The entry of a table."""
    return next(table for table in catalogue.tables if table.name == name)


def column(catalogue: Catalogue, name: str) -> ColumnEntry:
    """The entry of a column, such as tmp.variants.sku."""
    table, _, column = name.rpartition(".")
    return next(one for one in entry(catalogue, table).columns if one.name == column)


def of_tables(*tables: TableEntry) -> Catalogue:
    """A catalogue of these tables."""
    return Catalogue(VERSION, "shop", tables)


def chain(count: int) -> Catalogue:
    """A catalogue of so many tables, each of which reads the one before, with a column for each."""
    names = [f"tmp.table_{number:04}" for number in range(count)]
    tables = []
    for number, name in enumerate(names):
        before, after = names[max(number - 1, 0) : number], names[number + 1 : number + 2]
        comes_from, read_by = (tuple(f"{other}.id" for other in others) for others in (before, after))
        id_column = ColumnEntry("id", "INT64", "NULLABLE", "", comes_from, read_by)
        tables.append(
            TableEntry(
                name,
                "table" if before else "source",
                description=f"The table number {number}.",
                sql=f"SELECT id FROM `{before[0]}`" if before else "",
                columns=(id_column,),
                reads=tuple(before),
                read_by=tuple(after),
            )
        )
    return of_tables(*tables)


def star(count: int) -> Catalogue:
    """A catalogue of so many tables, all of which read the first one; its pages cost less than those of a chain."""
    names = [f"tmp.table_{number:04}" for number in range(count)]
    hub = TableEntry(names[0], "source", read_by=tuple(names[1:]))
    others = [TableEntry(name, "table", sql=f"SELECT 1 FROM `{hub.name}`", reads=(hub.name,)) for name in names[1:]]
    return of_tables(hub, *others)
