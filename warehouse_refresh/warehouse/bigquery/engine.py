"""The warehouse on BigQuery."""

import dataclasses
import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self, TypedDict, cast

from google.api_core.exceptions import NotFound
from google.api_core.retry import Retry
from google.cloud import bigquery
from google.cloud.bigquery.table import TableListItem
from sqlglot import exp

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
from warehouse_refresh.warehouse.bigquery import names, replace, staging
from warehouse_refresh.warehouse.bigquery.client import open_client, row_access_policies
from warehouse_refresh.warehouse.bigquery.errors import GOOGLE_ERRORS, google_errors, translated
from warehouse_refresh.warehouse.bigquery.functions import call_edits, create_sql, mark, temporary_functions
from warehouse_refresh.warehouse.bigquery.jobs import Jobs
from warehouse_refresh.warehouse.bigquery.lease import LABEL, TABLE, Lease
from warehouse_refresh.warehouse.bigquery.plan import (
    Edit,
    dataset_edits,
    edited,
    original_place,
    query_edits,
    stand_ins_in,
)
from warehouse_refresh.warehouse.bigquery.preamble import has_variables, text_of, variable_edits
from warehouse_refresh.warehouse.bigquery.schema import column_of, field_of, load_config, quoted, read_as_text
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings, Waits
from warehouse_refresh.warehouse.bigquery.staging import STAGING_DATASET, Beside, Record, beside
from warehouse_refresh.warehouse.bigquery.storage import (
    changes_of,
    cluster_before,
    describe,
    describe_columns,
    kept_layout,
    lay_out,
    layout_sql,
    list_sql,
    needs_new_table,
    options_sql,
    partition_of,
    required_edits,
    said_schema,
)
from warehouse_refresh.warehouse.bigquery.storing.append import Sender, Target
from warehouse_refresh.warehouse.bigquery.storing.keys import Keys
from warehouse_refresh.warehouse.bigquery.storing.parameters import Value
from warehouse_refresh.warehouse.errors import (
    Cancelled,
    NotAllowed,
    SqlError,
    TableNotFound,
    Transient,
    Unavailable,
    WarehouseError,
)
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.parts import PartRecord
from warehouse_refresh.warehouse.sql.coercion import AnyValue, as_listed
from warehouse_refresh.warehouse.sql.literals import NULL
from warehouse_refresh.warehouse.sql.parser import names_in
from warehouse_refresh.warehouse.sql.query import Function, Query, Read, Statement, parse_query
from warehouse_refresh.warehouse.storage import PLAIN, Storage
from warehouse_refresh.warehouse.types import Column

if TYPE_CHECKING:
    from warehouse_refresh.warehouse.values.parquet import ParquetFile

logger = logging.getLogger(__name__)
_AT_ONCE = 16
"""How many tables are published, or dropped, at the same time."""


class Patience(TypedDict):
    """How a request is retried, and how many seconds each try may take."""

    retry: Retry
    timeout: float


class BigQueryWarehouse:
    """A project's datasets as a warehouse. Implements `warehouse.Warehouse`.

    Nothing is opened before the first call, which raises NotAllowed if there are no credentials.
    """

    plans_at_once = 16  # a plan is a request that mostly waits

    def __init__(self, settings: BigQuerySettings, waits: Waits | None = None) -> None:
        self._settings, self._waits = settings, waits or Waits()
        self._opened: Jobs | None = None
        self._lease: Lease | None = None
        self._opening = threading.Lock()
        self._creating = threading.Lock()
        self._created = set[str]()  # the texts of functions that are as they should be
        self._has_staging_dataset = False
        self._areas: dict[str, dict[TableName, Beside]] = {}  # what each run has staged, by the hash of the run
        # By the query's text and the values of its parameters; a refresh plans before it builds.
        self._planned: dict[tuple[str, str], tuple[Column, ...]] = {}

    def tables(self, dataset: str) -> list[TableName]:
        return sorted(table for table, _ in self._kinds(dataset))

    def built_tables(self, dataset: str) -> list[TableName]:
        return sorted(table for table, kind in self._kinds(dataset) if kind in ("TABLE", "VIEW"))

    def view_reads(self) -> Mapping[TableName, frozenset[TableName]]:
        """A request for each dataset and each view. What this account may not see is left out."""
        with google_errors():
            items = self._client.list_datasets(**self._patience)
            datasets = [item.dataset_id for item in items if item.dataset_id not in (OWN_DATASET, STAGING_DATASET)]
        found: dict[TableName, frozenset[TableName]] = {}
        for dataset in {*datasets} - {OWN_DATASET, STAGING_DATASET}:
            with suppress(NotAllowed):
                views = [table for table, kind in self._kinds(dataset) if kind.endswith("VIEW")]
                found |= {view: self._read_by_view(view) for view in views}
        return found

    def drop(self, table: TableName) -> None:
        found = self._table_or_none(table)
        if found is not None:
            self._run(f"DROP {found.table_type} IF EXISTS {self._path(table)}")

    def _kinds(self, dataset: str) -> list[tuple[TableName, str]]:
        """The dataset's tables with what BigQuery calls each: TABLE, VIEW, MATERIALIZED_VIEW, EXTERNAL, SNAPSHOT."""
        with google_errors():
            try:
                items = list(self._client.list_tables(self._reference(dataset), **self._patience))
            except NotFound:
                return []
        return [(TableName(dataset, item.table_id), str(item.table_type)) for item in items]

    def _read_by_view(self, view: TableName) -> frozenset[TableName]:
        """The tables of this project that the view reads; none of one in legacy SQL or that is gone."""
        found = self._table_or_none(view)
        text = (found.view_query or found.mview_query or "") if found is not None else ""
        with suppress(SqlError):
            own = {"", self._settings.project}
            return frozenset(read.table for read in names_in(text) if read.project in own)
        return frozenset()

    def columns(self, table: TableName) -> tuple[Column, ...]:
        return tuple(map(column_of, self._table(table).schema))

    def row_count(self, table: TableName) -> int:
        found = self._table(table)
        if found.table_type == "TABLE":
            return int(found.num_rows or 0)
        [(count,)] = self._of_query(f"SELECT COUNT(*) FROM {self._path(table)}", 1)
        return int(count)

    def first_rows(self, table: TableName, limit: int) -> list[tuple[Any, ...]]:
        found = self._table(table)
        if found.table_type != "TABLE":  # only the rows of tables can be listed
            return self._of_query(f"SELECT * FROM {self._path(table)} LIMIT {limit}", limit)
        found.schema = [read_as_text(field) for field in found.schema]
        with google_errors():
            return [row.values() for row in self._client.list_rows(found, max_results=limit, **self._patience)]

    def _of_query(self, sql: str, limit: int) -> list[tuple[Any, ...]]:
        """The rows that the query answers."""
        job = self._jobs.run(f"query-{secrets.token_hex(16)}", sql, self._config({}))
        return [row.values() for row in self._jobs.result(job, limit)]

    def fetch(
        self, query: Query, limit: int | None, staged: Collection[TableName] = (), context: BuildContext | None = None
    ) -> Answer:
        config = self._config({})
        config.query_parameters = _parameters(query)
        places = self._places(query, staged, context) if context else {}
        with self._alone(query, {}, places) as sql:
            job = self._jobs.run(f"query-{secrets.token_hex(16)}", sql, config)
        found = self._jobs.result(job, limit)
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
                self._create_dataset(dataset)
        with suppress(NotAllowed):
            self.create_own_dataset()
            self._create_staging_dataset()

    def create_own_dataset(self) -> None:
        """Create the dataset of this project's own tables, if it does not exist yet."""
        with google_errors():
            self._create_dataset(OWN_DATASET)

    def create_functions(self, functions: Iterable[Function]) -> None:
        with self._creating:
            for function in functions:
                if function.text not in self._created:
                    self._create_function(function)
                    self._created.add(function.text)

    def _create_function(self, function: Function) -> None:
        ids = {"projectId": self._settings.project, "datasetId": function.name.dataset, "routineId": function.name.name}
        stored = ""
        with suppress(WarehouseError), google_errors():  # if it is not there, it is created
            stored = self._client.get_routine(bigquery.RoutineReference.from_api_repr(ids), **self._patience).body or ""
        if mark(function) not in stored:
            try:
                self._run(create_sql(function, self._path(function.name)))
            except SqlError as error:
                raise SqlError(f"the function {function.name} cannot be created: {error.reason}") from error

    @contextmanager
    def refresh_lock(self, holder: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        table = self._reference(OWN_DATASET).table(TABLE)
        self._lease = Lease(self._jobs, self._waits, table, self._make_lease)
        try:
            with self._lease.held(holder, on_wait):
                yield
        finally:
            self._lease = None

    def run_script(self, statements: Sequence[Statement]) -> None:
        """Each statement is a job of its own: BigQuery has no transaction around CREATE TABLE."""
        for statement in statements:
            config = self._config({"table": str(statement.target or "")})
            try:
                with _places_of(statement.text):
                    self._jobs.run(f"script-{secrets.token_hex(16)}", statement.text, config)
            except SqlError as error:
                raise statement.located(error) from error

    def build(self, build: TableBuild, context: BuildContext) -> Built:
        config = self._config(self._labels(build.table, context))
        if build.is_view:
            name = names.build_name(context.run, build.table)
            return self._built(self._build_view(build, config, name, context.attempt), rows=None)
        found = self._table_or_none(build.table)
        if found is not None and (found.table_type == "VIEW" or needs_new_table(found, build.storage)):
            return self._build_beside(build, found, context)
        if build.query.listed:
            return self._build_listed(build, config, context, found)
        config.destination = self._reference(build.table.dataset).table(build.table.name)
        config.query_parameters = _parameters(build.query)
        before = self._prepare_replacement(build, config, found)
        text = text_of(build.query)
        edits = sorted([*self._edits(build.query, {}), *required_edits(build)], key=lambda edit: (edit.start, edit.end))
        with _places_of(text, edits), self._filled(build, found):
            name = names.build_name(context.run, build.table, build.query.values_text)
            job = self._jobs.run(name, edited(text, edits), config, context.attempt)
        after = self._table(build.table)
        self._put_back(before, after, build.storage)
        return self._built(job, rows=int(after.num_rows or 0))

    def _build_listed(
        self, build: TableBuild, config: bigquery.QueryJobConfig, context: BuildContext, found: bigquery.Table | None
    ) -> Built:
        """Replace the table by one with the columns that its script lists. Only CREATE TABLE makes a REQUIRED column;
        it keeps nothing of the old table. Raises WarehouseError if that lifted a protection of it."""
        storage = build.storage
        if found is not None:
            if protected := self._protections(build.table, found):
                raise replace.refusal_of_list(build.table, protected)
            self._change(found, cluster_before(found, storage))
            storage = kept_layout(found, storage)
        text = text_of(build.query)
        edits = [self._create_edit(build, storage), *self._edits(build.query, {})]
        config.query_parameters = _parameters(build.query)
        with _places_of(text, edits):
            name = names.build_name(context.run, build.table, build.query.values_text)
            job = self._jobs.run(name, edited(text, edits), config, context.attempt)
        after = self._table(build.table)
        self._put_back(found, after, build.storage)
        return self._built(job, rows=int(after.num_rows or 0))

    def _create_edit(self, build: TableBuild, storage: Storage) -> Edit:
        """Writes CREATE TABLE with the listed columns before the query. It takes no line of its own, so that errors
        keep their lines."""
        create = f"CREATE OR REPLACE TABLE {self._path(build.table)} {list_sql(build.query.listed)}"
        start = build.query.start_offset
        return Edit(start, start, f"{create}{layout_sql(storage, build.query.listed)} AS ")

    def _labels(self, table: TableName, context: BuildContext) -> dict[str, str]:
        """The labels of a job that builds the table. Raises WarehouseError if this refresh has lost its lease."""
        labels = {"run": context.run, "table": str(table), **context.labels}
        if self._lease is not None:
            self._lease.check()
            labels[LABEL] = self._lease.token
        return labels

    def _build_beside(self, build: TableBuild, old: bigquery.Table, context: BuildContext) -> Built:
        """Put a table in the place of a view, or of a table that is partitioned in another way. BigQuery replaces
        neither directly. So the new table is built beside the old one, and then one job replaces the old one. Readers
        find no table for a moment. The job ends even if this process dies. If the query fails, the old table stays."""
        if protected := self._protections(build.table, old):
            raise _refusal_of_partitions(build, old, protected)
        self.create_own_dataset()
        beside = names.beside(build.table)
        self._drop_other(beside, build.storage)
        built = self.build(dataclasses.replace(build, table=beside), context)
        new, path = self._path(beside), self._path(build.table)
        self._run(f"DROP {old.table_type} IF EXISTS {path}; CREATE TABLE {path} CLONE {new}; DROP TABLE {new}")
        self._put_back(old if old.table_type == "TABLE" else None, self._table(build.table), build.storage)
        return built

    def _drop_other(self, table: TableName, storage: Storage) -> None:
        """Drop what an earlier run has left."""
        found = self._table_or_none(table)
        if found is not None and needs_new_table(found, storage):
            self.drop(table)

    @contextmanager
    def _filled(self, build: TableBuild, found: bigquery.Table | None) -> Iterator[None]:
        """Drop the table that `_prepare_replacement` has made if the job in the block fails."""
        try:
            yield
        except WarehouseError:
            if found is None and build.storage.policy_tags:
                with suppress(*GOOGLE_ERRORS):
                    reference = self._reference(build.table.dataset).table(build.table.name)
                    self._client.delete_table(reference, not_found_ok=True, **self._patience)
            raise

    def _run(self, statement: str) -> None:
        self._jobs.run(f"script-{secrets.token_hex(16)}", statement, self._config({}))

    def _table_or_none(self, name: TableName) -> bigquery.Table | None:
        try:
            return self._table(name)
        except TableNotFound:
            return None

    def _build_view(
        self, build: TableBuild, config: bigquery.QueryJobConfig, name: str, attempt: int = 1
    ) -> bigquery.QueryJob:
        """Replace the view. If a table has its name, readers find neither for a moment: BigQuery replaces no table by a
        view."""
        path = self._path(build.table)
        drop = ""
        if self._is_unprotected_table(build.table):
            self.plan(build.query, {})  # what cannot be a view leaves the table
            drop = f"DROP TABLE {path}; "
        listed = f" {list_sql(build.query.listed)}" if build.query.listed else ""
        before = f"{drop}CREATE OR REPLACE VIEW {path}{listed}{options_sql(build.storage)} AS\n"
        text, edits = text_of(build.query), self._edits(build.query, {})
        with _places_of(text, edits, lines_before=1):
            job = self._jobs.run(name, before + edited(text, edits), config, attempt)
        if build.storage.column_descriptions:
            self._put_back(None, self._table(build.table), build.storage)
        return job

    def _is_unprotected_table(self, name: TableName) -> bool:
        """Whether a table has this name. Raises WarehouseError for one that only some people may see."""
        table = self._table_or_none(name)
        if table is None or table.table_type != "TABLE":
            return False
        if protected := self._protections(name, table):
            raise WarehouseError(
                f"{name} has {', '.join(protected)}, which a view in its place would not have: drop the table by hand"
            )
        return True

    def _built(self, job: bigquery.QueryJob, rows: int | None) -> Built:
        return Built(
            rows=rows,
            seconds=(job.ended - job.started).total_seconds() if job.ended and job.started else 0.0,
            bytes_processed=job.total_bytes_processed,
            bytes_billed=job.total_bytes_billed,
            slot_milliseconds=job.slot_millis,
            cache_hit=job.cache_hit,
            job_link=names.job_link(self._settings.project, self._settings.location, job.job_id),
        )

    def storage_changes(self, build: TableBuild) -> list[str]:
        found = self._table_or_none(build.table) if build.storage != PLAIN else None
        if found is None or (found.table_type == "VIEW") != build.is_view:
            return []
        return [f"changes: {change}" for change in changes_of(found, build.storage)]

    def stage(self, build: TableBuild, staged: Collection[TableName], context: BuildContext) -> Built:
        place = beside(build, context)
        area, places = self._area(context), self._places(build.query, staged, context)
        self._create_staging_dataset()
        if build.is_view:
            job, rows = self._stage_view(build, place, places, context), None
        else:
            job = self._stage_table(build, place, places, context)
            rows = int(self._table(place.name).num_rows or 0)
        before = area.get(build.table, place)
        area[build.table] = place
        if before != place:
            self._drop_staged([before])
        return self._built(job, rows)

    def _stage_view(
        self, build: TableBuild, place: Beside, places: Mapping[TableName, Beside], context: BuildContext
    ) -> bigquery.QueryJob:
        _, edits = self._staged_edits(dataclasses.replace(build.query, functions=()), places)
        if any(read.table in places for function in build.query.functions for read in function.names):
            raise SqlError(
                f"the view {build.table} calls a function that reads a table of this refresh: BigQuery's views cannot"
                " call it before that table is published",
                hint='write the function\'s query into the view, or set publish = "each"',
            )
        self.create_functions(build.query.functions)
        self._is_unprotected_table(build.table)  # raises for one that a view may not replace
        create = f"CREATE OR REPLACE VIEW {self._path(place.name)} AS\n"
        text = text_of(build.query)
        with _places_of(text, edits, lines_before=1):
            return self._run_staging(build, place, create + edited(text, edits), self._config({}), context)

    def _stage_table(
        self, build: TableBuild, place: Beside, places: Mapping[TableName, Beside], context: BuildContext
    ) -> bigquery.QueryJob:
        """Build the table with the columns, partitions and policy tags that it will have. Raises WarehouseError if
        publishing it would lift a protection of the old one."""
        query, config, text = build.query, self._config({}), text_of(build.query)
        before, edits = self._staged_edits(query, places)
        config.query_parameters = _parameters(query)
        old = self._table_or_none(build.table)
        old = old if old is not None and old.table_type == "TABLE" else None
        columns: Sequence[Column] = ()
        if old is not None or build.storage.policy_tags:
            columns = self._staged_result(query, before + edited(text, edits))
        if old is not None:
            self._check_protections(build, old, columns)
            old = None if needs_new_table(old, build.storage) else old
        if query.listed:
            layout = kept_layout(old, build.storage) if old is not None else build.storage
            edits += [self._create_edit(dataclasses.replace(build, table=place.name), layout)]
        else:
            self._lay_out_staged(build, place, old, columns, config)
            edits += required_edits(build)
        edits.sort(key=lambda edit: (edit.start, edit.end))
        with _places_of(text, edits, lines_before=before.count("\n")):
            return self._run_staging(build, place, before + edited(text, edits), config, context)

    def _staged_edits(self, query: Query, places: Mapping[TableName, Beside]) -> tuple[str, list[Edit]]:
        """The edits with which the query reads staged tables, in the order of the text; and what to write before it, if
        a function that it calls reads tables."""
        instead = self._paths(places)
        edits = [*query_edits(query, instead), *self._edits(query, self._staged_columns(query, places), instead)]
        before = ""
        if any(function.names for function in query.functions):  # those exist only once their tables are published
            text = text_of(query)
            edits += [edit for edit in call_edits(query.calls, query) if text[edit.start : edit.end].strip()]
            before = temporary_functions(query, instead)
        return before, sorted(edits, key=lambda edit: edit.start)

    def _staged_result(self, query: Query, sql: str) -> tuple[Column, ...]:
        """The columns of the query's result."""
        planned = self._planned.get((text_of(query), query.values_text))
        if planned is None:
            planned = tuple(map(column_of, self._jobs.dry_run(sql, _parameters(query)).schema or ()))
        return planned

    def _check_protections(self, build: TableBuild, old: bigquery.Table, columns: Sequence[Column]) -> None:
        """Raise WarehouseError if the table cannot be published without lifting a protection of the old one."""
        other_partitions = needs_new_table(old, build.storage)
        if replace.keeps_columns(old, columns) and not other_partitions and not build.query.listed:
            return
        protected = self._protections(build.table, old)
        if protected and other_partitions:
            raise _refusal_of_partitions(build, old, protected)
        if protected and build.query.listed:
            raise replace.refusal_of_list(build.table, protected)
        if protected and not replace.has_columns(old, columns):
            raise replace.refusal(build.table, old, columns, protected)

    def _lay_out_staged(
        self,
        build: TableBuild,
        place: Beside,
        old: bigquery.Table | None,
        columns: Sequence[Column],
        config: bigquery.QueryJobConfig,
    ) -> None:
        """Set how the job writes the staged table. One with policy tags is created first: its columns have them before
        they have values."""
        config.destination = self._reference(STAGING_DATASET).table(place.name.name)
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
        keeps = old is not None and replace.keeps_columns(old, columns)
        fields = old.schema if old is not None and keeps else map(field_of, columns)
        schema = said_schema(fields, build.storage)
        if not any(replace.tagged(schema)):
            if old is not None:
                replace.keep_layout(old, config, columns)
            lay_out(config, build.storage)
            return
        table = bigquery.Table(config.destination, schema)
        lay_out(table, kept_layout(old, build.storage) if old is not None else build.storage)
        with google_errors():
            self._client.delete_table(config.destination, not_found_ok=True, **self._patience)
            self._client.create_table(table, **self._patience)
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE_DATA

    def _run_staging(
        self, build: TableBuild, place: Beside, sql: str, config: bigquery.QueryJobConfig, context: BuildContext
    ) -> bigquery.QueryJob:
        """Run the job that stages a table, or find that of this run. If its table is gone, another one makes it."""
        config.labels = names.labels(self._labels(build.table, context))
        name = names.build_name(context.run, build.table, f"staged {place.fingerprint} {build.query.values_text}")
        job = self._jobs.run(name, sql, config, context.attempt)
        if self._table_or_none(place.name) is None:
            job = self._jobs.run(f"{name}-{secrets.token_hex(8)}", sql, config)
        return job

    def publish(self, builds: Sequence[TableBuild], context: BuildContext) -> Published:
        area = self._area(context)
        items = [(build, staging.place_for(area, build, context)) for build in builds]
        if not items:
            return Published(0.0)
        started = time.monotonic()
        record = self._write_record([place for _, place in items], context)
        ends = self._publish_all(items, context)
        self._close_record(record)
        for build, _ in items:
            del area[build.table]
        self._drop_staged([place for _, place in items])
        return Published(time.monotonic() - started, (max(ends) - min(ends)).total_seconds())

    def _publish_all(self, items: Sequence[tuple[TableBuild, Beside]], context: BuildContext) -> list[datetime]:
        """Publish the tables at once, then the views in their order. Returns when each job ended."""
        tables = [item for item in items if not item[0].is_view]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="publish") as pool:
            jobs = list(pool.map(lambda item: self._publish_table(item[0], item[1], context), tables))
        self.create_functions(function for build, _ in items for function in build.query.functions)
        for build, place in items:
            if build.is_view:
                config = self._config(self._labels(build.table, context))
                jobs.append(
                    self._build_view(build, config, names.publish_name(place.run, build.table, place.fingerprint))
                )
        return [job.ended for job in jobs]

    def _publish_table(self, build: TableBuild, place: Beside, context: BuildContext) -> bigquery.QueryJob:
        """Put the staged table in place of the old one. A protected table keeps its protections: it gets the rows by a
        query, which costs as much as reading them."""
        found, new = self._table_or_none(build.table), self._table(place.name)
        path, beside = self._path(build.table), self._path(place.name)
        config = self._config(self._labels(build.table, context))
        old = found if found is not None and found.table_type == "TABLE" else None
        goes = found is not None and (old is None or _cannot_become(old, new))
        if old is not None and not goes and old.clustering_fields != new.clustering_fields:
            old.clustering_fields = new.clustering_fields
            old = self._change(old, ["clustering_fields"])
        if old is not None and self._may_be_protected(build.table, old, new):
            old = self._change(old, describe_columns(old, build.storage))
            config.destination = old.reference
            config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE_DATA
            sql = f"SELECT * FROM {beside}"
        else:
            drop = f"DROP {found.table_type} IF EXISTS {path}; " if found is not None and goes else ""
            sql = f"{drop}CREATE OR REPLACE TABLE {path} CLONE {beside}"
        job = self._jobs.run(names.publish_name(place.run, build.table, place.fingerprint), sql, config)
        self._put_back(old, self._table(build.table), build.storage)
        return job

    def _may_be_protected(self, name: TableName, old: bigquery.Table, new: bigquery.Table) -> bool:
        """Whether the table has protections, or may have some that this account may not see."""
        try:
            return bool(self._protections(name, old))
        except NotAllowed:
            if not replace.has_columns(old, tuple(map(column_of, new.schema))):
                raise
            return True

    def _write_record(self, places: Sequence[Beside], context: BuildContext) -> Record:
        """Record what is going to be published."""
        record = staging.record_of(places)
        config = self._config({"run": context.run})
        config.destination = self._reference(STAGING_DATASET).table(record.name.name)
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
        self._jobs.run(f"record-{secrets.token_hex(16)}", staging.record_sql(places), config)
        return record

    def _close_record(self, record: Record) -> None:
        table = self._table(record.name)
        table.labels = {**table.labels, staging.DONE: "true"}
        self._change(table, ["labels"])

    def _recorded(self, record: Record) -> list[Beside]:
        with google_errors():
            rows = self._client.list_rows(self._table(record.name), **self._patience)
            return staging.places_of(record.run, [row.values() for row in rows])

    def staged(self, context: BuildContext) -> Mapping[TableName, Staged]:
        run = staging.run_hash(context.run)
        done = [one for one in staging.records_in(self._staging_items()) if one.is_done]
        ours = [record for record in done if record.run == run]
        published = {place.table: place for record in ours for place in self._recorded(record)}
        first = min((str(record.at) for record in ours), default="")
        for record in done if ours else ():
            if record.run != run and str(record.at) > first:
                for place in self._recorded(record):
                    published.pop(place.table, None)
        return {table: Staged(place.fingerprint, is_published=True) for table, place in published.items()} | {
            table: Staged(place.fingerprint) for table, place in self._area(context).items()
        }

    def discard(self, context: BuildContext, keep: Collection[TableName] = ()) -> None:
        area = self._area(context)
        left = [place for table, place in area.items() if table not in keep]
        self._drop_staged(left)
        for place in left:
            del area[place.table]

    def recover(self, keep: str, say: Callable[[str], None]) -> None:
        items = self._staging_items()
        staged = list(staging.staged_in(items))
        for record in staging.records_in(items):
            if not record.is_done:
                self._complete(record, {place.name for place in staged}, say)
        kept = staging.run_hash(keep)
        self._drop_staged([place for place in staged if place.run != kept])

    def describe(self, table: TableName, storage: Storage) -> None:
        found = self._table(table)
        self._change(found, describe(found, storage))

    def partitions(self, table: TableName) -> Sequence[PartRecord]:
        raise WarehouseError(f"{table} is built by date, and only the embedded engine can do that so far")

    def publications(self) -> Iterator[Publication]:
        records = [record for record in staging.records_in(self._staging_items()) if record.is_done and record.at]
        for record in sorted(records, key=lambda record: str(record.at), reverse=True):
            tables = tuple(place.table for place in self._recorded(record))
            yield Publication(record.run, cast("datetime", record.at), tables)

    def roll_back(
        self, publication: Publication, tables: Collection[TableName], context: BuildContext
    ) -> Mapping[TableName, str]:
        """The earlier tables are staged by clones of what BigQuery keeps of the last seven days, and published as any:
        https://cloud.google.com/bigquery/docs/time-travel"""
        since = {table for later in self._later(publication) for table in later.tables}
        left = {table: "it was published again since" for table in tables if table in since}
        chosen = [table for table in publication.tables if table in tables and table not in left]
        self._create_staging_dataset()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="earlier") as pool:
            found = list(pool.map(lambda table: self._stage_earlier(table, publication.at, context), chosen))
        left |= {table: one for table, one in zip(chosen, found, strict=True) if isinstance(one, str)}
        places = [one for one in found if isinstance(one, Beside)]
        if places:
            record = self._write_record(places, context)
            self._publish_all([(self._build_of(place), place) for place in places], context)
            self._close_record(record)
            self._drop_staged(places)
        return left

    def _later(self, publication: Publication) -> Iterator[Publication]:
        return itertools.takewhile(lambda one: one.at > publication.at, self.publications())

    def _stage_earlier(self, table: TableName, at: datetime, context: BuildContext) -> Beside | str:
        """Stage the table as it was at the moment. Returns why, if that cannot be."""
        now = self._table_or_none(table)
        if now is not None and now.table_type != "TABLE":
            return f"BigQuery keeps no earlier version of a {now.table_type.lower()}"
        place = staging.earlier(table, at, context)
        moment = int(at.timestamp() * 1e6)
        sql = (
            f"CREATE OR REPLACE TABLE {self._path(place.name)} CLONE {self._path(table)}"
            f" FOR SYSTEM_TIME AS OF TIMESTAMP_MICROS({moment})"
        )
        try:
            self._jobs.run(f"earlier-{secrets.token_hex(16)}", sql, self._config(self._labels(table, context)))
        except (Transient, Unavailable, Cancelled, NotAllowed):
            raise
        except WarehouseError as error:
            return f"BigQuery has no version of it of that time: {error}"
        return place

    def _complete(self, record: Record, staged: Collection[TableName], say: Callable[[str], None]) -> None:
        """Complete a publication that was cut off."""
        recorded = self._recorded(record)
        places = [place for place in recorded if place.name in staged]
        names_of = ", ".join(str(place.table) for place in recorded)
        try:
            self._publish_all([(self._build_of(place), place) for place in places], BuildContext(record.run))
        except (Transient, Unavailable, Cancelled):
            raise
        except WarehouseError as error:
            say(f"a refresh died while it published {names_of}; what was left could not be published: {error}")
        else:
            say(f"a refresh died while it published {names_of}: all of them are published now")
        self._close_record(record)

    def _build_of(self, place: Beside) -> TableBuild:
        """A staged table as one to publish. The text of a view reads published tables in place of staged ones."""
        text = self._table(place.name).view_query if place.is_view else None
        query = parse_query(staging.over_published(text or "SELECT 1")).within(self._settings.project)
        return TableBuild(place.table, query, place.is_view)

    def _area(self, context: BuildContext) -> dict[TableName, Beside]:
        """What the run has staged, by table."""
        run = staging.run_hash(context.run)
        if run not in self._areas:
            found = {place.table: place for place in staging.staged_in(self._staging_items()) if place.run == run}
            self._areas.setdefault(run, found)
        return self._areas[run]

    def _places(self, query: Query, staged: Collection[TableName], context: BuildContext) -> dict[TableName, Beside]:
        """Where the query finds those of the tables that it reads that are among the `staged` ones."""
        area = self._area(context)
        for wildcard, members in query.wildcards:
            if inside := sorted(area.keys() & {*members} & {*staged}):
                raise SqlError(
                    f"{wildcard} stands for {inside[0]}, which this refresh builds: BigQuery finds it there only once"
                    " it is published",
                    hint='name the tables instead, or set publish = "each"',
                )
        return {read.table: area[read.table] for read in query.reads if read.table in staged and read.table in area}

    def _staging_items(self) -> list[TableListItem]:
        with google_errors():
            try:
                return list(self._client.list_tables(self._reference(STAGING_DATASET), **self._patience))
            except NotFound:
                return []

    def _drop_staged(self, places: Sequence[Beside]) -> None:
        def drop(place: Beside) -> None:
            reference = self._reference(STAGING_DATASET).table(place.name.name)
            with google_errors():
                self._client.delete_table(reference, not_found_ok=True, **self._patience)

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="drop") as pool:
            list(pool.map(drop, places))

    def _create_staging_dataset(self) -> None:
        """Create the dataset of staged tables, if it does not exist yet."""
        with self._creating, google_errors():
            if not self._has_staging_dataset:
                self._create_dataset(STAGING_DATASET)
                self._has_staging_dataset = True

    def _close_to_readers(self, dataset: bigquery.Dataset) -> None:
        """Take the dataset from those who read all datasets of the project: staged tables have no row access
        policies."""
        dataset.access_entries = [entry for entry in dataset.access_entries if entry.entity_id != "projectReaders"]
        self._client.update_dataset(dataset, ["access_entries"], **self._patience)

    def append(self, table: TableName, appends: Sequence[Append]) -> list[Outcome]:
        found = self._table(table)
        target = Target(
            table,
            self._path(table),
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
            self._jobs.load(plain, self._reference(table.dataset).table(table.name), config)

    def load_rows(self, table: TableName, rows: Sequence[Row]) -> None:
        from warehouse_refresh.warehouse.values.parquet import holds_exactly, write_rows  # imports DuckDB

        columns = self.columns(table)
        if not all(holds_exactly(column.type) for column in columns):
            for batch in batches(rows):
                self.append(table, [Append(batch)])
            return
        with TemporaryDirectory(prefix="refresh-") as folder:
            self.load(table, write_rows(columns, rows, Path(folder) / "written.parquet"))

    def plan(self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> QueryPlan:
        with self._alone(query, stand_ins) as sql:
            job = self._jobs.dry_run(sql, _parameters(query))
        columns = tuple(map(column_of, job.schema or ()))
        if query.listed:
            columns = tuple(as_listed(query.listed, _values(query, columns)))
        self._planned[text_of(query), query.values_text] = columns
        in_functions = any(read.table in stand_ins for function in query.functions for read in function.names)
        estimate = in_functions or bool(query_edits(query, stand_ins_in(stand_ins)))
        return QueryPlan(columns, job.total_bytes_processed, estimate=estimate)

    @contextmanager
    def _alone(
        self,
        query: Query,
        stand_ins: Mapping[TableName, tuple[Column, ...]],
        places: Mapping[TableName, Beside] | None = None,
    ) -> Iterator[str]:
        """The query as SQL that needs neither the tables that have stand-ins nor the project's functions, and reads
        staged tables in their `places`. BigQuery's errors in the block get their places in the script."""
        instead = {**stand_ins_in(stand_ins), **self._paths(places or {})}
        text, new = text_of(query), query_edits(query, instead)
        calls = [edit for edit in call_edits(query.calls, query) if text[edit.start : edit.end].strip()]
        others = self._edits(query, {**stand_ins, **self._staged_columns(query, places or {})}, instead)
        edits = sorted([*new, *calls, *others], key=lambda edit: edit.start)
        before = temporary_functions(query, instead)
        with _places_of(text, edits, lines_before=before.count("\n")):
            yield before + edited(text, edits)

    def _paths(self, places: Mapping[TableName, Beside]) -> dict[TableName, str]:
        """The staged tables' paths in SQL."""
        return {table: self._path(place.name) for table, place in places.items()}

    def _staged_columns(self, query: Query, places: Mapping[TableName, Beside]) -> dict[TableName, tuple[Column, ...]]:
        """The columns of staged tables, as far as a query with variables needs them."""
        return {table: self.columns(place.name) for table, place in places.items()} if has_variables(query) else {}

    def _edits(
        self, query: Query, known: Mapping[TableName, tuple[Column, ...]], instead: Collection[TableName] = ()
    ) -> list[Edit]:
        """What to write in place of the query's variables, and of its tables without a dataset but for those of
        `instead`, in the order of the text. `known` are columns of tables that it reads. Raises SqlError."""
        edits = [*self._variable_edits(query, known), *dataset_edits(query, instead)]
        return sorted(edits, key=lambda edit: edit.start)

    def _variable_edits(self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> list[Edit]:
        """What to write in place of the query's variables. A column of the same name would win, so the columns of all
        tables that it reads are looked at first. Raises SqlError."""
        if not has_variables(query):
            return []
        columns: list[Column] = []
        for read in query.names:
            known = stand_ins.get(read.table) if query.is_own(read.project) else None
            columns += known if known is not None else self._columns_in_sql(read)
        return variable_edits(query, columns)

    def _columns_in_sql(self, read: Read) -> tuple[Column, ...]:
        """The columns of whatever a query names, a wildcard table too; none if it is not there, as the query's own dry
        run will say."""
        path = ".".join(map(quoted, filter(None, (read.project, read.table.dataset, read.table.name))))
        with suppress(SqlError, TableNotFound):
            return tuple(map(column_of, self._jobs.dry_run(f"SELECT * FROM {path}").schema or ()))
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def cancel(self) -> None:
        """Cancel the running jobs and wait briefly until they have ended. May be called from a signal handler."""
        self._jobs.cancel()

    def close(self) -> None:
        """Cancel jobs that nobody waits for any more, and close the connections."""
        if self._opened is not None:
            self._opened.cancel()
            self._opened.client.close()

    @property
    def _jobs(self) -> Jobs:
        with self._opening:
            if self._opened is None:
                self._opened = Jobs(open_client(self._settings), self._settings, self._waits)
        return self._opened

    @cached_property
    def _sender(self) -> Sender:
        def run(statement: str) -> None:
            self._jobs.run(f"keys-{secrets.token_hex(16)}", statement, self._config({}))

        keys = Keys(self._settings.project, run, self.create_own_dataset)
        return Sender(self._jobs, self._config, keys)

    @property
    def _client(self) -> bigquery.Client:
        self._jobs.check_not_cancelled()
        return self._jobs.client

    @property
    def _patience(self) -> Patience:
        """The retry and timeout of all requests except those about jobs."""
        return Patience(retry=self._jobs.retry, timeout=self._waits.request)

    def _path(self, table: TableName) -> str:
        """The table's name in SQL, with its project."""
        return ".".join(map(quoted, (self._settings.project, table.dataset, table.name)))

    def _reference(self, dataset: str) -> bigquery.DatasetReference:
        return bigquery.DatasetReference(self._settings.project, dataset)

    def _table(self, table: TableName) -> bigquery.Table:
        with google_errors():
            try:
                return self._client.get_table(self._reference(table.dataset).table(table.name), **self._patience)
            except NotFound as error:
                raise TableNotFound(table) from error

    def _prepare_replacement(
        self, build: TableBuild, config: bigquery.QueryJobConfig, table: bigquery.Table | None
    ) -> bigquery.Table | None:
        """Set how the job replaces the table. Returns the table as it is now if the job may drop settings that
        `_put_back` restores, otherwise None.

        Raises WarehouseError if the job would lift a protection of the table.
        """
        name, query = build.table, build.query
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
        if table is None and not build.storage.policy_tags:
            lay_out(config, build.storage)
            return None
        columns = self._planned.get((text_of(query), query.values_text)) or self.plan(query, {}).columns
        if table is None:
            self._create(build, config, columns)
            return None
        changed = cluster_before(table, build.storage)
        if replace.keeps_columns(table, columns):
            changed += describe_columns(table, build.storage)  # policy tags are there before the rows
        table = self._change(table, changed)
        protected = [] if replace.keeps_columns(table, columns) else self._protections(name, table)
        if replace.keeps_columns(table, columns) or (protected and replace.has_columns(table, columns)):
            config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE_DATA
            return None
        if protected:
            raise replace.refusal(name, table, columns, protected)
        replace.keep_layout(table, config, columns)
        lay_out(config, build.storage)
        return table

    def _change(self, table: bigquery.Table, changed: Sequence[str]) -> bigquery.Table:
        """Store the properties of a table that have changed."""
        if not changed:
            return table
        with google_errors():
            return self._client.update_table(table, changed, **self._patience)

    def _create(self, build: TableBuild, config: bigquery.QueryJobConfig, columns: Sequence[Column]) -> None:
        """Create the table without rows, so that its columns have their policy tags before they have values."""
        table = bigquery.Table(config.destination, said_schema(map(field_of, columns), build.storage))
        lay_out(table, build.storage)
        with google_errors():
            self._client.create_table(table, **self._patience)
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE_DATA

    def _protections(self, name: TableName, table: bigquery.Table) -> list[str]:
        try:
            with google_errors():
                policies = row_access_policies(self._client, table.reference, **self._patience)
        except NotAllowed as error:
            raise NotAllowed(
                f"{name} gets other columns, and BigQuery would drop its row access policies; this account may not see "
                f"whether it has any: {error}"
            ) from error
        return replace.protections(table, policies)

    def _put_back(self, before: bigquery.Table | None, after: bigquery.Table, storage: Storage) -> None:
        """Set what the script says about the table, and restore the settings that it had before. A failure is only
        logged: the table is built by now."""
        changed = describe(after, storage)
        changed += replace.put_back(before, after) if before is not None else []
        if changed:
            try:
                self._client.update_table(after, changed, **self._patience)
            except GOOGLE_ERRORS as error:
                logger.warning("%s does not have its %s: %s", after.table_id, ", ".join(changed), translated(error))

    def _make_lease(self) -> None:
        self.create_own_dataset()
        self._client.create_table(
            bigquery.Table(self._reference(OWN_DATASET).table(TABLE)), exists_ok=True, **self._patience
        )

    def _create_dataset(self, name: str) -> None:
        wanted = bigquery.Dataset(self._reference(name))
        wanted.location = self._settings.location
        if name == STAGING_DATASET:
            wanted.default_table_expiration_ms = staging.KEPT_DAYS * 24 * 3_600_000
        try:
            found = self._client.get_dataset(wanted.reference, **self._patience)
        except NotFound:
            found = self._client.create_dataset(wanted, exists_ok=True, **self._patience)
            if name == STAGING_DATASET:
                self._close_to_readers(found)
        if found.location.casefold() != wanted.location.casefold():
            raise WarehouseError(
                f"the dataset {name} is in {found.location} and WAREHOUSE_URL says location={wanted.location}: all "
                "datasets must be in one location"
            )

    def _config(self, labels: Mapping[str, str]) -> bigquery.QueryJobConfig:
        config = bigquery.QueryJobConfig(use_legacy_sql=False)
        config.labels = names.labels(labels)
        config.priority = self._settings.priority
        config.maximum_bytes_billed = self._settings.maximum_bytes_billed
        return config


def _values(query: Query, columns: Sequence[Column]) -> list[AnyValue]:
    """The values that the query selects, as far as a dry run tells: it says INT64 for the literal NULL."""
    selected = [node.unalias() for node in query.tree.selects]
    literals = [NULL if isinstance(node, exp.Null) else None for node in selected]
    known = literals if len(literals) == len(columns) else [None] * len(columns)
    return [AnyValue(column.type, literal) for column, literal in zip(columns, known, strict=True)]


def _cannot_become(old: bigquery.Table, new: bigquery.Table) -> bool:
    """Whether BigQuery does not replace the one by the other: see `needs_new_table`."""
    columns = {field.name for field in old.schema}
    return partition_of(old) != partition_of(new) or not columns.issuperset(new.clustering_fields or ())


def _refusal_of_partitions(build: TableBuild, old: bigquery.Table, protected: Sequence[str]) -> WarehouseError:
    return WarehouseError(
        f"{build.table} has {', '.join(protected)}, which a new table would not have, and BigQuery needs a new one for"
        f" other partitions, or for clusters by new columns: by {build.storage.partition}, after {partition_of(old)}."
        " Drop the table by hand, or leave its partitions and clusters"
    )


def _parameters(query: Query) -> list[Value]:
    return [Value(variable.name, variable.type, variable.value) for variable in query.variables]


@contextmanager
def _places_of(text: str, edits: Sequence[Edit] = (), lines_before: int = 0) -> Iterator[None]:
    """Raise BigQuery's SqlError with its place in the script as it was written."""
    try:
        yield
    except SqlError as error:
        if error.place is None:
            raise
        line = error.place.line - lines_before
        place = original_place(text, edits, dataclasses.replace(error.place, line=line)) if line > 0 else None
        raise SqlError(error.reason, hint=error.hint, place=place) from error
