"""The record of what has built each table, and the count of the scripts that have changed tables which no build makes.

Rows that are stored need no count of their own: the number of a table's rows tells.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache

from warehouse_refresh import __version__
from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.builds.records import (
    BuildRecord,
    inputs_as_json,
    inputs_from_json,
    seconds_as_text,
    seconds_from_text,
)
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, table_sql
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName

_BUILT = f"{OWN_DATASET}.built"
_CHANGES = f"{OWN_DATASET}.changes"
_TOOK = f"{OWN_DATASET}.durations"


@cache
def made_by() -> str:
    """What computes the tables here."""
    return f"DuckDB {duckdb.__version__} with warehouse-refresh {__version__}"


def keep(cursor: duckdb.DuckDBPyConnection, context: BuildContext, builds: Collection[TableBuild]) -> None:
    """Record within the cursor's transaction that the run has published these tables."""
    forget(cursor, [build.table for build in builds])
    columns = [
        [build.table.dataset for build in builds],
        [build.table.name for build in builds],
        [build.fingerprint for build in builds],
        [inputs_as_json(build.inputs) for build in builds],
    ]
    unnested = ", ".join(["unnest(?::VARCHAR[])"] * len(columns))
    cursor.execute(f"INSERT INTO {_BUILT} SELECT {unnested}, ?, ?, false", [*columns, context.version, made_by()])
    if timed := [build for build in builds if build.took]:
        _keep_seconds(cursor, timed)


def _keep_seconds(cursor: duckdb.DuckDBPyConnection, builds: Sequence[TableBuild]) -> None:
    """Record how long these tables took. This has a table of its own, so that it outlives the other records."""
    columns = [
        [build.table.dataset for build in builds],
        [build.table.name for build in builds],
        [seconds_as_text(build.took) for build in builds],
    ]
    names = ", ".join(["unnest(?::VARCHAR[])"] * 2)
    cursor.execute(f"DELETE FROM {_TOOK} WHERE (dataset, name) IN (SELECT ({names}))", columns[:2])
    cursor.execute(f"INSERT INTO {_TOOK} SELECT {names}, unnest(?::VARCHAR[])", columns)


def durations(cursor: duckdb.DuckDBPyConnection, catalogue: str = CATALOGUE) -> dict[TableName, tuple[float, ...]]:
    """The seconds of each table's last builds in the file which is attached under this name."""
    try:
        rows = cursor.execute(f"SELECT dataset, name, took FROM {quoted(catalogue)}.{_TOOK}").fetchall()
    except duckdb.CatalogException:  # nothing was published yet
        return {}
    return {TableName(dataset, name): seconds_from_text(took) for dataset, name, took in rows}


def forget(cursor: duckdb.DuckDBPyConnection, tables: Iterable[TableName]) -> None:
    """Delete the records of these tables."""
    _create(cursor)
    names = [f"{table.dataset}.{table.name}" for table in tables]
    cursor.execute(f"DELETE FROM {_BUILT} WHERE dataset || '.' || name IN (SELECT unnest(?::VARCHAR[]))", [names])


def note_failed(cursor: duckdb.DuckDBPyConnection, tables: Collection[TableName]) -> None:
    """Record within the cursor's transaction that a run wanted to build these tables, and has not published them."""
    _create(cursor)
    names = [[table.dataset for table in tables], [table.name for table in tables]]
    wanted = "(SELECT unnest(?::VARCHAR[]) AS dataset, unnest(?::VARCHAR[]) AS name)"
    cursor.execute(
        f"UPDATE {_BUILT} SET is_failed = true WHERE (dataset, name) IN (SELECT (dataset, name) FROM {wanted})", names
    )
    cursor.execute(
        f"INSERT INTO {_BUILT} SELECT dataset, name, '', NULL, '', '', true"
        f" FROM {wanted} ANTI JOIN {_BUILT} USING (dataset, name)",
        names,
    )


def recorded(cursor: duckdb.DuckDBPyConnection, catalogue: str = CATALOGUE) -> dict[TableName, BuildRecord]:
    """The records of all tables that are in the file which is attached under this name, and of those that failed."""
    query = f"""
        SELECT dataset, name, CASE WHEN there THEN fingerprint ELSE '' END, version, inputs, made_by, is_failed
        FROM {quoted(catalogue)}.{_BUILT} LEFT JOIN (
            SELECT schema_name AS dataset, table_name AS name, true AS there FROM duckdb_tables()
            WHERE database_name = $1
            UNION ALL SELECT schema_name, view_name, true FROM duckdb_views() WHERE database_name = $1
        ) USING (dataset, name)"""
    try:
        rows = cursor.execute(query, [catalogue]).fetchall()
    except duckdb.CatalogException:  # nothing was published yet
        return {}
    return {
        TableName(dataset, name): BuildRecord(
            fingerprint, made, inputs_from_json(inputs), by, is_failed, published_as=fingerprint
        )
        for dataset, name, fingerprint, made, inputs, by, is_failed in rows
    }


def count_changes(cursor: duckdb.DuckDBPyConnection, tables: Collection[TableName]) -> None:
    """Count within the cursor's transaction a change of these tables by something else than a build."""
    changed = {(table.dataset, table.name) for table in tables if table.dataset != OWN_DATASET}
    if changed:
        forget(cursor, tables)
        cursor.executemany(f"INSERT INTO {_CHANGES} VALUES (?, ?, 1)", sorted(changed))


def versions(
    cursor: duckdb.DuckDBPyConnection, tables: Collection[TableName], catalogue: str = CATALOGUE
) -> Mapping[TableName, str]:
    """For each of the tables that is a table in the file which is attached under this name: the changes that were
    counted, its rows, and the run that has published it, if one has: a load gives a table other rows, and maybe as
    many."""
    rows = _row_counts(cursor, tables, catalogue)
    changes, runs = (_changes(cursor, catalogue), _runs(cursor, catalogue)) if rows else ({}, {})
    return {
        table: f"{changes.get(table, 0)} changes, {count} rows{runs.get(table, '')}" for table, count in rows.items()
    }


def _row_counts(
    cursor: duckdb.DuckDBPyConnection, tables: Collection[TableName], catalogue: str
) -> Mapping[TableName, int]:
    """How many rows those of the tables have that are tables. Most often all are: they are counted without a look at
    the list of all tables, which takes DuckDB 10 ms for a thousand."""
    views = _listed(cursor, "view", catalogue)
    try:
        return _counted(cursor, sorted({*tables} - views), catalogue)
    except duckdb.CatalogException:  # one is not there
        return _counted(cursor, sorted({*tables} & _listed(cursor, "table", catalogue)), catalogue)


def _counted(cursor: duckdb.DuckDBPyConnection, tables: Sequence[TableName], catalogue: str) -> Mapping[TableName, int]:
    if not tables:
        return {}
    counts = (f"SELECT {n}, count(*) FROM {table_sql(table, catalogue)}" for n, table in enumerate(tables))
    return {tables[n]: count for n, count in cursor.execute(" UNION ALL ".join(counts)).fetchall()}


def _listed(cursor: duckdb.DuckDBPyConnection, kind: str, catalogue: str) -> set[TableName]:
    query = f"SELECT schema_name, {kind}_name FROM duckdb_{kind}s() WHERE database_name = $1"
    return {TableName(*name) for name in cursor.execute(query, [catalogue]).fetchall()}


def _runs(cursor: duckdb.DuckDBPyConnection, catalogue: str) -> dict[TableName, str]:
    record = f"{quoted(catalogue)}.{_BUILT}"
    try:
        rows = cursor.execute(f"SELECT dataset, name, ', ' || version FROM {record} WHERE version != ''").fetchall()
    except duckdb.CatalogException:  # nothing was published yet
        return {}
    return {TableName(dataset, name): version for dataset, name, version in rows}


def _changes(cursor: duckdb.DuckDBPyConnection, catalogue: str) -> dict[TableName, int]:
    query = f"SELECT dataset, name, sum(number) FROM {quoted(catalogue)}.{_CHANGES} GROUP BY ALL"
    try:
        rows = cursor.execute(query).fetchall()
    except duckdb.CatalogException:  # no script has run
        return {}
    return {TableName(dataset, name): int(number) for dataset, name, number in rows}


def _create(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute(
        f"CREATE SCHEMA IF NOT EXISTS {OWN_DATASET};"
        f"CREATE TABLE IF NOT EXISTS {_BUILT} (dataset VARCHAR, name VARCHAR, fingerprint VARCHAR, inputs VARCHAR,"
        " version VARCHAR, made_by VARCHAR, is_failed BOOLEAN);"
        f"CREATE TABLE IF NOT EXISTS {_CHANGES} (dataset VARCHAR, name VARCHAR, number BIGINT);"
        f"CREATE TABLE IF NOT EXISTS {_TOOK} (dataset VARCHAR, name VARCHAR, took VARCHAR)"
    )
