"""MySQL and MariaDB, read by PyMySQL: the server writes each row as one line of CSV, and DuckDB reads these lines.

So no value is touched in Python. A snapshot cannot be shared between connections there: one connection reads all tables
of a load, one after the other. https://dev.mysql.com/doc/refman/8.4/en/commit.html
"""

import os
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import duckdb
import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.cursors import SSCursor

from warehouse_refresh.origins import (
    ConnectionLost,
    Described,
    Limits,
    NotReadable,
    OriginColumn,
    OriginError,
    Relation,
    Since,
    TimedOut,
    address,
    bare,
)
from warehouse_refresh.origins.mysql_types import Kind, reading_of
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, string_sql
from warehouse_refresh.warehouse.types import BYTES, STRING, SqlType

Connection = Any  # PyMySQL has no annotations

_ROWS = 2000  # that are fetched at once
_LONGEST = 16 * 2**20  # bytes of a row
_PIECE = 64 * 2**20  # bytes of rows that DuckDB has in memory at once
_OPTIONS = ("unix_socket", "sslmode", "ssl_ca")
_LATE = (1205, 1969, 3024)
_LOST = (0, 1040, 1053, 1077, 1079, 1080, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2006, 2013, 2055)
"""Codes of errors: https://mariadb.com/kb/en/mariadb-error-code-reference/"""
_KINDS = {
    **dict.fromkeys((FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG), "bigint"),
    **dict.fromkeys((FIELD_TYPE.INT24, FIELD_TYPE.YEAR), "bigint"),
    **dict.fromkeys((FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE), "double"),
    **dict.fromkeys((FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL), "decimal"),
    FIELD_TYPE.DATE: "date",
    FIELD_TYPE.NEWDATE: "date",
    FIELD_TYPE.TIME: "time",
    FIELD_TYPE.BIT: "bit",
    FIELD_TYPE.DATETIME: "datetime",
    FIELD_TYPE.TIMESTAMP: "timestamp",
    FIELD_TYPE.GEOMETRY: "geometry",
}
"""The columns of a query; all others are texts or bytes."""


@contextmanager
def open_mysql(url: str, limits: Limits) -> Iterator["MySqlSnapshot"]:
    """See `open_snapshot`."""
    with _faults(url):
        connection = _connected(url)
    snapshot = MySqlSnapshot(url, connection)
    try:
        with _faults(url):
            _begin(connection, limits)
        yield snapshot
    finally:
        snapshot.close()


@dataclass(frozen=True)
class MySqlSnapshot:
    """Implements Snapshot. `turn` is held by whoever uses the connection."""

    url: str
    connection: Connection
    turn: threading.Lock = field(default_factory=threading.Lock)

    def tables(self) -> list[str]:
        found = self._rows(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY 1"
        )
        return [str(name) for (name,) in found]

    def describe(self, relation: Relation, wanted: Mapping[str, SqlType]) -> Described:
        kinds = self._of_table(relation.table) if relation.table else self._of_query(relation.query)
        columns, refused = list[OriginColumn](), dict[str, str]()
        for name, kind in kinds.items():
            try:
                columns.append(reading_of(name, kind, wanted.get(name)))
            except NotReadable as error:
                refused[name] = str(error)
        return Described(tuple(columns), refused, *(self._size(relation.table) if relation.table else (None, None)))

    @contextmanager
    def reading(
        self, relation: Relation, columns: tuple[OriginColumn, ...], since: Since | None = None
    ) -> Iterator["LineRows"]:
        source = _path(relation.table) if relation.table else f"({bare(relation.query)}\n) AS query"
        with self.turn, tempfile.TemporaryDirectory(prefix="refresh-rows-") as folder:
            where = f" WHERE {since.sql(_identifier(since.column))}" if since else ""
            sql = f"SELECT {_line(columns)} FROM {source}{where}"
            rows = LineRows(self.url, self.connection, sql, Path(folder), columns)
            try:
                yield rows
            finally:
                rows.end()

    def close(self) -> None:
        if self.turn.locked():  # another thread reads, and waits for the server
            _stop(self.url, self.connection)
        with self.turn, suppress(pymysql.MySQLError, OSError):
            self.connection.close()

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._answer(sql)[1]

    def _answer(self, sql: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """The description of the columns, and the rows of a small answer."""
        with self.turn, _faults(self.url), self.connection.cursor() as cursor:
            cursor.execute(sql)
            rows = [tuple(_decoded(value) for value in row) for row in cursor.fetchall()]
            return list(cursor.description), rows

    def _of_table(self, table: str) -> dict[str, Kind]:
        schema, _, name = table.rpartition(".")
        at = f"table_schema = {_literal(schema) if schema else 'DATABASE()'} AND table_name = {_literal(name)}"
        where = f"{table} in {address(self.url)}"
        engines = self._rows(f"SELECT engine FROM information_schema.tables WHERE {at}")
        if not engines:
            raise OriginError(f"there is no table {where}, or its user may not see it")
        if engines[0][0] not in (None, "InnoDB"):
            hint = f'if its rows may be of another moment, write query = "SELECT * FROM {table}" instead of table'
            raise OriginError(f"{table} has the engine {engines[0][0]}, which has no snapshots: {hint}")
        found = self._rows(
            "SELECT column_name, data_type, column_type, numeric_precision, numeric_scale"
            f" FROM information_schema.columns WHERE {at} ORDER BY ordinal_position"
        )
        if not found:
            raise OriginError(f"the user may not read {where}: GRANT SELECT ON {table} TO …")
        return {
            name: Kind(type_, "unsigned" in whole, int(precision or 0), int(scale or 0))
            for name, type_, whole, precision, scale in found
        }

    def _of_query(self, query: str) -> dict[str, Kind]:
        """A query's types without its rows. Only the character set tells texts from bytes."""
        source = f"({bare(query)}\n) AS query"
        described, _ = self._answer(f"SELECT * FROM {source} LIMIT 0")
        names = [_decoded(entry[0]) for entry in described]
        sets = ", ".join(f"CHARSET(query.{_identifier(name)})" for name in names)
        [charsets] = self._rows(
            f"SELECT {sets} FROM (SELECT 1) AS one LEFT JOIN (SELECT * FROM {source} LIMIT 0) AS query ON TRUE"
        )
        return {
            name: Kind(
                _KINDS.get(entry[1], "varbinary" if charset == "binary" else "varchar"),
                precision=64 if entry[1] == FIELD_TYPE.BIT else entry[4] - 1 - bool(entry[5]),  # sign, point
                scale=entry[5] or 0,
            )
            for name, entry, charset in zip(names, described, charsets, strict=True)
        }

    def _size(self, table: str) -> tuple[int | None, int | None]:
        schema, _, name = table.rpartition(".")
        at = f"table_schema = {_literal(schema) if schema else 'DATABASE()'} AND table_name = {_literal(name)}"
        [(rows, size)] = self._rows(f"SELECT table_rows, data_length FROM information_schema.tables WHERE {at}")
        return rows and int(rows), size and int(size)


class LineRows:
    """Implements Rows: lines of CSV that a thread hands on from the server to a pipe, from which DuckDB reads them."""

    def __init__(
        self, url: str, connection: Connection, sql: str, folder: Path, columns: tuple[OriginColumn, ...]
    ) -> None:
        self._url, self._connection, self._sql, self._folder, self._columns = url, connection, sql, folder, columns
        self._sent, self._stopped = 0, False
        self._error: OriginError | None = None
        self._pipe: Path | None = None
        self._pipes: SimpleQueue[Path | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._send, name="rows")

    def offer(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Each piece is a pipe of its own: DuckDB keeps what it reads of a pipe until it has read all of it."""
        self._thread.start()
        names = ", ".join(f"{string_sql(it.column.name)}: 'VARCHAR'" for it in self._columns)
        listed = ", ".join(quoted(it.column.name) for it in self._columns)
        while (pipe := self._pipes.get()) is not None:
            connection.execute(
                f"CREATE OR REPLACE TEMP VIEW stream AS SELECT {listed} FROM read_csv({string_sql(str(pipe))},"
                f" columns = {{{names}}}, auto_detect = false, header = false, delim = ',', quote = '\"',"
                " escape = '\"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false, parallel = false,"
                f" max_line_size = {_LONGEST}, buffer_size = {_LONGEST})"
            )
            yield

    def check(self, count: int) -> None:
        self._thread.join()
        if self._error:
            raise self._error
        if count != self._sent:
            raise OriginError(
                f"{self._sent:,} rows were sent, and {count:,} were read: this is a bug, please report it"
            )

    def end(self) -> None:
        """Stop, however far it is."""
        self._stopped = True
        if self._thread.is_alive():
            _stop(self._url, self._connection)
        while self._thread.is_alive():
            if self._pipe is not None:
                with suppress(OSError):  # if nobody has read the pipe, the thread waits for somebody to open it
                    os.close(os.open(self._pipe, os.O_RDONLY | os.O_NONBLOCK))
            self._thread.join(0.05)

    def _send(self) -> None:
        try:
            with _faults(self._url), self._connection.cursor() as cursor:
                cursor.execute(self._sql)
                rows = cursor.fetchmany(_ROWS)
                rows = self._send_piece(cursor, rows)
                while rows and not self._stopped:
                    rows = self._send_piece(cursor, rows)
        except (
            TypeError
        ):  # NULL in place of a line: https://mariadb.com/kb/en/server-system-variables/#max_allowed_packet
            self._error = OriginError(
                "a row is larger than the server's max_allowed_packet: leave a column out (exclude), or raise it"
            )
        except OriginError as error:
            self._error = error
        except OSError as error:
            self._error = OriginError(f"the rows were not read to their end: {error.strerror}")
        finally:
            self._pipes.put(None)

    def _send_piece(self, cursor: Any, rows: Any) -> Any:
        """Send these rows and more, as many as make a piece. Answers the first rows of the next piece."""
        size, number = 0, self._sent
        self._pipe = self._folder / f"rows-{number}"
        os.mkfifo(self._pipe)
        self._pipes.put(self._pipe)
        with self._pipe.open("wb") as pipe:
            while rows and size < _PIECE:
                text = b"\n".join([line for (line,) in rows]) + b"\n"
                pipe.write(text)
                size += len(text)
                self._sent += len(rows)
                rows = cursor.fetchmany(_ROWS)
        return rows


def _line(columns: tuple[OriginColumn, ...]) -> str:
    """The SQL of a row as a line of CSV. A value too long for the server makes all of it NULL, so nothing gets lost."""
    return "CONCAT(" + ", ',', ".join(map(_field, columns)) + ")"


def _field(column: OriginColumn) -> str:
    """A value that the server cannot write is not taken for NULL: the column itself says whether it is."""
    if column.column.type not in (STRING, BYTES):
        return f"IFNULL({column.sql}, '')"
    return f"""IF({_identifier(column.column.name)} IS NULL, '', CONCAT('"', REPLACE({column.sql}, '"', '""'), '"'))"""


def _connected(url: str) -> Connection:
    parts = urlsplit(url)
    options = {name: found[-1] for name, found in parse_qs(parts.query).items()}
    if unknown := options.keys() - set(_OPTIONS):
        raise OriginError(f"{address(url)}: the URL has an option {min(unknown)}, and may have {', '.join(_OPTIONS)}")
    return pymysql.connect(
        host=parts.hostname or "localhost",
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or None,
        unix_socket=options.get("unix_socket"),
        ssl=_tls(address(url), options),
        charset="utf8mb4",
        use_unicode=False,
        cursorclass=SSCursor,
    )


def _tls(where: str, options: Mapping[str, str]) -> ssl.SSLContext | None:
    """TLS as the URL's options ask for it. With a file of certificates, the server's is checked, and its name, too."""
    mode = options.get("sslmode", "verify-full" if "ssl_ca" in options else "")
    if mode not in ("", "require", "verify-full"):
        raise OriginError(f"{where}: sslmode is {mode}: write require, or verify-full")
    if not mode:
        return None  # the driver uses it where the server has it
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca"))
    except OSError as error:
        raise OriginError(f"{where}: the certificates in {options.get('ssl_ca')} cannot be read: {error}") from error
    if mode == "require":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _stop(url: str, connection: Connection) -> None:
    """End the query that runs on a connection. Only another connection can do so."""
    with suppress(pymysql.MySQLError, OSError), _connected(url) as other, other.cursor() as cursor:
        cursor.execute(f"KILL QUERY {connection.thread_id()}")


def _begin(connection: Connection, limits: Limits) -> None:
    """Begin the transaction that reads. MySQL and MariaDB each have a limit of their own for a statement's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        [(version,)] = cursor.fetchall()
        is_maria = "maria" in _decoded(version).lower()
        limit = (
            f"max_statement_time = {limits.timeout}" if is_maria else f"max_execution_time = {limits.timeout * 1000}"
        )
        cursor.execute(
            f"SET SESSION {limit}, lock_wait_timeout = 30, net_write_timeout = 600, wait_timeout = 86400,"
            " time_zone = '+00:00'"
        )
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


@contextmanager
def _faults(url: str) -> Iterator[None]:
    """Turn the driver's errors in the block into OriginError."""
    try:
        yield
    except pymysql.MySQLError as error:
        code, text = (error.args if len(error.args) > 1 else (0, *error.args, error))[:2]
        kind = TimedOut if code in _LATE else ConnectionLost if code in _LOST else OriginError
        raise kind(f"{address(url)}: {text or 'the connection was lost'}") from error


def _decoded(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _path(table: str) -> str:
    return ".".join(_identifier(part) for part in table.split("."))


def _identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
