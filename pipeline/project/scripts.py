"""The scripts under res/: which table each builds, and the query that makes it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.project.files import is_sql, listed, name_problem, read_text
from pipeline.project.own_project import own_project
from pipeline.project.problems import Problem, Severity, sql_problem
from warehouse import TableBuild
from warehouse.errors import SqlError
from warehouse.names import TableName
from warehouse.sql.cache import SqlCache
from warehouse.sql.query import Query, parse_query

RAW = "raw"


@dataclass(frozen=True, slots=True)
class Script:
    """A SQL file, and the table that it builds."""

    path: Path
    build: TableBuild

    @property
    def table(self) -> TableName:
        """The table that it builds."""
        return self.build.table

    @property
    def query(self) -> Query:
        """The query whose result the table gets."""
        return self.build.query


def read_scripts(
    res: Path, project: str = "", cache: SqlCache | None = None
) -> tuple[dict[TableName, Script], list[Problem]]:
    """All scripts under `res`, by table in order of the names, and what is wrong with their files.

    Each folder is a dataset. raw/, hidden files and files that do not end in `.sql` are left out. `project` is the
    scripts' own project; if it is "", `own_project` finds it in their texts. Raises Refused for a folder that cannot be
    read.
    """
    scripts: dict[TableName, Script] = {}
    problems = [*map(_misplaced, _sql_files_elsewhere(res)), *_broken_links(res)]
    seen: dict[TableName, Path] = {}
    for table, path in _script_files(res):
        other = seen.setdefault(table.folded(), path)
        if other != path:
            problems.append(Problem(path, None, f"{table} is also built by {other}", "delete or rename one of them"))
        elif (problem := name_problem(table, path)) is not None:
            problems.append(problem)
        else:
            try:
                scripts[table] = Script(path, TableBuild(table, parse_query(read_text(path), cache)))
            except SqlError as error:
                problems.append(sql_problem(path, error))
    if not project:
        queries = {script.path: script.query for script in scripts.values()}
        project, found = own_project(queries, read_datasets(res))
        problems += found
    return {table: _within(project, script) for table, script in scripts.items()}, list(dict.fromkeys(problems))


def _within(project: str, script: Script) -> Script:
    return replace(script, build=replace(script.build, query=script.query.within(project)))


def read_raw_names(res: Path) -> set[TableName]:
    """The raw tables that res/raw/ names: one for each file, whatever its ending and its content."""
    folder = res / RAW
    return {TableName(RAW, path.stem) for path in listed(folder) if path.is_file()} if folder.is_dir() else set()


def script_tables(res: Path) -> set[TableName]:
    """The tables that the scripts under `res` build, by their file names; the files need not be readable."""
    return {table for table, _ in _script_files(res)}


def read_datasets(res: Path) -> list[str]:
    """The datasets: raw, and one for each folder under `res`."""
    return sorted({RAW, *(path.name for path in _folders(res))})


def _script_files(res: Path) -> Iterator[tuple[TableName, Path]]:
    for folder in _folders(res):
        if folder.name != RAW:
            yield from ((TableName(folder.name, path.stem), path) for path in listed(folder) if is_sql(path))


def _sql_files_elsewhere(res: Path) -> Iterator[Path]:
    yield from (path for path in listed(res) if is_sql(path))
    for folder in _folders(res):
        if folder.name != RAW:
            yield from sorted(path for path in folder.glob("*/**/*.sql") if not path.name.startswith("."))


def _broken_links(res: Path) -> Iterator[Problem]:
    """A problem for each link to nothing. Without it, the tables of a missing folder would silently not be built."""
    for path in listed(res):
        if path.is_symlink() and not path.exists():
            yield Problem(path, None, "this link leads nowhere", "fix it, or delete it")


def _misplaced(path: Path) -> Problem:
    return Problem(
        path,
        None,
        "this script builds no table: it does not stand directly in a dataset's folder",
        "move it to res/DATASET/NAME.sql, or out of res/",
        Severity.WARNING,
    )


def _folders(res: Path) -> list[Path]:
    return [path for path in listed(res) if path.is_dir()]
