"""MySQL and MariaDB, read by PyMySQL: the server writes each row as one line of CSV, and DuckDB reads these lines.

So no value is touched in Python. A large table is read in ranges of its primary key, by several connections at one
moment.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymysql.constants import FIELD_TYPE

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
from warehouse_refresh.origins import mysql_readers as readers_
from warehouse_refresh.origins.mysql_lines import LineRows, line_sql
from warehouse_refresh.origins.mysql_readers import Connection, Readers, faults, open_readers, run
from warehouse_refresh.origins.mysql_types import Kind, reading_of
from warehouse_refresh.warehouse.types import SqlType

_SLICE = 4 * 2**20  # bytes of a range, about
_SLICES = 64  # at most
_WHOLE_NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint")
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
    with open_readers(url, limits) as readers:
        yield MySqlSnapshot(url, readers)


@dataclass(frozen=True)
class MySqlSnapshot:
    """Implements Snapshot."""

    url: str
    readers: Readers

    @property
    def note(self) -> str:
        return self.readers.note

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
    ) -> Iterator[LineRows]:
        source = _path(relation.table) if relation.table else f"({bare(relation.query)}\n) AS query"
        with ExitStack() as stack, faults(self.url):
            connections = [stack.enter_context(self.readers.one())]
            conditions = [f" WHERE {since.sql(_identifier(since.column))}" if since else ""]
            if relation.table and not since:
                size, ranges = self._ranges(connections[0], relation.table)
                more = list(self.readers.more(stack, min(size // readers_.LARGE, len(ranges) - 1)))
                connections, conditions = [*connections, *more], ranges if more else conditions
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refresh-rows-")))
            selects = [f"SELECT {line_sql(columns)} FROM {source}{condition}" for condition in conditions]
            rows = LineRows(self.url, connections, selects, folder, columns)
            stack.callback(rows.end)
            yield rows

    def close(self) -> None:
        self.readers.close()

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._answer(sql)[1]

    def _answer(self, sql: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """The description of the columns, and the rows of a small answer."""
        with self.readers.one() as connection, faults(self.url), connection.cursor() as cursor:
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

    def _ranges(self, connection: Connection, table: str) -> tuple[int, list[str]]:
        """About how many bytes the table has, and conditions of which each row fulfils one: ranges of the first column
        of its primary key, by which its rows are stored, if that has whole numbers."""
        schema, _, name = table.rpartition(".")
        at = f"table_schema = {_literal(schema) if schema else 'DATABASE()'} AND table_name = {_literal(name)}"
        found = run(
            connection,
            f"""SELECT column_name, data_type, (SELECT data_length FROM information_schema.tables WHERE {at})
            FROM information_schema.columns JOIN information_schema.statistics
                USING (table_schema, table_name, column_name)
            WHERE index_name = 'PRIMARY' AND seq_in_index = 1 AND {at}""",
        )
        if not found:
            return 0, [""]
        column, kind, size = (_decoded(value) for value in found[0])
        if kind not in _WHOLE_NUMBERS or not size or int(size) < readers_.LARGE:
            return 0, [""]
        key = _identifier(column)
        [(first, last)] = run(connection, f"SELECT MIN({key}), MAX({key}) FROM {_path(table)}")
        if first is None:
            return 0, [""]
        count = min(_SLICES, int(size) // _SLICE)
        return int(size), list(_slices(key, int(first), int(last), count))


def _decoded(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _path(table: str) -> str:
    return ".".join(_identifier(part) for part in table.split("."))


def _identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _slices(key: str, first: int, last: int, count: int) -> Iterator[str]:
    """Conditions for so many ranges of a whole number between two values."""
    bounds = sorted({first + (last - first) * number // count for number in range(1, count)} - {first})
    for low, end in zip([None, *bounds], [*bounds, None], strict=True):
        sides = [f"{key} >= {low}"] if low is not None else []
        sides += [f"{key} < {end}"] if end is not None else []
        yield f" WHERE {' AND '.join(sides)}" if sides else ""
