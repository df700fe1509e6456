"""A project: its scripts, the map between them, what is wrong with either, and which tables selectors choose."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.project.dependency_map import Entry, declared_edges
from warehouse_refresh.pipeline.project.graph import Graph, find_cycles
from warehouse_refresh.pipeline.project.map_check import MapCheck
from warehouse_refresh.pipeline.project.problems import Problem, Refused, errors_in
from warehouse_refresh.pipeline.project.reads import reads_of
from warehouse_refresh.pipeline.project.scripts import FunctionScript, Script
from warehouse_refresh.pipeline.project.selectors import Named, left_out, select, unknown_state
from warehouse_refresh.pipeline.settings_file import DEFAULT_LAYOUT, Layout
from warehouse_refresh.pipeline.tables.files import SettingsFile
from warehouse_refresh.warehouse.names import TableName

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.checks.own import OwnCheck


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
    check: MapCheck
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
        return declared_edges({*self.scripts, *self.unreadable}, self.entries)

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
