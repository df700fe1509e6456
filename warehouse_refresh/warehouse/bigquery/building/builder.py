"""Build a table in its place, and replace a view."""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from google.cloud import bigquery

from warehouse_refresh.warehouse import BuildContext, Built, TableBuild
from warehouse_refresh.warehouse.bigquery import names
from warehouse_refresh.warehouse.bigquery.building import replace
from warehouse_refresh.warehouse.bigquery.building.storage import (
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
    required_list,
    result_span,
    said_schema,
)
from warehouse_refresh.warehouse.bigquery.client import row_access_policies
from warehouse_refresh.warehouse.bigquery.datasets import Datasets
from warehouse_refresh.warehouse.bigquery.errors import GOOGLE_ERRORS, google_errors, translated
from warehouse_refresh.warehouse.bigquery.parts.records import PartRecords, may_have_records
from warehouse_refresh.warehouse.bigquery.queries.edits import Edit, edited
from warehouse_refresh.warehouse.bigquery.queries.queries import Queries, parameters, places_of
from warehouse_refresh.warehouse.bigquery.queries.variables import text_of
from warehouse_refresh.warehouse.bigquery.schema import field_of
from warehouse_refresh.warehouse.errors import NotAllowed, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.storage import Storage
from warehouse_refresh.warehouse.types import Column

logger = logging.getLogger(__name__)


class Builder:
    """Builds tables and views in their places, without staging them."""

    def __init__(self, datasets: Datasets, queries: Queries) -> None:
        self._datasets, self._queries, self._part_records = datasets, queries, PartRecords(datasets)
        self._unasked: dict[str, Sequence[bigquery.QueryJob]] = {}  # by link, jobs whose costs were not asked yet

    def build(self, build: TableBuild, context: BuildContext) -> Built:
        config = self._datasets.config(self._datasets.labels(build.table, context))
        if build.is_view:
            name = names.build_name(context.run, build.table)
            return self.built([self.build_view(build, config, name, context.attempt)], rows=None)
        found = self._datasets.table_or_none(build.table)
        if may_have_records(found):
            self._part_records.forget(build.table)
        if found is not None and (found.table_type == "VIEW" or needs_new_table(found, build.storage)):
            return self._build_beside(build, found, context)
        build = self.with_required(
            build, lambda: found is not None and bool(self.protections(build.table, found)), self._queries.columns
        )
        if build.query.listed:
            return self._build_listed(build, config, context, found)
        config.destination = self._datasets.reference(build.table.dataset).table(build.table.name)
        config.query_parameters = parameters(build.query)
        before = self._prepare_replacement(build, config, found)
        text = text_of(build.query)
        edits = sorted(
            [*self._queries.edits(build.query, {}), *required_edits(build)], key=lambda edit: (edit.start, edit.end)
        )
        with places_of(text, edits), self._filled(build, found):
            name = names.build_name(context.run, build.table, build.query.values_text)
            job = self._datasets.jobs.run(name, edited(text, edits), config, context.attempt)
        after = self._datasets.table(build.table)
        self.put_back(before, after, build.storage)
        return self.built([job], rows=int(after.num_rows or 0))

    def with_required(
        self,
        build: TableBuild,
        is_protected: Callable[[], bool],
        columns_of: Callable[[Query], Sequence[Column]],
    ) -> TableBuild:
        """The build with a list of its columns if some are REQUIRED: only CREATE TABLE makes such a column, and none
        can become one later. CREATE TABLE would drop policy tags and row access policies, so that a table with these
        keeps the modes that it has. A list in the script says by itself what is NOT NULL.
        https://cloud.google.com/bigquery/docs/managing-table-schemas#change_a_columns_mode"""
        storage, query = build.storage, build.query
        if query.listed:
            return dataclasses.replace(build, storage=dataclasses.replace(storage, required=()))
        if not storage.required or storage.policy_tags:
            return build
        if is_protected():
            return build
        listed = required_list(storage.required, columns_of(query))
        return dataclasses.replace(build, query=dataclasses.replace(query, listed=listed))

    def _build_listed(
        self, build: TableBuild, config: bigquery.QueryJobConfig, context: BuildContext, found: bigquery.Table | None
    ) -> Built:
        """Replace the table by one with the columns that its script lists. Only CREATE TABLE makes a REQUIRED column;
        it keeps nothing of the old table. Raises WarehouseError if that lifted a protection of it."""
        storage = build.storage
        if found is not None:
            if protected := self.protections(build.table, found):
                raise replace.refusal_of_list(build.table, protected)
            self._datasets.change(found, cluster_before(found, storage))
            storage = kept_layout(found, storage)
        text = text_of(build.query)
        edits = [*self.create_edits(build, storage), *self._queries.edits(build.query, {})]
        edits.sort(key=lambda edit: (edit.start, edit.end))
        config.query_parameters = parameters(build.query)
        with places_of(text, edits):
            name = names.build_name(context.run, build.table, build.query.values_text)
            job = self._datasets.jobs.run(name, edited(text, edits), config, context.attempt)
        after = self._datasets.table(build.table)
        self.put_back(found, after, build.storage)
        return self.built([job], rows=int(after.num_rows or 0))

    def create_edits(self, build: TableBuild, storage: Storage) -> list[Edit]:
        """Write CREATE TABLE with the listed columns before the query. It takes no line of its own, so that errors keep
        their lines."""
        create = f"CREATE OR REPLACE TABLE {self._datasets.path(build.table)} {list_sql(build.query.listed)}"
        start, _ = result_span(build.query)
        return [
            Edit(start, start, f"{create}{layout_sql(storage, build.query.listed)} AS "),
            *required_edits(build),
        ]

    def _build_beside(self, build: TableBuild, old: bigquery.Table, context: BuildContext) -> Built:
        """Put a table in the place of a view, or of a table that is partitioned in another way. BigQuery replaces
        neither directly. So the new table is built beside the old one, and then one job replaces the old one. Readers
        find no table for a moment. The job ends even if this process dies. If the query fails, the old table stays."""
        if protected := self.protections(build.table, old):
            raise refusal_of_partitions(build, old, protected)
        self._datasets.create_own_dataset()
        beside = names.beside(build.table)
        self._drop_other(beside, build.storage)
        built = self.build(dataclasses.replace(build, table=beside), context)
        new, path = self._datasets.path(beside), self._datasets.path(build.table)
        self._datasets.run(f"DROP {old.table_type} IF EXISTS {path}; CREATE TABLE {path} CLONE {new}; DROP TABLE {new}")
        self.put_back(old if old.table_type == "TABLE" else None, self._datasets.table(build.table), build.storage)
        return built

    def _drop_other(self, table: TableName, storage: Storage) -> None:
        """Drop what an earlier run has left."""
        found = self._datasets.table_or_none(table)
        if found is not None and needs_new_table(found, storage):
            self._datasets.drop(table)

    @contextmanager
    def _filled(self, build: TableBuild, found: bigquery.Table | None) -> Iterator[None]:
        """Drop the table that `_prepare_replacement` has made if the job in the block fails."""
        try:
            yield
        except WarehouseError:
            if found is None and build.storage.policy_tags:
                with suppress(*GOOGLE_ERRORS):
                    reference = self._datasets.reference(build.table.dataset).table(build.table.name)
                    self._datasets.client.delete_table(reference, not_found_ok=True, **self._datasets.patience)
            raise

    def build_view(
        self, build: TableBuild, config: bigquery.QueryJobConfig, name: str, attempt: int = 1
    ) -> bigquery.QueryJob:
        """Replace the view. If a table has its name, readers find neither for a moment: BigQuery replaces no table by a
        view."""
        path = self._datasets.path(build.table)
        drop = ""
        if self.is_unprotected_table(build.table):
            self._queries.plan(build.query, {})  # what cannot be a view leaves the table
            drop = f"DROP TABLE {path}; "
        listed = f" {list_sql(build.query.listed)}" if build.query.listed else ""
        before = f"{drop}CREATE OR REPLACE VIEW {path}{listed}{options_sql(build.storage)} AS\n"
        text, edits = text_of(build.query), self._queries.edits(build.query, {})
        with places_of(text, edits, lines_before=1):
            job = self._datasets.jobs.run(name, before + edited(text, edits), config, attempt)
        if build.storage.column_descriptions:
            self.put_back(None, self._datasets.table(build.table), build.storage)
        return job

    def built(self, jobs: Sequence[bigquery.QueryJob], rows: int | None) -> Built:
        """What the jobs that built a table did and cost together; the link is that of the last one."""
        if not jobs:
            return Built(rows, 0.0)
        settings = self._datasets.settings
        link = names.job_link(settings.project, settings.location, jobs[-1].job_id)
        if any(job.ended is None for job in jobs):
            self._unasked[link] = jobs
        return Built(
            rows=rows,
            seconds=self._datasets.jobs.seconds(jobs),
            bytes_processed=_sum(job.total_bytes_processed for job in jobs),
            bytes_billed=_sum(job.total_bytes_billed for job in jobs),
            slot_milliseconds=_sum(job.slot_millis for job in jobs),
            cache_hit=all(job.cache_hit for job in jobs) if link not in self._unasked else None,
            waited=max(map(self._datasets.jobs.waited, jobs)) if settings.priority == "INTERACTIVE" else None,
            job_link=link,
        )

    def with_costs(self, built: Sequence[Built]) -> list[Built]:
        """What was built, with what it has cost: see `Warehouse.costs`."""
        unasked = {one.job_link: jobs for one in built if (jobs := self._unasked.pop(one.job_link or "", None))}
        found = self._datasets.jobs.with_costs([job for jobs in unasked.values() for job in jobs]) if unasked else {}

        def asked(one: Built) -> Built:
            jobs = [found[job.job_id] for job in unasked.get(one.job_link, ()) if job.job_id in found]
            return dataclasses.replace(self.built(jobs, one.rows), partitions=one.partitions) if jobs else one

        return list(map(asked, built))

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
        columns = self._queries.columns(query)
        if table is None:
            self._create(build, config, columns)
            return None
        changed = cluster_before(table, build.storage)
        if replace.keeps_columns(table, columns):
            changed += describe_columns(table, build.storage)  # policy tags are there before the rows
        table = self._datasets.change(table, changed)
        protected = [] if replace.keeps_columns(table, columns) else self.protections(name, table)
        if replace.keeps_columns(table, columns) or (protected and replace.has_columns(table, columns)):
            config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE_DATA
            return None
        if protected:
            raise replace.refusal(name, table, columns, protected)
        replace.keep_layout(table, config, columns)
        lay_out(config, build.storage)
        return table

    def _create(self, build: TableBuild, config: bigquery.QueryJobConfig, columns: Sequence[Column]) -> None:
        """Create the table without rows, so that its columns have their policy tags before they have values."""
        table = bigquery.Table(config.destination, said_schema(map(field_of, columns), build.storage))
        lay_out(table, build.storage)
        with google_errors():
            self._datasets.client.create_table(table, **self._datasets.patience)
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE_DATA

    def protections(self, name: TableName, table: bigquery.Table) -> list[str]:
        try:
            with google_errors():
                policies = row_access_policies(self._datasets.client, table.reference, **self._datasets.patience)
        except NotAllowed as error:
            raise NotAllowed(
                f"{name} gets other columns, and BigQuery would drop its row access policies; this account may not see "
                f"whether it has any: {error}"
            ) from error
        return replace.protections(table, policies)

    def is_unprotected_table(self, name: TableName) -> bool:
        """Whether a table has this name. Raises WarehouseError for one that only some people may see."""
        table = self._datasets.table_or_none(name)
        if table is None or table.table_type != "TABLE":
            return False
        if protected := self.protections(name, table):
            raise WarehouseError(
                f"{name} has {', '.join(protected)}, which a view in its place would not have: drop the table by hand"
            )
        return True

    def put_back(self, before: bigquery.Table | None, after: bigquery.Table, storage: Storage) -> bigquery.Table:
        """Set what the script says about the table, and restore the settings that it had before. Returns the table as
        it is then. A failure is only logged: the table is built by now."""
        changed = _settings(before, after, storage)
        try:
            return self._datasets.client.update_table(after, changed, **self._datasets.patience) if changed else after
        except GOOGLE_ERRORS as error:
            logger.warning("%s does not have its %s: %s", after.table_id, ", ".join(changed), translated(error))
            return after

    def sets_nothing(self, before: bigquery.Table | None, after: bigquery.Table, storage: Storage) -> bool:
        """Whether nothing is to be set on a table that is like `after`: neither by its script, nor of what it had."""
        return not _settings(before, after, storage)

    def put_back_unseen(
        self, before: bigquery.Table | None, after: bigquery.Table, storage: Storage
    ) -> bigquery.Table | None:
        """As `put_back`, for a table of which only this is known of `after`: what it is like, but not whether anybody
        has changed it. None if nothing is to be set, or BigQuery refuses it: then look at the table."""
        if before is not None and before.expires is not None:  # one that the new table has from its dataset stays
            return None
        changed = _settings(before, after, storage)
        with suppress(*GOOGLE_ERRORS):
            return self._datasets.client.update_table(after, changed, **self._datasets.patience) if changed else None
        return None


def _settings(before: bigquery.Table | None, after: bigquery.Table, storage: Storage) -> list[str]:
    """Give `after` what the script says about it, and what it had `before`. Returns the properties that changed."""
    return [*describe(after, storage), *(replace.put_back(before, after) if before is not None else [])]


def refusal_of_partitions(build: TableBuild, old: bigquery.Table, protected: Sequence[str]) -> WarehouseError:
    return WarehouseError(
        f"{build.table} has {', '.join(protected)}, which a new table would not have, and BigQuery needs a new one for"
        f" other partitions, or for clusters by new columns: by {build.storage.partition}, after {partition_of(old)}."
        " Drop the table by hand, or leave its partitions and clusters"
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
