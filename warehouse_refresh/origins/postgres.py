"""PostgreSQL, read by its ADBC driver: COPY in binary form, turned into Arrow in C++.

Many connections read one snapshot: the first one exports it, and the others take it up.
https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Semaphore
from typing import Any

import duckdb
from adbc_driver_manager import Error
from adbc_driver_postgresql import dbapi

from warehouse_refresh.origins import (
    Described,
    Limits,
    NotReadable,
    OriginColumn,
    OriginError,
    Relation,
    Since,
    address,
    bare,
)
from warehouse_refresh.origins.faults import fault_of
from warehouse_refresh.origins.postgres_types import Kind, reading_of
from warehouse_refresh.warehouse.types import SqlType

_BATCH = 4 * 2**20  # bytes of rows that are in memory at once, for each reader
_PAGES = 4096  # of 8 KB, as a rule: smaller tables are read by one reader
_SETTINGS = {
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "datestyle": "ISO",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "1",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "0",  # the connection with the snapshot waits for the others
}


@contextmanager
def open_postgres(url: str, limits: Limits) -> Iterator["PostgresSnapshot"]:
    """See `open_snapshot`."""
    with _faults(url), _connected(url, limits) as connection:
        [(name,)] = _rows(connection, "SELECT pg_export_snapshot() AS name")
        snapshot = PostgresSnapshot(url, limits, str(name), Semaphore(limits.readers), connection)
        try:
            yield snapshot
        finally:
            snapshot.close()


@dataclass(frozen=True)
class PostgresSnapshot:
    """Implements Snapshot. The snapshot `name` is held by a connection of its own, `holder`: an error ends a
    transaction. `open` are the queries whose rows are being read."""

    url: str
    limits: Limits
    name: str
    free: Semaphore
    holder: dbapi.Connection
    open: set[dbapi.Cursor] = field(default_factory=set)

    @property
    def note(self) -> str:
        return ""

    def tables(self) -> list[str]:
        with self._reader() as connection:
            found = _rows(
                connection,
                """SELECT nspname || '.' || relname AS name
                FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE relkind IN ('r', 'p') AND NOT relispartition
                    AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'
                    AND has_any_column_privilege(pg_class.oid, 'SELECT')
                ORDER BY 1""",
            )
        return [str(name) for (name,) in found]

    def describe(self, relation: Relation, wanted: Mapping[str, SqlType]) -> Described:
        with self._reader() as connection:
            if relation.table:
                _check_readable(connection, relation.table, address(self.url))
                found, size = _of_table(connection, relation.table), _size(connection, relation.table)
            else:
                found, size = _of_query(connection, relation.query), _size_of_query(connection, relation.query)
        columns, refused = list[OriginColumn](), dict[str, str]()
        for name, kind in found.items():
            try:
                columns.append(reading_of(name, kind, wanted.get(name)))
            except NotReadable as error:
                refused[name] = str(error)
        return Described(tuple(columns), refused, *size)

    @contextmanager
    def reading(
        self, relation: Relation, columns: tuple[OriginColumn, ...], since: Since | None = None
    ) -> Iterator["ArrowRows"]:
        listed = ", ".join(f"{it.sql} AS {_identifier(it.column.name)}" for it in columns)
        source = _path(relation.table) if relation.table else f"({bare(relation.query)}\n) AS query"
        with ExitStack() as stack, _faults(self.url):
            connections = [stack.enter_context(self._reader())]
            if since:
                conditions = [f" WHERE {since.sql(_identifier(since.column))}"]
            else:
                pages = _pages(connections[0], relation.table) if relation.table else 0
                connections += self._more_readers(stack, pages // _PAGES)
                conditions = list(_ranges(pages, len(connections)))
            selects = [f"SELECT {listed} FROM {source}{condition}" for condition in conditions]
            streams = [stack.enter_context(self._stream(*one)) for one in zip(connections, selects, strict=True)]
            yield ArrowRows(streams)

    def close(self) -> None:
        for cursor in list(self.open):
            with suppress(Error):
                cursor.adbc_cancel()
        _end(self.holder)

    @contextmanager
    def _stream(self, connection: dbapi.Connection, sql: str) -> Iterator[Any]:
        """The rows of a query as a stream of Arrow."""
        with connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH)})
            self.open.add(cursor)
            try:
                cursor.execute(sql)
                yield cursor.fetch_arrow()
            finally:
                self.open.discard(cursor)

    def _more_readers(self, stack: ExitStack, most: int) -> Iterator[dbapi.Connection]:
        """Connections that nobody else uses now, for as long as the stack. It never waits: others may wait for it."""
        for _ in range(most):
            if not self.free.acquire(blocking=False):
                return
            stack.callback(self.free.release)
            try:
                yield stack.enter_context(_connected(self.url, self.limits, self.name))
            except Error:  # the server has no more connections
                return

    @contextmanager
    def _reader(self) -> Iterator[dbapi.Connection]:
        """A connection at the snapshot's moment, as soon as one is free."""
        with self.free, _faults(self.url), _connected(self.url, self.limits, self.name) as connection:
            yield connection


@dataclass(frozen=True)
class ArrowRows:
    """Implements Rows: streams that are read at once, and end with an error if they do not have all rows."""

    streams: Sequence[Any]

    def parts(self) -> "list[ArrowRows]":
        return [self]

    def offer(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        for number, stream in enumerate(self.streams):
            connection.register(f"stream_{number}", stream)
        every = " UNION ALL ".join(f"SELECT * FROM stream_{number}" for number in range(len(self.streams)))
        connection.execute(f"CREATE OR REPLACE TEMP VIEW stream AS {every}")
        yield

    def check(self, count: int) -> None:
        """Nothing is left to check."""


def _check_readable(connection: dbapi.Connection, table: str, address: str) -> None:
    path = _literal(_path(table))
    if _rows(connection, f"SELECT to_regclass({path}) IS NULL") == [(True,)]:
        raise OriginError(f"there is no table {table} in {address}, or its user may not see it")
    if _rows(connection, f"SELECT has_any_column_privilege(to_regclass({path})::oid, 'SELECT')") != [(True,)]:
        raise OriginError(f"the user may not read {table} in {address}: GRANT SELECT ON {table} TO …")


def _of_table(connection: dbapi.Connection, table: str) -> dict[str, Kind]:
    given = f"""SELECT attnum::int8 AS number, attname AS name, atttypid AS type, atttypmod AS modifier
        FROM pg_attribute
        WHERE attrelid = to_regclass({_literal(_path(table))}) AND attnum > 0 AND NOT attisdropped"""
    return _kinds(connection, given)


def _of_query(connection: dbapi.Connection, query: str) -> dict[str, Kind]:
    """A query's types without its rows. PostgreSQL says no modifiers of them."""
    source = f"({bare(query)}\n) AS query"
    names, _ = _answer(connection, f"SELECT * FROM {source} LIMIT 0")
    twice = sorted({name for name in names if names.count(name) > 1 or not name or name == "?column?"})
    if twice:
        raise OriginError(f"the query gives no name, or one name to two columns: {', '.join(twice)}")
    types = ", ".join(f"pg_typeof(query.{_identifier(name)})::oid" for name in names)
    given = f"""SELECT * FROM (
        SELECT unnest(ARRAY[{", ".join(map(str, range(len(names))))}]::int8[]) AS number,
            unnest(ARRAY[{", ".join(map(_literal, names))}]::name[]) AS name,
            unnest(ARRAY[{types}]) AS type, -1 AS modifier
        FROM (SELECT 1) AS one LEFT JOIN (SELECT * FROM {source} LIMIT 0) AS query ON true) AS given"""
    return _kinds(connection, given)


def _kinds(connection: dbapi.Connection, given: str) -> dict[str, Kind]:
    """The kinds of the columns that `given` lists, in its order."""
    rows = _rows(
        connection,
        f"""WITH RECURSIVE given AS ({given}), base AS (
            SELECT number, name, type, modifier FROM given
            UNION ALL
            SELECT number, name, typbasetype, CASE WHEN typtypmod >= 0 THEN typtypmod ELSE modifier END
            FROM base JOIN pg_type ON pg_type.oid = base.type WHERE typtype = 'd')
        SELECT base.name::text, coalesce(element.typname, own.typname)::text AS kind, modifier,
            coalesce(element.typtype, own.typtype)::text AS category, element.oid IS NOT NULL AS is_array
        FROM base JOIN pg_type AS own ON own.oid = base.type
        LEFT JOIN pg_type AS element ON element.oid = own.typelem AND own.typcategory = 'A'
        WHERE own.typtype <> 'd' ORDER BY number""",
    )
    return {str(name): Kind(kind, modifier, category, is_array) for name, kind, modifier, category, is_array in rows}


def _pages(connection: dbapi.Connection, table: str) -> int:
    """How many pages a table has; 0 for what cannot be read by ranges of pages: before PostgreSQL 14 each range reads
    all pages, and the place of a row may be seen by those only who may read the whole table."""
    [(pages,)] = _rows(
        connection,
        f"""SELECT CASE WHEN relkind = 'r' AND current_setting('server_version_num')::int >= 140000
            AND has_table_privilege(oid, 'SELECT')
            THEN pg_relation_size(oid) / current_setting('block_size')::int ELSE 0 END::int8 AS pages
        FROM pg_class WHERE oid = to_regclass({_literal(_path(table))})""",
    )
    return int(pages)


def _ranges(pages: int, count: int) -> Iterator[str]:
    """Conditions, of which each row fulfils one: https://www.postgresql.org/docs/current/ddl-system-columns.html"""
    bounds = [pages * number // count for number in range(1, count)]
    for first, end in zip([None, *bounds], [*bounds, None], strict=True):
        sides = [f"ctid >= '({first},0)'"] if first is not None else []
        sides += [f"ctid < '({end},0)'"] if end is not None else []
        yield f" WHERE {' AND '.join(sides)}" if sides else ""


def _size(connection: dbapi.Connection, table: str) -> tuple[int | None, int | None]:
    path = _literal(_path(table))
    [(rows, size)] = _rows(
        connection,
        f"""SELECT nullif(reltuples, -1)::int8 AS row_count, nullif(pg_table_size(oid), 0) AS size
        FROM pg_class WHERE oid = to_regclass({path})""",
    )
    return rows, size


def _size_of_query(connection: dbapi.Connection, query: str) -> tuple[int, int]:
    """What the planner expects: https://www.postgresql.org/docs/current/using-explain.html"""
    _, [(text,)] = _answer(connection, f"EXPLAIN (FORMAT JSON) {bare(query)}", copies=False)
    plan = json.loads(text)[0]["Plan"]
    return plan["Plan Rows"], plan["Plan Rows"] * plan["Plan Width"]


@contextmanager
def _connected(url: str, limits: Limits, snapshot: str = "") -> Iterator[dbapi.Connection]:
    """A connection in a transaction that reads only, in the snapshot of that name or in one of its own."""
    connection = dbapi.connect(url)
    try:
        _run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if snapshot:
            _run(connection, f"SET TRANSACTION SNAPSHOT {_literal(snapshot)}")
        for name, value in {**_SETTINGS, "statement_timeout": f"{limits.timeout}s"}.items():
            _run(connection, f"SET LOCAL {name} = {_literal(value)}")
        yield connection
    finally:
        _end(connection)


def _end(connection: dbapi.Connection) -> None:
    for end in (connection.rollback, connection.close):
        with suppress(Error):
            end()


def _run(connection: dbapi.Connection, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _rows(connection: dbapi.Connection, sql: str) -> list[tuple[Any, ...]]:
    return _answer(connection, sql)[1]


def _answer(connection: dbapi.Connection, sql: str, *, copies: bool = True) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names and the rows of a small answer. The driver asks by COPY, which not every statement can be put into."""
    with connection.cursor() as cursor, duckdb.connect() as reader:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": str(copies).lower()})
        cursor.execute(sql)
        found = reader.register("answer", cursor.fetch_arrow()).execute("FROM answer")
        return [str(entry[0]) for entry in found.description], found.fetchall()


@contextmanager
def _faults(url: str) -> Iterator[None]:
    """Turn the driver's errors in the block into OriginError."""
    try:
        yield
    except Error as error:
        raise fault_of(str(error), address(url)) from error


def _path(table: str) -> str:
    return ".".join(_identifier(part) for part in table.split("."))


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
