"""Publish staged tables, complete a publication that was cut off, and roll one back."""

import itertools
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import cast

from google.cloud import bigquery

from warehouse_refresh.warehouse import BuildContext, Publication, Published, Staged, TableBuild
from warehouse_refresh.warehouse.bigquery import names
from warehouse_refresh.warehouse.bigquery.building.builder import Builder
from warehouse_refresh.warehouse.bigquery.datasets import Datasets
from warehouse_refresh.warehouse.bigquery.errors import google_errors
from warehouse_refresh.warehouse.bigquery.names import STAGING_DATASET
from warehouse_refresh.warehouse.bigquery.parts.records import PartRecords, parts_in, run_in
from warehouse_refresh.warehouse.bigquery.publishing import records
from warehouse_refresh.warehouse.bigquery.publishing.built import Recorder
from warehouse_refresh.warehouse.bigquery.publishing.records import Beside, Record
from warehouse_refresh.warehouse.bigquery.publishing.stager import Stager
from warehouse_refresh.warehouse.bigquery.publishing.tables import Placed, Tables
from warehouse_refresh.warehouse.builds.posted import NO_EARLIER, Posted
from warehouse_refresh.warehouse.errors import Cancelled, NotAllowed, Transient, Unavailable, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query

_AT_ONCE = 16
"""How many tables are staged, or recorded, at the same time."""


class Publisher:
    """Puts staged tables in the places of the old ones."""

    def __init__(self, datasets: Datasets, builder: Builder, stager: Stager, recorder: Recorder) -> None:
        self._datasets, self._builder, self._stager, self._recorder = datasets, builder, stager, recorder
        self._tables = Tables(datasets, builder, stager)
        self._part_records = PartRecords(datasets)

    def publish(self, builds: Sequence[TableBuild], context: BuildContext) -> Published:
        area = self._stager.area(context)
        items = [(build, records.place_for(area, build, context)) for build in builds]
        if not items:
            return Published(0.0)
        started = time.monotonic()
        record = self._write_record([place for _, place in items], context)
        if posted := [build.table for build, _ in items if build.posted is not None]:
            self._recorder.forget(posted)  # of these, what changes them later does not make it outdated
        done = self._publish_all(items, context)
        self._record_parts([place for _, place in items], record)
        self._close_record(record)
        self._recorder.add(builds, context, {placed.name: placed.changed for placed in done if placed.name is not None})
        for build, _ in items:
            del area[build.table]
        with ThreadPoolExecutor(1, thread_name_prefix="drop") as pool:  # neither needs the other
            dropping = pool.submit(self._stager.drop, [place for _, place in items])
            self._recorder.write()
        dropping.result()
        window = max(placed.last for placed in done) - min(placed.first for placed in done)
        return Published(time.monotonic() - started, window)

    def _publish_all(self, items: Sequence[tuple[TableBuild, Beside]], context: BuildContext) -> list[Placed]:
        """Publish the tables at once, then the views in their order."""
        done = self._tables.replace([item for item in items if not item[0].is_view], context)
        self._datasets.create_functions(function for build, _ in items for function in build.query.functions)
        for build, place in items:
            if build.is_view:
                config = self._datasets.config(self._datasets.labels(build.table, context))
                name = names.publish_name(place.run, build.table, place.fingerprint)
                self._builder.build_view(build, config, name)
                ended = time.monotonic()
                done.append(Placed(ended, ended))
        return done

    def _write_record(self, places: Sequence[Beside], context: BuildContext) -> Record:
        """Record what is going to be published."""
        record = records.record_of(places)
        config = self._datasets.config({"run": context.run})
        config.destination = self._datasets.reference(STAGING_DATASET).table(record.name.name)
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
        sql, config.query_parameters = records.record_sql(places)
        self._datasets.jobs.finish(f"record-{secrets.token_hex(16)}", sql, config)
        return record

    def _record_parts(self, places: Sequence[Beside], record: Record) -> None:
        """Record the partitions that are published now, with the moment when the publication began."""
        found = [(place, parts) for place in places if (parts := parts_in(place.parts)) is not None]
        if found:
            at = self._datasets.table(record.name).created
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="partitions") as pool:
                done = [
                    pool.submit(self._part_records.keep, place.table, parts, place.fingerprint, run_in(place.parts), at)
                    for place, parts in found
                ]
            for one in done:
                one.result()

    def _close_record(self, record: Record) -> None:
        table = bigquery.Table(self._datasets.reference(record.name.dataset).table(record.name.name))
        table.labels = {records.DONE: "true"}  # the only one that it has
        self._datasets.change(table, ["labels"])

    def _recorded(self, record: Record) -> list[Beside]:
        with google_errors():
            rows = self._datasets.client.list_rows(self._datasets.table(record.name), **self._datasets.patience)
            return records.places_of(record.run, [row.values() for row in rows])

    def staged(self, context: BuildContext) -> Mapping[TableName, Staged]:
        run = records.run_hash(context.run)
        done = [one for one in records.records_in(self._stager.items()) if one.is_done]
        ours = [record for record in done if record.run == run]
        published = {place.table: place for record in ours for place in self._recorded(record)}
        first = min((str(record.at) for record in ours), default="")
        for record in done if ours else ():
            if record.run != run and str(record.at) > first:
                for place in self._recorded(record):
                    published.pop(place.table, None)
        return {table: Staged(place.fingerprint, is_published=True) for table, place in published.items()} | {
            table: Staged(place.fingerprint) for table, place in self._stager.area(context).items()
        }

    def recover(self, keep: str, say: Callable[[str], None]) -> None:
        items = self._stager.items()
        staged = list(records.staged_in(items))
        for record in records.records_in(items):
            if not record.is_done:
                self._complete(record, {place.name for place in staged}, say)
        self._stager.keep_only(records.run_hash(keep), staged)

    def publications(self) -> Iterator[Publication]:
        done = [record for record in records.records_in(self._stager.items()) if record.is_done and record.at]
        for record in sorted(done, key=lambda record: str(record.at), reverse=True):
            tables = tuple(place.table for place in self._recorded(record))
            yield Publication(record.run, cast("datetime", record.at), tables)

    def roll_back(
        self, publication: Publication, tables: Collection[TableName], context: BuildContext
    ) -> Mapping[TableName, str]:
        """The earlier tables are staged by clones of what BigQuery keeps of the last seven days, and published as any:
        https://cloud.google.com/bigquery/docs/time-travel"""
        since = {table for later in self._later(publication) for table in later.tables}
        left = {table: "it was published again since" for table in tables if table in since}
        left |= dict.fromkeys(self._posted_of(publication) & {*tables}, NO_EARLIER)
        chosen = [table for table in publication.tables if table in tables and table not in left]
        self._datasets.create_staging_dataset()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="earlier") as pool:
            found = list(pool.map(lambda table: self._stage_earlier(table, publication.at, context), chosen))
        left |= {table: one for table, one in zip(chosen, found, strict=True) if isinstance(one, str)}
        places = [one for one in found if isinstance(one, Beside)]
        if places:
            record = self._write_record(places, context)
            self._publish_all([(self._build_of(place), place) for place in places], context)
            self._recorder.forget([place.table for place in places])
            self._close_record(record)
            self._stager.drop(places)
        return left

    def _posted_of(self, publication: Publication) -> set[TableName]:
        found = records.records_in(self._stager.items())
        ours = [one for one in found if (one.run, one.at) == (publication.run, publication.at)]
        return {place.table for record in ours for place in self._recorded(record) if place.posted}

    def _later(self, publication: Publication) -> Iterator[Publication]:
        return itertools.takewhile(lambda one: one.at > publication.at, self.publications())

    def _stage_earlier(self, table: TableName, at: datetime, context: BuildContext) -> Beside | str:
        """Stage the table as it was at the moment. Returns why, if that cannot be."""
        now = self._datasets.table_or_none(table)
        if now is not None and now.table_type != "TABLE":
            return f"BigQuery keeps no earlier version of a {now.table_type.lower()}"
        place = records.earlier(table, at, context)
        moment = int(at.timestamp() * 1e6)
        sql = (
            f"CREATE OR REPLACE TABLE {self._datasets.path(place.name)} CLONE {self._datasets.path(table)}"
            f" FOR SYSTEM_TIME AS OF TIMESTAMP_MICROS({moment})"
        )
        try:
            self._datasets.jobs.finish(
                f"earlier-{secrets.token_hex(16)}", sql, self._datasets.config(self._datasets.labels(table, context))
            )
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
            self._recorder.forget([place.table for place in recorded])
            self._publish_all([(self._build_of(place), place) for place in places], BuildContext(record.run))
            self._record_parts(places, record)
        except (Transient, Unavailable, Cancelled):
            raise
        except WarehouseError as error:
            say(f"a refresh died while it published {names_of}; what was left could not be published: {error}")
            for place in places:
                if place.parts:  # some of its partitions may be new: all are built anew
                    self._part_records.forget(place.table)
        else:
            say(f"a refresh died while it published {names_of}: all of them are published now")
        self._close_record(record)

    def _build_of(self, place: Beside) -> TableBuild:
        """A staged table as one to publish. The text of a view reads published tables in place of staged ones."""
        text = self._datasets.table(place.name).view_query if place.is_view else None
        query = parse_query(records.over_published(text or "SELECT 1")).within(self._datasets.settings.project)
        posted = Posted.of_text(place.posted) if place.posted else None
        return TableBuild(place.table, query, place.is_view, parts=parts_in(place.parts), posted=posted)
