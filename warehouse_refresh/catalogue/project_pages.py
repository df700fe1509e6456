"""The pages of the project in a folder, as its files are now: for a server that shows them."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from warehouse_refresh.catalogue.collecting import collect
from warehouse_refresh.catalogue.pages import Pages, Served
from warehouse_refresh.pipeline.contract import names_of
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.project.project import project_in, sql_cache
from warehouse_refresh.pipeline.raw.sources import declared_sources
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.pipeline.settings_file import NAME, SettingError, read_settings_file

_LOOK_SECONDS = 1.0

State = frozenset[tuple[str, int, int]]


class ProjectPages:
    """The catalogue of the working folder's project, made when it is asked for, and again when a file of the project
    has changed. While the files are wrong, the last good pages stay. Safe to use from several threads."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._lock = threading.Lock()
        self._pages: Pages | None = None
        self._state: State = frozenset()
        self._looked = -_LOOK_SECONDS

    def file(self, path: str) -> bytes:
        """The content of one of the files that `refresh docs` writes. Raises KeyError for another path; Refused or
        SettingError if the project is wrong and no pages were made before."""
        with self._lock:
            if time.monotonic() - self._looked >= _LOOK_SECONDS:
                self._renew()
                self._looked = time.monotonic()
            if self._pages is None:
                raise KeyError(path)
            pages = self._pages
        return pages.file(path)

    def _renew(self) -> None:
        """Make the pages anew if a file has changed."""
        state = frozenset(_files())
        if state == self._state and self._pages is not None:
            return
        try:
            self._pages, self._state = _made(self._served), state
        except (Refused, SettingError):
            if self._pages is None:
                raise


def _made(served: Served) -> Pages:
    settings = read_settings()
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
        catalogue = collect(project, declared_sources(project, cache), names_of(settings.folder).flow)
    return Pages(catalogue, served)


def _files() -> Iterator[tuple[str, int, int]]:
    """The files of the project, each with when it was changed and its size."""
    layout = read_settings_file(Path()).layout
    for path in [Path(NAME), *Path(layout.res).rglob("*"), *Path(layout.db_init).rglob("*")]:
        if path.is_file():
            found = path.stat()
            yield str(path), found.st_mtime_ns, found.st_size
