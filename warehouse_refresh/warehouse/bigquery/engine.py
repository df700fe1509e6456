"""The warehouse on BigQuery."""

import secrets
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self, TypeVar

from warehouse_refresh.warehouse import (
    Answer,
    Append,
    BuildContext,
    Built,
    Outcome,
    Publication,
    Published,
    QueryPlan,
    Row,
    Staged,
    TableBuild,
    batches,
)
from warehouse_refresh.warehouse.bigquery import names
from warehouse_refresh.warehouse.bigquery.building.builder import Builder
from warehouse_refresh.warehouse.bigquery.building.storage import changes_of, describe
from warehouse_refresh.warehouse.bigquery.datasets import Datasets
from warehouse_refresh.warehouse.bigquery.errors import google_errors
from warehouse_refresh.warehouse.bigquery.lease import TABLE, Lease
from warehouse_refresh.warehouse.bigquery.names import STAGING_DATASET
from warehouse_refresh.warehouse.bigquery.parts.records import PartRecords
from warehouse_refresh.warehouse.bigquery.publishing.built import MADE_BY, Recorder, version_of
from warehouse_refresh.warehouse.bigquery.publishing.publisher import Publisher
from warehouse_refresh.warehouse.bigquery.publishing.stager import Stager
from warehouse_refresh.warehouse.bigquery.queries.queries import Queries, parameters, places_of
from warehouse_refresh.warehouse.bigquery.schema import column_of, load_config, quoted, read_as_text, type_sql
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings, Waits
from warehouse_refresh.warehouse.bigquery.storing.append import Sender, Target
from warehouse_refresh.warehouse.bigquery.storing.keys import Keys
from warehouse_refresh.warehouse.builds.parts import PartRecord
from warehouse_refresh.warehouse.builds.records import BuildRecord
from warehouse_refresh.warehouse.errors import NotAllowed, SqlError, WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.parser import names_in
from warehouse_refresh.warehouse.sql.query import Function, Query, Statement
from warehouse_refresh.warehouse.storage import PLAIN, Storage
from warehouse_refresh.warehouse.types import Column

if TYPE_CHECKING:
    from warehouse_refresh.warehouse.sql.cache import SqlCache
    from warehouse_refresh.warehouse.values.parquet import ParquetFile

T = TypeVar("T")


class BigQueryWarehouse:
    """A project's datasets as a warehouse. Implements `warehouse.Warehouse`.

    Nothing is opened before the first call, which raises NotAllowed if there are no credentials.
    """

    plans_at_once = 16  # a plan is a request that mostly waits

    def __init__(self, settings: BigQuerySettings, waits: Waits | None = None, cache: "SqlCache | None" = None) -> None:
        self._datasets = Datasets(settings, waits or Waits())
        self._queries = Queries(self._datasets, cache)
        self._builder = Builder(self._datasets, self._queries)
        self._stager = Stager(self._datasets, self._queries, self._builder)
        self._recorder = Recorder(self._datasets)
        self._publisher = Publisher(self._datasets, self._builder, self._stager, self._recorder)
        self._production = _production(settings, waits or Waits())

    @property
    def builds_at_first(self) -> int:
        return 8 if self._datasets.settings.priority == "INTERACTIVE" else sys.maxsize

    def tables(self, dataset: str) -> list[TableName]:
        return sorted(table for table, _ in self._datasets.kinds(dataset))

    def built_tables(self, dataset: str) -> list[TableName]:
        return sorted(table for table, kind in self._datasets.kinds(dataset) if kind in ("TABLE", "VIEW"))

    def view_reads(self) -> Mapping[TableName, frozenset[TableName]]:
        """A request for each dataset and each view. What this account may not see is left out."""
        with google_errors():
            items = self._datasets.client.list_datasets(**self._datasets.patience)
            datasets = [item.dataset_id for item in items if item.dataset_id not in (OWN_DATASET, STAGING_DATASET)]
        found: dict[TableName, frozenset[TableName]] = {}
        for dataset in {*datasets} - {OWN_DATASET, STAGING_DATASET}:
            with suppress(NotAllowed):
                views = [table for table, kind in self._datasets.kinds(dataset) if kind.endswith("VIEW")]
                found |= {view: self._read_by_view(view) for view in views}
        return found

    def _read_by_view(self, view: TableName) -> frozenset[TableName]:
        """The tables of this project that the view reads; none of one in legacy SQL or that is gone."""
        found = self._datasets.table_or_none(view)
        text = (found.view_query or found.mview_query or "") if found is not None else ""
        with suppress(SqlError):
            own = {"", self._datasets.settings.project}
            return frozenset(read.table for read in names_in(text) if read.project in own)
        return frozenset()

    def columns(self, table: TableName) -> tuple[Column, ...]:
        return self._datasets.columns(table)

    def row_count(self, table: TableName) -> int:
        found = self._datasets.table(table)
        if found.table_type == "TABLE":
            return int(found.num_rows or 0)
        [(count,)] = self._of_query(f"SELECT COUNT(*) FROM {self._datasets.path(table)}", 1)
        return int(count)

    def first_rows(self, table: TableName, limit: int) -> list[tuple[Any, ...]]:
        found = self._datasets.table(table)
        if found.table_type != "TABLE":  # only the rows of tables can be listed
            return self._of_query(f"SELECT * FROM {self._datasets.path(table)} LIMIT {limit}", limit)
        found.schema = [read_as_text(field) for field in found.schema]
        with google_errors():
            return [
                row.values()
                for row in self._datasets.client.list_rows(found, max_results=limit, **self._datasets.patience)
            ]

    def _of_query(self, sql: str, limit: int) -> list[tuple[Any, ...]]:
        """The rows that the query answers."""
        return [row.values() for row in self._datasets.jobs.ask(sql, self._datasets.config({}), limit)]

    def fetch(
        self, query: Query, limit: int | None, staged: Collection[TableName] = (), context: BuildContext | None = None
    ) -> Answer:
        config = self._datasets.config({})
        config.query_parameters = parameters(query)
        places = self._stager.places(query, staged, context) if context else {}
        with self._queries.alone(query, {}, places) as sql:
            found = self._datasets.jobs.ask(sql, config, limit)
        columns = tuple(map(column_of, found.schema))
        return Answer(columns, [row.values() for row in found])

    def create_datasets(self, datasets: Iterable[str]) -> None:
        """Also create the datasets of this tool's own tables. An account that may not create one gets NotAllowed from
        the first call that needs it."""
        datasets = list(datasets)
        for own in {OWN_DATASET, STAGING_DATASET}.intersection(map(str.casefold, datasets)):
            raise WarehouseError(f"the dataset {own} is this tool's own: give yours another name")
        for dataset in datasets:
            with google_errors():
                self._datasets.create_dataset(dataset)
        with suppress(NotAllowed):
            self._datasets.create_own_dataset()
            self._datasets.create_staging_dataset()

    @contextmanager
    def refresh_lock(self, holder: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        table = self._datasets.reference(OWN_DATASET).table(TABLE)
        self._datasets.lease = Lease(self._datasets.jobs, self._datasets.waits, table, self._datasets.make_lease)
        try:
            with self._datasets.lease.held(holder, on_wait):
                self._datasets.seen = {}
                yield
        finally:
            self._datasets.lease = self._datasets.seen = None

    def run_script(self, statements: Sequence[Statement], *, together: bool = False) -> None:
        """Each statement is a job of its own, whose error has its place: BigQuery has no transaction around CREATE
        TABLE. `together` they are one job, which goes on without this process:
        https://cloud.google.com/bigquery/docs/multi-statement-queries"""
        self._datasets.seen = None
        if together:
            self._datasets.run(";\n".join(statement.text for statement in statements))
            return
        for statement in statements:
            config = self._datasets.config({"table": str(statement.target or "")})
            try:
                with places_of(statement.text):
                    self._datasets.jobs.run(f"script-{secrets.token_hex(16)}", statement.text, config)
            except SqlError as error:
                raise statement.located(error) from error

    def storage_changes(self, build: TableBuild) -> list[str]:
        found = self._datasets.table_or_none(build.table) if build.storage != PLAIN else None
        if found is None or (found.table_type == "VIEW") != build.is_view:
            return []
        return [f"changes: {change}" for change in changes_of(found, build.storage)]

    def describe(self, table: TableName, storage: Storage) -> None:
        found = self._datasets.table(table)
        self._datasets.change(found, describe(found, storage))

    def partitions(self, table: TableName) -> Sequence[PartRecord]:
        return PartRecords(self._datasets).of(table)

    def append(self, table: TableName, appends: Sequence[Append]) -> list[Outcome]:
        found = self._datasets.table(table)
        target = Target(
            table,
            self._datasets.path(table),
            tuple(map(column_of, found.schema)),
        )
        return self._sender.send(target, appends)

    def load(self, table: TableName, file: "ParquetFile") -> None:
        """The file is written anew first: its types are then those that BigQuery reads as the table's."""
        from warehouse_refresh.warehouse.values.parquet import write_plain  # imports DuckDB

        config = load_config(file.columns, names.labels({"table": str(table)}))
        with TemporaryDirectory(prefix="refresh-") as folder:
            plain = Path(folder) / "rows.parquet"
            write_plain(file, plain)
            self._datasets.jobs.load(plain, self._datasets.reference(table.dataset).table(table.name), config)

    def offer(self, table: TableName, file: "ParquetFile") -> None:
        self._datasets.seen = None
        self._datasets.create_own_dataset()
        columns = ", ".join(f"{quoted(column.name)} {type_sql(column.type)}" for column in file.columns)
        self._datasets.run(f"CREATE OR REPLACE TABLE {self._datasets.path(table)} ({columns})")
        self.load(table, file)

    def load_rows(self, table: TableName, rows: Sequence[Row]) -> None:
        from warehouse_refresh.warehouse.values.parquet import holds_exactly, write_rows  # imports DuckDB

        columns = self.columns(table)
        if not all(holds_exactly(column.type) for column in columns):
            for batch in batches(rows):
                self.append(table, [Append(batch)])
            return
        with TemporaryDirectory(prefix="refresh-") as folder:
            self.load(table, write_rows(columns, rows, Path(folder) / "written.parquet"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @cached_property
    def _sender(self) -> Sender:
        def run(statement: str) -> None:
            self._datasets.jobs.run(f"keys-{secrets.token_hex(16)}", statement, self._datasets.config({}))

        keys = Keys(self._datasets.settings.project, run, self._datasets.create_own_dataset)
        return Sender(self._datasets.jobs, self._datasets.config, keys)

    def drop(self, table: TableName) -> None:
        self._datasets.drop(table)

    def drop_dataset(self, name: str) -> None:
        self._datasets.drop_dataset(name)

    def create_own_dataset(self) -> None:
        """Create the dataset of this project's own tables, if it does not exist yet."""
        self._datasets.create_own_dataset()

    def create_functions(self, functions: Iterable[Function]) -> None:
        self._datasets.create_functions(functions)

    def plan(self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> QueryPlan:
        return self._queries.plan(query, stand_ins)

    def build(self, build: TableBuild, context: BuildContext) -> Built:
        self._datasets.seen = None
        done = self._builder.build(build, context)
        self._recorder.add([build.after(done.seconds)], context)
        return done

    def stage(self, build: TableBuild, staged: Collection[TableName], context: BuildContext) -> Built:
        self._datasets.seen = None
        return self._stager.stage(build, staged, context)

    def staged(self, context: BuildContext) -> Mapping[TableName, Staged]:
        return self._publisher.staged(context)

    def publish(self, builds: Sequence[TableBuild], context: BuildContext) -> Published:
        return self._publisher.publish(builds, context)

    def discard(self, context: BuildContext, keep: Collection[TableName] = ()) -> None:
        self._recorder.write()
        self._stager.discard(context, keep)

    def recover(self, keep: str, say: Callable[[str], None]) -> None:
        self._publisher.recover(keep, say)

    @property
    def made_by(self) -> str:
        return MADE_BY

    def records(self) -> Mapping[TableName, BuildRecord]:
        """Those of production's project, too, if that is the other one."""
        return {**self._of_production(Recorder.records), **self._recorder.records()}

    def durations(self) -> Mapping[TableName, tuple[float, ...]]:
        return {**self._of_production(Recorder.durations), **self._recorder.durations()}

    def _of_production(self, read: Callable[[Recorder], Mapping[TableName, T]]) -> dict[TableName, T]:
        """What production's project has recorded of its tables, if that is the other one."""
        other = self._datasets.settings.other
        found = read(Recorder(self._production)) if self._production is not None else {}
        return {table: one for table, one in found.items() if other is not None and other.has(table.dataset)}

    def versions(self, tables: Collection[TableName]) -> Mapping[TableName, str]:
        known = {table: stored for table, stored in (self._datasets.seen or {}).items() if table in tables}
        asked = self._recorder.tables([table for table in tables if table not in known])
        found = {table: version_of(stored) for table, stored in {**known, **asked}.items()}
        return {table: version for table, version in found.items() if version}

    def costs(self, built: Sequence[Built]) -> Sequence[Built]:
        return self._builder.with_costs(built)

    def note_failed(self, tables: Collection[TableName]) -> None:
        self._recorder.note_failed(tables)

    def publications(self) -> Iterator[Publication]:
        return self._publisher.publications()

    def roll_back(
        self, publication: Publication, tables: Collection[TableName], context: BuildContext
    ) -> Mapping[TableName, str]:
        return self._publisher.roll_back(publication, tables, context)

    def cancel(self) -> None:
        """Cancel the running jobs and wait briefly until they have ended. May be called from a signal handler."""
        self._datasets.cancel()

    def close(self) -> None:
        """Cancel jobs that nobody waits for any more, and close the connections."""
        self._datasets.close()
        if self._production is not None:
            self._production.close()


def _production(settings: BigQuerySettings, waits: Waits) -> Datasets | None:
    """The datasets of production's project, if that is the other one."""
    if settings.other is None or not settings.other.is_production:
        return None
    return Datasets(replace(settings, project=settings.other.name, other=None), waits)
