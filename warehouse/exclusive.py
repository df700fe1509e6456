"""One refresh of a warehouse at a time, however it was started."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from warehouse.errors import WarehouseError
from warehouse.url import duckdb_path

UNDER_WAY = "another refresh of this warehouse is under way; this one starts when it has ended"


@contextmanager
def one_at_a_time(url: str, waits: Callable[[], None]) -> Iterator[None]:
    """Inside this block no other process is, on the warehouse at `url`; `waits` is called before a wait for another.

    A DuckDB file has a lock beside it, `FILE.refresh`, which the operating system frees when its holder dies. BigQuery
    has no such place: there Prefect's limit of a deployment sees to it, for the runs of that deployment.
    """
    path = duckdb_path(url)
    if path is None:
        yield
        return
    lock = path.with_name(f"{path.name}.refresh")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as error:
        raise WarehouseError(f"{lock} cannot be opened: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
