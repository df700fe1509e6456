"""db_init/: the scripts that create and fill the raw tables."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from pipeline.project.files import is_sql, listed, read_text
from pipeline.project.own_project import statements_within
from pipeline.project.problems import Problem, Refused, sql_problem
from warehouse import Warehouse
from warehouse.errors import SqlError, TableNotFound
from warehouse.names import TableName
from warehouse.sql.query import Statement


class NotConfirmed(Exception):
    """Rows would have been deleted, and nobody agreed; the message says which."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What `initialise` did: the tables it created and filled, and those it left alone since they have rows."""

    created: list[TableName]
    kept: list[TableName]


Rows = Mapping[TableName, int]


def initialise(
    warehouse: Warehouse,
    folder: Path,
    datasets: Iterable[str],
    *,
    own: str = "",
    confirm_replacing: Callable[[Rows], None] | None = None,
) -> Filled:
    """Create the datasets, then the tables of the scripts in `folder`. Repeating it does no harm.

    A table that has rows is not changed, since somebody may have posted them. With `confirm_replacing`, tables with
    rows are replaced too: it is called first, with each such table and its number of rows, and may raise NotConfirmed.
    An empty table is not changed either if its script inserts no rows. Raises Refused for a script that cannot be read,
    WarehouseError.
    """
    scripts, problems = read_init_scripts(folder, own)
    if problems:
        raise Refused(problems)
    of_table = _by_table(scripts)
    before = {table: rows for table in sorted(of_table) if (rows := _rows(warehouse, table)) is not None}
    full = {table: rows for table, rows in before.items() if rows}
    left = set(full) | {table for table in before if not any(map(_makes_rows, of_table[table]))}
    if confirm_replacing is not None:
        if full:
            confirm_replacing(full)
        left = set()
    warehouse.create_datasets(datasets)
    first = {id(statements[0]) for statements in of_table.values()}
    for path, statements in scripts.items():
        run = [[one] if id(one) not in first else _replacing(one) for one in statements if one.target not in left]
        _run(warehouse, path, list(chain.from_iterable(run)))
    return Filled(sorted(set(of_table) - left), sorted(full.keys() & left))


def _by_table(scripts: Mapping[Path, list[Statement]]) -> dict[TableName, list[Statement]]:
    found: dict[TableName, list[Statement]] = {}
    for statement in chain.from_iterable(scripts.values()):
        if statement.target:
            found.setdefault(statement.target, []).append(statement)
    return found


def _replacing(statement: Statement) -> list[Statement]:
    """The first statement about a table, changed so that it replaces the table. An INSERT gets a TRUNCATE before it."""
    from sqlglot import exp

    from warehouse.sql.parser import parse_script, with_or_replace

    if statement.target is None or not isinstance(statement.tree, exp.Insert):
        return [with_or_replace(statement)]
    [empty] = parse_script(f"TRUNCATE TABLE `{statement.target.dataset}`.`{statement.target.name}`")
    return [replace(empty, start=statement.start, own=statement.own), statement]


def _makes_rows(statement: Statement) -> bool:
    """Whether the statement can give its table rows: anything but a CREATE TABLE without a query."""
    from sqlglot import exp

    return not isinstance(statement.tree, exp.Create) or statement.tree.expression is not None


def read_created_tables(folder: Path) -> set[TableName]:
    """The tables that the readable scripts in `folder` create or fill; `initialise` reports the others."""
    scripts, _ = read_init_scripts(folder)
    return {statement.target for statements in scripts.values() for statement in statements if statement.target}


def read_init_scripts(folder: Path, own: str = "") -> tuple[dict[Path, list[Statement]], list[Problem]]:
    """The statements of each script in `folder`, and what is wrong with those that cannot be read.

    `own` is the project that they create tables in; if it is "", the project that they name."""
    from warehouse.sql.parser import parse_script

    scripts: dict[Path, list[Statement]] = {}
    problems = []
    for path in _script_files(folder):
        try:
            scripts[path] = parse_script(read_text(path))
        except SqlError as error:
            problems.append(sql_problem(path, error))
    within, found = statements_within(own, scripts)
    return within, [*problems, *found]


def has_init_scripts(folder: Path) -> bool:
    """Whether `folder` has a script. Raises Refused for a folder that cannot be read."""
    return bool(_script_files(folder))


def _script_files(folder: Path) -> list[Path]:
    return list(filter(is_sql, listed(folder))) if folder.is_dir() else []


def _rows(warehouse: Warehouse, table: TableName) -> int | None:
    """How many rows the table has; None if there is no such table."""
    try:
        return warehouse.row_count(table)
    except TableNotFound:
        return None


def _run(warehouse: Warehouse, path: Path, statements: list[Statement]) -> None:
    try:
        warehouse.run_script(statements)
    except SqlError as error:
        raise Refused([sql_problem(path, error)]) from error
