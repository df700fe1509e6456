"""The raw tables that come from a database or from files: which they are, and what is read for each."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from warehouse_refresh.origins import Limits, Relation
from warehouse_refresh.origins.blocks import secret_of
from warehouse_refresh.pipeline.project.problems import Problem, Refused
from warehouse_refresh.pipeline.raw.seeds import seed_files
from warehouse_refresh.pipeline.settings_file import Connection, SettingError
from warehouse_refresh.pipeline.tables.contract import wanted_type
from warehouse_refresh.pipeline.tables.files import SettingsFile
from warehouse_refresh.warehouse.builds.posted import Posted
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import SqlType

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse_refresh.pipeline.tables.settings import SourceSettings


@dataclass(frozen=True)
class Loaded:
    """A raw table that is loaded: its settings file, what it says of the source, and the connection. `declared` are
    the types that db_init/ gives to the columns of a table that comes from files."""

    table: TableName
    file: SettingsFile
    source: "SourceSettings"
    connection: Connection
    declared: Mapping[str, SqlType] = field(default_factory=dict)

    @property
    def relation(self) -> Relation:
        """What is read in the database, or of files."""
        source = self.source
        return Relation(source.table, source.query, source.file, source.file_column)

    @property
    def place(self) -> str:
        """The connection that it is read from; "" for files."""
        return "" if self.source.file else self.source.connection

    @property
    def origin(self) -> str:
        """What is read, for people."""
        return f"{self.relation} of {self.place}" if self.place else str(self.relation)

    @property
    def posted(self) -> Posted | None:
        """What tells the rows that are posted to the table, if its settings let them."""
        column = self.source.posted_column
        return Posted(column, self.source.key or (self.source.file_column,)) if column else None

    @property
    def wanted(self) -> dict[str, SqlType]:
        """The types that the settings give to columns, or else what is `declared` of them. Raises Refused for a text
        that is no type."""
        found = dict(self.declared)
        for name in self.file.says.columns:
            said = self.file.says.column(name)
            try:
                kind = wanted_type(said.type, said.mode)
            except ValueError as error:
                raise Refused([self.file.problem(("columns", name, "type"), str(error))]) from error
            if kind is not None:
                found[name] = kind
        return found


def loaded_tables(
    settings: Mapping[TableName, SettingsFile], connections: Mapping[str, Connection], folders: "Iterable[Path]"
) -> dict[TableName, Loaded]:
    """The tables whose settings name a source. `folders` are those of raw tables. Raises Refused with all that is wrong
    between the files."""
    files, _ = seed_files(folders)
    found: dict[TableName, Loaded] = {}
    problems: list[Problem] = []
    for table, file in settings.items():
        source = file.says.source
        if source is None:
            continue
        problems += _problems(table, file, source, connections, files)
        if source.connection in connections or not source.connection:
            found[table] = Loaded(table, file, source, connections.get(source.connection, Connection()))
    if problems:
        raise Refused(problems)
    return found


def _problems(
    table: TableName,
    file: SettingsFile,
    source: "SourceSettings",
    connections: Mapping[str, Connection],
    files: "Mapping[TableName, Path]",
) -> Iterator[Problem]:
    connection = connections.get(source.connection, Connection())
    if source.connection and source.connection not in connections:
        reason = f"refresh.toml has no section [connections.{source.connection}]"
        hint = did_you_mean(source.connection, connections) or 'write it, with url_from = "SHOP_URL"'
        yield file.problem(("source", "connection"), reason, hint)
    elif not source.file and not (connection.url or connection.url_from or connection.url_block):
        hint = 'write url_from = "SHOP_URL"'
        yield file.problem(("source", "connection"), f"[connections.{source.connection}] has no URL", hint)
    elif "hash" in source.mask.values() and not (connection.salt_from or connection.salt_block):
        hint = f'write salt_from = "SHOP_SALT" in [connections.{source.connection or "files"}] of refresh.toml'
        if not source.connection:
            hint += ', and connection = "files" here'
        yield file.problem(("source", "mask"), "a hash without a secret salt can be guessed", hint)
    if table in files:
        reason = f"{files[table].name} has rows for {table}, which is loaded from a database"
        yield file.problem(("source",), reason, "delete one of them: a table has one feeder")


def address_of(name: str, connection: Connection, environment: Mapping[str, str] = os.environ) -> str:
    """The URL of a connection. Raises SettingError if its variable is not set, WarehouseError for a block."""
    if connection.url_block:
        return secret_of(connection.url_block)
    return connection.url or _secret(environment, connection.url_from, f"the URL of the connection {name}")


def salt_of(name: str, connection: Connection, environment: Mapping[str, str] = os.environ) -> str:
    """The salt of a connection's hashes; "" if it names none. Raises SettingError if its variable is not set,
    WarehouseError for a block."""
    if connection.salt_block:
        return secret_of(connection.salt_block)
    return connection.salt_from and _secret(environment, connection.salt_from, f"the salt of the connection {name}")


def credentials_of(tables: Iterable[Loaded]) -> dict[str, str]:
    """The credentials for the files of these tables that are in buckets, by the path that the settings name, where a
    block of Prefect has them. Raises WarehouseError."""
    blocks = {one.source.file: one.connection.credentials_block for one in tables if one.source.file}
    secrets = {name: secret_of(name) for name in {*blocks.values()} if name}
    return {file: secrets[name] for file, name in blocks.items() if name}


def limits_of(connection: Connection) -> Limits:
    """How the database is spared."""
    return Limits(connection.timeout, connection.readers)


def _secret(environment: Mapping[str, str], variable: str, what: str) -> str:
    value = environment.get(variable, "")
    if not value:
        raise SettingError(f"{variable} is not set: it has {what}")
    return value
