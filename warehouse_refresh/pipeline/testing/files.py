"""The files that hold tests: `NAME.test.toml` beside a script, and folders `NAME.tests/TEST/` with files of rows."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from warehouse_refresh.pipeline.project.files import is_plain, listed
from warehouse_refresh.pipeline.tables.files import TESTS
from warehouse_refresh.warehouse.names import TableName

FOLDER = ".tests"
EXPECTED = "expected"
KEYS = "test.toml"
"""The file in a test's folder that has what is no row."""


def test_files(folders: Iterable[Path]) -> Iterator[tuple[TableName, Path]]:
    """Each file with tests, and each folder of one test, in the folders of datasets and below, with the table beside
    whose script it stands."""
    for folder in folders:
        yield from ((TableName(folder.name, name), path) for name, path in _below(folder))


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in listed(folder, _may_hold_tests):
        if path.name.endswith(TESTS):
            yield path.name.removesuffix(TESTS), path
        elif path.name.endswith(FOLDER) and path.is_dir():
            yield from ((path.name.removesuffix(FOLDER), each) for each in listed(path) if each.is_dir())
        elif is_plain(path.name) and path.is_dir() and not path.is_symlink():
            yield from _below(path)


def _may_hold_tests(name: str) -> bool:
    return name.endswith((TESTS, FOLDER)) or is_plain(name)
