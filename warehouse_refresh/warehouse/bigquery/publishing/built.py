"""The record of what has built each table: a table with a row for each, in the dataset of this tool's own tables.

A row has the time at which its table was changed last, as BigQuery says it. If the table has another one, something
else has changed it since, or the run died before it had written the row.
"""

import json
import logging
import secrets
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import Any, Self

from google.api_core.retry import Retry
from google.cloud import bigquery

from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.bigquery.datasets import Datasets
from warehouse_refresh.warehouse.bigquery.errors import google_errors
from warehouse_refresh.warehouse.builds.records import (
    BuildRecord,
    inputs_as_json,
    inputs_from_json,
    seconds_as_text,
    seconds_from_text,
)
from warehouse_refresh.warehouse.errors import NotAllowed, WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName

logger = logging.getLogger(__name__)
TABLE = TableName(OWN_DATASET, "built")
MADE_BY = "BigQuery"
_COLUMNS = {
    "dataset": "STRING",
    "name": "STRING",
    "fingerprint": "STRING",
    "inputs": "STRING",
    "version": "STRING",
    "changed": "STRING",
    "is_failed": "BOOL",
    "took": "STRING",
}
_AT_ONCE = 16
"""How many tables are asked for at the same time."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the record: see `BuildRecord`. `changed` is when the table was changed last, or between which moments
    (`first/last`), `took` the text of its seconds."""

    dataset: str
    name: str
    fingerprint: str = ""
    inputs: str | None = None
    version: str = ""
    changed: str = ""
    is_failed: bool = False
    took: str | None = None

    @classmethod
    def of(cls, build: TableBuild, context: BuildContext, changed: str) -> Self:
        """The row of a table that the run has published."""
        table, inputs = build.table, inputs_as_json(build.inputs)
        took = seconds_as_text(build.took)
        return cls(table.dataset, table.name, build.fingerprint, inputs, context.version, changed, took=took)

    @property
    def table(self) -> TableName:
        """The table that it is about."""
        return TableName(self.dataset, self.name)

    def record(self, changed: str) -> BuildRecord:
        """What it says of the table, which was changed last at `changed` ("": it is not there)."""
        fingerprint = self.fingerprint if changed and is_at(changed, self.changed) else ""
        inputs, was = inputs_from_json(self.inputs), self.fingerprint
        return BuildRecord(fingerprint, self.version, inputs, MADE_BY, self.is_failed, published_as=was)


class Recorder:
    """Reads the record, and writes it for whoever holds the refresh lock. What is published is written at once, what is
    built in its place with the next write."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets
        self._writing = threading.Lock()
        self._unrecorded: list[tuple[TableBuild, BuildContext]] = []
        self._read: Sequence[Row] | None = None
        self._known: dict[TableName, str] = {}  # when those of the tables were changed of which it is known

    def add(
        self, builds: Iterable[TableBuild], context: BuildContext, known: Mapping[TableName, str] | None = None
    ) -> None:
        """Have the next write record that the run has built these tables. `known` says of some when they were changed
        last, as `Row.changed`."""
        self._unrecorded += [(build, context) for build in builds]
        self._known |= known or {}

    def write(self) -> None:
        """Record what was added. A failure is only logged: the tables are built, and what is not recorded counts as
        changed."""
        with self._writing:
            done, self._unrecorded = self._unrecorded, []
            known, self._known = self._known, {}
            try:
                self._write_done(done, known)
            except WarehouseError as error:
                logger.warning("what has built these tables could not be recorded: %s", error)

    def _write_done(self, done: Sequence[tuple[TableBuild, BuildContext]], known: Mapping[TableName, str]) -> None:
        if done:
            tables = self.tables([build.table for build, _ in done if build.table not in known])
            changed = {**known, **{table: changed_at(found) for table, found in tables.items()}}
            self._replace([Row.of(build, context, changed.get(build.table, "")) for build, context in done])

    def forget(self, tables: Sequence[TableName]) -> None:
        """Take the rows of these tables out of the record."""
        self._replace((), gone=tables)

    def note_failed(self, tables: Iterable[TableName]) -> None:
        """Record that these tables were to be built, and are not published."""
        before = {row.table: row for row in self._rows()}
        rows = [before.get(table, Row(table.dataset, table.name)) for table in tables]
        self._replace([replace(row, is_failed=True) for row in rows])

    def records(self) -> Mapping[TableName, BuildRecord]:
        """The record of each table of the project."""
        other = self._datasets.settings.other
        rows = self._read = [row for row in self._rows() if other is None or not other.has(row.dataset)]
        tables = self.tables([row.table for row in rows])
        changed = {table: changed_at(found) for table, found in tables.items()}
        return {row.table: row.record(changed.get(row.table, "")) for row in rows}

    def durations(self) -> Mapping[TableName, tuple[float, ...]]:
        """The seconds of each table's last builds, as the record was when it was read last: they are only a hint, so
        they are asked for once."""
        if self._read is not None:
            return {row.table: seconds_from_text(row.took) for row in self._read}
        fields = [bigquery.SchemaField(name, _COLUMNS[name]) for name in ("dataset", "name", "took")]
        table = self._datasets.reference(TABLE.dataset).table(TABLE.name)
        try:
            with google_errors():
                once, timeout = Retry(lambda _error: False), self._datasets.waits.request
                rows = self._datasets.client.list_rows(table, selected_fields=fields, retry=once, timeout=timeout)
                return {TableName(row[0], row[1]): seconds_from_text(row[2]) for row in rows}
        except WarehouseError:  # nothing was published yet, or by an earlier version of this software
            return {}

    def tables(self, names: Iterable[TableName]) -> dict[TableName, bigquery.Table]:
        """Those of the tables that are there, and that this account may see."""

        def look(name: TableName) -> bigquery.Table | None:
            with suppress(NotAllowed):
                return self._datasets.table_or_none(name)
            return None

        names = list(names)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="look") as pool:
            found = zip(names, pool.map(look, names), strict=True)
            return {name: table for name, table in found if table is not None}

    def _replace(self, rows: Sequence[Row], gone: Sequence[TableName] = ()) -> None:
        old, self._read = self._datasets.table_or_none(TABLE), None
        if not (rows or old):
            return
        if old is None:
            self._datasets.create_own_dataset()
        config = self._datasets.config({})
        config.destination = self._datasets.reference(TABLE.dataset).table(TABLE.name)
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
        sql = rows_sql(self._datasets.path(TABLE), rows, gone, [field.name for field in old.schema] if old else ())
        self._datasets.jobs.finish(f"built-{secrets.token_hex(16)}", sql, config)

    def _rows(self) -> list[Row]:
        table = self._datasets.table_or_none(TABLE)
        if table is None:
            return []
        with google_errors():
            return rows_of(self._datasets.client.list_rows(table, **self._datasets.patience))


def changed_at(table: bigquery.Table) -> str:
    """When the table was changed last."""
    return table.modified.isoformat() if table.modified is not None else ""


def between(first: datetime, last: datetime) -> str:
    """That a table was changed last between both moments, for `Row.changed`."""
    return f"{first.isoformat()}/{last.isoformat()}"


def is_at(changed: str, said: str) -> bool:
    """Whether a table was `changed` when the record has `said`."""
    first, _, last = said.partition("/")
    if not last:
        return changed == said
    return datetime.fromisoformat(first) <= datetime.fromisoformat(changed) <= datetime.fromisoformat(last)


def version_of(table: bigquery.Table) -> str:
    """A text that differs once the rows of the table may differ; "" for one of which BigQuery does not say so: a view,
    an external table, or a table to which rows are streamed."""
    if table.table_type != "TABLE" or table.streaming_buffer is not None:
        return ""
    return f"{changed_at(table)}, {table.num_rows} rows"


def rows_sql(path: str, rows: Sequence[Row], gone: Iterable[TableName], there: Collection[str]) -> str:
    """The query for the new content of the record, which is at `path`: these rows, and of the old ones all but those of
    the same tables and of those that are `gone`. The record is `there` with these columns, which may be those of an
    earlier version of this software."""
    struct = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    new = f"SELECT {', '.join(_COLUMNS)} FROM UNNEST(ARRAY<STRUCT<{struct}>>[{', '.join(map(_row_sql, rows))}])"
    if not there:
        return new
    kept = [name if name in there else f"CAST(NULL AS {kind}) AS {name}" for name, kind in _COLUMNS.items()]
    names = ", ".join(_literal(f"{one}") for one in sorted({*gone, *(row.table for row in rows)}))
    old = f"SELECT {', '.join(kept)} FROM {path} WHERE CONCAT(dataset, '.', name) NOT IN UNNEST(ARRAY<STRING>[{names}])"
    return f"{old} UNION ALL {new}"


def rows_of(found: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows of the record, from those of its table."""
    return [Row(**dict(row.items())) for row in found]


def _row_sql(row: Row) -> str:
    return f"({', '.join(map(_literal, astuple(row)))})"


def _literal(value: str | bool | None) -> str:
    """JSON's texts are those of GoogleSQL, as long as they have no pairs of surrogates."""
    return "NULL" if value is None else json.dumps(value, ensure_ascii=False)
