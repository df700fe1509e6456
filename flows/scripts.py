"""The scripts under res/: which table each builds, and the query that makes it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from flows.own_project import own_project
from flows.problems import Problem, Severity, sql_problem
from warehouse.errors import Place, SqlError
from warehouse.names import TableName
from warehouse.query import Query, parse_query

RAW = "raw"


@dataclass(frozen=True, slots=True)
class Script:
    """A SQL file with the table that it builds."""

    table: TableName
    path: Path
    query: Query


def read_scripts(res: Path, project: str = "") -> tuple[dict[TableName, Script], list[Problem]]:
    """All scripts under `res`, by table in order of the names, and what is wrong with their files.

    A folder is a dataset; raw/ and hidden files are left out. A file that is no `.sql` is nobody's script. `project`
    is the scripts' own; "": the one with which they name their datasets (`own_project`).
    """
    scripts: dict[TableName, Script] = {}
    problems = [_misplaced(path) for path in _sql_files_elsewhere(res)]
    seen: dict[TableName, Path] = {}
    for table, path in _script_files(res):
        other = seen.setdefault(table.folded(), path)
        if other != path:
            problems.append(Problem(path, None, f"{table} is also built by {other}", "delete or rename one of them"))
            continue
        try:
            scripts[table] = Script(table, path, parse_query(read_text(path)))
        except SqlError as error:
            problems.append(sql_problem(path, error))
    if not project:
        queries = {script.path: script.query for script in scripts.values()}
        project, found = own_project(queries, read_datasets(res))
        problems += found
    within = {table: replace(script, query=script.query.within(project)) for table, script in scripts.items()}
    return within, problems


def read_raw_names(res: Path) -> set[TableName]:
    """The raw tables that res/raw/ names: one for each file, whatever its ending and its content."""
    folder = res / RAW
    if not folder.is_dir():
        return set()
    return {TableName(RAW, path.stem) for path in folder.iterdir() if path.is_file() and not _hidden(path)}


def script_tables(res: Path) -> set[TableName]:
    """The tables that files under `res` are there for, readable or not."""
    return {table for table, _ in _script_files(res)}


def read_datasets(res: Path) -> list[str]:
    """The datasets: raw, and one for each folder under `res`."""
    return sorted({RAW, *(path.name for path in _folders(res))})


def read_text(path: Path) -> str:
    """The text of a file that people write. Raises SqlError if it is not UTF-8."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode("utf-8", errors="replace")) + 1
        raise SqlError(
            f"the file is not UTF-8: byte 0x{content[error.start]:02x}",
            hint="save it as UTF-8",
            place=Place(before.count(b"\n") + 1, column),
        ) from error


def _script_files(res: Path) -> Iterator[tuple[TableName, Path]]:
    for folder in _folders(res):
        if folder.name != RAW:
            # Not Path.glob: of a thousand scripts it takes a tenth of a second, and they are listed twice.
            names = sorted(file.name for file in os.scandir(folder) if file.is_file())
            for path in (folder / name for name in names if name.endswith(".sql")):
                if not _hidden(path):
                    yield TableName(folder.name, path.stem), path


def _sql_files_elsewhere(res: Path) -> Iterator[Path]:
    yield from (path for path in sorted(res.glob("*.sql")) if not _hidden(path))
    for folder in _folders(res):
        if folder.name != RAW:
            yield from sorted(path for path in folder.glob("*/**/*.sql") if not _hidden(path))


def _misplaced(path: Path) -> Problem:
    return Problem(
        path,
        None,
        "this script builds no table: it does not stand directly in a dataset's folder",
        "move it to res/DATASET/NAME.sql, or out of res/",
        Severity.WARNING,
    )


def _folders(res: Path) -> list[Path]:
    return sorted(path for path in res.iterdir() if path.is_dir() and not _hidden(path))


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")
