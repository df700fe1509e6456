"""The project in a folder: scripts and map, read together and held against each other."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flows.db_init import read_created_tables
from flows.dependency_map import Declared, Entry, read_map
from flows.graph import Graph, find_cycles
from flows.problems import Problem, Refused, Severity, closest, errors_in, sql_problem
from flows.scripts import RAW, Script, read_raw_names, read_scripts, script_tables
from warehouse.errors import SqlError
from warehouse.googlesql import Read
from warehouse.names import TableName

MAP = "dependencies.toml"


@dataclass(frozen=True)
class Project:
    """The scripts, the dependencies that the map declares between them, and all that is wrong with either."""

    folder: Path
    scripts: Mapping[TableName, Script]
    entries: tuple[Entry, ...]
    raw_tables: frozenset[TableName]
    problems: tuple[Problem, ...]

    @cached_property
    def graph(self) -> Graph:
        """The graph of all scripts. Only for a project without errors: raises Refused."""
        errors = errors_in(self.problems)
        if errors:
            raise Refused(errors)
        return Graph(_edges(self.scripts, self.entries))


def read_project(folder: Path) -> Project:
    """Read `folder`/res and what it says of its dependencies. Raises Refused if there is no res/ at all."""
    res = folder / "res"
    if not res.is_dir():
        raise Refused([Problem(res, None, "there is no such folder", "run this in the project's folder")])
    scripts, problems = read_scripts(res)
    entries, map_problems = read_map(res / MAP)
    raw_tables = _raw_tables(folder, scripts.values(), entries)
    check = _Check(res / MAP, scripts, entries, raw_tables, script_tables(res) - set(scripts))
    found = [*problems, *map_problems, *check.problems()]
    return Project(folder, scripts, tuple(entries), frozenset(raw_tables), tuple(found))


def _raw_tables(folder: Path, scripts: Iterable[Script], entries: Iterable[Entry]) -> set[TableName]:
    """The tables that res/raw/ names and, if that leaves one unknown, those that db_init/ creates."""
    raw_tables = read_raw_names(folder / "res")
    wanted = {table for script in scripts for table in reads_of(script)}
    wanted |= {declared.table for entry in entries for declared in entry.dependencies}
    if any(table.dataset == RAW for table in wanted - raw_tables):
        raw_tables |= read_created_tables(folder / "db_init")
    return raw_tables


def reads_of(script: Script) -> set[TableName]:
    """The tables that the script reads; none if it names one without its dataset, which is a problem of its own."""
    try:
        return {read.table for read in script.query.reads}
    except SqlError:
        return set()


def _edges(scripts: Iterable[TableName], entries: Iterable[Entry]) -> dict[TableName, frozenset[TableName]]:
    built = set(scripts)
    declared = {entry.table: {declared.table for declared in entry.dependencies} for entry in entries}
    return {table: frozenset(declared.get(table, set()) & built) for table in scripts}


@dataclass(frozen=True)
class _Check:
    """Holds the map against the scripts and the tables that exist."""

    map_path: Path
    scripts: Mapping[TableName, Script]
    entries: list[Entry]
    raw_tables: set[TableName]
    unreadable: set[TableName]

    @cached_property
    def known(self) -> set[TableName]:
        return {*self.scripts, *self.unreadable, *self.raw_tables}

    @cached_property
    def declared(self) -> dict[TableName, list[TableName]]:
        return {entry.table: [declared.table for declared in entry.dependencies] for entry in self.entries}

    def problems(self) -> Iterator[Problem]:
        for entry in self.entries:
            yield from self._entry(entry)
        yield from self._cycles()
        for script in self.scripts.values():
            yield from self._script(script)

    def _entry(self, entry: Entry) -> Iterator[Problem]:
        if entry.table not in self.scripts and entry.table not in self.unreadable:
            hint = _other_case(entry.table, self.scripts) or closest(str(entry.table), map(str, self.scripts))
            missing = f"write res/{entry.table.dataset}/{entry.table.name}.sql or delete the line"
            yield Problem(self.map_path, entry.place, f"no script builds {entry.table}", hint or missing)
        for declared in entry.dependencies:
            yield from self._declared(entry, declared)

    def _declared(self, entry: Entry, declared: Declared) -> Iterator[Problem]:
        def problem(reason: str, hint: str, severity: Severity = Severity.ERROR) -> Problem:
            return Problem(self.map_path, declared.place, reason, hint, severity)

        if declared.table == entry.table:
            yield problem(f"{entry.table} depends on itself", f"delete {declared.table} from its list")
        elif declared.table not in self.known:
            hint = closest(str(declared.table), map(str, self.known)) or "write its script or delete it from the list"
            yield problem(f"{entry.table} depends on {declared.table}, which is neither a script nor a raw table", hint)
        elif entry.table in self.scripts and declared.table not in reads_of(self.scripts[entry.table]):
            yield problem(
                f"{entry.table} depends on {declared.table} but does not read it",
                "delete it from the list, unless it must be built first for another reason",
                Severity.WARNING,
            )

    def _cycles(self) -> Iterator[Problem]:
        places = {entry.table: entry.place for entry in self.entries}
        edges = _edges({*self.scripts, *self.unreadable}, self.entries)
        for cycle in find_cycles({table: needed - {table} for table, needed in edges.items()}):
            path = " -> ".join(map(str, cycle))
            yield Problem(
                self.map_path, places.get(cycle[0]), f"the dependencies form a cycle: {path}", "remove one of these"
            )

    def _script(self, script: Script) -> Iterator[Problem]:
        try:
            reads = script.query.reads
        except SqlError as error:
            yield sql_problem(script.path, error)
            return
        for read in reads:
            yield from self._read(script, read)

    def _read(self, script: Script, read: Read) -> Iterator[Problem]:
        if read.table == script.table:
            reason, hint = f"{script.table} reads itself", "a script cannot read the table that it builds"
        elif read.table not in self.known:
            reason = f"{script.table} reads {read.table}, which is neither a script nor a raw table"
            hint = closest(str(read.table), map(str, self.known)) or f"write its script, or name it in res/{RAW}/"
        elif read.table.dataset != RAW and read.table not in self.declared.get(script.table, ()):
            reason = f"{script.table} reads {read.table}, but the map does not say so: the order is not safe"
            hint = self._line_to_add(script.table, read.table)
        else:
            return
        yield Problem(script.path, read.place, reason, hint)

    def _line_to_add(self, table: TableName, dependency: TableName) -> str:
        """The line of the map that declares `dependency` too."""
        names = ", ".join(f'"{name}"' for name in [*self.declared.get(table, ()), dependency])
        return f"under [{table.dataset}] in {self.map_path} write: {table.name} = [{names}]"


def _other_case(table: TableName, tables: Iterable[TableName]) -> str:
    found = [other for other in tables if other.folded() == table.folded()]
    return f"the script is named {found[0]}" if found else ""
