"""Connections to a MySQL or MariaDB that are all at one moment, and who uses which.

No snapshot can be handed on there. So all connections begin theirs while a lock keeps everybody from committing:
https://dev.mysql.com/doc/refman/8.4/en/flush.html, https://mariadb.com/kb/en/flush/
"""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql
from pymysql.cursors import SSCursor

from warehouse_refresh.origins import LONGER, ConnectionLost, Limits, OriginError, TimedOut, address

Connection = Any  # PyMySQL has no annotations

LARGE = 32 * 2**20  # bytes of a table that several connections read at once
_LOCK_SECONDS = 2  # that the lock is waited for; who wants to write waits as long
_HELD_SECONDS = 10  # after which the server ends the connection with the lock, if nothing comes from us any more
_QUIET_SECONDS = 1  # that a statement may have run when MySQL is asked for the lock
_MARGIN = 60  # seconds that the server may take to say that a statement has timed out
_OPTIONS = ("unix_socket", "sslmode", "ssl_ca")
_TOO_LONG = (1969, 3024)
_LATE = (1205, *_TOO_LONG)
_LOST = (
    *(0, 1040, 1053, 1077, 1079, 1080, 1158, 1159, 1160, 1161, 1203, 1226, 1927),
    *(2002, 2003, 2006, 2013, 2055, 3169, 4031),
)
"""Codes of errors: https://mariadb.com/kb/en/mariadb-error-code-reference/,
https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html"""
_USUAL = "lock_wait_timeout = 30, wait_timeout = 86400"


class Readers:
    """Connections at one moment, each used by one thread at a time. `note` says why there are fewer than there may be.
    Safe to use from several threads."""

    def __init__(self, url: str, connections: list[Connection], note: str = "") -> None:
        self.note = note
        self._url, self._free, self._used = url, list(connections), list[Connection]()
        self._changed, self._closed = threading.Condition(), False

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection, as soon as one is free. Raises ConnectionLost if none is left."""
        with self._given_back(self._take()) as connection:
            yield connection

    def more(self, stack: ExitStack, most: int) -> Iterator[Connection]:
        """Connections that nobody uses now, for as long as the stack. It never waits: others may wait for it."""
        for _ in range(most):
            with self._changed:
                if not self._free:
                    return
                connection = self._take()
            yield stack.enter_context(self._given_back(connection))

    def close(self) -> None:
        """End what is read, and close all connections. May be called twice."""
        with self._changed:
            self._closed = True
            while self._free:
                _close(self._free.pop())
            self._changed.notify_all()
            while used := list(self._used):
                for connection in used:
                    stop(self._url, connection)
                self._changed.wait(0.2)  # what is stopped before it begins goes on

    def _take(self) -> Connection:
        with self._changed:
            while not self._closed and not self._free and self._used:
                self._changed.wait()
            if self._closed or not self._free:
                raise ConnectionLost(f"{address(self._url)}: the connection was lost")
            self._used.append(self._free.pop(0))
            return self._used[-1]

    @contextmanager
    def _given_back(self, connection: Connection) -> Iterator[Connection]:
        is_there = False
        try:
            yield connection
            is_there = True
        except BaseException:
            is_there = _is_there(connection)
            raise
        finally:
            with self._changed:
                self._used.remove(connection)
                if is_there and not self._closed:
                    self._free.append(connection)
                else:
                    _close(connection)
                self._changed.notify_all()


@contextmanager
def open_readers(url: str, limits: Limits) -> Iterator[Readers]:
    """As many connections as may read at once, where a table is large and the server lets them begin together; else
    one. Raises OriginError."""
    with faults(url):
        first = _prepared(url, limits)
    connections, note = [first], ""
    try:
        with faults(url):
            if limits.readers > 1 and _has_large_table(first):
                note = _add_readers(url, limits, connections)
            if len(connections) == 1:
                _start(first)
        readers = Readers(url, connections, note)
    except BaseException:
        for connection in connections:
            _close(connection)
        raise
    try:
        yield readers
    finally:
        readers.close()


def _add_readers(url: str, limits: Limits, connections: list[Connection]) -> str:
    """Add connections to the first one, all at one moment. Answers why that cannot be, if it cannot."""
    try:
        with faults(url):
            while len(connections) < limits.readers:
                connections.append(_prepared(url, limits))
            _start_together(connections)
    except OriginError as error:
        while len(connections) > 1:
            _close(connections.pop())
        return (
            f"one connection reads its tables, one after the other: {error}. {limits.readers} read at once if the user"
            " may lock for a moment: GRANT RELOAD ON *.* (and PROCESS for MySQL), and no statement holds it up"
        )
    return ""


def _start_together(connections: list[Connection]) -> None:
    """Begin all transactions while nobody can commit. If we die, or do not go on, the connection ends and the lock
    with it."""
    first = connections[0]
    if not _is_maria(first):
        _check_quiet(first)
    run(first, f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}, wait_timeout = {_HELD_SECONDS}")
    try:
        run(first, "FLUSH TABLES WITH READ LOCK")
        try:
            for connection in connections:
                _start(connection)
        finally:
            run(first, "UNLOCK TABLES")
    finally:
        run(first, f"SET SESSION {_USUAL}")


def _start(connection: Connection) -> None:
    run(connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _check_quiet(connection: Connection) -> None:
    """Raises OriginError unless no statement has run for long. MySQL waits for each one with a table that it flushes,
    and keeps others from that table until then, also if we wait no more. MariaDB does not."""
    if not run(connection, "SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'PROCESS' LIMIT 1"):
        raise OriginError("the user has no right PROCESS, and cannot see whether long statements run")
    own = connection.thread_id()
    for number, _, _, _, command, seconds, *_ in run(connection, "SHOW PROCESSLIST"):
        if int(number) != own and _text(command) in ("Query", "Execute") and int(seconds or 0) > _QUIET_SECONDS:
            raise OriginError(f"a statement has been running for {seconds} s")


def _has_large_table(connection: Connection) -> bool:
    asked = f"SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND data_length > {LARGE} LIMIT 1"
    return bool(run(connection, asked))


def _prepared(url: str, limits: Limits) -> Connection:
    """A connection with its settings. MySQL counts a statement's time in milliseconds, and MariaDB in seconds."""
    connection = _connected(url, limits.timeout + _MARGIN)
    try:
        is_maria = _is_maria(connection)
        limit = "max_statement_time" if is_maria else "max_execution_time"
        time = limits.timeout if is_maria else limits.timeout * 1000
        run(connection, f"SET SESSION {limit} = {time}, {_USUAL}, net_write_timeout = 600, time_zone = '+00:00'")
        run(connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    except BaseException:
        _close(connection)
        raise
    return connection


def _is_maria(connection: Connection) -> bool:
    [(version,)] = run(connection, "SELECT VERSION()")
    return "maria" in _text(version).lower()


def run(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a small answer, as the driver gives them. Raises the driver's errors."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]


def stop(url: str, connection: Connection) -> None:
    """End the query that runs on a connection. Only another connection can do so."""
    with suppress(pymysql.MySQLError, OSError), _connected(url, _MARGIN) as other:
        run(other, f"KILL QUERY {connection.thread_id()}")


@contextmanager
def faults(url: str) -> Iterator[None]:
    """Turn the driver's errors in the block into OriginError."""
    try:
        yield
    except pymysql.MySQLError as error:
        code, text = (error.args if len(error.args) > 1 else (0, *error.args, error))[:2]
        is_lost = code in _LOST and not isinstance(error.__context__, (ssl.SSLCertVerificationError, socket.gaierror))
        kind = TimedOut if code in _LATE else ConnectionLost if is_lost else OriginError
        hint = f": {LONGER}" if code in _TOO_LONG else ""
        raise kind(f"{address(url)}: {text or 'the connection was lost'}{hint}") from error


def _is_there(connection: Connection) -> bool:
    """Whether the connection can be used after an error."""
    with suppress(pymysql.MySQLError, OSError):
        connection.ping()
        return True
    return False


def _close(connection: Connection) -> None:
    with suppress(pymysql.MySQLError, OSError):
        connection.close()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _connected(url: str, seconds: int) -> Connection:
    """A connection that waits so long for an answer."""
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
        read_timeout=seconds,
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
