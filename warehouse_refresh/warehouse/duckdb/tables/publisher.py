"""Publish staged tables together, and roll a publication back."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from warehouse_refresh.warehouse import BuildContext, Publication, Published, TableBuild
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.tables import built, parts, publications, staging
from warehouse_refresh.warehouse.duckdb.tables.builder import Builder
from warehouse_refresh.warehouse.duckdb.tables.database import Database
from warehouse_refresh.warehouse.duckdb.tables.declared import Declared, renamed
from warehouse_refresh.warehouse.duckdb.tables.publications import Before, PublishedTable, Stored
from warehouse_refresh.warehouse.duckdb.tables.stager import Stager
from warehouse_refresh.warehouse.duckdb.tables.staging import Beside, beside
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName


class Publisher:
    """Puts staged tables in the places of the old ones, each publication in one transaction."""

    def __init__(self, database: Database, builder: Builder, stager: Stager) -> None:
        self._database, self._builder, self._stager = database, builder, stager

    def publish(self, builds: Sequence[TableBuild], context: BuildContext) -> Published:
        """Publish staged tables. Raises WarehouseError, also for one that the run has not staged."""
        run = staging.run_hash(context.run)

        def kept_as(table: TableName) -> TableName:
            return publications.previous_name(table, run)

        def publish(cursor: duckdb.DuckDBPyConnection) -> Declared:
            area, old = self._stager.area(cursor, context), publications.all_stored(cursor)
            moved = {build.table: area[rows] for build in builds if (rows := parts.rows_table(build.table)) in area}
            places = [_staged_place(area, build, context, is_part=build.table in moved) for build in builds]
            whole = [place for place in places if place.table not in moved]
            views = {build.table: self._builder.view_sql(cursor, build, area) for build in builds if build.is_view}
            staging.keep_posted(cursor, zip(builds, places, strict=True), old)
            before = publications.previous_in(old.values())
            outdated = [before[build.table.folded()] for build in builds if build.table.folded() in before]
            statements = [one.drop_sql for one in outdated]
            statements += staging.publish_sql(whole, old, views, kept_as if context.keep_previous else None)
            for build, place in zip(builds, places, strict=True):
                if build.parts is not None and build.table in moved:
                    statements += parts.publish_sql(place, moved[build.table], build.parts)
            cursor.execute("; ".join(statements))
            new = [
                _published(place, old, is_kept=context.keep_previous and place.table not in moved) for place in places
            ]
            publications.keep_record(cursor, context.run, new)
            if parts.RECORDS in old:
                parts.forget(cursor, [place.table for place in whole])
            parts.keep_records(cursor, context.run, builds)
            built.keep(cursor, context, builds)
            names = {one.table: kept_as(one.table) for one in new if one.before is Before.KEPT}
            return renamed(cursor, {**names, **{place.name: place.table for place in whole}}, self._database.declared)

        started = time.monotonic()
        declared = self._database.in_transaction(publish)
        for build in builds:
            place = self._stager.taken(build.table, run)
            if (columns := self._database.known.pop(place.name, None)) is not None:
                self._database.known[build.table] = columns
            else:
                self._database.known.pop(build.table, None)
            self._database.note_declared(declared, [place.name, place.table, kept_as(place.table)])
        return Published(time.monotonic() - started)

    def publications(self) -> Iterator[Publication]:
        """The recorded publications, the last one first."""
        if self._database.path.exists():
            with self._database.cursor() as cursor:
                found = list(publications.recorded(cursor))
            yield from (publication for publication, _ in found)

    def roll_back(
        self, publication: Publication, tables: Collection[TableName], context: BuildContext
    ) -> Mapping[TableName, str]:
        """Put the tables that the publication replaced in their places again. Returns why others stay."""

        def roll_back(cursor: duckdb.DuckDBPyConnection) -> tuple[dict[TableName, str], Declared]:
            old = publications.all_stored(cursor)
            previous = publications.previous_in(old.values())
            left = publications.reasons_to_stay(publication, tables, publications.last_records(cursor), previous)
            names: dict[TableName, TableName] = {}
            new = []
            for table in (table for table in publication.tables if table in tables and table not in left):
                now, then = old.get(table.folded()), previous.get(table.folded())
                for one, name in ((now, publications.previous_name(table, run)), (then, table)):
                    if one is not None:
                        cursor.execute(one.renamed_sql(name))
                        names[one.name] = name
                new.append(PublishedTable(table, "", Before.KEPT if now is not None else Before.ABSENT))
            if new:
                publications.keep_record(cursor, context.run, new)
                built.forget(cursor, [one.table for one in new])
            if parts.RECORDS in old:
                parts.forget(cursor, [one.table for one in new])
            return left, renamed(cursor, names, self._database.declared)

        run = staging.run_hash(context.run)
        left, self._database.declared = self._database.in_transaction(roll_back)
        self._database.known.clear()
        return left


def _staged_place(
    area: Mapping[TableName, Beside], build: TableBuild, context: BuildContext, *, is_part: bool
) -> Beside:
    place = replace(beside(build, context), is_view=build.is_view or is_part)
    if area.get(build.table) != place:
        raise WarehouseError(f"{build.table} cannot be published: this run has not staged it")
    return place


def _published(place: Beside, old: Mapping[TableName, Stored], *, is_kept: bool) -> PublishedTable:
    """What the record says of a table that replaces one of the `old` ones, if there was one."""
    if place.is_posted:
        return PublishedTable(place.table, place.fingerprint, Before.POSTED)
    before = Before.ABSENT if place.table.folded() not in old else Before.KEPT if is_kept else Before.LOST
    return PublishedTable(place.table, place.fingerprint, before)
