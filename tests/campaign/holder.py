"""`python -m tests.campaign.holder KIND FILE SECONDS`: another program that holds a DuckDB file for a while.

A `reader` opens it with DuckDB alone, for reading, as a notebook would; a `writer` through this project's own lock.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from warehouse_refresh.warehouse.duckdb.file import DuckDBFile
from warehouse_refresh.warehouse.errors import WarehouseError

PATIENCE = 40.0


@contextmanager
def reader(path: Path) -> Iterator[None]:
    """The file, opened for reading as soon as nobody else has it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection = duckdb.connect(path, read_only=True)
            break
        except duckdb.Error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)
    with connection:
        yield


@contextmanager
def writer(path: Path) -> Iterator[None]:
    """The file, opened as this project does."""
    file = DuckDBFile(path, lambda _: None)
    try:
        with file.cursor():
            yield
    finally:
        file.close()


def main(kind: str, path: str, seconds: str) -> None:
    """Hold the file, and say `held` when it is."""
    try:
        with {"reader": reader, "writer": writer}[kind](Path(path)):
            print("held", flush=True)
            time.sleep(float(seconds))
    except (duckdb.Error, WarehouseError) as error:
        print(f"not held: {error}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
