"""Read the project in a folder: its scripts, their map, and the settings files beside them."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.project.dependency_map import Entry, read_map
from warehouse_refresh.pipeline.project.files import res_folder
from warehouse_refresh.pipeline.project.map_check import MAP, MapCheck
from warehouse_refresh.pipeline.project.problems import Problem
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import reads_of, with_wildcards
from warehouse_refresh.pipeline.project.scripts import (
    CHECKS,
    FunctionScript,
    Script,
    dataset_folders,
    read_scripts,
    read_source_names,
)
from warehouse_refresh.pipeline.project.variables import BOUNDS, Variables
from warehouse_refresh.pipeline.raw.init_scripts import Created, read_created
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.settings_file import DEFAULT_LAYOUT, Layout
from warehouse_refresh.pipeline.tables.files import SettingsFile, joined_storage, read_files, settings_paths
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache, open_cache
from warehouse_refresh.warehouse.sql.query import Variable
from warehouse_refresh.warehouse.storage import Storage
from warehouse_refresh.warehouse.urls import project_of

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.checks.own import OwnCheck

_NOTES = Path(".data/scripts.json")


def sql_cache(folder: Path) -> SqlCache:
    """The cache for the scripts of the project in `folder`."""
    return open_cache(folder / _NOTES)


def lacks_notes(folder: Path) -> bool:
    """Whether no earlier command has kept what it read of the project in `folder`, and this one can."""
    notes = folder / _NOTES
    return not notes.exists() and os.access(notes.parent if notes.parent.exists() else folder, os.W_OK)


def read_project(
    folder: Path,
    own: str = "",
    cache: SqlCache | None = None,
    layout: Layout = DEFAULT_LAYOUT,
    variables: Variables | None = None,
) -> Project:
    """Read the scripts of the project in `folder` and their map. Raises Refused if there is no folder for scripts.

    `own` is the project of the scripts' own tables, if a setting names it. Scripts that the `cache` knows are not
    parsed again. `variables` are the values of the scripts' parameters.
    """
    res = res_folder(folder, layout.res)
    files = read_scripts(res, own, cache, layout)
    scripts, problems = files.scripts, files.problems
    entries, map_problems = read_map(res / MAP, cache)
    unreadable = files.unreadable
    own_project = next((script.query.own for script in scripts.values()), own)
    checks, check_problems = _own_checks(res, own_project, layout, files.functions, cache, variables or {})
    readers = [*scripts.values(), *(one.script for one in checks.values())]
    sources, created = _sources(folder, layout, readers, entries, {*scripts, *unreadable}, cache)
    scripts = with_wildcards(scripts, {*scripts, *unreadable, *sources})
    scripts = {table: _given(script, variables or {}) for table, script in scripts.items()}
    settings, settings_problems = _settings(folder, layout, {*scripts, *unreadable}, scripts.values(), cache)
    for table in settings.keys() & scripts.keys():
        scripts[table], differing = _with_settings(scripts[table], settings[table])
        settings_problems += differing
    is_map_readable = bool(entries) or not map_problems
    misread = {problem.file.with_suffix(".sql") for problem in settings_problems} - {
        file.path.with_suffix(".sql") for file in settings.values()
    }
    check = MapCheck(
        res / MAP,
        scripts,
        entries,
        sources,
        set(unreadable),
        is_map_readable,
        variables or {},
        {table: one.script for table, one in checks.items()},
        misread,
        created,
    )
    return Project(
        folder,
        scripts,
        tuple(entries),
        frozenset(sources),
        (*problems, *map_problems, *settings_problems, *check_problems),
        check,
        unreadable,
        layout,
        files.functions,
        {table: file for table, file in settings.items() if table not in scripts},
        checks,
    )


def _own_checks(
    res: Path,
    own: str,
    layout: Layout,
    functions: Mapping[TableName, FunctionScript],
    cache: SqlCache | None,
    variables: Variables,
) -> "tuple[dict[TableName, OwnCheck], list[Problem]]":
    """The checks in res/checks/, with the values of their parameters, and what is wrong with their files."""
    if not (res / CHECKS).is_dir():
        return {}, []
    from warehouse_refresh.pipeline.checks.own import read_own_checks  # imports msgspec

    default = layout.default_of(CHECKS)
    found, problems = read_own_checks(res / CHECKS, own, default if default != CHECKS else "", functions, cache)
    return {table: replace(one, script=_given(one.script, variables)) for table, one in found.items()}, problems


def project_in(settings: RefreshSettings, cache: SqlCache | None = None) -> Project:
    """The project that the settings describe: see `read_project`."""
    own = project_of(settings.warehouse_url)
    return read_project(settings.folder, own, cache, settings.layout, settings.variables)


def _given(script: Script, variables: Variables) -> Script:
    """The script with the values of its query's parameters."""
    if not script.query.parameters:
        return script
    return replace(script, build=replace(script.build, query=script.query.given(variables)))


def _sources(
    folder: Path,
    layout: Layout,
    scripts: Iterable[Script],
    entries: Iterable[Entry],
    built: set[TableName],
    cache: SqlCache | None,
) -> tuple[set[TableName], Created]:
    """The tables that files under res/ declare as sources. If a script or the map needs others, also those that
    db_init/ creates, and what is wrong there: reading it takes time."""
    sources = read_source_names(folder / layout.res, layout.raw)
    wanted = {table for script in scripts for table in reads_of(script)}
    wanted |= {declared.table for entry in entries for declared in entry.dependencies}
    created = read_created(folder / layout.db_init, cache) if wanted - sources - built else Created()
    return (sources | created.tables) - built, created


def _settings(
    folder: Path, layout: Layout, built: set[TableName], scripts: Collection[Script], cache: SqlCache | None
) -> tuple[dict[TableName, SettingsFile], list[Problem]]:
    """What the settings files say about the tables that scripts build and about the sources. A settings file does not
    make its table a source: some other file must name it, or a script read it."""
    res = folder / layout.res
    paths = list(settings_paths(dataset_folders(res)))
    tables = {table for table, _ in paths}
    known = set(built)
    if not tables <= known:
        known |= read_source_names(res, layout.raw, settings=False)
        known |= {table for script in scripts for table in reads_of(script)}
    if not tables <= known:
        created = read_created(folder / layout.db_init, cache)
        known |= created.tables | {table for table in tables if created.hiding(table)}
    return read_files(paths, known, cache) if paths else ({}, [])


def _with_settings(script: Script, file: SettingsFile) -> tuple[Script, list[Problem]]:
    """The script with its settings, and what they say otherwise than the script."""
    storage, problems = joined_storage(script.build.storage, file)
    if listed := {column.name for column in script.query.listed if column.required}:
        storage = replace(storage, required=tuple(name for name in storage.required if name not in listed))
    if script.query.listed and not script.build.is_view:
        problems += _not_listed(storage, file)
    script = replace(script, build=replace(script.build, storage=storage), settings=file)
    if file.says.source is not None:
        reason = f"{script.table} is built by its script, and cannot be loaded from a database, too"
        problems.append(file.problem(("source",), reason, "load it into a table of its own, which the script reads"))
    if file.says.build is not None:
        problems += _not_by_date(script, file)
        script = _with_bounds(script, file)
    return script, problems


def _not_by_date(script: Script, file: SettingsFile) -> Iterator[Problem]:
    """Why a script cannot build a table by date."""
    if script.build.is_view:
        yield file.problem(("build",), f"the script makes {script.table} a view", "delete this section")
        return
    for name in BOUNDS:
        if name not in {parameter.name.casefold() for parameter in script.query.parameters}:
            reason = f"{script.table} is built by date, and its script does not read @{name}"
            column = file.says.build.column if file.says.build else ""
            hint = f"write WHERE {column} >= @start AND {column} < @end"
            yield Problem(script.path, script.query.start, reason, hint)
    if file.says.build is not None and file.says.build.reads_itself:
        yield from _not_of_itself(script, file)


def _not_of_itself(script: Script, file: SettingsFile) -> Iterator[Problem]:
    """Why a table cannot be built from its own earlier partitions."""
    keys = ("build", "reads_itself")
    if script.table not in reads_of(script):
        yield file.problem(keys, f"the script of {script.table} does not read it", "delete this line")
    elif not any(file.says.column(name).type for name in file.says.columns):
        reason = f"{script.table} reads itself, and nothing says which columns it has before it is built"
        yield file.problem(keys, reason, 'write the types of those it reads: [columns] day = { type = "DATE" }')


def _with_bounds(script: Script, file: SettingsFile) -> Script:
    """The script with values of @start and @end, by which it is checked: those of its table's first partition."""
    build = file.says.build
    if build is None:
        return script
    first = build.by_date.first
    values = {variable.name.casefold(): variable for variable in script.query.variables}
    values["start"] = Variable("start", build.kind, first.start)
    values["end"] = Variable("end", build.kind, first.end)
    return replace(script, build=replace(script.build, query=script.query.given(values)))


def _not_listed(storage: Storage, file: SettingsFile) -> Iterator[Problem]:
    """What belongs into the list of columns that a script's CREATE TABLE has, or cannot be beside one."""
    for name in storage.required:
        reason = f"{name} is REQUIRED here, and may be NULL in the list of the script's CREATE TABLE"
        yield file.problem(("columns", name, "mode"), reason, "write NOT NULL there")
    if storage.policy_tags:
        reason = "a table whose CREATE TABLE lists its columns cannot have policy tags"
        yield file.problem(("storage", "policy_tags"), reason, "take the list out of the script")
