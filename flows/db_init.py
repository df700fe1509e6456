"""db_init/: the scripts that create and fill the raw tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flows.own_project import statements_within
from flows.problems import Problem, Refused, sql_problem
from flows.scripts import read_text
from warehouse.engine import Warehouse
from warehouse.errors import SqlError, TableNotFound
from warehouse.names import TableName
from warehouse.query import Statement


@dataclass(frozen=True, slots=True)
class Filled:
    """What `initialise` did: the tables it created and filled, and those it left alone since they have rows."""

    created: list[TableName]
    kept: list[TableName]


def initialise(
    warehouse: Warehouse, folder: Path, datasets: Iterable[str], *, own: str = "", replace: bool = False
) -> Filled:
    """Create the datasets, then the tables of the scripts in `folder`.

    A table that has rows is left as it is, unless `replace` says otherwise: they may be rows that somebody posted.
    Raises Refused for a script that cannot be read, WarehouseError.
    """
    scripts, problems = read_init_scripts(folder, own)
    if problems:
        raise Refused(problems)
    warehouse.create_datasets(datasets)
    targets = {statement.target for statements in scripts.values() for statement in statements if statement.target}
    kept = set() if replace else {table for table in targets if _has_rows(warehouse, table)}
    for path, statements in scripts.items():
        _run(warehouse, path, [statement for statement in statements if statement.target not in kept])
    return Filled(sorted(targets - kept), sorted(kept))


def read_created_tables(folder: Path) -> set[TableName]:
    """The tables that the readable scripts in `folder` create or fill; `initialise` tells what is wrong with others."""
    scripts, _ = read_init_scripts(folder)
    return {statement.target for statements in scripts.values() for statement in statements if statement.target}


def read_init_scripts(folder: Path, own: str = "") -> tuple[dict[Path, list[Statement]], list[Problem]]:
    """The statements of each script in `folder`, and what is wrong with those that cannot be read.

    `own` is the project that they create tables in; "": the one that they name, if any."""
    from warehouse.googlesql import parse_script

    scripts: dict[Path, list[Statement]] = {}
    problems = []
    for path in sorted(folder.glob("*.sql")):
        try:
            scripts[path] = parse_script(read_text(path))
        except SqlError as error:
            problems.append(sql_problem(path, error))
    within, found = statements_within(own, scripts)
    return within, [*problems, *found]


def _has_rows(warehouse: Warehouse, table: TableName) -> bool:
    try:
        return warehouse.row_count(table) > 0
    except TableNotFound:
        return False


def _run(warehouse: Warehouse, path: Path, statements: list[Statement]) -> None:
    try:
        warehouse.run_script(statements)
    except SqlError as error:
        raise Refused([sql_problem(path, error)]) from error
