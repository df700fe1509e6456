"""Environments that have a file of their own, each beside production's: `warehouse.env-alice.duckdb` beside
`warehouse.duckdb`. Whoever builds in one, or drops one, holds the refresh lock of production's file."""

import re
import time
from collections.abc import Callable
from pathlib import Path

from warehouse_refresh.warehouse.builds import environment
from warehouse_refresh.warehouse.builds.environment import prefix
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.tables.attached import Attached
from warehouse_refresh.warehouse.sql.cache import SqlCache


def file_of(production: Path, name: str) -> Path:
    """The file of the environment."""
    return production.with_name(f"{production.stem}.env-{name}{production.suffix}")


def names(production: Path) -> list[str]:
    """The environments that have a file."""
    pattern = re.compile(f"{re.escape(production.stem)}[.]env-([a-z0-9-]+){re.escape(production.suffix)}")
    found = (pattern.fullmatch(path.name) for path in production.parent.glob("*"))
    return sorted(match[1] for match in found if match)


def opened(production: Path, name: str, cache: SqlCache | None = None, memory: str = "") -> DuckDBWarehouse:
    """The environment's file as a warehouse, with production's tables in it to be read. For `memory` see
    DuckDBWarehouse."""
    attached = Attached(production, prefix(name), is_production=True)
    return DuckDBWarehouse(file_of(production, name), cache=cache, attached=attached, memory=memory)


def promoting(production: Path, name: str, cache: SqlCache | None = None, memory: str = "") -> DuckDBWarehouse:
    """Production as a warehouse that finds the tables of the environment in its file, to copy them."""
    attached = Attached(file_of(production, name), prefix(name), is_production=False)
    return DuckDBWarehouse(production, cache=cache, attached=attached, memory=memory)


def drop(production: Path, name: str) -> None:
    """Delete the environment's file."""
    file = file_of(production, name)
    for path in (file, file.with_name(f"{file.name}.wal")):
        path.unlink(missing_ok=True)


def drop_expired(production: Path, keep: str, say: Callable[[str], None]) -> None:
    """Delete the files in which nothing was built for DAYS_KEPT days, but for that of `keep`."""
    oldest = time.time() - environment.DAYS_KEPT * 24 * 3600
    for name in names(production):
        if name != keep and file_of(production, name).stat().st_mtime < oldest:
            say(f"the environment {name} is dropped: nothing was built in it for {environment.DAYS_KEPT} days")
            drop(production, name)
