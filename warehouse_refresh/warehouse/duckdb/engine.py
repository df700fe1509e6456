"""The warehouse in a DuckDB file."""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

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
from warehouse_refresh.warehouse.builds.parts import PartRecord
from warehouse_refresh.warehouse.builds.records import BuildRecord
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.failures import failures_in
from warehouse_refresh.warehouse.duckdb.faults import faults_of
from warehouse_refresh.warehouse.duckdb.lock import refresh_lock
from warehouse_refresh.warehouse.duckdb.tables import built, parts, publications
from warehouse_refresh.warehouse.duckdb.tables.attached import ATTACHED, Attached
from warehouse_refresh.warehouse.duckdb.tables.builder import Builder, comments_sql
from warehouse_refresh.warehouse.duckdb.tables.columns import columns_of, described, is_view, with_comments
from warehouse_refresh.warehouse.duckdb.tables.database import Database
from warehouse_refresh.warehouse.duckdb.tables.declared import Declared, keep_declared
from warehouse_refresh.warehouse.duckdb.tables.part_stager import PartStager
from warehouse_refresh.warehouse.duckdb.tables.publisher import Publisher
from warehouse_refresh.warehouse.duckdb.tables.stager import Stager
from warehouse_refresh.warehouse.duckdb.tables.staging import over
from warehouse_refresh.warehouse.duckdb.tables.views import view_reads
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, schema_sql, table_sql
from warehouse_refresh.warehouse.duckdb.translations import Translations
from warehouse_refresh.warehouse.duckdb.types import of_decimals, rows_of
from warehouse_refresh.warehouse.errors import SqlError, WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Function, Query, Statement
from warehouse_refresh.warehouse.storage import PLAIN, Storage
from warehouse_refresh.warehouse.types import Column

if TYPE_CHECKING:
    from warehouse_refresh.warehouse.values.parquet import ParquetFile

_OF_BIGQUERY = (
    *("partition", "cluster_by", "friendly_name", "labels", "partition_expiration_days", "require_partition_filter"),
    *("expires_after_days", "policy_tags"),
)
"""The options of `Storage` that DuckDB ignores."""
_RESERVED_DATASETS = frozenset({"information_schema", "pg_catalog", OWN_DATASET})


class DuckDBWarehouse:
    """A DuckDB file as a warehouse. Implements `warehouse.Warehouse`.

    `patience` is how many seconds to wait for a file that another process has open. `cache` stores translations.
    Another file may be `attached`: see attached.py. `memory`, such as "4GB", is how much DuckDB may use ("": most of
    the machine's).
    """

    builds_at_first = sys.maxsize  # they share this machine, and none waits for its turn
    plans_at_once = 1  # planning is pure Python, which threads do not speed up

    def __init__(
        self,
        path: Path,
        patience: float = 30.0,
        cache: SqlCache | None = None,
        attached: Attached | None = None,
        memory: str = "",
    ) -> None:
        self._database = Database(path, patience, attached, memory)
        self._translations = Translations(cache)
        self._builder = Builder(self._database, self._translations)
        self._stager = Stager(self._database, self._builder)
        self._part_stager = PartStager(self._database, self._builder, self._stager)
        self._publisher = Publisher(self._database, self._builder, self._stager)

    def tables(self, dataset: str) -> list[TableName]:
        with self._database.cursor() as cursor:
            names = cursor.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = $1 AND schema_name = $2 UNION ALL"
                " SELECT view_name FROM duckdb_views() WHERE database_name = $1 AND schema_name = $2",
                [CATALOGUE, dataset],
            ).fetchall()
        return sorted(TableName(dataset, name) for (name,) in names if not name.startswith(publications.HIDDEN))

    def built_tables(self, dataset: str) -> list[TableName]:
        return self.tables(dataset)

    def view_reads(self) -> Mapping[TableName, frozenset[TableName]]:
        with self._database.cursor() as cursor:
            return view_reads(cursor)

    def drop(self, table: TableName) -> None:
        def drop(cursor: duckdb.DuckDBPyConnection) -> Declared:
            declared = dict(self._database.declared)
            word = "VIEW" if is_view(cursor, table) else "TABLE"
            cursor.execute(f"DROP {word} IF EXISTS {table_sql(table)}")
            keep_declared(cursor, table, (), declared)
            built.forget(cursor, [table])
            return declared

        self._database.declared = self._database.in_transaction(drop)
        self._database.known.clear()

    def drop_dataset(self, name: str) -> None:
        with suppress(duckdb.DependencyException):  # something is in it
            self._database.in_transaction(lambda cursor: cursor.execute(f"DROP SCHEMA IF EXISTS {schema_sql(name)}"))

    def columns(self, table: TableName) -> tuple[Column, ...]:
        return self._database.retried(
            lambda cursor: with_comments(cursor, table, columns_of(cursor, table, self._database.declared))
        )

    def row_count(self, table: TableName) -> int:
        def counted(cursor: duckdb.DuckDBPyConnection) -> int:
            described(cursor, table)
            [(count,)] = cursor.execute(f"SELECT count(*) FROM {table_sql(table)}").fetchall()
            return int(count)

        return self._database.retried(counted)

    def first_rows(self, table: TableName, limit: int) -> list[tuple[Any, ...]]:
        def read(cursor: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
            columns = columns_of(cursor, table, self._database.declared)
            return rows_of(columns, cursor.execute(f"SELECT * FROM {table_sql(table)} LIMIT {int(limit)}").fetchall())

        return self._database.retried(read)

    def fetch(
        self, query: Query, limit: int | None, staged: Collection[TableName] = (), context: BuildContext | None = None
    ) -> Answer:
        def read(cursor: duckdb.DuckDBPyConnection) -> Answer:
            places = self._stager.places(cursor, query, staged, context) if context else {}
            columns, sql = self._translations.answer(
                query, lambda table: self._builder.columns_as_staged(cursor, table, places)
            )
            with failures_in(query.text), self._database.memory.used_by(cursor, is_load=False):
                result = cursor.execute(over(sql, places))
                rows = result.fetchall() if limit is None else result.fetchmany(limit)
            return Answer(columns, rows_of(columns, rows))

        return self._database.retried(read)

    def create_datasets(self, datasets: Iterable[str]) -> None:
        datasets = list(datasets)
        for reserved in (dataset for dataset in datasets if dataset.casefold() in _RESERVED_DATASETS):
            raise WarehouseError(f"the embedded engine needs the name {reserved} itself: rename that dataset")
        with self._database.cursor() as cursor:
            for dataset in datasets:
                cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema_sql(dataset)}")

    def create_functions(self, functions: Iterable[Function]) -> None:
        """Nothing is created: a function is written out where it is called."""

    def refresh_lock(self, holder: str, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        return refresh_lock(self._database.locks, holder, on_wait)

    def run_script(self, statements: Sequence[Statement], *, together: bool = False) -> None:  # noqa: ARG002 (it is always so)
        def run(cursor: duckdb.DuckDBPyConnection) -> Declared:
            declared = dict(self._database.declared)
            for statement in statements:
                _run_statement(cursor, statement, declared, self._database.path)
            targets = [statement.target for statement in statements if statement.target]
            built.count_changes(cursor, targets)
            return declared

        self._database.declared = self._database.in_transaction(run)
        self._database.known.clear()

    def build(self, build: TableBuild, context: BuildContext) -> Built:
        return self._builder.build(build, context)

    def stage(self, build: TableBuild, staged: Collection[TableName], context: BuildContext) -> Built:
        if build.parts is not None:
            return self._part_stager.stage(build, build.parts, staged, context)
        return self._stager.stage(build, staged, context)

    def storage_changes(self, build: TableBuild) -> list[str]:
        ignored = [name for name in _OF_BIGQUERY if getattr(build.storage, name) != getattr(PLAIN, name)]
        names = ", ".join("partition_by" if name == "partition" else name for name in ignored)
        return [f"ignored, since only BigQuery has it: {names}"] if ignored else []

    def publish(self, builds: Sequence[TableBuild], context: BuildContext) -> Published:
        return self._publisher.publish(builds, context)

    def describe(self, table: TableName, storage: Storage) -> None:
        def describe(cursor: duckdb.DuckDBPyConnection) -> None:
            there = {column.name for column in columns_of(cursor, table, self._database.declared)}
            said = tuple((name, text) for name, text in storage.column_descriptions if name in there)
            for statement in comments_sql(table, replace(storage, column_descriptions=said)):
                cursor.execute(statement)

        self._database.in_transaction(describe)

    def partitions(self, table: TableName) -> Sequence[PartRecord]:
        if not self._database.path.exists():
            return []
        with self._database.cursor() as cursor:
            return parts.recorded(cursor, table)

    @property
    def made_by(self) -> str:
        return built.made_by()

    def records(self) -> Mapping[TableName, BuildRecord]:
        if not self._database.is_there:
            return {}
        with self._database.cursor() as cursor:
            own = built.recorded(cursor)
            if self._database.attached is None:
                return own
            others = built.recorded(cursor, ATTACHED).items()
            return {**{table: one for table, one in others if self._database.attached.has(table)}, **own}

    def durations(self) -> Mapping[TableName, tuple[float, ...]]:
        if not self._database.is_there:
            return {}
        with self._database.cursor() as cursor:
            others = built.durations(cursor, ATTACHED) if self._database.attached is not None else {}
            return {**others, **built.durations(cursor)}

    def versions(self, tables: Collection[TableName]) -> Mapping[TableName, str]:
        if not (tables and self._database.is_there):
            return {}
        with self._database.cursor() as cursor:
            is_production = self._database.locks == self._database.path
            return built.versions(cursor, tables, CATALOGUE if is_production else ATTACHED)

    def costs(self, built: Sequence[Built]) -> Sequence[Built]:
        return built

    def note_failed(self, tables: Collection[TableName]) -> None:
        self._database.in_transaction(lambda cursor: built.note_failed(cursor, tables))

    def publications(self) -> Iterator[Publication]:
        return self._publisher.publications()

    def roll_back(
        self, publication: Publication, tables: Collection[TableName], context: BuildContext
    ) -> Mapping[TableName, str]:
        return self._publisher.roll_back(publication, tables, context)

    def staged(self, context: BuildContext) -> Mapping[TableName, Staged]:
        return self._stager.staged(context)

    def discard(self, context: BuildContext, keep: Collection[TableName] = ()) -> None:
        self._stager.discard(context, keep)

    def recover(self, keep: str, say: Callable[[str], None]) -> None:  # noqa: ARG002 (a publication is one transaction)
        self._stager.recover(keep)

    def append(self, table: TableName, appends: Sequence[Append]) -> list[Outcome]:
        from warehouse_refresh.warehouse.duckdb.append import (
            append_rows,  # imports the translator's nodes, which a refresh may not need
        )

        return self._database.in_transaction(
            lambda cursor: append_rows(cursor, table, self._database.known_columns(cursor, table), appends)
        )

    def load(self, table: TableName, file: "ParquetFile") -> None:
        names = ", ".join(quoted(column.name) for column in file.columns)
        insert = f"INSERT INTO {table_sql(table)} ({names}) {_rows_sql(file)}"
        self._database.in_transaction(lambda cursor: cursor.execute(insert))

    def offer(self, table: TableName, file: "ParquetFile") -> None:
        self.drop(table)  # one that was left there, when its process died
        create = f"CREATE SCHEMA IF NOT EXISTS {OWN_DATASET}; CREATE VIEW {table_sql(table)} AS {_rows_sql(file)}"
        self._database.in_transaction(lambda cursor: cursor.execute(create))

    def load_rows(self, table: TableName, rows: Sequence[Row]) -> None:
        for batch in batches(rows):
            self.append(table, [Append(batch)])

    def plan(self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> QueryPlan:
        def columns(read: TableName) -> tuple[Column, ...]:
            found = stand_ins[read] if read in stand_ins else self._database.known.get(read)
            return found if found is not None else self._columns_with_cursor(read)

        return self._translations.plan(query, columns)

    def _columns_with_cursor(self, table: TableName) -> tuple[Column, ...]:
        return self._database.retried(lambda cursor: self._database.known_columns(cursor, table))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def cancel(self) -> None:
        self._database.interrupt()

    def close(self) -> None:
        self._translations.close()
        self._database.close()


def _run_statement(cursor: duckdb.DuckDBPyConnection, statement: Statement, declared: Declared, path: Path) -> None:
    from warehouse_refresh.warehouse.duckdb.translate.entry import created_columns, translate_statement

    try:
        with faults_of(path), failures_in(statement.text):
            for sql in translate_statement(statement, lambda table: columns_of(cursor, table, declared)):
                cursor.execute(sql)
            if statement.target and (columns := created_columns(statement)) is not None:
                keep_declared(cursor, statement.target, columns, declared)
    except SqlError as error:
        raise statement.located(error) from error


def _rows_sql(file: "ParquetFile") -> str:
    """The query of the file's rows, as this engine stores them."""
    values = [f"{of_decimals(quoted(it.name), it.type)} AS {quoted(it.name)}" for it in file.columns]
    return f"SELECT {', '.join(values)} FROM ({file.sql})"
