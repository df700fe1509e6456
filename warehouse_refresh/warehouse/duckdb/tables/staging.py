"""Tables that a refresh has built and not published yet. They stand in their dataset beside the published ones, under
names that no table of a script can have; publishing renames them, so that no row is written twice."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import duckdb

from warehouse_refresh.warehouse import BuildContext, Staged, TableBuild
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, table_sql
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName

MARK = "~staged/"
"""How the name of a staged table begins: BigQuery's tables have no such characters in their names."""
_NAME = re.compile(rf"{MARK}([0-9a-f]+)/([0-9a-f]+)/(.*)", re.DOTALL)
_TEXT_OR_NAME = re.compile(r"'(?:[^']|'')*'" + r'|"(?:[^"]|"")*"(?:\."(?:[^"]|"")*")*')
_PUBLICATIONS = f"{OWN_DATASET}.publications"
_KEPT = "INTERVAL 30 DAY"


@dataclass(frozen=True, slots=True)
class Beside:
    """A staged table or view: what it will be, the run that staged it, by a hash of its id, and the fingerprint."""

    table: TableName
    run: str
    fingerprint: str
    is_view: bool = False

    @property
    def name(self) -> TableName:
        """What it is called until it is published."""
        return TableName(self.table.dataset, f"{MARK}{self.run}/{self.fingerprint}/{self.table.name}")

    @property
    def drop_sql(self) -> str:
        """The statement that drops it."""
        return f"DROP {'VIEW' if self.is_view else 'TABLE'} IF EXISTS {table_sql(self.name)}"


def beside(build: TableBuild, context: BuildContext) -> Beside:
    """Where the run of `context` stages this table."""
    return Beside(build.table, run_hash(context.run), build.fingerprint, build.is_view)


def run_hash(run: str) -> str:
    """A run's id in the names of the tables that it stages."""
    return sha256(run.encode()).hexdigest()[:12]


def all_staged(cursor: duckdb.DuckDBPyConnection) -> Iterator[Beside]:
    """All tables and views that any run has staged."""
    rows = cursor.execute(
        "SELECT schema_name, table_name, false FROM duckdb_tables()"
        " WHERE database_name = $1 AND starts_with(table_name, $2) UNION ALL"
        " SELECT schema_name, view_name, true FROM duckdb_views()"
        " WHERE database_name = $1 AND starts_with(view_name, $2)",
        [CATALOGUE, MARK],
    ).fetchall()
    for dataset, name, is_view in rows:
        if found := _NAME.fullmatch(name):
            run, fingerprint, table = found.groups()
            yield Beside(TableName(dataset, table), run, fingerprint, is_view)


def over(sql: str, places: Mapping[TableName, Beside]) -> str:
    """A translated query with the names of the staged tables in place of the published ones."""
    if not places:
        return sql
    staged = {table_sql(table): table_sql(place.name) for table, place in places.items()}
    return _TEXT_OR_NAME.sub(lambda found: staged.get(found.group(), found.group()), sql)


def publish_sql(
    places: Iterable[Beside], old_views: Iterable[TableName], views: Mapping[TableName, Sequence[str]]
) -> Iterator[str]:
    """The statements that put staged tables in place of the published ones. `old_views` are the views that are there
    now, `views` the statements that create the new ones."""
    are_views = {view.folded() for view in old_views}
    for place in places:
        old = "VIEW" if place.table.folded() in are_views else "TABLE"
        yield f"DROP {old} IF EXISTS {table_sql(place.table)}"
        if place.is_view:
            yield place.drop_sql
            yield from views[place.table]
        else:
            yield f"ALTER TABLE {table_sql(place.name)} RENAME TO {quoted(place.table.name)}"


def stored_views(cursor: duckdb.DuckDBPyConnection) -> list[TableName]:
    """All views of the file."""
    query = "SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = ? AND NOT internal"
    return [TableName(*row) for row in cursor.execute(query, [CATALOGUE]).fetchall()]


def keep_record(cursor: duckdb.DuckDBPyConnection, run: str, places: Iterable[Beside]) -> None:
    """Record within the cursor's transaction what the run has published, for a later attempt of the same run. Records
    of the last 30 days are kept."""
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {OWN_DATASET}")
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {_PUBLICATIONS} (run VARCHAR, published_at TIMESTAMPTZ, tables VARCHAR)"
    )
    cursor.execute(f"DELETE FROM {_PUBLICATIONS} WHERE published_at < now() - {_KEPT}")
    tables = json.dumps([[place.table.dataset, place.table.name, place.fingerprint] for place in places])
    cursor.execute(f"INSERT INTO {_PUBLICATIONS} VALUES (?, now(), ?)", [run, tables])


def published_by(cursor: duckdb.DuckDBPyConnection, run: str) -> dict[TableName, Staged]:
    """What the run has published, as far as it is recorded."""
    try:
        rows = cursor.execute(
            f"SELECT tables FROM {_PUBLICATIONS} WHERE run = ? ORDER BY published_at", [run]
        ).fetchall()
    except duckdb.CatalogException:  # nothing was published yet
        return {}
    tables = [table for (text,) in rows for table in json.loads(text)]
    return {TableName(dataset, name): Staged(mark, is_published=True) for dataset, name, mark in tables}
