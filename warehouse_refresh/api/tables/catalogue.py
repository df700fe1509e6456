"""The raw tables and their columns, as the warehouse has them now or had them a moment ago."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from warehouse_refresh.api.problems import ApiProblem
from warehouse_refresh.pipeline.tables.files import SettingsFile, described
from warehouse_refresh.warehouse import Row, Warehouse
from warehouse_refresh.warehouse.errors import TableNotFound, Transient
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import TIMESTAMP, Column

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
InThread = Callable[..., Awaitable[Any]]
"""Runs a blocking function in a thread: `await in_thread(function, *arguments)`."""


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V
    read_at: float


class Cache(Generic[K, V]):
    """Caches the results of `load` for `seconds`. Calls at the same time share one load. While the warehouse cannot be
    reached, `get` returns the last value."""

    def __init__(self, load: Callable[[K], Awaitable[V]], seconds: float) -> None:
        self._load, self._seconds = load, seconds
        self._entries: dict[K, _Entry[V]] = {}
        self._loading: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """The value, at most `seconds` old unless the warehouse cannot be reached."""
        entry = self._entries.get(key)
        if entry and time.monotonic() - entry.read_at < self._seconds:
            return entry.value
        if key not in self._loading:
            self._loading[key] = asyncio.create_task(self._reload(key))
        try:
            return await asyncio.shield(self._loading[key])
        except Transient:
            if entry is None:
                raise
            return entry.value

    def forget(self, key: K) -> None:
        """Drop the value, so that the next `get` loads it."""
        self._entries.pop(key, None)

    async def _reload(self, key: K) -> V:
        try:
            started = time.monotonic()
            value = await self._load(key)
            self._entries[key] = _Entry(value, started)
            return value
        finally:
            del self._loading[key]


class Catalogue:
    """Looks tables up by the name that a request gives. Only tables of the dataset `raw` (whatever its name) count.
    `said` are their settings, by their names."""

    def __init__(
        self,
        warehouse: Warehouse,
        in_thread: InThread,
        seconds: float,
        raw: str,
        said: Mapping[str, SettingsFile] | None = None,
    ) -> None:
        self._raw, self._said = raw, said or {}
        self._tables: Cache[str, dict[str, TableName]] = Cache(self._load_tables, seconds)
        self._columns: Cache[TableName, tuple[Column, ...]] = Cache(self._load_columns, seconds)
        self._warehouse, self._in_thread = warehouse, in_thread
        self._tells_nothing = set[str]()

    async def names(self) -> list[str]:
        """The raw tables' names, sorted. Raises WarehouseError."""
        return sorted(await self._tables.get(self._raw))

    async def table(self, name: str) -> tuple[TableName, tuple[Column, ...]]:
        """The table of a name with its columns. Raises ApiProblem (with the closest name), WarehouseError."""
        tables = await self._tables.get(self._raw)
        if name not in tables:
            raise unknown_table(name, tables, self._raw)
        try:
            return tables[name], await self._columns.get(tables[name])
        except TableNotFound:
            self.forget(tables[name])
            raise

    def check_posting(self, name: str) -> None:
        """Raise ApiProblem for a table that is loaded from a database: the next load would drop posted rows. So it
        would while the table does not have the column that tells them."""
        if self.is_loaded(name):
            detail = f"{name} is loaded from a database, so rows cannot be posted to it; change them there."
            raise ApiProblem("loaded-table", detail)
        if name in self._tells_nothing:
            detail = f"{name} has no column yet that tells posted rows from loaded ones: the next load adds it."
            raise ApiProblem("loaded-table", detail)

    def is_loaded(self, name: str) -> bool:
        """Whether the settings of the raw table name the database that its rows come from, and allow no others."""
        source = self._said[name].says.source if name in self._said else None
        return source is not None and not source.posted_column

    def stored(self, name: str, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows as they are stored: those of a table that is also loaded say when they were posted."""
        column, now = self._posted_column(name), datetime.now(UTC)
        return [{**row, column: now} for row in rows] if column else rows

    def _posted_column(self, name: str) -> str:
        source = self._said[name].says.source if name in self._said else None
        return source.posted_column if source is not None else ""

    def forget(self, table: TableName) -> None:
        """Drop the table's columns and the list of tables from the cache, since they may have changed."""
        self._tables.forget(self._raw)
        self._columns.forget(table)

    async def _load_tables(self, dataset: str) -> dict[str, TableName]:
        return {table.name: table for table in await self._in_thread(self._warehouse.tables, dataset)}

    async def _load_columns(self, table: TableName) -> tuple[Column, ...]:
        columns: tuple[Column, ...] = await self._in_thread(self._warehouse.columns, table)
        if own := self._posted_column(table.name):
            tells = any((it.name, it.type) == (own, TIMESTAMP) for it in columns)
            (self._tells_nothing.discard if tells else self._tells_nothing.add)(table.name)
            columns = tuple(it for it in columns if it.name != own)
        return described(columns, self._said.get(table.name))

    def description(self, name: str) -> str:
        """What the settings of the raw table say that it is; "" if they say nothing."""
        return self._said[name].says.description if name in self._said else ""


def unknown_table(name: str, known: dict[str, TableName], raw: str) -> ApiProblem:
    """The answer for a name that is no raw table's."""
    if name.partition(".")[0].strip("`") == raw:
        hint = "write the table's name alone, without its dataset"
    else:
        hint = did_you_mean(name, known)
    return ApiProblem("unknown-table", f"there is no raw table of that name{'; ' if hint else ''}{hint}")
