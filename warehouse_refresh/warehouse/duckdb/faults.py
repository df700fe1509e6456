"""Translate DuckDB's errors into the warehouse's errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.failures import ABOUT_SQL, failure
from warehouse_refresh.warehouse.duckdb.python_functions import is_missing
from warehouse_refresh.warehouse.errors import Cancelled, SqlError, Unavailable, WarehouseError

_IS_LOCKED = "Could not set lock on file"
_IS_FULL = re.compile("No space left on device|Disk quota exceeded|File too large")
_IS_DAMAGED = re.compile(
    "Corrupt database file|not a valid DuckDB database file|Could not read enough bytes|Serialization Error"
)
_IS_CLOSED_TO_US = re.compile("Permission denied|Read-only file system|Operation not permitted")
_IS_NO_CONFLICT = re.compile("Failed to commit: (Could not|Cannot|IO Error)")
"""A commit that could not be written is a TransactionException, as a conflict is."""


def is_locked(error: duckdb.Error) -> bool:
    """Whether another program has the file open."""
    return _IS_LOCKED in str(error)


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Raise DuckDB's errors as WarehouseError. A conflict of transactions and a missing Python function pass unchanged:
    the caller tries again."""
    try:
        yield
    except duckdb.Error as error:
        is_conflict = isinstance(error, duckdb.TransactionException) and not _IS_NO_CONFLICT.search(str(error))
        if is_conflict or is_missing(error):
            raise
        raise meaning(error, path) from error
    except RuntimeError as error:  # what DuckDB's client makes of a signal that comes at some moments of a statement
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error


def meaning(error: duckdb.Error, path: Path) -> WarehouseError:
    """The WarehouseError for an error of DuckDB about the file at `path`."""
    if isinstance(error, duckdb.InterruptException):
        return Cancelled("the query was cancelled")
    if disk := _of_disk(reason(error), path):
        return disk
    if isinstance(error, duckdb.IOException | duckdb.TransactionException | duckdb.FatalException):
        return Unavailable(f"{path} cannot be used: {reason(error)}", "its file cannot be used")
    if isinstance(error, duckdb.OutOfMemoryException):
        way = "let it do less at once, or raise memory in WAREHOUSE_URL"
        return WarehouseError(f"the query needs more memory than DuckDB may use: {way}")
    if isinstance(error, duckdb.InternalException):
        return WarehouseError(reason(error))
    return failure(error) if isinstance(error, ABOUT_SQL) else SqlError(reason(error))


def reason(error: duckdb.Error) -> str:
    """DuckDB's message without the excerpt of the translated SQL, which the user did not write."""
    return str(error).split("\n\nLINE ")[0].split("\nLINE ")[0].strip()


def _of_disk(text: str, path: Path) -> Unavailable | None:
    if found := _IS_FULL.search(text):
        way = "free some, then run it again"
        return Unavailable(f"no space left on the disk of {path} ({found[0]}): {way}", "its disk is full")
    if _IS_DAMAGED.search(text):
        way = "put a copy in its place, or move it away: the next command makes a new one"
        return Unavailable(f"{path} is no DuckDB file, or a damaged one: {text}; {way}", "its file is damaged")
    if found := _IS_CLOSED_TO_US.search(text):
        way = "let this account write the file and its folder"
        return Unavailable(f"{path} cannot be opened for writing: {found[0]}; {way}", "its file cannot be written")
    return None
