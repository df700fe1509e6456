"""Rows of MySQL and MariaDB as lines of CSV, which the server writes, and DuckDB reads from pipes."""

import os
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import duckdb
import pymysql

from warehouse_refresh.origins import OriginColumn, OriginError
from warehouse_refresh.origins.mysql_readers import Connection, faults, stop
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, string_sql
from warehouse_refresh.warehouse.types import BYTES, STRING

_ROWS = 2000  # that are fetched at once
_LONGEST = 16 * 2**20  # bytes of a row
_PIECE = 64 * 2**20  # bytes of rows that DuckDB has in memory at once


class LineRows:
    """Implements Rows: the answers to several queries, of which each connection takes the next one that is left."""

    def __init__(
        self,
        url: str,
        connections: Sequence[Connection],
        queries: Iterable[str],
        folder: Path,
        columns: tuple[OriginColumn, ...],
    ) -> None:
        left = SimpleQueue[str]()
        for query in queries:
            left.put(query)
        piece = _PIECE // len(connections)
        self._parts = [
            Lines(url, connection, left, folder / str(number), piece, columns)
            for number, connection in enumerate(connections)
        ]

    def parts(self) -> "list[Lines]":
        return self._parts

    def check(self, count: int) -> None:
        sent = sum(part.sent for part in self._parts)
        if count != sent:
            raise OriginError(f"{sent:,} rows were sent, and {count:,} were read: this is a bug, please report it")

    def end(self) -> None:
        """Stop, however far it is."""
        for part in self._parts:
            part.end()


class Lines:
    """Implements Part: a thread hands on lines from a connection to one pipe after the other, each for a piece of so
    many bytes, from which DuckDB reads them."""

    def __init__(
        self,
        url: str,
        connection: Connection,
        left: SimpleQueue[str],
        folder: Path,
        piece: int,
        columns: tuple[OriginColumn, ...],
    ) -> None:
        self.sent = 0
        self._url, self._connection, self._left, self._folder, self._piece = url, connection, left, folder, piece
        self._columns = columns
        self._stopped = False
        self._error: OriginError | None = OriginError("the rows were not read to their end")  # until they are
        self._pipe: Path | None = None
        self._pipes: SimpleQueue[Path | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._send, name="rows")

    def offer(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Each piece is a pipe of its own: DuckDB keeps what it reads of a pipe until it has read all of it."""
        self._folder.mkdir()
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
        if self._error:
            raise self._error

    def end(self) -> None:
        """Stop, however far it is."""
        self._stopped = True
        if self._thread.is_alive():
            stop(self._url, self._connection)
        while self._thread.is_alive():
            if self._pipe is not None:
                with suppress(OSError):  # if nobody has read the pipe, the thread waits for somebody to open it
                    os.close(os.open(self._pipe, os.O_RDONLY | os.O_NONBLOCK))
            self._thread.join(0.05)

    def _send(self) -> None:
        try:
            with faults(self._url), closing(self._rows()) as rows:
                first = self._send_piece(next(rows, []), rows)
                while first:
                    first = self._send_piece(first, rows)
            self._error = None
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

    def _rows(self) -> Generator[Sequence[Any]]:
        """Some rows at a time, of one query after the other."""
        while not self._stopped:
            try:
                query = self._left.get_nowait()
            except Empty:
                return
            with self._connection.cursor() as cursor:
                cursor.execute(query)
                try:
                    while not self._stopped and (rows := cursor.fetchmany(_ROWS)):
                        yield rows
                except pymysql.MySQLError:
                    cursor._result.unbuffered_active = False  # no more rows come, so the driver must not wait for them
                    raise

    def _send_piece(self, rows: Sequence[Any], others: Iterator[Sequence[Any]]) -> Sequence[Any]:
        """Send these rows and more, as many as make a piece. Answers the first rows of the next piece."""
        size = 0
        self._pipe = self._folder / f"rows-{self.sent}"
        os.mkfifo(self._pipe)
        self._pipes.put(self._pipe)
        with self._pipe.open("wb") as pipe:
            while rows and size < self._piece:
                text = b"\n".join([line for (line,) in rows]) + b"\n"
                pipe.write(text)
                size += len(text)
                self.sent += len(rows)
                rows = next(others, [])
        return rows


def line_sql(columns: tuple[OriginColumn, ...]) -> str:
    """The SQL of a row as a line of CSV. A value too long for the server makes all of it NULL, so nothing gets lost."""
    return "CONCAT(" + ", ',', ".join(map(_field, columns)) + ")"


def _field(column: OriginColumn) -> str:
    """A value that the server cannot write is not taken for NULL: the column itself says whether it is."""
    if column.column.type not in (STRING, BYTES):
        return f"IFNULL({column.sql}, '')"
    name = "`" + column.column.name.replace("`", "``") + "`"
    return f"""IF({name} IS NULL, '', CONCAT('"', REPLACE({column.sql}, '"', '""'), '"'))"""
