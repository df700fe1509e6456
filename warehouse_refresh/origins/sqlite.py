"""SQLite, read by its ADBC driver: one connection reads all tables in one transaction, one after the other.

https://www.sqlite.org/isolation.html, https://arrow.apache.org/adbc/current/driver/sqlite.html
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import duckdb
from adbc_driver_manager import Error
from adbc_driver_sqlite import dbapi

from warehouse_refresh.origins import (
    Described,
    NotReadable,
    OriginColumn,
    OriginError,
    Relation,
    Since,
    bare,
    no_values,
)
from warehouse_refresh.origins.sqlite_types import comes_as, identifier, is_text, misfit, reading_of, what_fits
from warehouse_refresh.warehouse.duckdb.translate.text import quoted
from warehouse_refresh.warehouse.types import STRING, SqlType

_PREFIX = "sqlite:///"
_BATCH = 4 * 2**20  # bytes of rows that are in memory at once, as far as the average row says it
_FEWEST, _MOST = 16, 8192  # rows of a batch
_PATIENCE = 30_000  # milliseconds to wait for a lock
_FIRST = "is first?"  # the name of a column; no column of BigQuery has such a name
_QUERY = "refresh query"  # the name of a view that only this connection sees


@contextmanager
def open_sqlite(url: str) -> Iterator["SqliteSnapshot"]:
    """See `open_snapshot`. The transaction begins by reading, so that it has its moment from the beginning."""
    path = _path(url)
    with _faults(path):
        connection = dbapi.connect(f"file:{quote(str(path))}?mode=ro")
    snapshot = SqliteSnapshot(path, connection)
    try:
        with _faults(path):
            connection.execute(f"PRAGMA busy_timeout = {_PATIENCE}").close()
        snapshot.tables()
        yield snapshot
    finally:
        snapshot.close()


@dataclass(frozen=True)
class SqliteSnapshot:
    """Implements Snapshot. `turn` is held by whoever uses the connection or the `reader` of small answers, and `open`
    are the rows that are read."""

    path: Path
    connection: dbapi.Connection
    reader: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    turn: threading.Lock = field(default_factory=threading.Lock)
    open: list["SqliteRows"] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def note(self) -> str:
        return ""

    def tables(self) -> list[str]:
        found = self._answer(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%'"
            " ESCAPE '\\' ORDER BY name"
        )
        return [str(name) for (name,) in found]

    def describe(self, relation: Relation, wanted: Mapping[str, SqlType]) -> Described:
        found = self._of_table(relation.table) if relation.table else self._of_query(relation.query)
        columns, refused = list[OriginColumn](), dict[str, str]()
        for name, declared in found.items():
            try:
                columns.append(reading_of(name, declared, wanted.get(name)))
            except NotReadable as error:
                refused[name] = str(error)
        return Described(tuple(columns), refused, self._about(relation))

    @contextmanager
    def reading(
        self, relation: Relation, columns: tuple[OriginColumn, ...], since: Since | None = None
    ) -> Iterator["SqliteRows"]:
        source = f"{_source(relation)}{_where(columns, since)}"
        size = self._batch(relation)
        try:
            with self.turn, _faults(self.path), self.connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(size)})
                cursor.execute(_rows_sql(columns, source))
                rows = SqliteRows(cursor.fetch_arrow(), columns)
                self.open.append(rows)
                try:
                    yield rows
                finally:
                    self.open.remove(rows)
        except OriginError as error:
            misfits = None
            if self.closing.is_set():
                raise
            with suppress(OriginError):  # the query is wrong
                misfits = self._misfits(relation, columns, source)
            raise misfits or error from error

    def close(self) -> None:
        self.closing.set()
        while not self.turn.acquire(timeout=0.05):  # what is interrupted before it begins goes on
            for rows in list(self.open):
                rows.interrupt()
        try:
            with suppress(Error):
                self.reader.close()
                self.connection.close()
        finally:
            self.turn.release()

    def _run(self, sql: str) -> None:
        with self.turn, _faults(self.path):
            self.connection.execute(sql).close()

    def _answer(self, sql: str, seen: str = "*") -> list[tuple[Any, ...]]:
        """The rows of a small answer, or what DuckDB makes of them."""
        with self.turn, _faults(self.path), self.connection.cursor() as cursor:
            cursor.execute(sql)
            self.reader.register("answer", cursor.fetch_arrow())
            return self.reader.execute(f"SELECT {seen} FROM answer").fetchall()

    def _of_table(self, table: str) -> dict[str, str]:
        found = self._declared(table)
        if not found:
            raise OriginError(f"there is no table {table} in {self.path}")
        return found

    def _of_query(self, query: str) -> dict[str, str]:
        """A query's types: a view of it knows the columns that are those of a table."""
        view = identifier(_QUERY)
        self._run(f"CREATE TEMP VIEW {view} AS {bare(query)}")
        try:
            return self._declared(_QUERY)
        finally:
            self._run(f"DROP VIEW temp.{view}")

    def _declared(self, relation: str) -> dict[str, str]:
        """The columns with their declared types. Generated ones are columns, too."""
        found = self._answer(f"SELECT name, type FROM pragma_table_xinfo({_literal(relation)}) WHERE hidden <> 1")
        return {str(name): str(type_ or "") for name, type_ in found}

    def _about(self, relation: Relation) -> int | None:
        """About how many rows a table has: the numbers that SQLite has given to them."""
        if not relation.table:
            return None
        try:
            [(count,)] = self._answer(f"SELECT max(rowid) - min(rowid) + 1 FROM {identifier(relation.table)}")
        except OriginError:  # WITHOUT ROWID, or a view
            return None
        return int(count or 0)

    def _batch(self, relation: Relation) -> int:
        """How many rows are read at once."""
        [(size,)] = self._answer("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        count = self._about(relation)
        return min(max(_BATCH * count // size, _FEWEST), _MOST) if count else _FEWEST * 8

    def _misfits(self, relation: Relation, columns: tuple[OriginColumn, ...], source: str) -> OriginError | None:
        """All columns that have values which their types do not hold at all, each with where the first one is."""
        number = "rowid" if self._about(relation) is not None else "NULL"
        wrong = []
        for it in columns:
            x, type_ = identifier(it.column.name), it.column.type
            [(count, first)] = self._answer(
                f"SELECT count(*), min({number}) FROM (SELECT {number}, {x} FROM {source}) WHERE {misfit(x, type_)}"
            )
            if not count and is_text(type_) and (count := self._not_utf8(x, source)):
                first = None
            if count:
                where = f", the first one in row {first}" if first is not None else ""
                wrong.append(f"{it.column.name}: {no_values(count, type_)}{where}: {what_fits(type_)}")
        hint = (
            "leave the column out (exclude), give it another type in [columns], or write a query that fixes the values"
        )
        return OriginError("\n".join([*wrong, hint])) if wrong else None

    def _not_utf8(self, x: str, source: str) -> int:
        """How many texts are no UTF-8: SQLite does not look."""
        texts = f"SELECT x'' AS x UNION ALL SELECT CAST({x} AS BLOB) FROM {source}"
        [(count,)] = self._answer(texts, "count_if(x IS NOT NULL AND try(decode(x)) IS NULL)")
        return int(count)


class SqliteRows:
    """Implements Rows: a stream of Arrow, whose first row says of which kind the values are."""

    def __init__(self, stream: Any, columns: tuple[OriginColumn, ...]) -> None:
        self._stream, self._columns = stream, columns
        self._reader: duckdb.DuckDBPyConnection | None = None

    def parts(self) -> "list[SqliteRows]":
        return [self]

    def offer(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        self._reader = connection
        connection.register("arrived", self._stream)
        listed = ", ".join(_decoded(it) for it in self._columns)
        connection.execute(f"CREATE TEMP VIEW stream AS SELECT {listed} FROM arrived WHERE {quoted(_FIRST)} = 0")
        yield

    def check(self, count: int) -> None:
        """Nothing is left to check."""

    def interrupt(self) -> None:
        """End what reads them."""
        if self._reader is not None:
            with suppress(duckdb.ConnectionException):  # it has ended meanwhile
                self._reader.interrupt()


def _decoded(it: OriginColumn) -> str:
    name = quoted(it.column.name)
    return f"decode({name}) AS {name}" if is_text(it.column.type) else name


def _rows_sql(columns: tuple[OriginColumn, ...], source: str) -> str:
    """The rows, after one that has no NULL: the driver takes the types from the first rows."""
    names = [identifier(it.column.name) for it in columns]
    first = [f"{comes_as(it.column.type)} AS {name}" for it, name in zip(columns, names, strict=True)]
    listed = ", ".join(it.sql for it in columns)
    return f"SELECT 1 AS {identifier(_FIRST)}, {', '.join(first)} UNION ALL SELECT 0, {listed} FROM {source}"


def _source(relation: Relation) -> str:
    return identifier(relation.table) if relation.table else f"({bare(relation.query)}\n)"


def _where(columns: tuple[OriginColumn, ...], since: Since | None) -> str:
    """The condition. Moments are texts of several forms and zones, which only the days of compare: from the day before
    on, so that an index can be used. Rows that are read once too often do no harm."""
    if since is None:
        return ""
    [type_] = [it.column.type for it in columns if it.column.name == since.column] or [STRING]
    x = identifier(since.column)
    if since.is_number:
        return f" WHERE {since.sql(f'CAST({x} AS NUMERIC)' if type_.name.endswith('NUMERIC') else x)}"
    return f" WHERE ({x} >= date('{since.value[:10]}', '-1 day') OR {x} IS NULL)"


def _path(url: str) -> Path:
    path = unquote(url.removeprefix(_PREFIX))
    if not url.startswith(_PREFIX) or not path:
        raise OriginError("write sqlite:///path/to/file: after three strokes comes a path from the project's folder on")
    found = Path(path)
    if not found.is_file():
        raise OriginError(f"there is no file {found}")
    return found


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turn the driver's errors in the block into OriginError."""
    try:
        yield
    except Error as error:
        text = str(error).partition("\nquery:")[0].replace("[SQLite] ", "").replace("Failed to prepare query: ", "")
        raise OriginError(f"{path}: {text.partition(': ')[2] or text}") from error
