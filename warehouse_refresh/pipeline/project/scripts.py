"""The scripts under res/: which table each builds, and the query that makes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from warehouse_refresh.pipeline.project.files import (
    folders_in,
    is_plain,
    is_sql,
    listed,
    name_problem,
    names_in,
    read_text,
)
from warehouse_refresh.pipeline.project.graph import Graph, find_cycles
from warehouse_refresh.pipeline.project.own_project import own_project
from warehouse_refresh.pipeline.project.problems import Problem, Severity, sql_problem
from warehouse_refresh.pipeline.settings_file import DEFAULT_LAYOUT, Layout
from warehouse_refresh.pipeline.tables.files import TESTS, SettingsFile
from warehouse_refresh.warehouse import TableBuild
from warehouse_refresh.warehouse.errors import SqlError, place_at
from warehouse_refresh.warehouse.functions import creates_function, parse_function
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.definition import Definition, parse_definition
from warehouse_refresh.warehouse.sql.query import Function, Query, parse_query

FUNCTIONS = "functions"
"""The folder whose functions may be of any dataset."""
CHECKS = "checks"
"""The folder of queries for rows that are wrong. It is no dataset."""


@dataclass(frozen=True, slots=True)
class Script:
    """A SQL file, and the table that it builds; `settings` is the file beside it, if there is one."""

    path: Path
    build: TableBuild
    settings: SettingsFile | None = None

    @property
    def table(self) -> TableName:
        """The table that it builds."""
        return self.build.table

    @property
    def query(self) -> Query:
        """The query whose result the table gets."""
        return self.build.query


@dataclass(frozen=True, slots=True)
class FunctionScript:
    """A SQL file, and the function that it creates. `file_name` is the dataset of its folder and its own name."""

    path: Path
    file_name: TableName
    function: Function


@dataclass(frozen=True, slots=True)
class Files:
    """What the files under res/ hold: scripts by the table that each builds, functions by their names, both in order of
    the names, and what is wrong with the files. `unreadable` are the scripts that could not be read, by their table."""

    scripts: dict[TableName, Script]
    functions: dict[TableName, FunctionScript]
    problems: list[Problem]
    unreadable: dict[TableName, Path]


def read_scripts(res: Path, project: str = "", cache: SqlCache | None = None, layout: Layout = DEFAULT_LAYOUT) -> Files:
    """All scripts and functions under `res`.

    Each folder is a dataset; a folder in it only groups scripts. The folder of the dataset of raw tables, hidden files
    and files that do not end in `.sql` are left out. `layout` says what that dataset is, and of which dataset tables
    are that a script names without one. `project` is the scripts' own project; if it is "", `own_project`
    finds it in their texts. Raises Refused for a folder that cannot be read.
    """
    raw = layout.raw
    scripts: dict[TableName, Script] = {}
    functions: dict[TableName, FunctionScript] = {}
    problems = [*(_misplaced(path, res) for path in _sql_files_elsewhere(res, raw)), *_broken_links(res)]
    created_in: dict[Path, str] = {}
    seen: dict[TableName, Path] = {}
    files = list(_script_files(res, raw))
    for table, path in files:
        other = seen.setdefault(table.folded(), path)
        if other != path:
            problems.append(Problem(path, None, f"{table} is also built by {other}", "delete or rename one of them"))
        elif (problem := name_problem(table, path)) is not None:
            problems.append(problem)
        else:
            try:
                text = read_text(path)
                if creates_function(text):
                    function = _function(table, text, cache)
                    problems += _function_twice(function.name, path, functions)
                    functions[function.name] = FunctionScript(path, table, function)
                else:
                    definition = parse_definition(text, cache)
                    scripts[table] = Script(path, _build(table, definition, cache, layout))
                    created_in[path] = definition.project
            except SqlError as error:
                problems.append(sql_problem(path, error))
    if not project:
        queries = {script.path: script.query for script in scripts.values()}
        project, found = own_project(queries, read_datasets(res, raw), created_in.values())
        problems += found
    functions, found = without_cycles(functions, project)
    within = {table: _within(project, script, functions) for table, script in scripts.items()}
    read = {*within, *(one.file_name for one in functions.values())}
    unreadable = {table: path for table, path in files if table not in read}
    return Files(within, functions, list(dict.fromkeys([*problems, *found])), unreadable)


def _function(table: TableName, text: str, cache: SqlCache | None) -> Function:
    """The function that a script creates. Raises SqlError, also for one with another name than its file's."""
    found = parse_function(text, table.dataset, cache)
    own = found.name if table.dataset == FUNCTIONS else TableName(table.dataset, found.name.name)
    if found.name != TableName(own.dataset, table.name):
        raise SqlError(
            f"the script creates the function {found.name}, and its file makes it {TableName(own.dataset, table.name)}",
            hint="give the file the function's name, in the folder of its dataset or in functions/",
            place=place_at(text, *found.head),
        )
    return found


def _function_twice(name: TableName, path: Path, functions: dict[TableName, FunctionScript]) -> list[Problem]:
    other = next((one.path for known, one in functions.items() if known.folded() == name.folded()), None)
    reason = f"the function {name} is also created by {other}"
    return [Problem(path, None, reason, "delete or rename one of them")] if other is not None else []


def without_cycles(
    functions: dict[TableName, FunctionScript], project: str
) -> tuple[dict[TableName, FunctionScript], list[Problem]]:
    """The functions, each after those that it calls, without those that call each other in a circle; and a problem for
    each circle."""
    edges = {
        name: {call.name for call in one.function.calls if call.name in functions and call.project in ("", project)}
        for name, one in functions.items()
    }
    cycles = find_cycles(edges)
    bad = {name for cycle in cycles for name in cycle}
    problems = []
    for cycle in cycles:
        one = functions[cycle[0]]
        place = next(call.place for call in one.function.calls if call.name == cycle[1])
        reason = f"the functions call each other in a circle: {' -> '.join(map(str, cycle))}"
        problems.append(Problem(one.path, place, reason, "a function cannot call itself: take one call out"))
    order = Graph({name: frozenset(called - bad) for name, called in edges.items() if name not in bad}).order
    return {name: functions[name] for name in order}, problems


def _build(table: TableName, definition: Definition, cache: SqlCache | None, layout: Layout) -> TableBuild:
    """What the script builds. Raises SqlError, also for a script that gives the table another name."""
    own = (table.dataset, table.name)[-len(definition.name[-2:]) :]
    if definition.name and definition.name[-2:] != own:
        raise SqlError(
            f"the script creates {'.'.join(definition.name)}, and its file makes it {table}",
            hint=f"write {table}, or move the script to DATASET/NAME.sql",
            place=definition.place,
        )
    query = parse_query(definition.query_text, cache, definition.preamble)
    query = query.with_default(layout.default_of(table.dataset))
    if definition.listed:
        query = replace(query, listed=definition.listed)
    return TableBuild(table, query, definition.is_view, definition.storage)


def _within(project: str, script: Script, functions: Mapping[TableName, FunctionScript]) -> Script:
    query = script.query.within(project)
    if query.calls:
        query = query.calling({name: one.function for name, one in functions.items()})
    return script if query is script.query else replace(script, build=replace(script.build, query=query))


def read_source_names(res: Path, raw: str = DEFAULT_LAYOUT.raw, *, settings: bool = True) -> set[TableName]:
    """The tables that files under `res` declare as sources: in a folder without scripts, one for each file, whatever
    its ending and its content; in a folder with scripts, one for each file without an ending. Without `settings`, those
    of which there is a settings file only are left out."""
    found = set()
    for folder in dataset_folders(res):
        has_scripts = folder.name != raw and bool(names_in(folder, is_sql))
        files = [path for path in listed(folder, is_plain if has_scripts else _is_no_test) if path.is_file()]
        files = [path for path in files if settings or path.suffix != ".toml"]
        found |= {TableName(folder.name, path.stem) for path in files}
    return found


def _is_no_test(name: str) -> bool:
    return not name.endswith(TESTS)


def source_folders(res: Path, raw: str = DEFAULT_LAYOUT.raw) -> list[Path]:
    """The folders of the datasets without scripts: `raw`, and those that hold no script."""
    return [folder for folder in dataset_folders(res) if folder.name == raw or not _has_scripts(folder)]


def _has_scripts(folder: Path) -> bool:
    return bool(names_in(folder, is_sql)) or any(map(_has_scripts, folders_in(folder)))


def script_files(res: Path, raw: str = DEFAULT_LAYOUT.raw) -> dict[TableName, Path]:
    """The scripts under `res` by the tables that they build, as their file names say; the files need not be
    readable."""
    return dict(_script_files(res, raw))


def read_datasets(res: Path, raw: str = DEFAULT_LAYOUT.raw) -> list[str]:
    """The datasets: `raw`, and one for each folder under `res`."""
    return sorted({raw, *(path.name for path in dataset_folders(res))})


def _script_files(res: Path, raw: str) -> Iterator[tuple[TableName, Path]]:
    for folder in dataset_folders(res):
        if folder.name != raw:
            yield from ((TableName(folder.name, path.stem), path) for path in _sql_files_below(folder))


def _sql_files_below(folder: Path) -> Iterator[Path]:
    """The scripts in a dataset's folder and in the folders below it."""
    yield from listed(folder, is_sql)
    for inner in folders_in(folder):
        yield from _sql_files_below(inner)


def _sql_files_elsewhere(res: Path, raw: str) -> Iterator[Path]:
    yield from listed(res, is_sql)
    if (res / raw).is_dir():
        yield from _sql_files_below(res / raw)


def _broken_links(res: Path) -> Iterator[Problem]:
    """A problem for each link to no folder. Without it, the tables of a missing folder would silently not be built."""
    for path in listed(res, is_plain):
        if path.is_symlink() and not path.exists():
            yield Problem(path, None, "this link leads nowhere", "fix it, or delete it")


def _misplaced(path: Path, res: Path) -> Problem:
    return Problem(
        path,
        None,
        "this script builds no table: it does not stand in the folder of a dataset that scripts build",
        f"move it to {res}/DATASET/NAME.sql, or out of {res}/",
        Severity.WARNING,
    )


def dataset_folders(res: Path) -> list[Path]:
    """The folders of all datasets."""
    return [path for path in listed(res) if path.is_dir() and path.name != CHECKS]
