"""The warehouse in a DuckDB file."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import duckdb
import tenacity

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
from warehouse_refresh.warehouse.builds.records import BuildRecord
from warehouse_refresh.warehouse.deadline import deadline
from warehouse_refresh.warehouse.duckdb.failures import failures_in
from warehouse_refresh.warehouse.duckdb.faults import faults_of, reason
from warehouse_refresh.warehouse.duckdb.file import DuckDBFile
from warehouse_refresh.warehouse.duckdb.lock import refresh_lock
from warehouse_refresh.warehouse.duckdb.python_functions import is_missing, register
from warehouse_refresh.warehouse.duckdb.tables import built, parts, publications, staging
from warehouse_refresh.warehouse.duckdb.tables.declared import (
    Declared,
    declared_types,
    definition_sql,
    keep_declared,
    renamed,
    type_of_column,
)
from warehouse_refresh.warehouse.duckdb.tables.publications import Before, PublishedTable, Stored
from warehouse_refresh.warehouse.duckdb.tables.staging import Beside, beside, over
from warehouse_refresh.warehouse.duckdb.tables.views import view_reads
from warehouse_refresh.warehouse.duckdb.translate.text import (
    CATALOGUE,
    quoted,
    schema_sql,
    string_sql,
    table_sql,
    unmarked,
)
from warehouse_refresh.warehouse.duckdb.translations import Translations
from warehouse_refresh.warehouse.duckdb.types import of_decimals, rows_of
from warehouse_refresh.warehouse.errors import SqlError, TableNotFound, Transient, WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.parts import (
    Interval,
    PartRecord,
    Parts,
    need_same_columns,
    outside_reason,
    query_of,
    unmergeable_reason,
)
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Function, Query, Statement
from warehouse_refresh.warehouse.storage import PLAIN, Storage
from warehouse_refresh.warehouse.types import Column, with_required

if TYPE_CHECKING:
    from warehouse_refresh.warehouse.values.parquet import ParquetFile

T = TypeVar("T")
_OF_BIGQUERY = (
    *("partition", "cluster_by", "friendly_name", "labels", "partition_expiration_days", "require_partition_filter"),
    *("expires_after_days", "policy_tags"),
)
"""The options of `Storage` that DuckDB ignores."""
_RESERVED_DATASETS = frozenset({"information_schema", "pg_catalog", OWN_DATASET})


class DuckDBWarehouse:
    """A DuckDB file as a warehouse. Implements `warehouse.Warehouse`.

    `patience` is how many seconds to wait for a file that another process has open. `cache` stores translations.
    """

    plans_at_once = 1  # planning is pure Python, which threads do not speed up

    def __init__(self, path: Path, patience: float = 30.0, cache: SqlCache | None = None) -> None:
        self._path, self._file = path, DuckDBFile(path, self._prepare, patience)
        self._translations = Translations(cache)
        self._known: dict[TableName, tuple[Column, ...]] = {}
        self._declared: Declared = {}
        self._areas: dict[str, dict[TableName, Beside]] = {}

    def tables(self, dataset: str) -> list[TableName]:
        with self._cursor() as cursor:
            names = cursor.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = $1 AND schema_name = $2 UNION ALL"
                " SELECT view_name FROM duckdb_views() WHERE database_name = $1 AND schema_name = $2",
                [CATALOGUE, dataset],
            ).fetchall()
        return sorted(TableName(dataset, name) for (name,) in names if not name.startswith(publications.HIDDEN))

    def built_tables(self, dataset: str) -> list[TableName]:
        return self.tables(dataset)

    def view_reads(self) -> Mapping[TableName, frozenset[TableName]]:
        with self._cursor() as cursor:
            return view_reads(cursor)

    def drop(self, table: TableName) -> None:
        def drop(cursor: duckdb.DuckDBPyConnection) -> Declared:
            declared = dict(self._declared)
            word = "VIEW" if _is_view(cursor, table) else "TABLE"
            cursor.execute(f"DROP {word} IF EXISTS {table_sql(table)}")
            keep_declared(cursor, table, (), declared)
            built.forget(cursor, [table])
            return declared

        self._declared = self._in_transaction(drop)
        self._known.clear()

    def columns(self, table: TableName) -> tuple[Column, ...]:
        return self._retried(lambda cursor: _with_comments(cursor, table, _columns(cursor, table, self._declared)))

    def row_count(self, table: TableName) -> int:
        def counted(cursor: duckdb.DuckDBPyConnection) -> int:
            _described(cursor, table)
            [(count,)] = cursor.execute(f"SELECT count(*) FROM {table_sql(table)}").fetchall()
            return int(count)

        return self._retried(counted)

    def first_rows(self, table: TableName, limit: int) -> list[tuple[Any, ...]]:
        def read(cursor: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
            columns = _columns(cursor, table, self._declared)
            return rows_of(columns, cursor.execute(f"SELECT * FROM {table_sql(table)} LIMIT {int(limit)}").fetchall())

        return self._retried(read)

    def fetch(
        self, query: Query, limit: int | None, staged: Collection[TableName] = (), context: BuildContext | None = None
    ) -> Answer:
        def read(cursor: duckdb.DuckDBPyConnection) -> Answer:
            places = self._places(cursor, query, staged, context) if context else {}
            columns, sql = self._translations.answer(
                query, lambda table: self._columns_as_staged(cursor, table, places)
            )
            with failures_in(query.text):
                result = cursor.execute(over(sql, places))
                rows = result.fetchall() if limit is None else result.fetchmany(limit)
            return Answer(columns, rows_of(columns, rows))

        return self._retried(read)

    def create_datasets(self, datasets: Iterable[str]) -> None:
        datasets = list(datasets)
        for reserved in (dataset for dataset in datasets if dataset.casefold() in _RESERVED_DATASETS):
            raise WarehouseError(f"the embedded engine needs the name {reserved} itself: rename that dataset")
        with self._cursor() as cursor:
            for dataset in datasets:
                cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema_sql(dataset)}")

    def create_functions(self, functions: Iterable[Function]) -> None:
        """Nothing is created: a function is written out where it is called."""

    def refresh_lock(self, holder: str, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        return refresh_lock(self._path, holder, on_wait)

    def run_script(self, statements: Sequence[Statement], *, together: bool = False) -> None:  # noqa: ARG002 (it is always so)
        def run(cursor: duckdb.DuckDBPyConnection) -> Declared:
            declared = dict(self._declared)
            for statement in statements:
                _run_statement(cursor, statement, declared, self._file.path)
            targets = [statement.target for statement in statements if statement.target]
            built.count_changes(cursor, targets)
            return declared

        self._declared = self._in_transaction(run)
        self._known.clear()

    def build(self, build: TableBuild, context: BuildContext) -> Built:
        def replaced(cursor: duckdb.DuckDBPyConnection) -> int | None:
            with suppress(duckdb.CatalogException):  # no table was built by date so far
                parts.forget(cursor, [build.table])
            return self._built_over(cursor, build, {})

        started = time.monotonic()
        self._in_transaction(lambda cursor: built.forget(cursor, [build.table]))  # a build is no transaction of its own
        rows = self._retried(replaced)
        self._in_transaction(lambda cursor: built.keep(cursor, context, [build]))
        return Built(rows=rows, seconds=time.monotonic() - started)

    def stage(self, build: TableBuild, staged: Collection[TableName], context: BuildContext) -> Built:
        if build.parts is not None:
            return self._stage_parts(build, build.parts, staged, context)
        place = beside(build, context)

        def create(cursor: duckdb.DuckDBPyConnection) -> int | None:
            places = self._places(cursor, build.query, staged, context)
            return self._built_over(cursor, replace(build, table=place.name), places)

        started = time.monotonic()
        rows = self._retried(create)
        self._note_staged(build.table, place)
        return Built(rows=rows, seconds=time.monotonic() - started)

    def _stage_parts(
        self, build: TableBuild, wanted: Parts, staged: Collection[TableName], context: BuildContext
    ) -> Built:
        """Stage the rows of the `wanted` parts as a table of their own, and a view that joins them to the published
        table; without a published table, or with `whole`, the rows are the table."""
        of_rows = replace(build, table=parts.rows_table(build.table))
        rows, view = beside(of_rows, context), replace(beside(build, context), is_view=True)
        earlier = replace(rows, table=parts.earlier_table(build.table), is_view=True)

        def create(cursor: duckdb.DuckDBPyConnection) -> tuple[int, bool]:
            places = self._places(cursor, build.query, staged, context)
            old = publications.all_stored(cursor).get(build.table.folded())
            is_whole = wanted.whole or old is None or old.is_view
            target = beside(build, context).name if is_whole else rows.name
            seen = target if is_whole else view.name
            if wanted.own:
                cursor.execute(parts.empty_sql(build.table, target, wanted, is_whole=is_whole))
                if not is_whole:
                    cursor.execute(parts.view_sql(view, target, wanted))
                places[build.table] = earlier
                self._known[earlier.name] = wanted.own
            try:
                self._part_rows(cursor, build, wanted, target, places, seen)
            finally:
                cursor.execute(earlier.drop_sql)
            if not is_whole:
                need_same_columns(
                    build.table, self._known_columns(cursor, build.table), self._known_columns(cursor, target)
                )
                cursor.execute(parts.view_sql(view, target, wanted))
                self._known[view.name] = self._known_columns(cursor, target)
            [(count,)] = cursor.execute(f"SELECT count(*) FROM {table_sql(seen)}").fetchall()
            return int(count), is_whole

        started = time.monotonic()
        count, is_whole = self._retried(create)
        if is_whole:
            self._note_staged(build.table, beside(build, context))
        else:
            self._note_staged(of_rows.table, rows)
            self._note_staged(build.table, view)
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
                added = self._built_over(cursor, replace(build, table=target, query=query, parts=None), places) or 0
            else:
                added = self._added(cursor, query, target, places)
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

    def _added(
        self, cursor: duckdb.DuckDBPyConnection, query: Query, target: TableName, places: Mapping[TableName, Beside]
    ) -> int:
        """Insert the query's result. Returns the number of rows."""
        found = self._translations.of(query, lambda read: self._columns_as_staged(cursor, read, places))
        with failures_in(query.text):
            insert = f"INSERT INTO {table_sql(target)} {over(found.stored_sql(), places)}"
            [(added,)] = cursor.execute(insert).fetchall()
        return int(added)

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

    def _note_staged(self, table: TableName, place: Beside) -> None:
        """Remember where a table is staged now, and drop what was staged of it before."""
        before = self._areas[place.run].get(table, place)
        self._areas[place.run][table] = place
        if before.name != place.name or before.is_view != place.is_view:
            self._drop_staged([before])

    def storage_changes(self, build: TableBuild) -> list[str]:
        ignored = [name for name in _OF_BIGQUERY if getattr(build.storage, name) != getattr(PLAIN, name)]
        names = ", ".join("partition_by" if name == "partition" else name for name in ignored)
        return [f"ignored, since only BigQuery has it: {names}"] if ignored else []

    def _built_over(
        self, cursor: duckdb.DuckDBPyConnection, build: TableBuild, places: Mapping[TableName, Beside]
    ) -> int | None:
        """Replace the table or view. Its query reads the tables of `places` at those places. Returns the number of
        rows, None for a view."""
        translation = self._translations.of(build.query, lambda read: self._columns_as_staged(cursor, read, places))
        sql = over(translation.stored_sql(), places)
        is_declared = bool(build.query.listed) and not build.is_view
        columns = translation.columns if is_declared else translation.stored_columns
        columns = with_required(columns, build.storage.required)
        with failures_in(build.query.text):
            if is_declared or build.table in self._declared:
                listed = columns if is_declared else ()
                rows, declared = _replaced_as_declared(cursor, build, sql, listed, self._declared)
                self._note_declared(declared, [build.table])
            else:
                rows = _replaced(cursor, build, sql)
        self._known[build.table] = columns
        return rows

    def publish(self, builds: Sequence[TableBuild], context: BuildContext) -> Published:
        run = staging.run_hash(context.run)

        def kept_as(table: TableName) -> TableName:
            return publications.previous_name(table, run)

        def publish(cursor: duckdb.DuckDBPyConnection) -> Declared:
            area, old = self._area(cursor, context), publications.all_stored(cursor)
            moved = {build.table: area[rows] for build in builds if (rows := parts.rows_table(build.table)) in area}
            places = [_staged_place(area, build, context, is_part=build.table in moved) for build in builds]
            whole = [place for place in places if place.table not in moved]
            views = {build.table: self._view_sql(cursor, build, area) for build in builds if build.is_view}
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
            return renamed(cursor, {**names, **{place.name: place.table for place in whole}}, self._declared)

        started = time.monotonic()
        declared = self._in_transaction(publish)
        for build in builds:
            place = self._areas[run].pop(build.table)
            self._areas[run].pop(parts.rows_table(build.table), None)
            if (columns := self._known.pop(place.name, None)) is not None:
                self._known[build.table] = columns
            else:
                self._known.pop(build.table, None)
            self._note_declared(declared, [place.name, place.table, kept_as(place.table)])
        return Published(time.monotonic() - started)

    def describe(self, table: TableName, storage: Storage) -> None:
        def describe(cursor: duckdb.DuckDBPyConnection) -> None:
            there = {column.name for column in _columns(cursor, table, self._declared)}
            said = tuple((name, text) for name, text in storage.column_descriptions if name in there)
            for statement in comments_sql(table, replace(storage, column_descriptions=said)):
                cursor.execute(statement)

        self._in_transaction(describe)

    def partitions(self, table: TableName) -> Sequence[PartRecord]:
        if not self._path.exists():
            return []
        with self._cursor() as cursor:
            return parts.recorded(cursor, table)

    @property
    def made_by(self) -> str:
        return built.made_by()

    def records(self) -> Mapping[TableName, BuildRecord]:
        if not self._path.exists():
            return {}
        with self._cursor() as cursor:
            return built.recorded(cursor)

    def versions(self, tables: Collection[TableName]) -> Mapping[TableName, str]:
        if not (tables and self._path.exists()):
            return {}
        with self._cursor() as cursor:
            return built.versions(cursor, tables)

    def note_failed(self, tables: Collection[TableName]) -> None:
        self._in_transaction(lambda cursor: built.note_failed(cursor, tables))

    def publications(self) -> Iterator[Publication]:
        if self._path.exists():
            with self._cursor() as cursor:
                found = list(publications.recorded(cursor))
            yield from (publication for publication, _ in found)

    def roll_back(
        self, publication: Publication, tables: Collection[TableName], context: BuildContext
    ) -> Mapping[TableName, str]:
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
            return left, renamed(cursor, names, self._declared)

        run = staging.run_hash(context.run)
        left, self._declared = self._in_transaction(roll_back)
        self._known.clear()
        return left

    def staged(self, context: BuildContext) -> Mapping[TableName, Staged]:
        with self._cursor() as cursor:
            area = self._area(cursor, context)
            published = publications.published_by(cursor, context.run)
        return published | {table: Staged(place.fingerprint) for table, place in area.items()}

    def discard(self, context: BuildContext, keep: Collection[TableName] = ()) -> None:
        with self._cursor() as cursor:
            area = self._area(cursor, context)
        left = [place for place in area.values() if place.table not in keep]
        self._drop_staged(left)
        for place in left:
            del area[place.table]

    def recover(self, keep: str, say: Callable[[str], None]) -> None:  # noqa: ARG002 (a publication is one transaction)
        if not self._path.exists():
            return
        kept = staging.run_hash(keep)
        with self._cursor() as cursor:
            left = [place for place in staging.all_staged(cursor) if place.run != kept]
        self._drop_staged(left)

    def _note_declared(self, declared: Declared, tables: Iterable[TableName]) -> None:
        """Copy the types that `declared` has for these tables. Other threads may do the same for other tables."""
        for table in tables:
            if types := declared.get(table):
                self._declared[table] = types
            else:
                self._declared.pop(table, None)

    def _drop_staged(self, places: Sequence[Beside]) -> None:
        def drop(cursor: duckdb.DuckDBPyConnection) -> Declared:
            cursor.execute("; ".join(place.drop_sql for place in places))
            declared = dict(self._declared)
            for place in places:
                keep_declared(cursor, place.name, (), declared)
            return declared

        if places:
            self._note_declared(self._in_transaction(drop), [place.name for place in places])

    def _area(self, cursor: duckdb.DuckDBPyConnection, context: BuildContext) -> dict[TableName, Beside]:
        """The places of all tables that the run has staged."""
        run = staging.run_hash(context.run)
        if run not in self._areas:
            found = {place.table: place for place in staging.all_staged(cursor) if place.run == run}
            self._areas.setdefault(run, found)
        return self._areas[run]

    def _places(
        self, cursor: duckdb.DuckDBPyConnection, query: Query, staged: Collection[TableName], context: BuildContext
    ) -> dict[TableName, Beside]:
        """The places of the tables that the query reads, for those that are in `staged`."""
        area = self._area(cursor, context)
        return {read.table: area[read.table] for read in query.reads if read.table in staged and read.table in area}

    def _columns_as_staged(
        self, cursor: duckdb.DuckDBPyConnection, table: TableName, places: Mapping[TableName, Beside]
    ) -> tuple[Column, ...]:
        return self._known_columns(cursor, places[table].name if table in places else table)

    def _view_sql(
        self, cursor: duckdb.DuckDBPyConnection, build: TableBuild, area: Mapping[TableName, Beside]
    ) -> list[str]:
        """The statements that create a view over the published tables. The translation uses the columns of the staged
        tables in `area`, which will be published with it."""
        found = self._translations.of(build.query, lambda read: self._columns_as_staged(cursor, read, area))
        create = f"CREATE VIEW {table_sql(build.table)} AS {unmarked(found.stored_sql())}"
        return [create, *comments_sql(build.table, build.storage, is_view=True)]

    def append(self, table: TableName, appends: Sequence[Append]) -> list[Outcome]:
        from warehouse_refresh.warehouse.duckdb.append import (
            append_rows,  # imports the translator's nodes, which a refresh may not need
        )

        return self._in_transaction(
            lambda cursor: append_rows(cursor, table, self._known_columns(cursor, table), appends)
        )

    def load(self, table: TableName, file: "ParquetFile") -> None:
        names = ", ".join(quoted(column.name) for column in file.columns)
        insert = f"INSERT INTO {table_sql(table)} ({names}) {_rows_sql(file)}"
        self._in_transaction(lambda cursor: cursor.execute(insert))

    def offer(self, table: TableName, file: "ParquetFile") -> None:
        self.drop(table)  # one that was left there, when its process died
        self._in_transaction(lambda cursor: cursor.execute(f"CREATE VIEW {table_sql(table)} AS {_rows_sql(file)}"))

    def load_rows(self, table: TableName, rows: Sequence[Row]) -> None:
        for batch in batches(rows):
            self.append(table, [Append(batch)])

    def plan(self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> QueryPlan:
        def columns(read: TableName) -> tuple[Column, ...]:
            found = stand_ins[read] if read in stand_ins else self._known.get(read)
            return found if found is not None else self._columns_with_cursor(read)

        return self._translations.plan(query, columns)

    def _columns_with_cursor(self, table: TableName) -> tuple[Column, ...]:
        return self._retried(lambda cursor: self._known_columns(cursor, table))

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Set up a newly opened connection, and forget the cached columns: another process may have changed the tables
        while this one had the file closed."""
        self._known.clear()
        self._declared = declared_types(connection)
        prepare(connection)

    def _known_columns(self, cursor: duckdb.DuckDBPyConnection, table: TableName) -> tuple[Column, ...]:
        """The table's columns. They are cached until the file is opened again, since many scripts read the same
        tables."""
        found = self._known.get(table)
        return found if found is not None else self._known.setdefault(table, _columns(cursor, table, self._declared))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def cancel(self) -> None:
        self._file.interrupt()

    def close(self) -> None:
        self._translations.close()
        self._file.close()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._file.cursor() as cursor, faults_of(self._file.path):
            yield cursor

    def _in_transaction(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `work` in a transaction, which an exception rolls back. See `_retried`."""

        def committed(cursor: duckdb.DuckDBPyConnection) -> T:
            cursor.begin()
            result = work(cursor)
            cursor.commit()
            return result

        return self._retried(committed)

    def _retried(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `work`. Repeat it while it conflicts with other transactions, or needs Python functions that are not
        registered yet. Raises Transient after 30 s, or at the request's deadline."""
        try:
            for attempt in _retrying_conflicts():
                with attempt, self._cursor() as cursor:
                    result = _with_python_functions(cursor, work)
        except duckdb.TransactionException as error:
            raise Transient(f"other transactions kept changing the same tables: {reason(error)}") from error
        return result


def _with_python_functions(cursor: duckdb.DuckDBPyConnection, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
    """Run `work`. If it needs Python functions that are not registered yet, register them and raise
    TransactionException, so that the caller runs it again."""
    try:
        return work(cursor)
    except duckdb.CatalogException as error:
        if not is_missing(error):
            raise
        register(cursor)
        raise duckdb.TransactionException("the functions in Python are registered now") from error


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Set the time zone, which translated SQL relies on, for all cursors of a newly opened `connection`."""
    connection.execute("SET GLOBAL TimeZone = 'UTC'")


def _replaced(cursor: duckdb.DuckDBPyConnection, build: TableBuild, sql: str) -> int | None:
    """Replace the table or view in one step. Returns the number of rows, None for a view."""
    other = "TABLE" if build.is_view else "VIEW"
    try:
        with _together(cursor) if any(_said_sql(build)) else nullcontext():
            return _created(cursor, build, sql)
    except duckdb.CatalogException as error:
        if f"is of type {other.capitalize()}" not in str(error):
            raise
    with _together(cursor):
        cursor.execute(f"DROP {other} {table_sql(build.table)}")
        return _created(cursor, build, sql)


@contextmanager
def _together(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run the block in a transaction: readers see all of its changes or none."""
    cursor.begin()
    try:
        yield
    except duckdb.CatalogException:
        cursor.rollback()
        raise
    cursor.commit()


def _created(cursor: duckdb.DuckDBPyConnection, build: TableBuild, sql: str) -> int | None:
    """Create the table or view with its NOT NULL columns and comments. Returns the number of rows, None for a view."""
    word = "VIEW" if build.is_view else "TABLE"
    create = f"CREATE OR REPLACE {word} {table_sql(build.table)} AS {unmarked(sql) if build.is_view else sql}"
    created = cursor.execute(create).fetchall()
    try:
        for statement in _said_sql(build):
            cursor.execute(statement)
    except duckdb.ConstraintException as error:
        column = next((name for name in build.storage.required if str(error).endswith(f".{name}")), "a column")
        raise SqlError(
            f"{column} is REQUIRED, and the query gives NULL for it",
            hint="leave these rows out, or take the mode out of the table's settings",
        ) from error
    return None if build.is_view else int(created[0][0])


def _replaced_as_declared(
    cursor: duckdb.DuckDBPyConnection, build: TableBuild, sql: str, columns: tuple[Column, ...], known: Declared
) -> tuple[int | None, Declared]:
    """Replace the table with one that has the `columns` that its script declares. Without `columns`, replace a table
    that had declared ones. Returns the number of rows (None for a view), and `known` with the table's new types."""
    declared = dict(known)
    cursor.begin()
    if _is_view(cursor, build.table) != build.is_view:
        word = "TABLE" if build.is_view else "VIEW"
        cursor.execute(f"DROP {word} IF EXISTS {table_sql(build.table)}")
    if columns:
        cursor.execute(f"CREATE OR REPLACE TABLE {table_sql(build.table)} ({', '.join(map(definition_sql, columns))})")
        [(rows,)] = cursor.execute(f"INSERT INTO {table_sql(build.table)} {sql}").fetchall()
        for statement in comments_sql(build.table, build.storage, is_view=build.is_view):
            cursor.execute(statement)
    else:
        rows = _created(cursor, build, sql)
    keep_declared(cursor, build.table, columns, declared)
    cursor.commit()
    return rows, declared


def _said_sql(build: TableBuild) -> Iterator[str]:
    """The statements that give a new table or view its NOT NULL columns and comments."""
    for column in build.storage.required:
        yield f"ALTER TABLE {table_sql(build.table)} ALTER COLUMN {quoted(column)} SET NOT NULL"
    yield from comments_sql(build.table, build.storage, is_view=build.is_view)


def comments_sql(table: TableName, storage: Storage, *, is_view: bool = False) -> Iterator[str]:
    """The statements that describe a table or view and its columns."""
    name, word = table_sql(table), "VIEW" if is_view else "TABLE"
    if storage.description:
        yield f"COMMENT ON {word} {name} IS {string_sql(storage.description)}"
    for column, description in storage.column_descriptions:
        yield f"COMMENT ON COLUMN {name}.{quoted(column)} IS {string_sql(description)}"


def _staged_place(
    area: Mapping[TableName, Beside], build: TableBuild, context: BuildContext, *, is_part: bool
) -> Beside:
    place = replace(beside(build, context), is_view=build.is_view or is_part)
    if area.get(build.table) != place:
        raise WarehouseError(f"{build.table} cannot be published: this run has not staged it")
    return place


def _published(place: Beside, old: Mapping[TableName, Stored], *, is_kept: bool) -> PublishedTable:
    """What the record says of a table that replaces one of the `old` ones, if there was one."""
    before = Before.ABSENT if place.table.folded() not in old else Before.KEPT if is_kept else Before.LOST
    return PublishedTable(place.table, place.fingerprint, before)


def _run_statement(cursor: duckdb.DuckDBPyConnection, statement: Statement, declared: Declared, path: Path) -> None:
    from warehouse_refresh.warehouse.duckdb.translate.entry import created_columns, translate_statement

    try:
        with faults_of(path), failures_in(statement.text):
            for sql in translate_statement(statement, lambda table: _columns(cursor, table, declared)):
                cursor.execute(sql)
            if statement.target and (columns := created_columns(statement)) is not None:
                keep_declared(cursor, statement.target, columns, declared)
    except SqlError as error:
        raise statement.located(error) from error


def _retrying_conflicts() -> tenacity.Retrying:
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(duckdb.TransactionException),
        wait=tenacity.wait_random_exponential(0.01, max=1),
        stop=tenacity.stop_after_delay(deadline(30) - time.monotonic()),
        reraise=True,
    )


def _rows_sql(file: "ParquetFile") -> str:
    """The query of the file's rows, as this engine stores them."""
    values = [f"{of_decimals(quoted(it.name), it.type)} AS {quoted(it.name)}" for it in file.columns]
    return f"SELECT {', '.join(values)} FROM ({file.sql})"


def _columns(cursor: duckdb.DuckDBPyConnection, table: TableName, declared: Declared) -> tuple[Column, ...]:
    types = declared.get(table, {})
    return tuple(
        Column(
            name,
            type_of_column(type_, types.get(name)),
            required=nullable == "NO",
            default=default if default not in (None, "NULL") else "",
        )
        for name, type_, nullable, _, default, *_ in _described(cursor, table)
    )


def _with_comments(
    cursor: duckdb.DuckDBPyConnection, table: TableName, columns: tuple[Column, ...]
) -> tuple[Column, ...]:
    """The table's columns with their descriptions. DuckDB searches its whole catalogue for these, so only callers that
    show columns ask for them."""
    query = "SELECT column_name, comment FROM duckdb_columns() WHERE database_name = ? AND schema_name = ?"
    found = cursor.execute(
        f"{query} AND table_name = ? AND comment IS NOT NULL", [CATALOGUE, table.dataset, table.name]
    ).fetchall()
    comments = dict(found)
    return tuple(replace(column, description=comments.get(column.name, "")) for column in columns) if found else columns


def _described(cursor: duckdb.DuckDBPyConnection, table: TableName) -> list[tuple[Any, ...]]:
    """The rows of DESCRIBE. Raises TableNotFound."""
    try:  # not `duckdb_columns()`, which searches the whole catalogue (8 ms with 1,000 tables)
        return cursor.execute(f"DESCRIBE {table_sql(table)}").fetchall()
    except duckdb.CatalogException as error:
        if is_missing(error):  # a view calls it
            raise
        raise (_stale(table) if _is_view(cursor, table) else TableNotFound(table)) from error
    except duckdb.BinderException as error:
        raise _stale(table) from error


def _is_view(cursor: duckdb.DuckDBPyConnection, table: TableName) -> bool:
    """Whether there is a view of this name. False after an error has ended the transaction: no query runs there."""
    query = "SELECT 1 FROM duckdb_views() WHERE database_name = ? AND schema_name = ? AND view_name = ?"
    with suppress(duckdb.TransactionException):
        return bool(cursor.execute(query, [CATALOGUE, table.dataset, table.name]).fetchall())
    return False


def _stale(view: TableName) -> WarehouseError:
    return WarehouseError(
        f"the view {view} cannot be read: a table that it reads has other columns now, or is gone;"
        f" `refresh build {view}` makes it anew, once its script fits"
    )
