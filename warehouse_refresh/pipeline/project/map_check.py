"""Compare the map with the scripts and the sources: what it leaves out, has too much, or puts in a cycle."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from warehouse_refresh.pipeline.project.dependency_map import Declared, Entry, declared_edges
from warehouse_refresh.pipeline.project.graph import find_cycles
from warehouse_refresh.pipeline.project.problems import Problem, Severity, sql_problem
from warehouse_refresh.pipeline.project.reads import (
    find_read_cycles,
    read_cycle_problem,
    read_problem,
    readers_of,
    reads_in,
    reads_of,
)
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.project.variables import BOUNDS, Variables, unknown_in
from warehouse_refresh.pipeline.raw.init_scripts import Created
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Read
from warehouse_refresh.warehouse.suggest import Suggestions

MAP = "dependencies.toml"
_NEITHER = "which is neither a script nor a source"
_SELF_READ = "{table} reads itself, so what is in it would depend on how often it was built"
_INSTEAD_OF_SELF_READ = (
    "compute all rows from the sources at each refresh, or keep the earlier rows in a source, which no script builds; "
    "a table that is built by date may read its earlier partitions: docs/by-date.md; "
    "`--exclude {table}` builds the other tables"
)


@dataclass(frozen=True)
class MapCheck:
    """Compares the map with the scripts and the sources. `problems` are what is wrong."""

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
        edges = declared_edges(self.built, self.entries)
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
