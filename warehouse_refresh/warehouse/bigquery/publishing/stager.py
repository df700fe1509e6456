"""Build tables beside the published ones."""

import dataclasses
import secrets
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from google.api_core.exceptions import NotFound
from google.cloud import bigquery
from google.cloud.bigquery.table import TableListItem

from warehouse_refresh.warehouse import BuildContext, Built, TableBuild
from warehouse_refresh.warehouse.bigquery import names
from warehouse_refresh.warehouse.bigquery.building import replace
from warehouse_refresh.warehouse.bigquery.building.builder import Builder, refusal_of_partitions
from warehouse_refresh.warehouse.bigquery.building.storage import (
    kept_layout,
    lay_out,
    needs_new_table,
    partition_of,
    required_edits,
    said_schema,
)
from warehouse_refresh.warehouse.bigquery.datasets import PAGE, Datasets
from warehouse_refresh.warehouse.bigquery.errors import google_errors
from warehouse_refresh.warehouse.bigquery.jobs import Page
from warehouse_refresh.warehouse.bigquery.names import STAGING_DATASET
from warehouse_refresh.warehouse.bigquery.parts.stager import PartStager
from warehouse_refresh.warehouse.bigquery.publishing import records
from warehouse_refresh.warehouse.bigquery.publishing.before import Before
from warehouse_refresh.warehouse.bigquery.publishing.plain import is_plain
from warehouse_refresh.warehouse.bigquery.publishing.records import Beside, beside
from warehouse_refresh.warehouse.bigquery.queries.edits import edited
from warehouse_refresh.warehouse.bigquery.queries.queries import Queries, parameters, places_of
from warehouse_refresh.warehouse.bigquery.queries.variables import text_of
from warehouse_refresh.warehouse.bigquery.schema import field_of
from warehouse_refresh.warehouse.errors import Cancelled, SqlError, Transient, Unavailable, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.types import Column

_AT_ONCE = 16
"""How many jobs, or requests, drop tables at the same time."""
_IN_A_SCRIPT = 50
"""How many tables one script drops at most."""
_IN_A_SHORT_SCRIPT = 4
"""So many take about as long as the record of what has built them, which is written meanwhile."""
StagedBy = tuple[bigquery.QueryJob, bigquery.Table]
"""The job that has staged a table or view, and what it has made."""


class Stager:
    """Builds tables and views where only this tool looks for them, and knows what each run has staged."""

    def __init__(self, datasets: Datasets, queries: Queries, builder: Builder) -> None:
        self._datasets, self._queries, self._builder = datasets, queries, builder
        self._before = Before(datasets)
        self._areas: dict[str, dict[TableName, Beside]] = {}  # what each run has staged, by the hash of the run
        self._kept: Sequence[Beside] | None = None  # all that was staged when this refresh began
        self._listing = threading.Lock()
        self._made: dict[Beside, bigquery.Table] = {}  # the tables that this process has staged
        self._old: dict[Beside, bigquery.Table | None] = {}  # and what was in their places then
        self._unrestricted = set[Beside]()  # without row access policies then, as far as one query has told it

    def stage(self, build: TableBuild, staged: Collection[TableName], context: BuildContext) -> Built:
        place = beside(build, context)
        area, places = self.area(context), self.places(build.query, staged, context)
        self._datasets.create_staging_dataset()
        if build.is_view:
            job, _ = self._stage_view(build, place, places, context)
            built = self._builder.built([job], None)
        elif build.parts is not None:
            jobs = PartStager(self._datasets, self._queries).stage(build, build.parts, place, places, context)
            built = self._builder.built(jobs, int(self._datasets.table(place.name).num_rows or 0))
        else:
            if (copy := self._equal_copy(build)) is not None:
                job, made = self._stage_clone(build, place, copy, context)
            else:
                job, made = self._stage_table(build, place, places, context)
            self._made[place] = made
            built = self._builder.built([job], int(made.num_rows or 0))
        before = area.get(build.table, place)
        area[build.table] = place
        if before != place:
            self.drop([before])
        return built

    def _stage_view(
        self, build: TableBuild, place: Beside, places: Mapping[TableName, TableName], context: BuildContext
    ) -> StagedBy:
        _, edits = self._queries.staged_edits(dataclasses.replace(build.query, functions=()), places)
        if any(read.table in places for function in build.query.functions for read in function.names):
            raise SqlError(
                f"the view {build.table} calls a function that reads a table of this refresh: BigQuery's views cannot"
                " call it before that table is published",
                hint='write the function\'s query into the view, or set publish = "each"',
            )
        self._datasets.create_functions(build.query.functions)
        self._builder.is_unprotected_table(build.table)  # raises for one that a view may not replace
        create = f"CREATE OR REPLACE VIEW {self._datasets.path(place.name)} AS\n"
        text = text_of(build.query)
        with places_of(text, edits, lines_before=1):
            return self._run_staging(build, place, create + edited(text, edits), self._datasets.config({}), context)

    def _equal_copy(self, build: TableBuild) -> TableName | None:
        """The table that holds the result, if it is laid out as the one whose place it takes."""
        copy = self._datasets.table_or_none(build.copy_of) if build.copy_of is not None else None
        if copy is None or copy.table_type != "TABLE":
            return None
        old = self._datasets.table_or_none(build.table)
        is_equal = old is None or old.table_type != "TABLE" or replace.is_laid_out_as(copy, old)
        return build.copy_of if is_equal else None

    def _stage_clone(self, build: TableBuild, place: Beside, copy: TableName, context: BuildContext) -> StagedBy:
        """Clone a table that holds the result. That costs nothing, and takes seconds whatever the table's size:
        https://cloud.google.com/bigquery/docs/table-clones-intro"""
        sql = f"CREATE OR REPLACE TABLE {self._datasets.path(place.name)} CLONE {self._datasets.path(copy)}"
        return self._run_staging(build, place, sql, self._datasets.config({}), context)

    def _stage_table(
        self, build: TableBuild, place: Beside, places: Mapping[TableName, TableName], context: BuildContext
    ) -> StagedBy:
        """Build the table with the columns, partitions and policy tags that it will have. Raises WarehouseError if
        publishing it would lift a protection of the old one."""
        query, config, text = build.query, self._datasets.config({}), text_of(build.query)
        before, edits = self._queries.staged_edits(query, places)
        sql = before + edited(text, edits)
        config.query_parameters = parameters(query)
        old = self._look_at_old(build.table, place, context)
        columns: Sequence[Column] = ()
        if old is not None or build.storage.policy_tags:
            columns = self._queries.result(query, sql)
        protections = cache(lambda: self._builder.protections(build.table, old) if old is not None else [])
        if old is not None:
            self._check_protections(build, old, columns, protections)
        build = self._builder.with_required(
            build, lambda: bool(protections()), lambda query: self._queries.result(query, sql)
        )
        old = None if old is not None and needs_new_table(old, build.storage) else old
        if build.query.listed:
            layout = kept_layout(old, build.storage) if old is not None else build.storage
            edits += self._builder.create_edits(dataclasses.replace(build, table=place.name), layout)
        else:
            self._lay_out_staged(build, place, old, columns, config)
            edits += required_edits(build)
        edits.sort(key=lambda edit: (edit.start, edit.end))
        with places_of(text, edits, lines_before=before.count("\n")):
            return self._run_staging(build, place, before + edited(text, edits), config, context)

    def _look_at_old(self, table: TableName, place: Beside, context: BuildContext) -> bigquery.Table | None:
        """The table whose place the staged one takes; None if there is none, or none of which anything is kept."""
        known = self._before.known(context)
        plain = known.plain
        if table in known.unrestricted:
            self._unrestricted.add(place)
        old = self._old[place] = plain[table] if table in plain else self._datasets.table_or_none(table)
        return old if table not in plain and old is not None and old.table_type == "TABLE" else None

    def _check_protections(
        self,
        build: TableBuild,
        old: bigquery.Table,
        columns: Sequence[Column],
        protections: Callable[[], Sequence[str]],
    ) -> None:
        """Raise WarehouseError if the table cannot be published without lifting a protection of the old one."""
        other_partitions = needs_new_table(old, build.storage)
        if replace.keeps_columns(old, columns) and not other_partitions and not build.query.listed:
            return
        protected = protections()
        if protected and other_partitions:
            raise refusal_of_partitions(build, old, protected)
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
        config.destination = self._datasets.reference(STAGING_DATASET).table(place.name.name)
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
            self._datasets.client.delete_table(config.destination, not_found_ok=True, **self._datasets.patience)
            self._datasets.client.create_table(table, **self._datasets.patience)
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE_DATA

    def _run_staging(
        self, build: TableBuild, place: Beside, sql: str, config: bigquery.QueryJobConfig, context: BuildContext
    ) -> StagedBy:
        """Run the job that stages a table, or find that of this run. If its table is gone, another one makes it."""
        config.labels = names.labels(self._datasets.labels(build.table, context))
        name = names.build_name(context.run, build.table, f"staged {place.fingerprint} {build.query.values_text}")
        job, page = self._datasets.jobs.run_for_page(name, sql, config, context.attempt)
        made = _made_by(config, page) or self._datasets.table_or_none(place.name)
        if made is None:
            job = self._datasets.jobs.run(f"{name}-{secrets.token_hex(8)}", sql, config)
            made = self._datasets.table(place.name)
        return job, made

    def table(self, place: Beside) -> bigquery.Table:
        """The table that is staged there."""
        return self._made.get(place) or self._datasets.table(place.name)

    def becomes_plain(self, place: Beside) -> tuple[bigquery.Table | None, bigquery.Table] | None:
        """The table in whose place the staged one will be, None if there was none when it was staged, and the staged
        one, if nothing is set on the old one and a clone changes no layout. None if that is not known."""
        new = self._made.get(place)
        if new is None or place not in self._old:
            return None
        old, has_layout = self._old[place], partition_of(new) is not None or new.clustering_fields
        return (old, new) if old is None or (is_plain(old) and not has_layout) else None

    def had_no_policies(self, place: Beside) -> bool:
        """Whether it is known without a request that the table in whose place the staged one will be had no row access
        policies when it was staged. It may have some by now."""
        return place in self._unrestricted

    def discard(self, context: BuildContext, keep: Collection[TableName] = ()) -> None:
        area = self.area(context)
        left = [place for table, place in area.items() if table not in keep]
        self.drop(left)
        for place in left:
            del area[place.table]

    def area(self, context: BuildContext) -> dict[TableName, Beside]:
        """What the run has staged, by table."""
        run = records.run_hash(context.run)
        with self._listing:
            if run not in self._areas:
                places = records.staged_in(self.items()) if self._kept is None else self._kept
                self._areas[run] = {place.table: place for place in places if place.run == run}
        return self._areas[run]

    def places(self, query: Query, staged: Collection[TableName], context: BuildContext) -> dict[TableName, TableName]:
        """Where the query finds those of the tables that it reads that are among the `staged` ones."""
        area = self.area(context)
        for wildcard, members in query.wildcards:
            if inside := sorted(area.keys() & {*members} & {*staged}):
                raise SqlError(
                    f"{wildcard} stands for {inside[0]}, which this refresh builds: BigQuery finds it there only once"
                    " it is published",
                    hint='name the tables instead, or set publish = "each"',
                )
        return {
            read.table: area[read.table].name for read in query.reads if read.table in staged and read.table in area
        }

    def items(self) -> list[TableListItem]:
        with google_errors():
            try:
                return list(
                    self._datasets.client.list_tables(
                        self._datasets.reference(STAGING_DATASET), page_size=PAGE, **self._datasets.patience
                    )
                )
            except NotFound:
                return []

    def keep_only(self, run: str, staged: Sequence[Beside]) -> None:
        """Of all that is `staged`, drop what other runs have staged than the one with this hash."""
        self.drop([place for place in staged if place.run != run])
        self._kept = [place for place in staged if place.run == run]

    def drop(self, places: Sequence[Beside]) -> None:
        """Drop the staged tables, several by one script."""
        size = max(_IN_A_SHORT_SCRIPT, min(_IN_A_SCRIPT, -(-len(places) // _AT_ONCE)))
        groups = [places[start : start + size] for start in range(0, len(places), size)]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="drop") as pool:
            list(pool.map(self._drop_some, groups))

    def _drop_some(self, places: Sequence[Beside]) -> None:
        for place in places:
            self._made.pop(place, None)
            self._old.pop(place, None)
            self._unrestricted.discard(place)
        if len(places) > 1 and self._drop_together(places):
            return
        for place in places:
            reference = self._datasets.reference(STAGING_DATASET).table(place.name.name)
            with google_errors():
                self._datasets.client.delete_table(reference, not_found_ok=True, **self._datasets.patience)

    def _drop_together(self, places: Sequence[Beside]) -> bool:
        """Drop them by one script. False if it failed, as one does that finds a view in the place of a table."""
        kinds = {True: "VIEW", False: "TABLE"}
        drops = [f"DROP {kinds[place.is_view]} IF EXISTS {self._datasets.path(place.name)}" for place in places]
        try:
            config = self._datasets.config(self._datasets.of_lease())
            self._datasets.jobs.repeat(f"drop-{secrets.token_hex(16)}", ";\n".join(drops), config)
        except (Transient, Unavailable, Cancelled):
            raise
        except WarehouseError:
            return False
        return True


def _made_by(config: bigquery.QueryJobConfig, page: Page | None) -> bigquery.Table | None:
    """The table that a job has just written, as far as the answer about its result tells; None where it is not sure to
    tell."""
    if page is None or not {"schema", "totalRows"} <= page.keys() or config.write_disposition != "WRITE_TRUNCATE":
        return None
    layout = ("timePartitioning", "rangePartitioning", "clustering")
    written = config.to_api_repr()["query"]
    return bigquery.Table.from_api_repr(
        {
            "tableReference": written["destinationTable"],
            "type": "TABLE",
            "schema": page["schema"],
            "numRows": page["totalRows"],
            **{name: written[name] for name in layout if name in written},
        }
    )
