"""Databases that raw tables come from: one protocol for PostgreSQL, MySQL and SQLite, and `open_snapshot(url)`.

Knows nothing of a refresh or of Prefect: it reads tables into a Parquet file, each value exactly as a value of
GoogleSQL, or says which columns it cannot keep. docs/load.md has the types and the promises.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.extras import needs_extra
from warehouse_refresh.warehouse.types import Column, SqlType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TEXTS = (".csv", ".tsv", ".ndjson", ".jsonl")
TYPED = (".parquet",)
"""The endings of files that can be read."""


class NotReadable(ValueError):
    """A column that cannot be read exactly; the message says why, and what to do."""


class OriginError(WarehouseError):
    """A database that rows are read from, or what is asked of it, is at fault. The message has no credentials."""


class ConnectionLost(OriginError):
    """The connection ended, or there is none now. At another time the same may work."""


class TimedOut(ConnectionLost):
    """A statement took more time than it may."""


LONGER = "raise `timeout` of the connection in refresh.toml, which says for how many seconds a statement may run"
"""What to do if it took longer than the settings say."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How a database is spared: for how many seconds a statement may run, and how many connections read at once."""

    timeout: int = 3600
    readers: int = 2


@dataclass(frozen=True, slots=True)
class Relation:
    """What is read: a table, `products` or `public.products`, or else a query in the database's own SQL, or files: a
    path that may have *. Of files those of `without` are left out, and `file_column` has the name of each row's."""

    table: str = ""
    query: str = ""
    file: str = ""
    file_column: str = ""
    without: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.table or self.file or "the query"


@dataclass(frozen=True, slots=True)
class Since:
    """Only the rows that have at least this value in a column, or NULL: a number or a moment in UTC, as text."""

    column: str
    value: str
    is_number: bool = False

    def sql(self, identifier: str) -> str:
        """The condition in SQL; `identifier` is the column's name there."""
        value = self.value if self.is_number else f"'{self.value}'"
        return f"({identifier} >= {value} OR {identifier} IS NULL)"


@dataclass(frozen=True, slots=True)
class OriginColumn:
    """A column, and how it is read: `sql` is its value in the database's SQL. `bad` (may be empty) and `value` are in
    DuckDB's SQL, over what came: whether GoogleSQL's type does not hold it, and the value of that type. `bad_values`
    says which values these are, for people."""

    column: Column
    sql: str
    value: str
    bad: str = ""
    bad_values: str = ""


@dataclass(frozen=True, slots=True)
class Described:
    """A relation's columns, in order; those that cannot be read, each with the reason and what to do; and about how
    many rows and bytes it has, if the database knows."""

    columns: tuple[OriginColumn, ...]
    refused: Mapping[str, str]
    rows: int | None = None
    bytes: int | None = None


class Part(Protocol):
    """Rows for a database of DuckDB to read once, a few at a time."""

    def offer(self, connection: "DuckDBPyConnection") -> Iterator[None]:
        """Let the connection read them under the name `stream`, a piece at each step; at least one, if none fails."""


class Rows(Protocol):
    """The rows of a relation, in parts that may be read at once."""

    def parts(self) -> Sequence[Part]:
        """At least one part; each row is in one of them, and it may not be known in which."""

    def check(self, count: int) -> None:
        """Raises OriginError unless these were all, after so many were read."""


class Snapshot(Protocol):
    """A database as it was at one moment: all that is read of it matches. Safe to use from several threads."""

    @property
    def note(self) -> str:
        """Why it is read more slowly than it could be; empty as a rule."""

    def tables(self) -> list[str]:
        """The tables that the user may read, such as `public.orders`, sorted; without those of the database itself."""

    def describe(self, relation: Relation, wanted: Mapping[str, SqlType]) -> Described:
        """The relation's columns, those of `wanted` with these types. Raises OriginError."""

    def reading(
        self, relation: Relation, columns: tuple[OriginColumn, ...], since: Since | None = None
    ) -> AbstractContextManager[Rows]:
        """The rows of these columns, or those `since`. Raises OriginError; reading them raises whatever error DuckDB
        makes of it."""

    def close(self) -> None:
        """Let go of the database. What another thread reads of it ends with an error. May be called twice."""


def address(url: str) -> str:
    """The URL without what may be secret."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}{parts.path}"


def bare(query: str) -> str:
    """The query without its semicolon, so that it can stand in another one."""
    return query.strip().removesuffix(";")


def is_of_files(where: str) -> bool:
    """Whether this is a path of files that can be read, by its ending."""
    return where.lower().removesuffix(".gz").endswith((*TEXTS, *TYPED))


def has_types(where: str) -> bool:
    """Whether the columns of these files have types themselves."""
    return where.lower().endswith(TYPED)


def open_files(folder: Path, credentials: Mapping[str, str] | None = None) -> AbstractContextManager[Snapshot]:
    """The files that paths from this folder on name. They have to stay as they are, as long as it is open. For paths in
    buckets there may be `credentials`, as JSON: without them those of the environment are taken."""
    from warehouse_refresh.origins import files  # imports DuckDB

    return files.open_files(folder, credentials or {})


def open_snapshot(url: str, limits: Limits = Limits()) -> AbstractContextManager[Snapshot]:
    """Connect to the database at `url`, such as `postgresql://user:password@host/shop`, for reading only, and stay at
    the moment of the first look. Raises OriginError, and NotInstalled where the database's client is missing."""
    scheme = urlsplit(url).scheme
    if scheme in ("postgresql", "postgres"):
        with needs_extra("postgres", "reading a PostgreSQL database"):
            from warehouse_refresh.origins.postgres import open_postgres

        return open_postgres(url, limits)
    if scheme in ("mysql", "mariadb"):
        with needs_extra("mysql", "reading a MySQL or MariaDB database"):
            from warehouse_refresh.origins.mysql import open_mysql

        return open_mysql(url, limits)
    if scheme == "sqlite":
        with needs_extra("sqlite", "reading an SQLite database"):
            from warehouse_refresh.origins.sqlite import open_sqlite

        return open_sqlite(url)
    raise OriginError(
        "the connection's URL is for no database that can be read: write postgresql://user@host/database, mysql://… or"
        " sqlite:///path/to/file"
    )


def no_values(count: int, type_: SqlType) -> str:
    """That so many values of a column are none of its type."""
    return f"{count:,} {'value is' if count == 1 else 'values are'} no {type_}"
