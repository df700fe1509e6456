"""Load raw tables: read each from its database's snapshot, and stage it."""

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_refresh.origins import OriginError
from warehouse_refresh.pipeline.execution import BuildFailed
from warehouse_refresh.pipeline.raw.loading.planning import LoadPlan, landed
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
        started = time.monotonic()
        path = self.folder / f"{table}.parquet"
        try:
            self.warehouse.offer(landed(table), self._read(table, path))
            built = self.warehouse.stage(self.plan.builds[table], staged, context)
        finally:
            path.unlink(missing_ok=True)
            self.warehouse.drop(landed(table))
        return replace(built, seconds=time.monotonic() - started)

    def _read(self, table: TableName, path: Path) -> "ParquetFile":
        from warehouse_refresh.origins.landing import land  # imports DuckDB

        one, columns = self.plan.tables[table], self.plan.described[table].columns
        name = one.source.connection
        try:
            with self.plan.snapshots[name].reading(one.relation, columns) as rows:
                return land(rows, columns, one.source.mask, self.plan.salts[name], path)
        except OriginError as error:
            raise BuildFailed(f"{one.file.path}: {error}") from error
        finally:
            self._let_go(table, name)

    def _let_go(self, table: TableName, connection: str) -> None:
        """Close the database after its last table: the scripts that come then need it no more, and an open snapshot
        keeps it from clearing up."""
        with self._lock:
            self._left.discard(table)
            is_last = self._left.isdisjoint(self.plan.of(connection))
        if is_last:
            self.plan.snapshots[connection].close()
