"""The pages of the project in a folder, as its files are now: for a server that shows them."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from warehouse_refresh.catalogue.collecting import collect
from warehouse_refresh.catalogue.document import FirstRows, TableEntry
from warehouse_refresh.catalogue.first_rows import first_rows
from warehouse_refresh.catalogue.pages import Pages, Served
from warehouse_refresh.catalogue.standing import TableStanding, table_standings
from warehouse_refresh.pipeline.contract import names_of
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reading import project_in, sql_cache
from warehouse_refresh.pipeline.raw.sources import declared_sources
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.pipeline.settings_file import NAME, SettingError, read_settings_file
from warehouse_refresh.warehouse import Warehouse

_LOOK_SECONDS = 1.0


class PrivateTable(Exception):
    """Nobody is shown the rows of this table."""


State = frozenset[tuple[str, int, int]]


class ProjectPages:
    """The catalogue of the working folder's project, made when it is asked for, and again when a file of the project
    has changed. While the files are wrong, the last good pages stay. Safe to use from several threads."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._lock = threading.Lock()
        self._made: tuple[Pages, Project] | None = None
        self._state: State = frozenset()
        self._looked = -_LOOK_SECONDS

    def file(self, path: str) -> bytes:
        """The content of one of the files that `refresh docs` writes. Raises KeyError for another path; Refused or
        SettingError if the project is wrong and no pages were made before."""
        made = self._now()
        if made is None:
            raise KeyError(path)
        return made[0].file(path)

    def standings(self, warehouse: Warehouse) -> dict[str, TableStanding]:
        """How each table stands in the warehouse. Raises WarehouseError; Refused or SettingError as `file` does."""
        made = self._now()
        return table_standings(made[1], warehouse) if made else {}

    def first_rows(self, warehouse: Warehouse, table: str, count: int) -> FirstRows:
        """Up to `count` rows of a table. Raises PrivateTable; KeyError for a table that is not in the catalogue;
        WarehouseError; Refused or SettingError as `file` does."""
        made = self._now()
        entry = made[0].entry(table) if made else None
        if entry is None:
            raise KeyError(table)
        if entry.private:
            raise PrivateTable(table)
        return first_rows(entry, warehouse, count)

    def may_quote(self, tables: Iterable[str]) -> dict[str, bool]:
        """For each table whether a message about its build may be shown, which may quote values of what it reads: none
        of these is personal. Raises Refused or SettingError as `file` does."""
        made = self._now()
        known = {name: made[0].entry(name) for name in made[0].names} if made else {}
        return {table: table in known and not _touches_personal(known[table], known) for table in tables}

    def _now(self) -> "tuple[Pages, Project] | None":
        with self._lock:
            if time.monotonic() - self._looked >= _LOOK_SECONDS:
                self._renew()
                self._looked = time.monotonic()
            return self._made

    def _renew(self) -> None:
        """Make the pages anew if a file has changed."""
        state = frozenset(_files())
        if state == self._state and self._made is not None:
            return
        try:
            self._made, self._state = _make(self._served), state
        except (Refused, SettingError):
            if self._made is None:
                raise


def _touches_personal(table: TableEntry, known: Mapping[str, TableEntry]) -> bool:
    """Whether the table, or one that it reads, has personal columns. Who does not know a table thinks so."""
    read = [known.get(name) for name in table.reads]
    return any(one is None or one.private or any(column.personal for column in one.columns) for one in [table, *read])


def _make(served: Served) -> tuple[Pages, Project]:
    settings = read_settings()
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
        sources, name = declared_sources(project, cache), names_of(settings.folder).flow
        catalogue = collect(project, sources, name, settings.warehouse_url, cache)
    return Pages(catalogue, served), project


def _files() -> Iterator[tuple[str, int, int]]:
    """The files of the project, each with when it was changed and its size."""
    layout = read_settings_file(Path()).layout
    for path in [Path(NAME), *Path(layout.res).rglob("*"), *Path(layout.db_init).rglob("*")]:
        if path.is_file():
            found = path.stat()
            yield str(path), found.st_mtime_ns, found.st_size
