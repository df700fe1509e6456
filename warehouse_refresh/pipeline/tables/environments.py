"""Where the environments of a project are: beside production's tables, each in a DuckDB file of its own, or in a
BigQuery project of their own."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.refresh import waiting_turn
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.warehouse import Warehouse, connect, connect_across
from warehouse_refresh.warehouse.builds.environment import (
    Environment,
    built_at,
    drop_environment,
    drop_expired,
    environments,
    prefix,
)
from warehouse_refresh.warehouse.builds.projects import OtherProject, in_project
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.urls import duckdb_file, memory_of, project_of


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
    if name and settings.environments_project:
        production = OtherProject(project_of(settings.warehouse_url), prefix(name), is_production=True)
        return connect_across(home_of(settings), production, cache)
    if not name or settings.environments != "file":
        return connect(settings.warehouse_url, cache)
    from warehouse_refresh.warehouse.duckdb.tables.environment_files import opened

    return opened(duckdb_file(settings.warehouse_url), name, cache, memory_of(settings.warehouse_url))


def production_of(settings: RefreshSettings, cache: SqlCache | None = None) -> Warehouse:
    """Production, which finds the tables of the environment that is promoted. Raises WarehouseError."""
    if project := settings.environments_project:
        promoted = OtherProject(project, prefix(settings.promoted), is_production=False)
        return connect_across(settings.warehouse_url, promoted, cache)
    if settings.environments != "file":
        return connect(settings.warehouse_url, cache)
    from warehouse_refresh.warehouse.duckdb.tables.environment_files import promoting

    file = duckdb_file(settings.warehouse_url)
    return promoting(file, settings.promoted, cache, memory_of(settings.warehouse_url))


def environment_of(settings: RefreshSettings, cache: SqlCache | None = None) -> Environment:
    """The warehouse as the environment of the settings sees it. Raises WarehouseError."""
    name, warehouse = settings.environment, connected_to(settings, settings.environment, cache)
    if settings.environments_project:
        return Environment(warehouse, name, partial(_drop_expired_in, home_of(settings), name))
    if settings.environments != "file":
        return Environment(warehouse, name)
    from warehouse_refresh.warehouse.duckdb.tables.environment_files import drop_expired

    return Environment(warehouse, name, partial(drop_expired, duckdb_file(settings.warehouse_url), name))


def seen_beside(production: Warehouse, settings: RefreshSettings, name: str) -> AbstractContextManager[Environment]:
    """The environment, while production is open. Raises WarehouseError."""
    if settings.environments == "prefix":
        return nullcontext(Environment(production, name))
    return environment_of(replace(settings, environment=name))


def all_of(settings: RefreshSettings) -> Iterator[Found]:
    """All environments that have tables, in the order of their names. Raises WarehouseError."""
    if settings.environments != "file":
        with connect(home_of(settings)) as warehouse:
            yield from _in(warehouse, environments(warehouse.records()))
        return
    from warehouse_refresh.warehouse.duckdb.tables.environment_files import names

    for name in names(duckdb_file(settings.warehouse_url)):
        with connected_to(settings, name) as warehouse:
            yield from _in(warehouse, {name: environments(warehouse.records()).get(name, {})})


def _in(warehouse: Warehouse, found: Mapping[str, Collection[TableName]]) -> Iterator[Found]:
    """The environments that were found in the warehouse and have tables."""
    for name, tables in sorted(found.items()):
        if tables:
            yield Found(name, tuple(sorted(tables)), built_at(warehouse, name, tables))


def home_of(settings: RefreshSettings) -> str:
    """The URL of the warehouse that has the refresh lock of all environments, and their tables unless each has a file.
    Raises WarehouseError."""
    project = settings.environments_project
    return in_project(settings.warehouse_url, project) if project else settings.warehouse_url


@contextmanager
def held(settings: RefreshSettings, who: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the refresh lock of the environments, for one who holds that of production: no other refresh changes an
    environment meanwhile. See `waiting_turn`."""
    if (home := home_of(settings)) == settings.warehouse_url:
        yield
        return
    with connect(home) as warehouse, waiting_turn(warehouse, who, say):
        yield


def _drop_expired_in(url: str, keep: str, say: Callable[[str], None]) -> None:
    with connect(url) as warehouse:
        drop_expired(warehouse, keep, say)


def tables_in(settings: RefreshSettings, name: str) -> list[TableName]:
    """The environment's tables. Raises SelectionError if it has none, WarehouseError."""
    found = {one.name: one.tables for one in all_of(settings)}
    if name not in found:
        there = f"those there are: {', '.join(sorted(found))}" if found else "there is none"
        raise SelectionError(f"there is no environment {name}; {did_you_mean(name, found) or there}")
    return list(found[name])


def drop(settings: RefreshSettings, name: str, tables: list[TableName]) -> None:
    """Drop the environment, which has these tables. The caller must hold the refresh lock. Raises WarehouseError."""
    if settings.environments == "file":
        from warehouse_refresh.warehouse.duckdb.tables.environment_files import drop as drop_file

        drop_file(duckdb_file(settings.warehouse_url), name)
        return
    with connect(home_of(settings)) as warehouse:
        drop_environment(warehouse, name, tables)
