"""`refresh test --sample`: write a test from real rows, with fakes in place of personal values."""

import sys
from argparse import Namespace
from collections.abc import Mapping

from warehouse_refresh.commands.project.plan import human_dollars
from warehouse_refresh.pipeline.project.lineage.columns import ColumnName, Lineage
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reading import project_in
from warehouse_refresh.pipeline.project.reads import reads_of
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.settings import RefreshSettings, cost, human_bytes
from warehouse_refresh.pipeline.tables.personal import Personal, settings_files
from warehouse_refresh.pipeline.testing.sampling.choosing import choose
from warehouse_refresh.pipeline.testing.sampling.faking import Fakes
from warehouse_refresh.pipeline.testing.sampling.writing import add_test
from warehouse_refresh.warehouse import Given, connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.suggest import did_you_mean


def write_sample(options: Namespace, settings: RefreshSettings, cache: SqlCache) -> tuple[TableName, str]:
    """Write a test with rows of the warehouse, and answer the table and the test's name. What comes of it is not yet in
    it. Raises SelectionError for a table without a script, Refused, WarehouseError."""
    project = project_in(settings, cache)
    known = {str(table): table for table in project.scripts}
    if options.sample not in known:
        hint = did_you_mean(options.sample, known) or "`refresh test --sample tmp.variants` names one"
        raise SelectionError(f"--sample {options.sample}: there is no such script: {hint}")
    table = known[options.sample]
    given = _given(project, settings, table, options.rows)
    query = project.scripts[table].query
    needs_now = "current_" in f"{query.preamble}{query.text}".casefold()
    path, name = add_test(project.scripts[table].path, given, needs_now=needs_now)
    rows = ", ".join(f"{counted(len(one.rows), 'row')} of {read}" for read, one in given.items())
    print(f"written: {path}: {name}, with {rows}")
    return table, name


def _given(project: Project, settings: RefreshSettings, table: TableName, rows: int) -> dict[TableName, Given]:
    def say_bytes(read: TableName, number: int | None) -> None:
        if number is not None:
            price = human_dollars(cost(number, settings.price_per_tib))
            print(f"{read}: reads {human_bytes(number)}, {price}", file=sys.stderr)

    with connect(settings.warehouse_url) as warehouse:
        reads = sorted(reads_of(project.scripts[table]))
        known = {read: [column.name for column in warehouse.columns(read)] for read in reads}
        lineage = Lineage(project.scripts, known)
        found = choose(warehouse, reads, lineage.joins(table), rows, project.own, say_bytes)
    return _with_fakes(found, project, lineage)


def _with_fakes(found: Mapping[TableName, Given], project: Project, lineage: Lineage) -> dict[TableName, Given]:
    """The rows without personal values; the same value has the same fake in all tables."""
    personal, fakes = Personal(lineage, settings_files(project)), Fakes()

    def without(table: TableName, given: Given) -> Given:
        hidden = [one for one in given.columns if ColumnName(table, one.name) in personal]
        rows = [{**row, **{one.name: fakes.fake(row[one.name], one.type) for one in hidden}} for row in given.rows]
        return Given(given.columns, rows)

    return {table: without(table, given) for table, given in found.items()}
