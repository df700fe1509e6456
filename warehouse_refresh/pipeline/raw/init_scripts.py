"""Read the scripts in db_init/, which create and fill the raw tables."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from warehouse_refresh.pipeline.project.files import is_sql, listed, loose_text, read_text
from warehouse_refresh.pipeline.project.own_project import statements_within
from warehouse_refresh.pipeline.project.problems import Problem, sql_problem
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Statement
from warehouse_refresh.warehouse.types import Column, has_values


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


Tables = dict[TableName, tuple[Column, ...]]


@dataclass(frozen=True)
class Declared:
    """The columns of the tables that the scripts in db_init/ create, the problems of these scripts, and the tables of
    the statements that are wrong. A table is left out if its script does not list its columns."""

    columns: Tables = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    wrong: Collection[TableName] = ()

    @property
    def can_be_noted(self) -> bool:
        """Whether nothing is wrong, and all types can be read again."""
        types = [column.type for columns in self.columns.values() for column in columns]
        return not self.problems and not self.wrong and all(map(has_values, types))


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


def texts_of(folder: Path) -> str | None:
    """All that the scripts in `folder` say, as one text that differs where a script or its name does; None if one
    cannot be read."""
    try:
        return repr([(path.name, read_text(path)) for path in _script_files(folder)])
    except SqlError:
        return None


def has_init_scripts(folder: Path) -> bool:
    """Whether `folder` has a script. Raises Refused for a folder that cannot be read."""
    return bool(_script_files(folder))


def _script_files(folder: Path) -> list[Path]:
    return listed(folder, is_sql) if folder.is_dir() else []
