"""Collect what the files of a project say about its tables. No warehouse is needed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

from warehouse_refresh.catalogue.document import VERSION, Catalogue, CheckEntry, ColumnEntry, TableEntry
from warehouse_refresh.catalogue.words import build_words, check_entries
from warehouse_refresh.pipeline.check import check_scripts
from warehouse_refresh.pipeline.project.lineage.columns import ColumnName, Lineage
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import reads_of, tables_outside
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.raw.sources import Sources
from warehouse_refresh.pipeline.tables.files import SettingsFile
from warehouse_refresh.pipeline.tables.personal import Personal, settings_files
from warehouse_refresh.pipeline.testing.reading import names_of_tests
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.storage import storage_words
from warehouse_refresh.warehouse.types import Column
from warehouse_refresh.warehouse.urls import console_page

Columns = Mapping[TableName, tuple[Column, ...]]


def collect(
    project: Project, sources: Sources, title: str, warehouse_url: str = "", cache: SqlCache | None = None
) -> Catalogue:
    """The catalogue of the project, whose columns are planned over those of the `sources`. A table whose columns cannot
    be planned has none. `warehouse_url` says where the tables are. Raises Refused for files that are wrong."""
    order = project.graph.order
    scripts = {table: project.scripts[table] for table in order}
    outside = sorted(tables_outside(scripts.values()) | project.raw_settings.keys() | set(sources.columns))
    outside = [table for table in outside if table not in scripts]
    checked = check_scripts(scripts, sources, project.functions)
    columns = {**sources.columns, **{table: plan.columns for table, plan in checked.plans.items()}}
    links, files = _Links(project, scripts, columns), project.files
    entries = [_source(table, project, links) for table in outside]
    tests = names_of_tests(project, cache)
    entries += [_built(table, project, files[table], links, tests.get(str(table), ())) for table in order]
    consoles = (console_page(warehouse_url, TableName.parse(entry.name)) for entry in entries)
    return Catalogue(VERSION, title, tuple(map(_with_console, entries, consoles)))


def _with_console(entry: TableEntry, console: str) -> TableEntry:
    return replace(entry, console=console) if console else entry


class _Links:
    """Which tables and columns read which."""

    def __init__(self, project: Project, scripts: Mapping[TableName, Script], columns: Columns) -> None:
        self.columns = columns
        lineage = Lineage(scripts, {table: [column.name for column in known] for table, known in columns.items()})
        self._personal = Personal(lineage, settings_files(project))
        self.reads = {table: sorted(reads_of(script)) for table, script in scripts.items()}
        self.readers: dict[TableName, list[TableName]] = defaultdict(list)
        for table, reads in self.reads.items():
            for read in reads:
                self.readers[read].append(table)
        self.origins, self.column_readers = _column_links(scripts, lineage)

    def column(self, table: TableName, column: Column, description: str) -> ColumnEntry:
        """The entry of a column."""
        name = ColumnName(table, column.name)
        return ColumnEntry(
            column.name,
            str(column.type),
            column.mode,
            description or column.description,
            _texts(self.origins.get(name, ())),
            _texts(self.column_readers.get(name, ())),
            name in self._personal,
        )


def _column_links(
    scripts: Mapping[TableName, Script], lineage: Lineage
) -> tuple[dict[ColumnName, frozenset[ColumnName]], dict[ColumnName, set[ColumnName]]]:
    """For each column those that it comes from, and those that read it."""
    origins: dict[ColumnName, frozenset[ColumnName]] = {}
    readers: dict[ColumnName, set[ColumnName]] = defaultdict(set)
    for table in scripts:
        for name, found in lineage.of(table).items():
            column = ColumnName(table, name)
            origins[column] = found
            for origin in found:
                readers[origin].add(column)
    return origins, readers


def _source(table: TableName, project: Project, links: _Links) -> TableEntry:
    file = project.raw_settings.get(table)
    source = file.says.source if file is not None else None
    takes_rows = table.dataset == project.layout.raw and (source is None or bool(source.posted_column))
    return TableEntry(
        str(table),
        "source",
        columns=_columns(table, file, links),
        read_by=_texts(links.readers.get(table, ())),
        loaded_from=source.connection if source is not None else "",
        rows_path=f"/tables/{quote(table.name)}" if takes_rows else "",
        **_said(file),
    )


def _built(table: TableName, project: Project, file: str, links: _Links, tests: Iterable[str]) -> TableEntry:
    script = project.scripts[table]
    own = [
        CheckEntry(check.says.description or check.name, check.says.severity.value)
        for check in project.own_checks.values()
        if table in reads_of(check.script)
    ]
    said = _said(script.settings)
    return TableEntry(
        str(table),
        "view" if script.build.is_view else "table",
        file=file,
        sql=script.query.text,
        columns=_columns(table, script.settings, links),
        reads=_texts(links.reads[table]),
        read_by=_texts(links.readers.get(table, ())),
        storage=tuple(storage_words(script.build.storage)),
        tests=tuple(tests),
        **{
            **said,
            "description": said.get("description") or script.build.storage.description,
            "checks": (*said.get("checks", ()), *own),
        },
    )


def _columns(table: TableName, file: SettingsFile | None, links: _Links) -> tuple[ColumnEntry, ...]:
    return tuple(
        links.column(table, column, file.says.column(column.name).description if file else "")
        for column in links.columns.get(table, ())
    )


def _said(file: SettingsFile | None) -> dict[str, Any]:
    """What a settings file says of the table, as fields of its entry."""
    if file is None:
        return {}
    says = file.says
    return {
        "description": says.description,
        "owner": says.owner,
        "tags": says.tags,
        "private": says.private,
        "build": tuple(build_words(says.build)) if says.build else (),
        "checks": tuple(check_entries(says.checks)),
    }


def _texts(names: Iterable[object]) -> tuple[str, ...]:
    return tuple(sorted(map(str, names)))
