"""What has been published, and what stood there before: the record of each publication, and the previous version of a
table, which stands beside it under a name that no table of a script can have."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from warehouse_refresh.warehouse import Publication, Staged
from warehouse_refresh.warehouse.builds.posted import NO_EARLIER
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, table_sql
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName

HIDDEN = "~"
"""How the names begin that readers are not shown: BigQuery's tables have no such character in their names."""
_PREVIOUS = f"{HIDDEN}previous/"
_NAME = re.compile(rf"{_PREVIOUS}[0-9a-f]+/(.*)", re.DOTALL)
_PUBLICATIONS = f"{OWN_DATASET}.publications"
_KEPT = "INTERVAL 30 DAY"


@dataclass(frozen=True, slots=True)
class Stored:
    """A table or a view in the file."""

    name: TableName
    is_view: bool

    @property
    def drop_sql(self) -> str:
        """The statement that drops it."""
        return f"DROP {self._word} IF EXISTS {table_sql(self.name)}"

    def renamed_sql(self, new: TableName) -> str:
        """The statement that gives it the name of `new`, in the same dataset."""
        return f"ALTER {self._word} {table_sql(self.name)} RENAME TO {quoted(new.name)}"

    @property
    def _word(self) -> str:
        return "VIEW" if self.is_view else "TABLE"


class Before(Enum):
    """What there is of a table as it was before a publication."""

    KEPT = "kept"
    ABSENT = "absent"  # it was not there
    LOST = "lost"
    POSTED = "posted"  # rows are posted to it, which an earlier version would not have


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table in the record of a publication."""

    table: TableName
    fingerprint: str
    before: Before


def all_stored(cursor: duckdb.DuckDBPyConnection) -> dict[TableName, Stored]:
    """All tables and views of the file, by their folded names."""
    rows = cursor.execute(
        "SELECT schema_name, table_name, false FROM duckdb_tables() WHERE database_name = $1 UNION ALL"
        " SELECT schema_name, view_name, true FROM duckdb_views() WHERE database_name = $1 AND NOT internal",
        [CATALOGUE],
    ).fetchall()
    return {(name := TableName(dataset, text)).folded(): Stored(name, is_view) for dataset, text, is_view in rows}


def previous_in(stored: Iterable[Stored]) -> dict[TableName, Stored]:
    """The previous versions of tables, by the folded names of these."""
    found = ((one, _NAME.fullmatch(one.name.name)) for one in stored)
    return {TableName(one.name.dataset, name[1]).folded(): one for one, name in found if name}


def previous_name(table: TableName, run_hash: str) -> TableName:
    """What a table is called that a run has replaced."""
    return TableName(table.dataset, f"{_PREVIOUS}{run_hash}/{table.name}")


def keep_record(cursor: duckdb.DuckDBPyConnection, run: str, tables: Iterable[PublishedTable]) -> None:
    """Record within the cursor's transaction what the run has published. Records of the last 30 days are kept."""
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {OWN_DATASET}")
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {_PUBLICATIONS} (run VARCHAR, published_at TIMESTAMPTZ, tables VARCHAR)"
    )
    cursor.execute(f"DELETE FROM {_PUBLICATIONS} WHERE published_at < now() - {_KEPT}")
    listed = json.dumps([[it.table.dataset, it.table.name, it.fingerprint, it.before.value] for it in tables])
    cursor.execute(f"INSERT INTO {_PUBLICATIONS} VALUES (?, now(), ?)", [run, listed])


def recorded(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Publication, list[PublishedTable]]]:
    """The publications that are recorded, the last one first, each with its tables."""
    query = f"SELECT run, epoch_us(published_at), tables FROM {_PUBLICATIONS} ORDER BY published_at DESC, rowid DESC"
    try:
        rows = cursor.execute(query).fetchall()
    except duckdb.CatalogException:  # nothing was published yet
        return
    for run, microseconds, text in rows:
        tables = [_table(*item) for item in json.loads(text)]
        at = datetime.fromtimestamp(microseconds / 1e6, UTC)
        yield Publication(run, at, tuple(one.table for one in tables)), tables


def published_by(cursor: duckdb.DuckDBPyConnection, run: str) -> dict[TableName, Staged]:
    """What the run has published and no other one has replaced since, as far as it is recorded."""
    found: dict[TableName, Staged | None] = {}
    for publication, tables in recorded(cursor):
        for one in tables:
            ours = Staged(one.fingerprint, is_published=True) if publication.run == run else None
            found.setdefault(one.table, ours)
    return {table: staged for table, staged in found.items() if staged is not None}


def last_records(cursor: duckdb.DuckDBPyConnection) -> dict[TableName, tuple[Publication, PublishedTable]]:
    """For each table the last publication that has it, with what it says of the table."""
    found: dict[TableName, tuple[Publication, PublishedTable]] = {}
    for publication, tables in recorded(cursor):
        for one in tables:
            found.setdefault(one.table, (publication, one))
    return found


def reasons_to_stay(
    publication: Publication,
    tables: Collection[TableName],
    last: Mapping[TableName, tuple[Publication, PublishedTable]],
    previous: Mapping[TableName, Stored],
) -> dict[TableName, str]:
    """Those of the tables that cannot be rolled back to before the publication, each with the reason."""
    reasons = {}
    for table in tables:
        found = last.get(table)
        if found is None or found[0] != publication:
            reasons[table] = "it was published again since"
        elif found[1].before is Before.POSTED:
            reasons[table] = NO_EARLIER
        elif found[1].before is Before.LOST or (found[1].before is Before.KEPT and table.folded() not in previous):
            reasons[table] = "its previous version was not kept: keep_previous = true in refresh.toml keeps it"
    return reasons


def _table(dataset: str, name: str, fingerprint: str, before: str = Before.LOST.value) -> PublishedTable:
    """A table of a record, also of one that was written before previous versions were kept."""
    return PublishedTable(TableName(dataset, name), fingerprint, Before(before))
