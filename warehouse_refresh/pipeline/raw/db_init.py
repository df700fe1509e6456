"""Fill the raw tables: by the scripts in db_init/, and by files with rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from warehouse_refresh.pipeline.project.problems import Problem, Refused, sql_problem
from warehouse_refresh.pipeline.raw.init_scripts import read_init_scripts
from warehouse_refresh.pipeline.raw.loads import Load, load, read_loads
from warehouse_refresh.pipeline.raw.seeds import KnownSeed, Seed
from warehouse_refresh.pipeline.tables.files import read_files, settings_paths
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.errors import SqlError, TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Statement
from warehouse_refresh.warehouse.storage import Storage


@dataclass(frozen=True, slots=True)
class Filled:
    """What `initialise` did: the tables it created and filled, and those it left alone since they have rows; `changed`
    are those of them whose file has changed since it was loaded."""

    created: list[TableName]
    kept: list[TableName]
    changed: list[TableName]


Rows = Mapping[TableName, int]


def initialise(
    warehouse: Warehouse,
    folder: Path,
    datasets: Iterable[str],
    *,
    own: str = "",
    seeds: Sequence[Seed | KnownSeed] = (),
    confirm_replacing: Callable[[Rows], None] | None = None,
) -> Filled:
    """Create the datasets and those of the tables, then the tables of the scripts in `folder` and those of `seeds`.
    Repeating it does no harm.

    A table that has rows is not changed, since somebody may have posted them. But if it has only the rows of its seed,
    and the file has changed, it gets the new rows. With `confirm_replacing`, tables with rows are replaced too: it is
    called first, with each such table and its number of rows, and may raise an error. An empty table is not changed
    either if its script inserts no rows. Raises Refused for a script that cannot be read, WarehouseError.
    """
    read = read_init_scripts(folder, own)
    scripts = read.statements
    of_table = _by_table(scripts)
    problems = [*read.problems, *(_twice(seed, scripts) for seed in seeds if seed.table in of_table)]
    if problems:
        raise Refused(problems)
    tables = sorted({*of_table, *(seed.table for seed in seeds)})
    before = {table: rows for table in tables if (rows := _rows(warehouse, table)) is not None}
    full = {table: rows for table, rows in before.items() if rows}
    loaded = read_loads(warehouse) if seeds else {}
    is_same = {seed.table for seed in seeds if seed.table in loaded and loaded[seed.table].digest == seed.digest}
    renewed = {seed.table for seed in seeds if _is_renewed(seed, loaded.get(seed.table), before.get(seed.table))}
    left = set(full) | {table for table in before if table in of_table and not any(map(_makes_rows, of_table[table]))}
    left = (left | (is_same & before.keys())) - renewed
    if confirm_replacing is not None:
        if replaced := {table: rows for table, rows in full.items() if table not in renewed}:
            confirm_replacing(replaced)
        left = set()
    of_tables = {table.dataset for table in tables} - _created_datasets(scripts)
    warehouse.create_datasets(sorted({*datasets, *of_tables}))
    first = {id(statements[0]) for statements in of_table.values()}
    for path, statements in scripts.items():
        run = [[one] if id(one) not in first else _replacing(one) for one in statements if one.target not in left]
        _run(warehouse, path, list(chain.from_iterable(run)))
    posted: set[TableName] = set()
    for seed in seeds:
        expected = None if confirm_replacing is not None else before.get(seed.table)
        if seed.table not in left and not load(warehouse, seed.read(), expected):
            left.add(seed.table)
            posted.add(seed.table)
    changed = sorted(posted | {seed.table for seed in seeds if seed.table in (left & loaded.keys()) - is_same})
    return Filled(sorted(set(tables) - left), sorted(full.keys() & left - set(changed)), changed)


def describe_sources(warehouse: Warehouse, folders: Iterable[Path], kept: Callable[[Problem], None]) -> None:
    """Give the tables that the settings files in `folders` are about the descriptions and labels that these say, if
    they are in the warehouse. A file that is wrong is left out, and `kept` gets its problem."""
    paths = list(settings_paths(folders))
    files, problems = read_files(paths, {table for table, _ in paths}, None)
    for problem in problems:
        kept(problem)
    if files:
        from warehouse_refresh.pipeline.tables.settings import storage_of  # imports msgspec
    for table, file in files.items():
        said = storage_of(file.says)
        with suppress(TableNotFound):
            described = Storage(
                description=said.description, labels=said.labels, column_descriptions=said.column_descriptions
            )
            warehouse.describe(table, described)


def _is_renewed(seed: Seed | KnownSeed, loaded: Load | None, rows: int | None) -> bool:
    """Whether the file has changed since it was loaded, and nobody has posted rows to its table."""
    return loaded is not None and loaded.digest != seed.digest and loaded.rows == rows


def _twice(seed: Seed | KnownSeed, scripts: Mapping[Path, list[Statement]]) -> Problem:
    path = next(path for path, statements in scripts.items() if any(one.target == seed.table for one in statements))
    return Problem(seed.path, None, f"{path} creates {seed.table}, too", "delete one of them, or empty this file")


def _by_table(scripts: Mapping[Path, list[Statement]]) -> dict[TableName, list[Statement]]:
    found: dict[TableName, list[Statement]] = {}
    for statement in chain.from_iterable(scripts.values()):
        if statement.target:
            found.setdefault(statement.target, []).append(statement)
    return found


def _created_datasets(scripts: Mapping[Path, list[Statement]]) -> set[str]:
    """The datasets that the scripts create themselves, maybe with options."""
    from sqlglot import exp

    trees = [one.tree for one in chain.from_iterable(scripts.values())]
    return {
        tree.this.db.rpartition(".")[2]
        for tree in trees
        if isinstance(tree, exp.Create) and tree.args.get("kind") == "SCHEMA"
    }


def _replacing(statement: Statement) -> list[Statement]:
    """The first statement about a table, changed so that it replaces the table. An INSERT gets a TRUNCATE before it."""
    from sqlglot import exp

    from warehouse_refresh.warehouse.sql.parser import parse_script, with_or_replace

    if statement.target is None or not isinstance(statement.tree, exp.Insert):
        return [with_or_replace(statement)]
    [empty] = parse_script(f"TRUNCATE TABLE `{statement.target.dataset}`.`{statement.target.name}`")
    return [replace(empty, start=statement.start, own=statement.own), statement]


def _makes_rows(statement: Statement) -> bool:
    """Whether the statement can give its table rows: anything but a CREATE TABLE without a query."""
    from sqlglot import exp

    return not isinstance(statement.tree, exp.Create) or statement.tree.expression is not None


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
