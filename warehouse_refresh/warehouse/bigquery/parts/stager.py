"""Build partitions in a clone of the published table, which takes its place as any staged table does.

A clone costs nothing. So later scripts and checks see the table as it will be, and it is published in one moment, with
all of its new partitions. The clone's time of creation is part of the ids of the jobs that write to it: a job that is
found again has written to this clone, and not to one that is gone. So are those of the staged tables that they read.
https://cloud.google.com/bigquery/docs/table-clones-intro
"""

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeGuard

from google.cloud import bigquery

from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.bigquery import names
from warehouse_refresh.warehouse.bigquery.building.storage import (
    lay_out,
    layout_sql,
    list_sql,
    needs_new_table,
    partition_of,
    required_edits,
    said_schema,
    within,
)
from warehouse_refresh.warehouse.bigquery.datasets import Datasets
from warehouse_refresh.warehouse.bigquery.errors import google_errors
from warehouse_refresh.warehouse.bigquery.parts.batches import earlier_rows, merge_edits, partition_id, written_edits
from warehouse_refresh.warehouse.bigquery.publishing.records import Beside
from warehouse_refresh.warehouse.bigquery.queries.edits import edited, stand_ins_in
from warehouse_refresh.warehouse.bigquery.queries.queries import Queries, parameters, places_of
from warehouse_refresh.warehouse.bigquery.queries.variables import text_of
from warehouse_refresh.warehouse.bigquery.schema import column_of, field_of
from warehouse_refresh.warehouse.builds.parts import MOST_RANGES, Interval, Parts, Ranges, need_same_columns, query_of
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.storage import Partition
from warehouse_refresh.warehouse.types import Column

_AT_ONCE = 8
"""How many partitions are built at the same time: BigQuery takes 50 changes of a table's partitions in ten seconds.
https://cloud.google.com/bigquery/quotas#partitioned_tables"""
_WHOLE = "whole"
"""The label of a staged table that was not begun as a clone."""


@dataclass(frozen=True, slots=True)
class PartStager:
    """Stages tables that are built by date."""

    datasets: Datasets
    queries: Queries

    def stage(
        self,
        build: TableBuild,
        parts: Parts,
        place: Beside,
        places: Mapping[TableName, TableName],
        context: BuildContext,
    ) -> list[bigquery.QueryJob]:
        """Build the parts. Returns the jobs that did it."""
        old = self.datasets.table_or_none(build.table)
        old = old if old is not None and old.table_type == "TABLE" and not parts.whole else None
        build = _by_parts(build, parts, old)
        itself = stand_ins_in({build.table: parts.own} if parts.own else {})
        before, edits = self.queries.staged_edits(build.query, places, itself)
        columns = self.queries.result(build.query, before + edited(text_of(build.query), edits))
        if old is not None:
            if needs_new_table(old, build.storage):
                raise _other_partitions(build, old)
            need_same_columns(build.table, map(column_of, old.schema), columns)
        made = self._made(build, place, old, columns, context)
        ages = " ".join(str(self.datasets.table(one).created) for one in (place.name, *sorted(places.values())))
        single = self._single(build, parts, made)
        work = [
            _Batch(self, build, parts, place, places, context, made, ages, one, single.get(one, ""))
            for one in parts.batches
            if one.start != one.end
        ]
        at_once = _AT_ONCE if all(one.partition for one in work) and not parts.own else 1
        with ThreadPoolExecutor(at_once, thread_name_prefix="partitions") as pool:
            return list(pool.map(_Batch.run, work))

    def _single(self, build: TableBuild, parts: Parts, made: bigquery.Table) -> dict[Interval, str]:
        """The partitions that a query job can write to, each with its id; none if the table takes MERGE. The result of
        a query job has no REQUIRED column."""
        is_required = any(field.mode == "REQUIRED" for field in made.schema)
        if parts.key or build.query.listed or is_required:
            return {}
        found = partition_of(made)
        return {one: partition_id(one, parts) for one in parts.partitions if _is_partition(found, one, parts)}

    def _made(
        self,
        build: TableBuild,
        place: Beside,
        old: bigquery.Table | None,
        columns: tuple[Column, ...],
        context: BuildContext,
    ) -> bigquery.Table:
        """The table in which the parts are built. One that an earlier attempt of the run has begun is gone on with."""
        found = self.datasets.table_or_none(place.name)
        if found is not None and (_WHOLE in found.labels) == (old is None):
            return found
        if found is not None:
            self.datasets.drop(place.name)
        if old is None:
            self._create(build, place.name, columns)
        else:
            sql = f"CREATE OR REPLACE TABLE {self.datasets.path(place.name)} CLONE {self.datasets.path(build.table)}"
            config = self.datasets.config(self.datasets.labels(build.table, context))
            self.datasets.jobs.finish(f"clone-{secrets.token_hex(16)}", sql, config)
        made = self.datasets.table(place.name)
        if made.require_partition_filter:  # checks read all of it
            made.require_partition_filter = False
            made = self.datasets.change(made, ["require_partition_filter"])
        return made

    def _create(self, build: TableBuild, name: TableName, columns: tuple[Column, ...]) -> None:
        """Create the table without rows."""
        if build.query.listed:
            layout = layout_sql(build.storage, build.query.listed)
            self.datasets.run(f"CREATE TABLE {self.datasets.path(name)} {list_sql(build.query.listed)}{layout}")
            made = self.datasets.table(name)
            made.labels = {_WHOLE: "true"}
            self.datasets.change(made, ["labels"])
            return
        schema = said_schema(map(field_of, columns), build.storage)
        table = bigquery.Table(self.datasets.reference(name.dataset).table(name.name), schema)
        lay_out(table, build.storage)
        table.labels = {_WHOLE: "true"}
        with google_errors():
            self.datasets.client.create_table(table, exists_ok=True, **self.datasets.patience)


@dataclass(frozen=True, slots=True)
class _Batch:
    """One job: the partitions of the `interval`, in the table `made` at `place`. `ages` says when this table and the
    staged ones that it reads were created. `partition` is the id of the one that a query job writes to; "" for a
    MERGE."""

    stager: PartStager
    build: TableBuild
    parts: Parts
    place: Beside
    places: Mapping[TableName, TableName]
    context: BuildContext
    made: bigquery.Table
    ages: str
    interval: Interval
    partition: str

    def run(self) -> bigquery.QueryJob:
        """Run the job, or find that of this run."""
        datasets, build, place = self.stager.datasets, self.build, self.place
        query = query_of(build.query, self.interval, self.parts)
        own = earlier_rows(self.parts, self.interval, datasets.path(place.name)) if self.parts.own else ""
        before, edits = self.stager.queries.staged_edits(query, self.places, {build.table: own} if own else None)
        config = datasets.config(datasets.labels(build.table, self.context))
        config.query_parameters = parameters(query)
        inner = within(edits, required_edits(build))
        if self.partition:
            config.destination = datasets.reference(place.name.dataset).table(f"{place.name.name}${self.partition}")
            config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
            edits = written_edits(build, self.parts, self.interval, inner)
        else:
            names_of = [field.name for field in self.made.schema]
            edits = merge_edits(build, self.parts, self.interval, inner, datasets.path(place.name), names_of)
        text = text_of(query)
        with places_of(text, edits, lines_before=before.count("\n")):
            name = names.build_name(
                self.context.run, build.table, f"staged {place.fingerprint} {self.ages} {query.values_text}"
            )
            return datasets.jobs.run(name, before + edited(text, edits), config, self.context.attempt)


def _by_parts(build: TableBuild, parts: Parts, old: bigquery.Table | None) -> TableBuild:
    """The build with partitions by the column of the parts, unless the table's settings say others. Ranges of ids are
    those of the `old` table if the new ones are aligned to them: its first id may be another one."""
    if build.storage.partition is not None:
        return build
    partition = _partition(parts)
    if old is not None and isinstance(parts.unit, Ranges) and _is_aligned(found := partition_of(old), parts):
        partition = found
    return replace(build, storage=replace(build.storage, partition=partition))


def _partition(parts: Parts) -> Partition:
    """How a new table with these parts is partitioned."""
    if isinstance(parts.unit, str):
        return Partition(parts.column, parts.unit)
    start, step = parts.unit.start, parts.unit.step
    return Partition(parts.column, integers=(start, start + MOST_RANGES * step, step))


def _is_aligned(partition: Partition | None, parts: Parts) -> TypeGuard[Partition]:
    """Whether the partitions are the ranges of ids of the parts, from some id on."""
    if partition is None or partition.column != parts.column or not isinstance(parts.unit, Ranges):
        return False
    start, _, step = partition.integers or (0, 0, 0)
    return step == parts.unit.step and parts.unit.floor(start) == start


def _is_partition(partition: Partition | None, one: Interval, parts: Parts) -> bool:
    """Whether the interval is a partition of a table that is partitioned so, with a name. The name of a range is its
    first id: https://cloud.google.com/bigquery/docs/managing-partitioned-table-data#partition_decorators"""
    if not isinstance(one.start, int):
        return partition == _partition(parts)
    start, end, _ = partition.integers if _is_aligned(partition, parts) and partition.integers else (0, 0, 0)
    return max(start, 0) <= one.start < end


def _other_partitions(build: TableBuild, old: bigquery.Table) -> WarehouseError:
    return WarehouseError(
        f"{build.table} is stored with other partitions than its settings say: by {partition_of(old) or 'none'}, and"
        f" not by {build.storage.partition}. Build all of it anew: `refresh build --full {build.table}`"
    )
