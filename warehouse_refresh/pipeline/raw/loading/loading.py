"""Load raw tables: read each from its database's snapshot, and stage it."""

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from warehouse_refresh.origins import OriginColumn, OriginError, Snapshot
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.raw.loading.changing import Change, note_compared
from warehouse_refresh.pipeline.raw.loading.planning import LoadPlan, described_of, landed, landed_keys
from warehouse_refresh.pipeline.raw.loading.sources import Loaded
from warehouse_refresh.pipeline.running.execution import BuildFailed
from warehouse_refresh.warehouse import BuildContext, Built, Warehouse
from warehouse_refresh.warehouse.names import TableName

if TYPE_CHECKING:
    from warehouse_refresh.warehouse.values.parquet import ParquetFile


@dataclass
class Loader:
    """Stages the tables of a plan. Their rows pass through files in `folder`. Safe to use from several threads."""

    plan: LoadPlan
    warehouse: Warehouse
    folder: Path
    _left: set[TableName] = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._left = set(self.plan.tables)

    def stage(self, table: TableName, staged: Collection[TableName], context: BuildContext) -> Built:
        """Read the table, and stage it in the run of `context`. Raises BuildFailed for what cannot be read or kept,
        and WarehouseError."""
        started, change = time.monotonic(), self.plan.changed.get(table)
        places = [landed(table), *([landed_keys(table)] if change and change.compares else [])]
        paths = [self.folder / place.name for place in places]
        try:
            for place, file in zip(places, self._read(table, paths), strict=True):
                self.warehouse.offer(place, file)
            built = self.warehouse.stage(self.plan.builds[table], staged, context)
        finally:
            for place, path in zip(places, paths, strict=True):
                rmtree(path, ignore_errors=True)
                self.warehouse.drop(place)
        return replace(built, seconds=time.monotonic() - started)

    def note_published(self, tables: Collection[TableName]) -> None:
        """Note which of these tables have lost the rows that are gone in the source."""
        compared = [table for table, change in self.plan.changed.items() if change.compares and table in tables]
        note_compared(self.warehouse, compared)

    def _read(self, table: TableName, paths: Sequence[Path]) -> "list[ParquetFile]":
        """The table's rows in a folder of files, and if there is a second path, all keys of the source."""
        one, columns = self.plan.tables[table], self.plan.described[table].columns
        keys = tuple(it for it in columns if it.column.name in one.source.key)
        change, moment = self.plan.changed.get(table), self.plan.moments[one.place]

        def read(snapshot: Snapshot) -> "list[ParquetFile]":
            if not moment.is_first(snapshot):
                self._check_columns(one, snapshot)
            rows = self._land(snapshot, one, columns, paths[0], change)
            return [rows, *(self._land(snapshot, one, keys, path, None) for path in paths[1:])]

        try:
            return moment.read(read)
        except OriginError as error:
            raise BuildFailed(f"{one.file.path}: {error}") from error
        finally:
            self._let_go(table, one.place)

    def _check_columns(self, one: Loaded, snapshot: Snapshot) -> None:
        """Raises OriginError if a later snapshot has other columns than were planned."""
        try:
            found = described_of(one, snapshot)
        except Refused as error:
            raise OriginError(str(error)) from error
        if found.columns != self.plan.described[one.table].columns:
            raise OriginError("the connection was lost, and the table has other columns since: load it once more")

    def _land(
        self, snapshot: Snapshot, one: Loaded, columns: tuple[OriginColumn, ...], path: Path, change: Change | None
    ) -> "ParquetFile":
        from warehouse_refresh.origins.landing import check_key, land  # imports DuckDB

        relation = replace(one.relation, without=change.files) if change else one.relation
        salt, since = self.plan.salts[one.source.connection], change.since if change else None
        with snapshot.reading(relation, columns, since) as rows:
            file = land(rows, columns, one.source.mask, salt, path)
        check_key(file, one.source.key)
        return file

    def _let_go(self, table: TableName, connection: str) -> None:
        """Close the database after its last table: the scripts that come then need it no more, and an open snapshot
        keeps it from clearing up."""
        with self._lock:
            self._left.discard(table)
            is_last = self._left.isdisjoint(self.plan.of(connection))
        if is_last:
            self.plan.moments[connection].close()
