"""Build tables beside the published ones, and drop those that no run will publish any more."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from warehouse_refresh.warehouse import BuildContext, Built, Staged, TableBuild
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.tables import parts, publications, staging
from warehouse_refresh.warehouse.duckdb.tables.builder import Builder
from warehouse_refresh.warehouse.duckdb.tables.database import Database
from warehouse_refresh.warehouse.duckdb.tables.declared import Declared, keep_declared
from warehouse_refresh.warehouse.duckdb.tables.staging import Beside, beside
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query


class Stager:
    """Builds tables beside the published ones."""

    def __init__(self, database: Database, builder: Builder) -> None:
        self._database, self._builder = database, builder
        self._areas: dict[str, dict[TableName, Beside]] = {}  # what each run has staged, by the hash of the run

    def stage(self, build: TableBuild, staged: Collection[TableName], context: BuildContext) -> Built:
        """See `Warehouse.stage`; a table by date is staged by PartStager."""
        place = beside(build, context)

        def create(cursor: duckdb.DuckDBPyConnection) -> int | None:
            places = self.places(cursor, build.query, staged, context)
            return self._builder.built_over(cursor, replace(build, table=place.name), places)

        started = time.monotonic()
        rows = self._database.retried(create)
        self.note_staged(build.table, place)
        return Built(rows=rows, seconds=time.monotonic() - started)

    def staged(self, context: BuildContext) -> Mapping[TableName, Staged]:
        """What the run has staged or published."""
        with self._database.cursor() as cursor:
            area = self.area(cursor, context)
            published = publications.published_by(cursor, context.run)
        return published | {table: Staged(place.fingerprint) for table, place in area.items()}

    def discard(self, context: BuildContext, keep: Collection[TableName] = ()) -> None:
        """Drop what the run has staged, except the tables of `keep`."""
        with self._database.cursor() as cursor:
            area = self.area(cursor, context)
        left = [place for place in area.values() if place.table not in keep]
        self._drop(left)
        for place in left:
            del area[place.table]

    def recover(self, keep: str) -> None:
        """Drop what other runs than `keep` have staged."""
        if not self._database.path.exists():
            return
        kept = staging.run_hash(keep)
        with self._database.cursor() as cursor:
            left = [place for place in staging.all_staged(cursor) if place.run != kept]
        self._drop(left)

    def area(self, cursor: duckdb.DuckDBPyConnection, context: BuildContext) -> dict[TableName, Beside]:
        """The places of all tables that the run has staged."""
        run = staging.run_hash(context.run)
        if run not in self._areas:
            found = {place.table: place for place in staging.all_staged(cursor) if place.run == run}
            self._areas.setdefault(run, found)
        return self._areas[run]

    def taken(self, table: TableName, run: str) -> Beside:
        """Forget a staged table, which is published now. Returns where it was staged."""
        self._areas[run].pop(parts.rows_table(table), None)
        return self._areas[run].pop(table)

    def places(
        self, cursor: duckdb.DuckDBPyConnection, query: Query, staged: Collection[TableName], context: BuildContext
    ) -> dict[TableName, Beside]:
        """The places of the tables that the query reads, for those that are in `staged`."""
        area = self.area(cursor, context)
        return {read.table: area[read.table] for read in query.reads if read.table in staged and read.table in area}

    def note_staged(self, table: TableName, place: Beside) -> None:
        """Remember where a table is staged now, and drop what was staged of it before."""
        before = self._areas[place.run].get(table, place)
        self._areas[place.run][table] = place
        if before.name != place.name or before.is_view != place.is_view:
            self._drop([before])

    def _drop(self, places: Sequence[Beside]) -> None:
        def drop(cursor: duckdb.DuckDBPyConnection) -> Declared:
            cursor.execute("; ".join(place.drop_sql for place in places))
            declared = dict(self._database.declared)
            for place in places:
                keep_declared(cursor, place.name, (), declared)
            return declared

        if places:
            self._database.note_declared(self._database.in_transaction(drop), [place.name for place in places])
