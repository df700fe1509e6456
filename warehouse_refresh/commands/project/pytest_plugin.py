"""A plugin of pytest, which collects the tests of scripts like any others: `pytest res -k stock`.

pytest loads this module wherever this package is installed, so it imports nothing of ours before the first such file.
https://docs.pytest.org/en/stable/how-to/writing_plugins.html
"""

from collections.abc import Iterator
from contextlib import ExitStack, chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.testing.cases import Case
    from warehouse_refresh.pipeline.testing.prepare import Ready
    from warehouse_refresh.pipeline.testing.running import Result

_FOLDER = "refresh_project"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that says where the project is."""
    what = "the folder of the project whose tests of scripts are collected (default: the root directory)"
    parser.addini(_FOLDER, what, default=".")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file with tests of scripts, or a folder that is one test by one of its files."""
    where = _place_of_tests(file_path)
    if where is None:
        return None
    project = _project(parent.config)
    if not where.is_relative_to(project.res):
        return None
    return _Tests.from_parent(parent, path=file_path, project=project, where=where)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what the tests have opened."""
    if _PROJECT in config.stash:
        config.stash[_PROJECT].close()


def _place_of_tests(path: Path) -> Path | None:
    """The file or the folder of tests that this file stands for."""
    if path.name.endswith(".test.toml"):
        return path
    if path.parent.parent.suffix != ".tests":
        return None
    is_first = path.name == "test.toml" or (path.stem == "expected" and not path.with_name("test.toml").exists())
    return path.parent if is_first else None


class _Project:
    """The project whose scripts are tested. Nothing is read or opened before it is asked for."""

    def __init__(self, folder: Path) -> None:
        from warehouse_refresh.pipeline.settings import read_settings

        self.folder = folder
        self._opened = ExitStack()
        self._ready: Ready | None = None
        with chdir(folder):
            self._settings = read_settings()
        self.res = folder / self._settings.layout.res

    def cases(self, where: Path) -> "list[Case]":
        """The tests in a file or a folder. Raises Refused if there is a fault in any."""
        from warehouse_refresh.pipeline.project.selectors import SelectionError

        try:
            with chdir(self.folder):
                cases = self._read().cases
        except SelectionError:  # the files are empty
            return []
        return [case for case in cases if where in ((self.folder / case.path), (self.folder / case.path).parent)]

    def run(self, case: "Case") -> "Result":
        """The result of a test."""
        from warehouse_refresh.pipeline.testing.running import run_case

        with chdir(self.folder):
            return run_case(case, self._read().project.scripts, self._scratch)

    def close(self) -> None:
        """Close the database in memory, and what is known of the scripts."""
        self._opened.close()

    def _read(self) -> "Ready":
        from contextlib import closing

        from warehouse_refresh.pipeline.project.reading import sql_cache
        from warehouse_refresh.pipeline.testing.prepare import ready_cases
        from warehouse_refresh.warehouse import scratches

        if self._ready is None:
            cache = self._opened.enter_context(sql_cache(self._settings.folder))
            self._ready = ready_cases(self._settings, cache)
            self._scratch = self._opened.enter_context(closing(scratches(cache)()))
        return self._ready


_PROJECT = pytest.StashKey[_Project]()


def _project(config: pytest.Config) -> _Project:
    if _PROJECT not in config.stash:
        config.stash[_PROJECT] = _Project((config.rootpath / config.getini(_FOLDER)).resolve())
    return config.stash[_PROJECT]


class _Tests(pytest.File):
    """The tests in a file or in a folder."""

    def __init__(self, *, project: _Project, where: Path, **given: Any) -> None:
        super().__init__(**given)
        self._project = project
        self._where = where

    def collect(self) -> Iterator[pytest.Item]:
        """See pytest. What is wrong with any test of the project is an error of each file."""
        from warehouse_refresh.pipeline.project.problems import Refused

        try:
            cases = self._project.cases(self._where)
        except Refused as refused:
            raise self.CollectError(str(refused)) from refused
        for case in cases:
            yield _Test.from_parent(self, name=case.name, project=self._project, case=case)


class _Failed(Exception):
    """A test of a script failed."""

    def __init__(self, result: "Result") -> None:
        self.result = result
        super().__init__(result.failure)


class _Test(pytest.Item):
    """A test of a script."""

    def __init__(self, *, project: _Project, case: "Case", **given: Any) -> None:
        super().__init__(**given)
        self._project = project
        self._case = case

    def runtest(self) -> None:
        """See pytest."""
        result = self._project.run(self._case)
        if not result.passed:
            raise _Failed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the rows that differ, in place of a stack trace."""
        if not isinstance(excinfo.value, _Failed):
            return super().repr_failure(excinfo, style)
        from warehouse_refresh.commands.terminal.differences import failure_text  # imports rich

        with chdir(self._project.folder):
            return failure_text(excinfo.value.result)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """See pytest."""
        case = self._case
        with chdir(self._project.folder):
            place = case.place
        return self.path, place.line - 1 if place else 0, f"{case.table}: {case.name}"
