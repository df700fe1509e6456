"""Stage some partitions of a table that is built by date."""

import time
from collections.abc import Collection, Mapping
from dataclasses import replace

from warehouse_refresh.warehouse import BuildContext, Built, TableBuild
from warehouse_refresh.warehouse.builds.parts import (
    Interval,
    Parts,
    need_same_columns,
    outside_reason,
    query_of,
    unmergeable_reason,
)
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.tables import parts, publications
from warehouse_refresh.warehouse.duckdb.tables.builder import Builder
from warehouse_refresh.warehouse.duckdb.tables.database import Database
from warehouse_refresh.warehouse.duckdb.tables.stager import Stager
from warehouse_refresh.warehouse.duckdb.tables.staging import Beside, beside
from warehouse_refresh.warehouse.duckdb.translate.text import table_sql
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName


class PartStager:
    """Builds partitions of tables beside the published ones."""

    def __init__(self, database: Database, builder: Builder, stager: Stager) -> None:
        self._database, self._builder, self._stager = database, builder, stager

    def stage(self, build: TableBuild, wanted: Parts, staged: Collection[TableName], context: BuildContext) -> Built:
        """Stage the rows of the `wanted` parts as a table of their own, and a view that joins them to the published
        table; without a published table, or with `whole`, the rows are the table."""
        of_rows = replace(build, table=parts.rows_table(build.table))
        rows, view = beside(of_rows, context), replace(beside(build, context), is_view=True)
        earlier = replace(rows, table=parts.earlier_table(build.table), is_view=True)

        def create(cursor: duckdb.DuckDBPyConnection) -> tuple[int, bool]:
            places = self._stager.places(cursor, build.query, staged, context)
            old = publications.all_stored(cursor).get(build.table.folded())
            is_whole = wanted.whole or old is None or old.is_view
            target = beside(build, context).name if is_whole else rows.name
            seen = target if is_whole else view.name
            if wanted.own:
                cursor.execute(parts.empty_sql(build.table, target, wanted, is_whole=is_whole))
                if not is_whole:
                    cursor.execute(parts.view_sql(view, target, wanted))
                places[build.table] = earlier
                self._database.known[earlier.name] = wanted.own
            try:
                self._part_rows(cursor, build, wanted, target, places, seen)
            finally:
                cursor.execute(earlier.drop_sql)
            if not is_whole:
                need_same_columns(
                    build.table,
                    self._database.known_columns(cursor, build.table),
                    self._database.known_columns(cursor, target),
                )
                cursor.execute(parts.view_sql(view, target, wanted))
                self._database.known[view.name] = self._database.known_columns(cursor, target)
            [(count,)] = cursor.execute(f"SELECT count(*) FROM {table_sql(seen)}").fetchall()
            return int(count), is_whole

        started = time.monotonic()
        count, is_whole = self._database.retried(create)
        if is_whole:
            self._stager.note_staged(build.table, beside(build, context))
        else:
            self._stager.note_staged(of_rows.table, rows)
            self._stager.note_staged(build.table, view)
        return Built(rows=count, seconds=time.monotonic() - started)

    def _part_rows(
        self,
        cursor: duckdb.DuckDBPyConnection,
        build: TableBuild,
        wanted: Parts,
        target: TableName,
        places: Mapping[TableName, Beside],
        seen: TableName,
    ) -> None:
        """Create the table `target` with the rows of the wanted parts. `seen` is the table as it will be: a query that
        reads its own table reads the earlier rows of that."""
        count = 0
        for number, interval in enumerate(wanted.batches):
            if wanted.own:
                cursor.execute(parts.earlier_sql(places[build.table].name, seen, wanted, interval))
            query = query_of(build.query, interval, wanted)
            if number == 0:
                added = (
                    self._builder.built_over(cursor, replace(build, table=target, query=query, parts=None), places) or 0
                )
            else:
                added = self._builder.added(cursor, query, target, places)
            if interval.start == interval.end:  # it has no rows, whatever the query gives: only its columns are wanted
                cursor.execute(f"DELETE FROM {table_sql(target)}")
                continue
            self._need_inside(cursor, build, wanted, target, interval, count)
            count += added
        if wanted.key:
            self._merge(cursor, build, wanted, target)

    def _merge(self, cursor: duckdb.DuckDBPyConnection, build: TableBuild, wanted: Parts, target: TableName) -> None:
        """Keep one row for each key in the table `target`. Raises SqlError for rows of which none is the latest, and
        for a key with NULL."""
        found = cursor.execute(parts.unmergeable_sql(target, wanted)).fetchone()
        if found is not None:
            values = ", ".join("NULL" if value is None else str(value) for value in found)
            raise SqlError(
                unmergeable_reason(build.table, wanted, values),
                hint="leave out rows with NULL, and choose one of the others in the query, with QUALIFY ROW_NUMBER()",
            )
        cursor.execute(parts.keep_latest_sql(target, wanted))

    def _need_inside(
        self,
        cursor: duckdb.DuckDBPyConnection,
        build: TableBuild,
        wanted: Parts,
        target: TableName,
        interval: Interval,
        first: int,
    ) -> None:
        """Raises SqlError if one of the rows from the number `first` on is outside of the interval."""
        found = cursor.execute(parts.outside_sql(target, wanted, interval, first)).fetchone()
        if found is not None:
            raise SqlError(
                outside_reason(build.table, wanted, interval, "NULL" if found[0] is None else found[0]),
                hint=f"write WHERE {wanted.column} >= @start AND {wanted.column} < @end",
            )
