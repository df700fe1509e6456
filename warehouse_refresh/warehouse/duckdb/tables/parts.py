"""Tables that are built by date: the new rows stand beside the published table, a view shows both as they will be, and
the publication moves the rows. The record of the partitions is written with it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from warehouse_refresh.warehouse import TableBuild
from warehouse_refresh.warehouse.builds.parts import Interval, PartRecord, Parts, Point, point_in, point_text
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.tables.declared import definition_sql
from warehouse_refresh.warehouse.duckdb.tables.staging import Beside
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, table_sql
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName

RECORDS = TableName(OWN_DATASET, "partitions")
_RECORDS = f"{OWN_DATASET}.partitions"


def rows_table(table: TableName) -> TableName:
    """The name under which the new rows of a table are staged; what stands under its own name is the view."""
    return TableName(table.dataset, f"rows/{table.name}")


def earlier_table(table: TableName) -> TableName:
    """The name under which a view of the rows before a batch is staged, for a table that reads itself."""
    return TableName(table.dataset, f"earlier/{table.name}")


def empty_sql(table: TableName, rows: TableName, parts: Parts, *, is_whole: bool) -> str:
    """Creates the table of new rows without rows, so that a query may read it before the first batch is there."""
    if is_whole:
        return f"CREATE OR REPLACE TABLE {table_sql(rows)} ({', '.join(map(definition_sql, parts.own))})"
    return f"CREATE OR REPLACE TABLE {table_sql(rows)} AS SELECT * FROM {table_sql(table)} LIMIT 0"


def earlier_sql(view: TableName, table: TableName, parts: Parts, interval: Interval) -> str:
    """Creates the view of the rows before the interval."""
    names = ", ".join(quoted(column.name) for column in parts.own)
    before = f"{quoted(parts.column)} < {_literal(interval.start)}"
    return f"CREATE OR REPLACE VIEW {table_sql(view)} AS SELECT {names} FROM {table_sql(table)} WHERE {before}"


def outside_sql(rows: TableName, parts: Parts, interval: Interval, first: int) -> str:
    """Asks for a value outside the interval in the rows from the number `first` on."""
    column = quoted(parts.column)
    return (
        f"SELECT CAST({column} AS VARCHAR) FROM {table_sql(rows)}"
        f" WHERE rowid >= {first} AND ({_in_sql(column, interval)}) IS NOT TRUE LIMIT 1"
    )


def view_sql(place: Beside, rows: TableName, parts: Parts) -> str:
    """Creates the view of the published table with the new rows in place of the old ones."""
    old = f"SELECT * FROM {table_sql(place.table)} AS old WHERE NOT ({_goes_sql(rows, parts)})"
    new = _new_sql(place.table, rows, parts)
    return f"CREATE OR REPLACE VIEW {table_sql(place.name)} AS {old} UNION ALL BY NAME {new}"


def publish_sql(place: Beside, rows: Beside, parts: Parts) -> Iterator[str]:
    """Puts the new rows in place of the old ones."""
    yield place.drop_sql
    yield f"DELETE FROM {table_sql(place.table)} AS old WHERE {_goes_sql(rows.name, parts)}"
    yield f"INSERT INTO {table_sql(place.table)} BY NAME {_new_sql(place.table, rows.name, parts)}"
    yield rows.drop_sql


def _goes_sql(rows: TableName, parts: Parts) -> str:
    """Whether a row of the table `old` is replaced by one of `rows`."""
    if not parts.key:
        return _within_sql(parts)
    column = quoted(parts.column)
    newer = f"{_same_key_sql('old', 'new', parts)} AND new.{column} >= old.{column}"
    return f"EXISTS (SELECT 1 FROM {table_sql(rows)} AS new WHERE {newer})"


def _new_sql(table: TableName, rows: TableName, parts: Parts) -> str:
    """The rows that are added to the table: all, or those that no later row with the same key is there of."""
    new = f"SELECT * FROM {table_sql(rows)} AS new"
    if not parts.key:
        return new
    column = quoted(parts.column)
    later = f"{_same_key_sql('new', 'old', parts)} AND old.{column} > new.{column}"
    return f"{new} WHERE NOT EXISTS (SELECT 1 FROM {table_sql(table)} AS old WHERE {later})"


def unmergeable_sql(rows: TableName, parts: Parts) -> str:
    """Asks for the key of rows that cannot be merged: one with a NULL in it, or one that two rows have which are
    equally late."""
    names = ", ".join(map(quoted, parts.key))
    nulls = " OR ".join(f"{quoted(name)} IS NULL" for name in parts.key)
    return (
        f"SELECT {names} FROM {table_sql(rows)} GROUP BY {names}, {quoted(parts.column)}"
        f" HAVING count(*) > 1 OR {nulls} LIMIT 1"
    )


def keep_latest_sql(rows: TableName, parts: Parts) -> str:
    """Keeps the latest of the rows with the same key."""
    column = quoted(parts.column)
    later = f"{_same_key_sql('earlier', 'later', parts)} AND later.{column} > earlier.{column}"
    name = table_sql(rows)
    return f"DELETE FROM {name} AS earlier WHERE EXISTS (SELECT 1 FROM {name} AS later WHERE {later})"


def _same_key_sql(one: str, other: str, parts: Parts) -> str:
    return " AND ".join(f"{other}.{quoted(name)} = {one}.{quoted(name)}" for name in parts.key)


def keep_records(cursor: duckdb.DuckDBPyConnection, run: str, builds: Iterable[TableBuild]) -> None:
    """Record within the cursor's transaction which partitions the run has published."""
    for build in builds:
        if build.parts is None:
            continue
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {OWN_DATASET}")
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {_RECORDS} (dataset VARCHAR, name VARCHAR, column_name VARCHAR,"
            " lower_bound VARCHAR, upper_bound VARCHAR, fingerprint VARCHAR, run VARCHAR, published_at TIMESTAMPTZ,"
            " key_columns VARCHAR[])"
        )
        starts = [point_text(one.start) for one in build.parts.partitions]
        ends = [point_text(one.end) for one in build.parts.partitions]
        of_table = [build.table.dataset, build.table.name]
        delete = f"DELETE FROM {_RECORDS} WHERE dataset = ? AND name = ?"
        if build.parts.whole:
            cursor.execute(delete, of_table)
        else:
            cursor.execute(f"{delete} AND lower_bound IN (SELECT unnest(?::VARCHAR[]))", [*of_table, starts])
        cursor.execute(
            f"INSERT INTO {_RECORDS} SELECT ?, ?, ?, unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), ?, ?, now(), ?",
            [*of_table, build.parts.column, starts, ends, build.fingerprint, run, list(build.parts.key)],
        )


def forget(cursor: duckdb.DuckDBPyConnection, tables: Iterable[TableName]) -> None:
    """Delete within the cursor's transaction the records of tables that are no more what they say."""
    for table in tables:
        cursor.execute(f"DELETE FROM {_RECORDS} WHERE dataset = ? AND name = ?", [table.dataset, table.name])


def recorded(cursor: duckdb.DuckDBPyConnection, table: TableName) -> Sequence[PartRecord]:
    """The records of a table, in order; none if it is not there."""
    there = cursor.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = $1 AND"
        " ((schema_name = $2 AND table_name = $3) OR (schema_name = $4 AND table_name = $5))",
        [CATALOGUE, table.dataset, table.name, RECORDS.dataset, RECORDS.name],
    ).fetchall()
    if len(there) < 2:
        return []
    rows = cursor.execute(
        f"SELECT column_name, lower_bound, upper_bound, fingerprint, run, epoch_us(published_at), key_columns"
        f" FROM {_RECORDS} WHERE dataset = ? AND name = ? ORDER BY TRY_CAST(lower_bound AS BIGINT), lower_bound",
        [table.dataset, table.name],
    ).fetchall()
    return [
        PartRecord(
            column,
            Interval(point_in(start), point_in(end)),
            fingerprint,
            run,
            datetime.fromtimestamp(at / 1e6, UTC),
            tuple(key),
        )
        for column, start, end, fingerprint, run, at, key in rows
    ]


def _within_sql(parts: Parts) -> str:
    column = quoted(parts.column)
    joined: list[Interval] = []
    for one in parts.batches:
        if joined and joined[-1].end == one.start:
            joined[-1] = Interval(joined[-1].start, one.end)
        else:
            joined.append(one)
    return " OR ".join(f"({_in_sql(column, one)})" for one in joined) or "false"


def _in_sql(column: str, interval: Interval) -> str:
    return f"{column} >= {_literal(interval.start)} AND {column} < {_literal(interval.end)}"


def _literal(point: Point) -> str:
    if isinstance(point, int):
        return str(point)
    if not isinstance(point, datetime):
        return f"DATE '{point.isoformat()}'"
    return f"{'TIMESTAMPTZ' if point.tzinfo else 'TIMESTAMP'} '{point.isoformat()}'"
