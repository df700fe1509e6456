"""Read the scripts in db_init/, which create and fill the raw tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from warehouse_refresh.pipeline.project.files import is_sql, listed, loose_text, read_text
from warehouse_refresh.pipeline.project.own_project import statements_within
from warehouse_refresh.pipeline.project.problems import Problem, sql_problem
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Statement


@dataclass(frozen=True)
class Created:
    """The tables that the readable scripts create or fill. `unread` has the problem of each script that cannot be read,
    with what can be read of its text."""

    tables: frozenset[TableName] = frozenset()
    unread: tuple[tuple[Problem, str], ...] = ()

    def hiding(self, table: TableName) -> list[Problem]:
        """The problems of the scripts that cannot be read and may create the table, since its name stands in them, or
        nothing of their text can be read. That the table is unknown follows from these."""
        return [problem for problem, text in self.unread if not text or table.name in text]


@dataclass(frozen=True)
class InitScripts:
    """The statements of each script in db_init/, what is wrong with the scripts, and the tables that they create."""

    statements: Mapping[Path, list[Statement]]
    problems: tuple[Problem, ...]
    created: Created


def read_created(folder: Path, cache: SqlCache | None = None) -> Created:
    """The tables that the scripts in `folder` create or fill. Scripts that the `cache` knows are not parsed again: to
    import the parser takes longer than a refresh of eight known scripts."""
    tables: set[TableName] = set()
    unread = []
    for path in _script_files(folder):
        try:
            tables |= _created_by(read_text(path), cache)
        except SqlError as error:
            unread.append((sql_problem(path, error), loose_text(path)))
    return Created(frozenset(tables), tuple(unread))


def _created_by(text: str, cache: SqlCache | None) -> set[TableName]:
    noted = cache.recall("created", text) if cache else None
    if noted is not None:
        return {TableName(*name) for name in noted}
    from warehouse_refresh.warehouse.sql.parser import parse_script

    tables = _targets(parse_script(text))
    if cache:
        cache.note("created", text, sorted(tables))
    return tables


def _targets(statements: Iterable[Statement]) -> set[TableName]:
    return {one.target for one in statements if one.target}


def read_init_scripts(folder: Path, own: str = "") -> InitScripts:
    """Read the scripts in `folder`. `own` is the project that they create tables in; if it is "", the project that they
    name."""
    from warehouse_refresh.warehouse.sql.parser import parse_script

    scripts: dict[Path, list[Statement]] = {}
    unread = []
    for path in _script_files(folder):
        try:
            scripts[path] = parse_script(read_text(path))
        except SqlError as error:
            unread.append((sql_problem(path, error), loose_text(path)))
    within, found = statements_within(own, scripts)
    created = Created(frozenset(_targets(chain.from_iterable(scripts.values()))), tuple(unread))
    return InitScripts(within, (*(problem for problem, _ in unread), *found), created)


def has_init_scripts(folder: Path) -> bool:
    """Whether `folder` has a script. Raises Refused for a folder that cannot be read."""
    return bool(_script_files(folder))


def _script_files(folder: Path) -> list[Path]:
    return listed(folder, is_sql) if folder.is_dir() else []
