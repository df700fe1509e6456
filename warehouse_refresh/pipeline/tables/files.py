"""The settings files of a project: which table each is for, and what it says."""

import logging
import tomllib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.project.files import folders_in, listed, read_text
from warehouse_refresh.pipeline.project.problems import Problem, Refused, Severity
from warehouse_refresh.pipeline.project.toml_places import place_in
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.storage import PLAIN, Storage
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import Column

TESTS = ".test.toml"
"""The ending of files with tests, which are no settings: see pipeline/testing/files.py."""
SEEDS = (".csv", ".ndjson", ".parquet")
"""The endings of files with rows of sources: see pipeline/raw/seeds.py."""
logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.tables.settings import TableSettings


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A settings file, and what it says about its table."""

    path: Path
    says: "TableSettings"

    def problem(
        self, keys: tuple[str | int, ...], reason: str, hint: str = "", severity: Severity = Severity.ERROR
    ) -> Problem:
        """A problem at the line of these keys, such as `("columns", "id", "type")`."""
        return Problem(self.path, place_in(read_text(self.path).replace("\r\n", "\n"), keys), reason, hint, severity)


def settings_paths(folders: Iterable[Path]) -> Iterator[tuple[TableName, Path]]:
    """The settings files in the folders of datasets and below, each with the table that it is for."""
    for folder in folders:
        yield from ((TableName(folder.name, path.stem), path) for path in _below(folder))


def read_files(
    paths: Iterable[tuple[TableName, Path]], known: Collection[TableName], cache: SqlCache | None
) -> tuple[dict[TableName, SettingsFile], list[Problem]]:
    """What the files say, by table, and all that is wrong with them. `known` are the tables that there are."""
    from warehouse_refresh.pipeline.tables.reading import read_settings  # imports msgspec
    from warehouse_refresh.pipeline.tables.settings import TableSettings

    found: dict[TableName, SettingsFile] = {}
    problems: list[Problem] = []
    for table, path in paths:
        if table not in known and not _may_name_a_source(path):
            problems.append(_without_table(table, path, known))
        elif table in found:
            reason = f"{table} has settings in {found[table].path}, too"
            problems.append(Problem(path, None, reason, "write all of them into one file"))
        else:
            try:
                found[table] = SettingsFile(path, read_settings(path, TableSettings, cache))
            except Refused as refused:
                problems += refused.problems
    return found, problems


def _may_name_a_source(path: Path) -> bool:
    """Whether the file has a section [source], which makes its table one that is loaded, or cannot be read."""
    try:
        return "source" in tomllib.loads(read_text(path))
    except (SqlError, ValueError):
        return True


def raw_settings(folder: Path) -> dict[str, SettingsFile]:
    """What the settings files in the folder of a raw dataset say, by the tables' names. A file that is wrong is left
    out, with a warning in the log: `refresh check` has its problems."""
    paths = list(settings_paths([folder])) if folder.is_dir() else []
    files, problems = read_files(paths, {table for table, _ in paths}, None)
    for problem in problems:
        logger.warning("the settings in %s are left out: %s", problem.file, problem)
    return {table.name: file for table, file in files.items()}


def described(columns: tuple[Column, ...], file: SettingsFile | None) -> tuple[Column, ...]:
    """The columns with the descriptions of a settings file, where it has them."""
    if file is None:
        return columns
    said = {name: file.says.column(name).description for name in file.says.columns}
    return tuple(replace(column, description=said.get(column.name) or column.description) for column in columns)


def joined_storage(written: Storage, file: SettingsFile) -> tuple[Storage, list[Problem]]:
    """How a table is stored by its CREATE statement and its settings file, with a problem for each option on which they
    differ."""
    from warehouse_refresh.pipeline.tables.settings import storage_of

    said = storage_of(file.says)
    if written == PLAIN:
        return said, []
    problems: list[Problem] = []
    changes = {}
    for field in fields(Storage):
        ours, theirs, plain = (getattr(each, field.name) for each in (said, written, PLAIN))
        if ours not in (plain, theirs) and theirs != plain:
            keys, name = _KEYS[field.name]
            reason = f"{name} is {_shown(ours)} here, and {_shown(theirs)} in the script's CREATE statement"
            problems.append(file.problem(keys, reason, "say it in one of them only"))
        elif ours != plain:
            changes[field.name] = ours
    return replace(written, **changes), problems


_KEYS: dict[str, tuple[tuple[str, ...], str]] = {
    "partition": (("storage", "partition_by"), "partition_by"),
    "cluster_by": (("storage", "cluster_by"), "cluster_by"),
    "description": (("description",), "description"),
    "labels": (("storage", "labels"), "labels"),
    "partition_expiration_days": (("storage", "partition_by"), "expires_after_days of the partitions"),
    "require_partition_filter": (("storage", "require_partition_filter"), "require_partition_filter"),
}
"""The options that both can say, with their keys and their name in a settings file."""


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(" = ".join(part) if isinstance(part, tuple) else str(part) for part in value)
    return str(value)


def _without_table(table: TableName, path: Path, known: Collection[TableName]) -> Problem:
    like = did_you_mean(str(table), map(str, known))
    hint = like or f"write its script, {path.with_suffix('.sql').name}, or delete this file"
    return Problem(path, None, f"these are settings of {table}, and there is no such table", hint)


def _below(folder: Path) -> Iterator[Path]:
    yield from listed(folder, lambda name: name.endswith(".toml") and not name.endswith(TESTS))
    for inner in folders_in(folder):
        yield from _below(inner)
