"""Where the environments of a project are: beside production's tables, or each in a DuckDB file of its own."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.warehouse import Warehouse, connect, duckdb_file, memory_of
from warehouse_refresh.warehouse.builds.environment import Environment, built_at, drop_environment, environments
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache


@dataclass(frozen=True, slots=True)
class Found:
    """An environment: its tables, by the names that they have in production, and when one of them was built last (None:
    too long ago to be on record)."""

    name: str
    tables: tuple[TableName, ...]
    at: datetime | None


def connected_to(settings: RefreshSettings, name: str, cache: SqlCache | None = None) -> Warehouse:
    """The warehouse that has the tables of the environment, as `Environment.stored` names them, and production's;
    production without a name. Raises WarehouseError."""
    if not name or settings.environments != "file":
        return connect(settings.warehouse_url, cache)
    from warehouse_refresh.warehouse.duckdb.tables.environment_files import opened

    return opened(duckdb_file(settings.warehouse_url), name, cache, memory_of(settings.warehouse_url))


def production_of(settings: RefreshSettings, cache: SqlCache | None = None) -> Warehouse:
    """Production, which finds the tables of the environment that is promoted. Raises WarehouseError."""
    if settings.environments != "file":
        return connect(settings.warehouse_url, cache)
    from warehouse_refresh.warehouse.duckdb.tables.environment_files import promoting

    file = duckdb_file(settings.warehouse_url)
    return promoting(file, settings.promoted, cache, memory_of(settings.warehouse_url))


def environment_of(settings: RefreshSettings, cache: SqlCache | None = None) -> Environment:
    """The warehouse as the environment of the settings sees it. Raises WarehouseError."""
    name, warehouse = settings.environment, connected_to(settings, settings.environment, cache)
    if settings.environments != "file":
        return Environment(warehouse, name)
    from warehouse_refresh.warehouse.duckdb.tables.environment_files import drop_expired

    return Environment(warehouse, name, partial(drop_expired, duckdb_file(settings.warehouse_url), name))


def seen_beside(production: Warehouse, settings: RefreshSettings, name: str) -> AbstractContextManager[Environment]:
    """The environment, while production is open. Raises WarehouseError."""
    if settings.environments != "file":
        return nullcontext(Environment(production, name))
    return environment_of(replace(settings, environment=name))


def all_of(settings: RefreshSettings) -> Iterator[Found]:
    """All environments that have tables, in the order of their names. Raises WarehouseError."""
    for name in _names(settings):
        with connected_to(settings, name) as warehouse:
            tables = environments(warehouse.records()).get(name, {})
            if tables:
                yield Found(name, tuple(sorted(tables)), built_at(warehouse, name, tables))


def _names(settings: RefreshSettings) -> list[str]:
    if settings.environments == "file":
        from warehouse_refresh.warehouse.duckdb.tables.environment_files import names

        return names(duckdb_file(settings.warehouse_url))
    with connect(settings.warehouse_url) as warehouse:
        return sorted(environments(warehouse.records()))


def tables_in(settings: RefreshSettings, name: str) -> list[TableName]:
    """The environment's tables. Raises SelectionError if it has none, WarehouseError."""
    found = {one.name: one.tables for one in all_of(settings)}
    if name not in found:
        there = f"there are {', '.join(sorted(found))}" if found else "there is none"
        raise SelectionError(f"there is no environment {name}; {there}")
    return list(found[name])


def drop(settings: RefreshSettings, name: str, tables: list[TableName]) -> None:
    """Drop the environment, which has these tables. The caller must hold the refresh lock. Raises WarehouseError."""
    if settings.environments == "file":
        from warehouse_refresh.warehouse.duckdb.tables.environment_files import drop as drop_file

        drop_file(duckdb_file(settings.warehouse_url), name)
        return
    with connect(settings.warehouse_url) as warehouse:
        drop_environment(warehouse, name, tables)
