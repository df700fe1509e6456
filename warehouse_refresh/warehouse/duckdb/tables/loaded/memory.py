"""How much memory DuckDB may use: little while nothing but loads builds tables.

DuckDB keeps what it has written to its file in memory, up to its limit, which is most of the machine's. For a loaded
table nobody reads it again soon. A script may need the memory, so the limit is for loads that are alone.

Rows of a load come in any order, so DuckDB need not keep it: then all its threads write at once.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from warehouse_refresh.warehouse.duckdb.client import duckdb

LIMIT = "200MB"
_OF_A_THREAD = 8_000_000  # bytes, for writing: thirty of the largest blocks
_PREFIXES = "KMGT"
_SIZE = re.compile(rf"([0-9.]+)([{_PREFIXES}])(i?)B")


class Memory:
    """Counts what builds tables of one file, and sets DuckDB's limit: `most`, such as "4GB" ("": DuckDB's default), and
    no more than LIMIT while nothing but loads is built. Safe to use from several threads."""

    def __init__(self, most: str = "") -> None:
        self._usual = f"SET GLOBAL memory_limit = '{most}'" if most else "RESET GLOBAL memory_limit"
        self._most = most
        self._lock = threading.Lock()
        self._loads = self._others = 0
        self._is_little = False

    @property
    def _of_loads(self) -> str:
        return min(filter(None, (LIMIT, self._most)), key=_bytes)

    def limit(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Set the limit of a new connection."""
        if self._most:
            connection.execute(self._usual)

    def finish(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write the file with little memory, before the connection is closed: DuckDB makes a block of each new table,
        and would keep them all, 60 MB for a thousand tables. Where that is too little, what is new stays in DuckDB's
        log, and the connection can only be closed."""
        asked = "SELECT sum(memory_usage_bytes)::BIGINT, current_setting('threads') FROM duckdb_memory()"
        with suppress(duckdb.Error):
            [(used, threads)] = connection.execute(asked).fetchall()
            enough = f"{(used + threads * _OF_A_THREAD) // 1000}KB"
            least = min(filter(None, (enough, self._most)), key=_bytes)
            connection.execute(f"SET GLOBAL memory_limit = '{least}'; CHECKPOINT")
        with suppress(duckdb.Error):
            connection.execute(self._usual)

    @contextmanager
    def used_by(self, cursor: duckdb.DuckDBPyConnection, *, is_load: bool) -> Iterator[None]:
        """The block builds a table: one that is loaded, or another one."""
        self._count(cursor, 1, is_load=is_load)
        try:
            yield
        finally:
            self._count(cursor, -1, is_load=is_load)

    def _count(self, cursor: duckdb.DuckDBPyConnection, by: int, *, is_load: bool) -> None:
        with self._lock:
            if is_load:
                self._loads += by
            else:
                self._others += by
            wanted = self._loads > 0 and not self._others
            if wanted != self._is_little:
                self._is_little = wanted
                little = f"SET GLOBAL memory_limit = '{self._of_loads}'; SET GLOBAL preserve_insertion_order = false"
                sql = little if wanted else f"{self._usual}; RESET GLOBAL preserve_insertion_order"
                with suppress(duckdb.Error):  # what runs now needs more, or the file cannot be used any more
                    cursor.cursor().execute(sql).close()


def _bytes(size: str) -> float:
    """The number of bytes in a size such as "4GB" or "1.5GiB"."""
    number, prefix, binary = _SIZE.findall(size)[0]
    return float(number) * float(1024 if binary else 1000) ** (_PREFIXES.index(prefix) + 1)
