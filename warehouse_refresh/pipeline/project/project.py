"""The project in a folder: read its scripts and its map, and check them against each other."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.project.dependency_map import Declared, Entry, read_map
from warehouse_refresh.pipeline.project.files import res_folder
from warehouse_refresh.pipeline.project.graph import Graph, find_cycles
from warehouse_refresh.pipeline.project.problems import Problem, Refused, Severity, and_others, errors_in, sql_problem
from warehouse_refresh.pipeline.project.scripts import (
    CHECKS,
    FunctionScript,
    Script,
    dataset_folders,
    read_scripts,
    read_source_names,
)
from warehouse_refresh.pipeline.project.selectors import Named, left_out, select, unknown_state
from warehouse_refresh.pipeline.project.variables import BOUNDS, Variables, unknown_in
from warehouse_refresh.pipeline.raw.init_scripts import Created, read_created
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.settings_file import DEFAULT_LAYOUT, Layout
from warehouse_refresh.pipeline.tables.files import SettingsFile, joined_storage, read_files, settings_paths
from warehouse_refresh.warehouse import project_of
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache, open_cache
from warehouse_refresh.warehouse.sql.query import Read, Variable
from warehouse_refresh.warehouse.storage import Storage
from warehouse_refresh.warehouse.suggest import Suggestions

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.checks.own import OwnCheck

MAP = "dependencies.toml"
_NOTES = Path(".data/scripts.json")
_NEITHER = "which is neither a script nor a source"
_SELF_READ = "{table} reads itself, so what is in it would depend on how often it was built"
_INSTEAD_OF_SELF_READ = (
    "compute all rows from the sources at each refresh, or keep the earlier rows in a source, which no script builds; "
    "a table that is built by date may read its earlier partitions: docs/by-date.md; "
    "`--exclude {table}` builds the other tables"
)


@dataclass(frozen=True)
class Project:
    """The scripts, the dependencies that the map declares between them, and all that is wrong with either.

    `sources` are the tables that no script builds, as far as files name them. `file_problems` are those of single
    files; `check` compares the files with each other. `unreadable` has the path of each script that could not be read.
    `functions` are in an order in which they can be created. `raw_settings` are the settings files of sources; those of
    scripts are with the scripts. `own_checks` are those in res/checks/.
    """

    folder: Path
    scripts: Mapping[TableName, Script]
    entries: tuple[Entry, ...]
    sources: frozenset[TableName]
    file_problems: tuple[Problem, ...]
    check: "_Check"
    unreadable: Mapping[TableName, Path] = field(default_factory=dict)
    layout: Layout = DEFAULT_LAYOUT
    functions: Mapping[TableName, FunctionScript] = field(default_factory=dict)
    raw_settings: Mapping[TableName, SettingsFile] = field(default_factory=dict)
    own_checks: "Mapping[TableName, OwnCheck]" = field(default_factory=dict)

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong with the files."""
        return tuple(dict.fromkeys([*self.file_problems, *self.check.problems()]))

    @property
    def has_checks(self) -> bool:
        """Whether a file may say what must be true of a table."""
        return bool(self.own_checks or self.raw_settings) or any(script.settings for script in self.scripts.values())

    @cached_property
    def undeclared(self) -> tuple[Problem, ...]:
        """A problem for each table that a script reads and neither a script nor a file names, in a dataset of which
        files name other tables. It may exist in the warehouse all the same."""
        return tuple(self.check.undeclared())

    @property
    def own(self) -> str:
        """The scripts' own project, from a setting or from their texts; "" if neither names one."""
        return next((script.query.own for script in self.scripts.values()), "")

    @property
    def files(self) -> dict[TableName, str]:
        """The path of each table's script, from the project's folder on."""
        paths = {table: script.path for table, script in self.scripts.items()} | dict(self.unreadable)
        return {table: path.relative_to(self.folder).as_posix() for table, path in paths.items()}

    @property
    def named(self) -> Named:
        """What selectors name tables by."""
        found = {table: script.settings.says.tags for table, script in self.scripts.items() if script.settings}
        return Named(self.files, found, self._found)

    def names_over(self, loaded: Iterable[TableName]) -> Named:
        """The same with these raw tables, which have a settings file."""
        own = {table: self.raw_settings[table] for table in loaded}
        files = {table: file.path.relative_to(self.folder).as_posix() for table, file in own.items()}
        named, tags = self.named, {table: file.says.tags for table, file in own.items()}
        return replace(named, files={**named.files, **files}, tags={**named.tags, **tags})

    def _found(self, state: str) -> Collection[TableName]:
        """The tables that `git:…` names. Raises SelectionError, also for what only a warehouse knows."""
        if not state.startswith("git:"):
            unknown_state(state)
        from warehouse_refresh.pipeline.tables.changes.git import tables_of_commit  # starts processes

        return tables_of_commit(self, state.removeprefix("git:"))

    @cached_property
    def graph(self) -> Graph:
        """The graph of all scripts. Only for a project without errors: raises Refused."""
        errors = errors_in(self.problems)
        if errors:
            raise Refused(errors)
        return self._whole

    @cached_property
    def declared(self) -> dict[TableName, frozenset[TableName]]:
        """For each script's table, the tables of other scripts that the map puts before it."""
        return _edges({*self.scripts, *self.unreadable}, self.entries)

    @cached_property
    def _whole(self) -> Graph:
        """The graph of all scripts; only without cycles: raises Refused. What else is wrong may be left out."""
        if find_cycles(self.declared):
            raise Refused(errors_in(self.problems))
        return Graph(self.declared)

    def over(self, loaded: Collection[TableName] = ()) -> Graph:
        """The graph of all scripts, with these raw tables before the scripts that read them. Raises Refused for
        cycles."""
        if not loaded:
            return self._whole
        edges = self._whole.dependencies
        sources = frozenset(loaded)
        read = {table: edges[table] | (reads_of(script) & sources) for table, script in self.scripts.items()}
        return Graph({**dict.fromkeys(loaded, frozenset()), **edges, **read})

    def chosen(
        self,
        selectors: Iterable[str],
        found: Callable[[str], Collection[TableName]] | None = None,
        loaded: Collection[TableName] = (),
    ) -> Graph:
        """The part of the graph that the selectors name: see `select`, `Named` for `found`, and `over` for `loaded`. A
        script that they leave out with `not:` may be wrong. Raises Refused, SelectionError."""
        written = list(selectors)
        named = self.names_over(loaded)
        named = replace(named, found=found) if found is not None else named
        whole = self.over(loaded)
        graph = select(whole, written, named)
        if errors := self._errors_without(left_out(whole, written, named)):
            raise Refused(errors)
        return graph

    def _errors_without(self, tables: Collection[TableName]) -> list[Problem]:
        """The errors of the files, but for those of the scripts of some tables."""
        if not tables:
            return errors_in(self.problems)
        scripts = {table: script for table, script in self.scripts.items() if table not in tables}
        check = replace(self.check, scripts=scripts, unreadable={*self.check.unreadable, *tables})
        paths = {path for table in tables for path in _own_files(self.folder / self.files[table])}
        return errors_in([*(one for one in self.file_problems if one.file not in paths), *check.problems()])


def _own_files(script: Path) -> tuple[Path, Path]:
    """A script and its settings file."""
    return script, script.with_suffix(".toml")


def sql_cache(folder: Path) -> SqlCache:
    """The cache for the scripts of the project in `folder`."""
    return open_cache(folder / _NOTES)


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
    check = _Check(
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


def with_wildcards(scripts: Mapping[TableName, Script], known: Collection[TableName]) -> dict[TableName, Script]:
    """The scripts, with the tables of `known` that match their wildcard tables, except the table of the script
    itself."""
    return {
        table: replace(script, build=replace(script.build, query=script.query.matched({*known} - {table})))
        if any(read.table.name.endswith("*") for read in script.query.names)
        else script
        for table, script in scripts.items()
    }


def reads_in(script: Script) -> tuple[Read, ...]:
    """What the script reads; nothing if it names a table without its dataset, which `read_project` reports."""
    try:
        return script.query.reads
    except SqlError:
        return ()


def reads_of(script: Script) -> set[TableName]:
    """The tables that the script reads (`reads_in`)."""
    return {read.table for read in reads_in(script)}


def readers_of(scripts: Mapping[TableName, Script]) -> dict[TableName, list[tuple[Script, Read]]]:
    """For each table that scripts read, the scripts with the first place in each, in the order of the scripts."""
    found: dict[TableName, list[tuple[Script, Read]]] = {}
    for script in scripts.values():
        for read in reads_in(script):
            found.setdefault(read.table, []).append((script, read))
    return found


def read_problem(readers: list[tuple[Script, Read]], what: str, hint: str) -> Problem:
    """The one problem of a table that scripts read: where the first one reads it, and how many others do."""
    script, read = readers[0]
    reason = f"{script.table} reads {read.table}, {what}{and_others(len(readers) - 1)}"
    return Problem(script.path, read.place, reason, hint)


def tables_outside(scripts: Collection[Script]) -> set[TableName]:
    """The tables that `scripts` read and none of them builds."""
    return {table for script in scripts for table in reads_of(script)} - {script.table for script in scripts}


def read_edges(scripts: Mapping[TableName, Script]) -> dict[TableName, frozenset[TableName]]:
    """For each script's table, the tables of other scripts that it reads."""
    return {
        table: frozenset(read for read in reads_of(script) if read in scripts and read != table)
        for table, script in scripts.items()
    }


def find_read_cycles(scripts: Mapping[TableName, Script]) -> list[list[TableName]]:
    """Cycles of scripts that read each other, as `find_cycles` returns them. A script that reads itself is not
    counted."""
    return find_cycles(read_edges(scripts))


def read_cycle_problem(scripts: Mapping[TableName, Script], cycle: list[TableName]) -> Problem:
    """The problem for scripts that read each other in a cycle, for which no map can be right."""
    first, second = scripts[cycle[0]], cycle[1]
    [place] = [read.place for read in reads_in(first) if read.table == second]
    path = " -> ".join(map(str, cycle))
    return Problem(first.path, place, f"the scripts read each other in a cycle: {path}", "take one of these reads out")


def _edges(scripts: Iterable[TableName], entries: Iterable[Entry]) -> dict[TableName, frozenset[TableName]]:
    built = set(scripts)
    declared = {entry.table: {it.table for it in entry.dependencies} - {entry.table} for entry in entries}
    return {table: frozenset(declared.get(table, set()) & built) for table in scripts}


@dataclass(frozen=True)
class _Check:
    """Checks the map against the scripts and the sources."""

    map_path: Path
    scripts: Mapping[TableName, Script]
    entries: list[Entry]
    sources: set[TableName]
    unreadable: set[TableName]
    is_map_readable: bool
    variables: Variables
    own_checks: Mapping[TableName, Script] = field(default_factory=dict)
    misread: Collection[Path] = ()
    """The scripts whose settings files cannot be read, so that @start and @end have no values."""
    created: Created = field(default_factory=Created)
    """The scripts in db_init/, if they were read: one that cannot be read may create what seems to be unknown."""

    @cached_property
    def declared_cycles(self) -> list[list[TableName]]:
        """The cycles of the map. A table that depends on itself is not counted."""
        edges = _edges(self.built, self.entries)
        return find_cycles({table: needed - {table} for table, needed in edges.items()})

    @cached_property
    def read_cycles(self) -> list[list[TableName]]:
        """The cycles of scripts that read each other, without those that the map has too."""
        return [cycle for cycle in find_read_cycles(self.scripts) if cycle not in self.declared_cycles]

    @cached_property
    def in_cycles(self) -> set[tuple[TableName, TableName]]:
        """Each table of a cycle with the dependency that makes it one: what else is wrong with it follows from that."""
        return {pair for cycle in (*self.declared_cycles, *self.read_cycles) for pair in pairwise(cycle)}

    @cached_property
    def readers(self) -> dict[TableName, list[tuple[Script, Read]]]:
        return readers_of({**self.scripts, **self.own_checks})

    @cached_property
    def built(self) -> set[TableName]:
        return {*self.scripts, *self.unreadable}

    @cached_property
    def known(self) -> set[TableName]:
        return self.built | self.sources

    @cached_property
    def built_datasets(self) -> set[str]:
        return {table.dataset for table in self.built}

    @cached_property
    def known_datasets(self) -> set[str]:
        return {table.dataset for table in self.known}

    @cached_property
    def declared(self) -> dict[TableName, list[TableName]]:
        return {entry.table: [declared.table for declared in entry.dependencies] for entry in self.entries}

    @cached_property
    def tables_like(self) -> Suggestions:
        return Suggestions(map(str, self.known))

    @cached_property
    def scripts_like(self) -> Suggestions:
        return Suggestions(map(str, self.scripts))

    @cached_property
    def scripts_folded(self) -> dict[TableName, TableName]:
        return {table.folded(): table for table in self.scripts}

    def problems(self) -> Iterator[Problem]:
        for entry in self.entries:
            yield from self._entry(entry)
        yield from self._cycles()
        yield from self._unknown()
        for script in self.scripts.values():
            yield from self._script(script)
        for check in self.own_checks.values():
            yield from self._values(check)

    def _entry(self, entry: Entry) -> Iterator[Problem]:
        if entry.table not in self.built:
            hint = self._named_otherwise(entry.table) or self.scripts_like.did_you_mean(str(entry.table))
            missing = f"write {self.map_path.parent}/{entry.table.dataset}/{entry.table.name}.sql or delete the line"
            yield Problem(self.map_path, entry.place, f"no script builds {entry.table}", hint or missing)
        for declared in entry.dependencies:
            yield from self._declared(entry, declared)

    def _declared(self, entry: Entry, declared: Declared) -> Iterator[Problem]:
        def problem(reason: str, hint: str, severity: Severity = Severity.ERROR) -> Problem:
            return Problem(self.map_path, declared.place, reason, hint, severity)

        is_read = entry.table in self.scripts and declared.table in reads_of(self.scripts[entry.table])
        if declared.table == entry.table:
            if not is_read:
                yield problem(f"{entry.table} depends on itself", f"delete {declared.table} from its list")
        elif declared.table not in self.known:
            hidden = self.created.hiding(declared.table)
            if hidden:
                yield from hidden
            elif not is_read and declared.table.dataset in self.known_datasets:
                like = self.tables_like.did_you_mean(str(declared.table))
                hint = like or "write its script, or delete it from this list"
                yield problem(f"{entry.table} depends on {declared.table}, {_NEITHER}", hint)
        elif entry.table in self.scripts and not is_read and (entry.table, declared.table) not in self.in_cycles:
            yield problem(
                f"{entry.table} depends on {declared.table} but does not read it",
                f'delete "{declared.table}" from this list, or let `refresh sync` do it',
                Severity.WARNING,
            )

    def _unknown(self) -> Iterator[Problem]:
        """A problem for each table that scripts read and nothing builds, in a dataset of which scripts build tables."""
        for table, readers in self.readers.items():
            if table not in self.known and table.dataset in self.built_datasets:
                yield from self._nowhere(table, readers, "write its script, or, if it is a source, ")

    def undeclared(self) -> Iterator[Problem]:
        """A problem for each table that scripts read and that no file names, though files name others of its
        dataset."""
        for table, readers in self.readers.items():
            if table not in self.known and table.dataset in self.known_datasets - self.built_datasets:
                yield from self._nowhere(table, readers, "if it is a source, ")

    def _nowhere(self, table: TableName, readers: list[tuple[Script, Read]], way_out: str) -> Iterator[Problem]:
        """Why nothing is known of a table that scripts read."""
        like = self.tables_like.did_you_mean(str(table))
        found = read_problem(readers, _NEITHER, like or f"{way_out}{self._declare(table)}")
        yield from self.created.hiding(table) or [found]

    def _declare(self, table: TableName) -> str:
        folder = self.map_path.parent / table.dataset
        if table.name.endswith("*"):
            return f"add an empty file for one of its tables, such as {folder / table.name[:-1]}1"
        return f"add an empty file {folder / table.name}"

    def _named_otherwise(self, table: TableName) -> str:
        found = self.scripts_folded.get(table.folded())
        return f"the script is named {found}" if found else ""

    def _cycles(self) -> Iterator[Problem]:
        places = {entry.table: entry.place for entry in self.entries}
        for cycle in self.declared_cycles:
            path = " -> ".join(map(str, cycle))
            reason = f"the dependencies form a cycle: {path}"
            yield Problem(self.map_path, places.get(cycle[0]), reason, self._way_out_of(cycle))
        yield from (read_cycle_problem(self.scripts, cycle) for cycle in self.read_cycles)

    def _way_out_of(self, cycle: list[TableName]) -> str:
        """What to delete: a dependency of the cycle that a script does not read, if there is one."""
        for table, needed in pairwise(cycle):
            if table in self.scripts and needed not in reads_of(self.scripts[table]):
                return f'{table} does not read {needed}: delete "{needed}" from its list'
        return "remove one of these"

    def _script(self, script: Script) -> Iterator[Problem]:
        try:
            reads = script.query.reads
        except SqlError as error:
            yield sql_problem(script.path, error)
            return
        for read in reads:
            yield from self._read(script, read)
        yield from self._values(script)
        yield from self._source_of_ids(script)
        is_by_date = script.settings is not None and script.settings.says.build is not None  # that is wrong, too
        if script.build.is_view and script.query.parameters and not is_by_date:
            first = script.query.parameters[0]
            reason = f"the view {script.table} reads the variable @{first.name}, and a view cannot have variables"
            yield Problem(script.path, first.place, reason, "make it a table, or write the value")

    def _source_of_ids(self, script: Script) -> Iterator[Problem]:
        build = script.settings.says.build if script.settings is not None else None
        if build is not None and build.by == "range":
            from warehouse_refresh.pipeline.tables.partitions.ids import source_problems

            yield from source_problems(script, self.scripts)

    def _values(self, script: Script) -> Iterator[Problem]:
        known = {variable.name.casefold() for variable in script.query.variables}
        known |= {*BOUNDS} if script.path in self.misread else set()
        for unknown in unknown_in(script.query, self.variables, known):
            yield sql_problem(script.path, unknown)

    def _read(self, script: Script, read: Read) -> Iterator[Problem]:
        if read.table == script.table and self._may_read_itself(script):
            return
        if read.table == script.table:
            reason, hint = _SELF_READ.format(table=script.table), _INSTEAD_OF_SELF_READ.format(table=script.table)
        elif self._is_left_out(script.table, read.table):
            reason = (
                f"{script.table} reads {read.table}, but {MAP} does not list it, so {read.table} may not be built first"
            )
            hint = self._line_to_add(script.table)
        else:
            return
        yield Problem(script.path, read.place, reason, hint)

    def _may_read_itself(self, script: Script) -> bool:
        """Whether the settings say so. `_not_by_date` reports what is wrong with it then."""
        build = script.settings.says.build if script.settings is not None else None
        return script.path in self.misread or (build is not None and build.reads_itself)

    def _is_left_out(self, table: TableName, read: TableName) -> bool:
        """Whether the map leaves out what a script reads, and nothing else is wrong with that."""
        is_listed = not self.is_map_readable or read in self.declared.get(table, ())
        return read in self.built and not is_listed and (table, read) not in self.in_cycles

    def _line_to_add(self, table: TableName) -> str:
        """The line of the map that declares all that the script reads."""
        reads = [read.table for read in reads_in(self.scripts[table]) if read.table != table]
        declared = [dependency for dependency in self.declared.get(table, ()) if dependency in reads]
        missing = [read for read in reads if read in self.built and read not in declared]
        names = ", ".join(f'"{name}"' for name in [*declared, *missing])
        line = f"{_toml_key(table.name)} = [{names}]"
        return f"under [{_toml_key(table.dataset)}] in {self.map_path} write: {line} (or run `refresh sync`)"


def _toml_key(name: str) -> str:
    """https://toml.io/en/v1.0.0#keys"""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'
