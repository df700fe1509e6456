"""Write what comes from a database into Parquet files, and look whether GoogleSQL's types hold it."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import duckdb

from warehouse_refresh.origins import OriginColumn, OriginError, Part, Rows, no_values
from warehouse_refresh.origins.faults import fault_of
from warehouse_refresh.warehouse.duckdb.faults import reason
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, string_sql
from warehouse_refresh.warehouse.values.parquet import ParquetFile

_MEMORY = "256MB"
_THREADS = 2  # each has rows in memory
_ROWS_IN_MEMORY = 40_960
_FAST = "PARQUET_VERSION v2, COMPRESSION uncompressed"
"""As large as compressed files of v1, and a tenth less time for a load."""
HASH = "hash"


def land(
    rows: Rows, columns: Sequence[OriginColumn], masks: Mapping[str, str | int], salt: str, target: Path
) -> ParquetFile:
    """Write the rows to files in the folder `target`, in place of what it has; those columns of `masks` as their hash
    or their first characters. Raises OriginError with all columns that have values which their types do not hold."""
    source = f"read_parquet({string_sql(f'{target}/*.parquet')}, hive_partitioning = false)"
    listed = ", ".join(f"{_masked(it.column.name, masks, salt)} AS {quoted(it.column.name)}" for it in columns)
    checks = [f"count_if({it.bad})" if it.bad else "0" for it in columns]
    rmtree(target, ignore_errors=True)
    target.mkdir()
    try:
        with _connection(target.parent) as connection:
            rows.check(_write(rows.parts(), connection, listed, target))
            [(count, *bad)] = connection.execute(f"SELECT count(*), {', '.join(checks)} FROM {source}").fetchall()
    except duckdb.Error as error:
        raise _fault(error) from error
    _refuse([(it, number) for it, number in zip(columns, bad, strict=True) if number])
    values = ", ".join(f"{it.value} AS {quoted(it.column.name)}" for it in columns)
    return ParquetFile(target, tuple(it.column for it in columns), int(count), f"SELECT {values} FROM {source}")


def highest(rows: Rows, column: OriginColumn) -> int | None:
    """The greatest value that the rows have of the column, which has integers; None if there is none. Raises
    OriginError."""
    found: list[int] = []
    total = 0
    try:
        with TemporaryDirectory() as folder, _connection(Path(folder)) as connection:
            for part in rows.parts():
                for _ in part.offer(connection):
                    asked = connection.execute(f"SELECT count(*), max({column.value}) FROM stream")
                    [(count, value)] = asked.fetchall()
                    total += count
                    found += [] if value is None else [int(value)]
            rows.check(total)
    except duckdb.Error as error:
        raise _fault(error) from error
    return max(found, default=None)


def _connection(folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory of little memory, which fetches nothing from the internet."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute(f"SET memory_limit = '{_MEMORY}'; SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
    connection.execute(f"SET threads = {_THREADS}")
    connection.execute(f"SET temp_directory = {string_sql(str(folder))}")
    return connection


def _masked(name: str, masks: Mapping[str, str | int], salt: str) -> str:
    mask = masks.get(name)
    if mask is None:
        return quoted(name)
    return f"sha256({string_sql(salt)} || {quoted(name)})" if mask == HASH else f"left({quoted(name)}, {int(mask)})"


def _write(parts: Sequence[Part], connection: duckdb.DuckDBPyConnection, listed: str, target: Path) -> int:
    """Write all parts at once, and answer how many rows they have. If one fails, the others are stopped."""
    cursors = [connection.cursor() for _ in parts]
    with ThreadPoolExecutor(len(parts)) as pool:
        writing = [
            pool.submit(_write_part, part, cursor, listed, target / str(number))
            for number, (part, cursor) in enumerate(zip(parts, cursors, strict=True))
        ]
        left = wait(writing, return_when=FIRST_EXCEPTION).not_done
        while left:
            for cursor in cursors:
                cursor.interrupt()
            left = wait(left, timeout=0.1).not_done  # what is interrupted before it begins goes on
        failed = [it for it in writing if it.exception() and not isinstance(it.exception(), duckdb.InterruptException)]
        return sum(it.result() for it in [*failed, *writing])


def _write_part(part: Part, connection: duckdb.DuckDBPyConnection, listed: str, start: Path) -> int:
    """Write each piece into a file whose path starts so, and answer how many rows there are."""
    count = 0
    for number, _ in enumerate(part.offer(connection)):
        query, path = f"SELECT {listed} FROM stream", start.with_suffix(f".{number}.parquet")
        form = f"(FORMAT parquet, ROW_GROUP_SIZE {_ROWS_IN_MEMORY}, {_FAST})"
        [(written,)] = connection.execute(f"COPY ({query}) TO {string_sql(str(path))} {form}").fetchall()
        count += int(written)
    return count


def check_key(file: ParquetFile, key: Sequence[str]) -> None:
    """Raises OriginError unless each row of the file has a key, and one that no other row has."""
    if not key:
        return
    listed, names = ", ".join(map(quoted, key)), ", ".join(key)
    empty = " OR ".join(f"{quoted(name)} IS NULL" for name in key)
    with _connection(file.path.parent) as connection:
        if connection.execute(f"SELECT 1 FROM ({file.sql}) WHERE {empty} LIMIT 1").fetchall():
            raise OriginError(f"a row has no {names}, which is the key: a key tells rows apart")
        again = f"SELECT {listed} FROM ({file.sql}) GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
        if found := connection.execute(again).fetchone():
            value = ", ".join(map(str, found))
            raise OriginError(f"several rows have the {names} {value}, which is the key: a key tells rows apart")


def _refuse(bad: Collection[tuple[OriginColumn, int]]) -> None:
    if bad:
        lines = [f"{it.column.name}: {no_values(count, it.column.type)}: {it.bad_values}" for it, count in bad]
        hint = "leave the column out (exclude), give it the type STRING, or write a query that fixes the values"
        raise OriginError("\n".join([*lines, hint]))


def _fault(error: duckdb.Error) -> OriginError:
    """What went wrong, in the database's words where the stream had an error of its own."""
    text = str(error)
    return fault_of(text) if "[libpq]" in text else OriginError(f"the rows cannot be written: {reason(error)}")
