"""Tables that a refresh has built and not published yet. They stand in their dataset beside the published ones, under
names that no table of a script can have; publishing renames them, so that no row is written twice."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.builds.posted import Posted
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.tables.publications import HIDDEN, Stored
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, table_sql
from warehouse_refresh.warehouse.names import TableName

MARK = f"{HIDDEN}staged/"
"""How the name of a staged table begins."""
_NAME = re.compile(rf"{MARK}([0-9a-f]+)/([0-9a-f]+)/(.*)", re.DOTALL)
_TEXT_OR_NAME = re.compile(r"'(?:[^']|'')*'" + r'|"(?:[^"]|"")*"(?:\."(?:[^"]|"")*")*')


@dataclass(frozen=True, slots=True)
class Beside:
    """A staged table or view: what it will be, the run that staged it, by a hash of its id, and the fingerprint.
    `is_posted` says that rows are posted to it, which its name does not say."""

    table: TableName
    run: str
    fingerprint: str
    is_view: bool = False
    is_posted: bool = field(default=False, compare=False)

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
    is_posted = build.posted is not None
    return Beside(build.table, run_hash(context.run), build.fingerprint, build.is_view, is_posted)


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


def keep_posted(
    cursor: duckdb.DuckDBPyConnection, staged: Iterable[tuple[TableBuild, Beside]], old: Mapping[TableName, Stored]
) -> None:
    """Within the cursor's transaction, give staged tables the rows that are posted to the `old` ones now: others may
    have come since they were staged."""
    for build, place in staged:
        found = old.get(build.table.folded())
        if build.posted is not None and found is not None and not found.is_view:
            _keep_posted(cursor, build.posted, place.name, found.name)


def _keep_posted(cursor: duckdb.DuckDBPyConnection, posted: Posted, new: TableName, old: TableName) -> None:
    before = _columns(cursor, old)
    if posted.column in before:
        listed = ", ".join(quoted(name) for name in _columns(cursor, new) if name in before)
        kept = posted.sql(listed, table_sql(old), table_sql(new), quoted)
        cursor.execute(f"DELETE FROM {table_sql(new)} WHERE {quoted(posted.column)} IS NOT NULL")
        cursor.execute(f"INSERT INTO {table_sql(new)} ({listed}) {kept}")


def _columns(cursor: duckdb.DuckDBPyConnection, table: TableName) -> list[str]:
    return [name for name, *_ in cursor.execute(f"DESCRIBE {table_sql(table)}").fetchall()]


def publish_sql(
    places: Iterable[Beside],
    old: Mapping[TableName, Stored],
    views: Mapping[TableName, Sequence[str]],
    kept_as: Callable[[TableName], TableName] | None,
) -> Iterator[str]:
    """The statements that put staged tables in place of the `old` ones, which get the names of `kept_as`, or are
    dropped. `views` has the statements that create the new views."""
    for place in places:
        if (found := old.get(place.table.folded())) is not None:
            is_kept = kept_as is not None and not place.is_posted
            yield found.renamed_sql(kept_as(found.name)) if kept_as and is_kept else found.drop_sql
        if place.is_view:
            yield place.drop_sql
            yield from views[place.table]
        else:
            yield f"ALTER TABLE {table_sql(place.name)} RENAME TO {quoted(place.table.name)}"
