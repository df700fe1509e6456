"""A warehouse as somebody sees it who works in an environment of their own.

A table that is built there has its name in a dataset of the environment: `tmp.variants` is `alice_tmp.variants`. Reads
find what the environment has built, and for all else what is in production. Rows of raw tables are always production's.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
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
    Warehouse,
)
from warehouse_refresh.warehouse.builds.parts import PartRecord
from warehouse_refresh.warehouse.builds.records import BuildRecord
from warehouse_refresh.warehouse.errors import SqlError, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Function, Query, Statement
from warehouse_refresh.warehouse.storage import Storage
from warehouse_refresh.warehouse.types import Column

if TYPE_CHECKING:
    from warehouse_refresh.warehouse.builds.renaming import Renamed
    from warehouse_refresh.warehouse.values.parquet import ParquetFile

DAYS_KEPT = 7
"""An environment expires so many days after its last build: BigQuery's records of publications are kept as long."""
_RUN = re.compile(r"env/([^/]+)/")


def in_production(records: Mapping[TableName, BuildRecord]) -> dict[TableName, BuildRecord]:
    """The records of the tables that are no environment's."""
    return {table: record for table, record in records.items() if not _RUN.match(record.version)}


def environments(records: Mapping[TableName, BuildRecord]) -> dict[str, dict[TableName, BuildRecord]]:
    """By environment, the records of its tables, by the names that these have in production."""
    found: dict[str, dict[TableName, BuildRecord]] = {}
    for table, record in records.items():
        run = _RUN.match(record.version)
        if run and table.dataset.startswith(prefix(run[1])) and record.fingerprint:
            name = TableName(table.dataset.removeprefix(prefix(run[1])), table.name)
            found.setdefault(run[1], {})[name] = record
    return found


def built_at(warehouse: Warehouse, name: str, tables: Iterable[TableName]) -> datetime | None:
    """When one of the environment's tables was built last; None if that is too long ago to be on record."""
    stored = {Environment(warehouse, name).stored(table) for table in tables}
    return next((one.at for one in warehouse.publications() if not stored.isdisjoint(one.tables)), None)


def drop_environment(warehouse: Warehouse, name: str, tables: Iterable[TableName]) -> None:
    """Drop these tables of the environment, views first, and its datasets that are empty then."""
    environment, views = Environment(warehouse, name), warehouse.view_reads()
    datasets = {table.dataset for table in (*tables, *environment.records())}
    for table in sorted(tables, key=lambda table: (environment.stored(table) not in views, table)):
        environment.drop(table)
    for dataset in sorted(datasets):
        environment.drop_dataset(dataset)


def drop_expired(warehouse: Warehouse, keep: str, say: Callable[[str], None]) -> None:
    """Drop the environments that nobody has built in for DAYS_KEPT days, but for `keep`. The caller must hold the
    refresh lock."""
    oldest = datetime.now(UTC) - timedelta(days=DAYS_KEPT)
    for name, tables in environments(warehouse.records()).items():
        at = built_at(warehouse, name, tables)
        if name != keep and (at is None or at < oldest):
            say(f"the environment {name} is dropped: nothing was built in it for {DAYS_KEPT} days")
            drop_environment(warehouse, name, tables)


def prefix(name: str) -> str:
    """How the environment's datasets begin."""
    return f"{name.replace('-', '_')}_"


class Environment:
    """The warehouse in the environment `name`. Implements Warehouse, with the names that tables have in production.
    `expire` drops other environments that nobody has used for long."""

    def __init__(
        self, warehouse: Warehouse, name: str, expire: Callable[[Callable[[str], None]], None] | None = None
    ) -> None:
        self._warehouse, self._name = warehouse, name
        self._expire = expire or partial(drop_expired, warehouse, name)
        self._found: dict[TableName, BuildRecord] | None = None
        self._built = set[TableName]()

    def stored(self, table: TableName) -> TableName:
        """The environment's own table for one of production."""
        return TableName(f"{prefix(self._name)}{table.dataset}", table.name)

    @property
    def _own(self) -> set[TableName]:
        """The tables that the environment has, by the names that they have in production."""
        if self._found is None:
            self._found = environments(self._warehouse.records()).get(self._name, {})
        return self._built | self._found.keys()

    def _place(self, table: TableName) -> TableName:
        return self.stored(table) if table in self._own else table

    def _renamed(self, query: Query, staged: Collection[TableName] = ()) -> "Renamed":
        from warehouse_refresh.warehouse.builds.renaming import renamed  # imports the parser

        functions = {function.name: self.stored(function.name) for function in query.functions}
        return renamed(query, {table: self.stored(table) for table in {*self._own, *staged}}, functions)

    def _with_run(self, context: BuildContext) -> BuildContext:
        return replace(context, run=f"env/{self._name}/{context.run}")

    def _build(self, build: TableBuild, context: BuildContext, staged: Collection[TableName] = ()) -> TableBuild:
        """The build of the environment's own table. What this run builds has the version of the environment's run."""
        inputs = build.inputs
        if inputs is not None:
            versions = {context.version: self._with_run(context).version}
            inputs = {table: versions.get(version, version) for table, version in inputs.items()}
        query = self._renamed(build.query, staged).query
        return replace(build, table=self.stored(build.table), query=query, known_as=build.fingerprint, inputs=inputs)

    def _original(self, table: TableName) -> TableName:
        return TableName(table.dataset.removeprefix(prefix(self._name)), table.name)

    @property
    def plans_at_once(self) -> int:
        return self._warehouse.plans_at_once

    @property
    def builds_at_first(self) -> int:
        return self._warehouse.builds_at_first

    @property
    def made_by(self) -> str:
        return self._warehouse.made_by

    def plan(self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> QueryPlan:
        from warehouse_refresh.warehouse.builds.renaming import renamed

        found = renamed(query, {table: self.stored(table) for table in self._own - stand_ins.keys()})
        with _located(found):
            planned = self._warehouse.plan(found.query, stand_ins)

        def confirm() -> None:
            with _located(found):
                planned.confirm()

        return replace(planned, confirm=confirm)

    def stage(self, build: TableBuild, staged: Collection[TableName], context: BuildContext) -> Built:
        with _located(self._renamed(build.query, staged)):
            own = {self.stored(table) for table in staged}
            return self._warehouse.stage(self._build(build, context, staged), own, self._with_run(context))

    def build(self, build: TableBuild, context: BuildContext) -> Built:
        """It is a publication, too: then it is known when the environment was built in last."""
        done = self.stage(build, (), context)
        self.publish([build.after(done.seconds)], context)
        return done

    def fetch(
        self, query: Query, limit: int | None, staged: Collection[TableName] = (), context: BuildContext | None = None
    ) -> Answer:
        own = {self.stored(table) for table in staged}
        found = self._renamed(query, staged)
        with _located(found):
            return self._warehouse.fetch(found.query, limit, own, self._with_run(context) if context else None)

    def publish(self, builds: Sequence[TableBuild], context: BuildContext) -> Published:
        names = [build.table for build in builds]
        own = [self._build(build, context, names) for build in builds]
        done = self._warehouse.publish(own, self._with_run(context))
        self._built |= {*names}
        return done

    def staged(self, context: BuildContext) -> Mapping[TableName, Staged]:
        found = self._warehouse.staged(self._with_run(context))
        return {self._original(table): staged for table, staged in found.items()}

    def discard(self, context: BuildContext, keep: Collection[TableName] = ()) -> None:
        self._warehouse.discard(self._with_run(context), [self.stored(table) for table in keep])

    def recover(self, keep: str, say: Callable[[str], None]) -> None:
        self._warehouse.recover(f"env/{self._name}/{keep}", say)
        self._expire(say)

    def records(self) -> Mapping[TableName, BuildRecord]:
        """Those of the environment, and of production for the tables that it has not."""
        found = self._warehouse.records()
        own = environments(found).get(self._name, {})
        failed = {
            self._original(table): record
            for table, record in found.items()
            if record.is_failed and table.dataset.startswith(prefix(self._name))
        }
        return {**in_production(found), **failed, **own}

    def durations(self) -> Mapping[TableName, tuple[float, ...]]:
        """Those of the environment, and of production for the tables that it has never built."""
        found = self._warehouse.durations()
        own = {table for table in found if table.dataset.startswith(prefix(self._name))}
        return {**found, **{self._original(table): found[table] for table in own}}

    def versions(self, tables: Collection[TableName]) -> Mapping[TableName, str]:
        return self._warehouse.versions(tables)

    def costs(self, built: Sequence[Built]) -> Sequence[Built]:
        return self._warehouse.costs(built)

    def note_failed(self, tables: Collection[TableName]) -> None:
        self._warehouse.note_failed([self.stored(table) for table in tables])

    def partitions(self, table: TableName) -> Sequence[PartRecord]:
        """Only the environment's own: what production has built of a table by date is not in it."""
        return self._warehouse.partitions(self.stored(table)) if table in self._own else ()

    def tables(self, dataset: str) -> list[TableName]:
        own = {table for table in self._own if table.dataset == dataset}
        return sorted({*self._warehouse.tables(dataset), *own})

    def built_tables(self, dataset: str) -> list[TableName]:
        return self._warehouse.built_tables(dataset)

    def view_reads(self) -> Mapping[TableName, frozenset[TableName]]:
        return self._warehouse.view_reads()

    def columns(self, table: TableName) -> tuple[Column, ...]:
        return self._warehouse.columns(self._place(table))

    def row_count(self, table: TableName) -> int:
        return self._warehouse.row_count(self._place(table))

    def first_rows(self, table: TableName, limit: int) -> list[tuple[Any, ...]]:
        return self._warehouse.first_rows(self._place(table), limit)

    def storage_changes(self, build: TableBuild) -> list[str]:
        return self._warehouse.storage_changes(replace(build, table=self.stored(build.table)))

    def create_datasets(self, datasets: Iterable[str]) -> None:
        self._warehouse.create_datasets([f"{prefix(self._name)}{dataset}" for dataset in datasets])

    def create_functions(self, functions: Iterable[Function]) -> None:
        from warehouse_refresh.warehouse.builds.renaming import functions_as

        functions = list(functions)
        names = {function.name: self.stored(function.name) for function in functions}
        self._warehouse.create_functions(functions_as(functions, names))

    def refresh_lock(self, holder: str, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        return self._warehouse.refresh_lock(holder, on_wait)

    def drop(self, table: TableName) -> None:
        self._warehouse.drop(self.stored(table))
        self._found = None
        self._built.discard(table)

    def drop_dataset(self, name: str) -> None:
        self._warehouse.drop_dataset(f"{prefix(self._name)}{name}")

    def publications(self) -> Iterator[Publication]:
        """None: only production is rolled back."""
        return iter(())

    def roll_back(
        self,
        publication: Publication,  # noqa: ARG002 (refused)
        tables: Collection[TableName],  # noqa: ARG002
        context: BuildContext,  # noqa: ARG002
    ) -> Mapping[TableName, str]:
        raise self._refusal()

    def run_script(self, statements: Sequence[Statement], *, together: bool = False) -> None:  # noqa: ARG002 (refused)
        raise self._refusal()

    def describe(self, table: TableName, storage: Storage) -> None:  # noqa: ARG002 (refused)
        raise self._refusal()

    def append(self, table: TableName, appends: Sequence[Append]) -> list[Outcome]:  # noqa: ARG002 (refused)
        raise self._refusal()

    def load(self, table: TableName, file: "ParquetFile") -> None:  # noqa: ARG002 (refused)
        raise self._refusal()

    def offer(self, table: TableName, file: "ParquetFile") -> None:  # noqa: ARG002 (refused)
        raise self._refusal()

    def load_rows(self, table: TableName, rows: Sequence[Row]) -> None:  # noqa: ARG002 (refused)
        raise self._refusal()

    def _refusal(self) -> WarehouseError:
        return WarehouseError(f"raw tables are production's: do this without --env {self._name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def cancel(self) -> None:
        self._warehouse.cancel()

    def close(self) -> None:
        self._warehouse.close()


@contextmanager
def _located(found: "Renamed") -> Iterator[None]:
    """Raise the SqlErrors of the block with their places in the script as it was written."""
    try:
        yield
    except SqlError as error:
        raise found.located(error) from error
