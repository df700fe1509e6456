"""Read the scripts in db_init/, which create and fill the raw tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from warehouse_refresh.pipeline.project.files import is_sql, listed, loose_text, read_text
from warehouse_refresh.pipeline.project.own_project import statements_within
from warehouse_refresh.pipeline.project.problems import Problem, sql_problem
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Statement


@dataclass(frozen=True)
class InitScripts:
    """The statements of each script in db_init/, and all that is wrong with the scripts. `unread` has the problem of
    each script that cannot be read, with what can be read of its text."""

    statements: Mapping[Path, list[Statement]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    unread: tuple[tuple[Problem, str], ...] = ()

    @property
    def tables(self) -> set[TableName]:
        """The tables that the readable scripts create or fill."""
        return {one.target for one in chain.from_iterable(self.statements.values()) if one.target}

    def hiding(self, table: TableName) -> list[Problem]:
        """The problems of the scripts that cannot be read and may create the table, since its name stands in them, or
        nothing of their text can be read. That the table is unknown follows from these."""
        return [problem for problem, text in self.unread if not text or table.name in text]


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
    return InitScripts(within, (*(problem for problem, _ in unread), *found), tuple(unread))


def has_init_scripts(folder: Path) -> bool:
    """Whether `folder` has a script. Raises Refused for a folder that cannot be read."""
    return bool(_script_files(folder))


def _script_files(folder: Path) -> list[Path]:
    return listed(folder, is_sql) if folder.is_dir() else []
