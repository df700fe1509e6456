"""A DuckDB in memory where queries are bound and not run."""

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from warehouse_refresh.warehouse.duckdb.python_functions import PREFIX, register
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted

_OF_VALUES = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)
"""DuckDB computes constant parts as it binds. If one fails, the query fails as it runs, as in GoogleSQL."""


@dataclass(frozen=True, slots=True)
class Task:
    """A query in DuckDB's SQL, the names and DuckDB types of the columns that it should make, and the statements that
    create what it reads, if no earlier task has them."""

    sql: str
    columns: tuple[tuple[str, str], ...]
    setup: tuple[str, ...]


class EmptyTables:
    """A DuckDB in memory, with an empty table for each table that queries read. For one thread at a time."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute(f"SET GLOBAL TimeZone = 'UTC'; ATTACH ':memory:' AS {quoted(CATALOGUE)}")
        self._types: dict[str, str] = {}
        self._has_python = False

    def set_up(self, tasks: Iterable[Task]) -> None:
        """Create what these tasks read."""
        for task in tasks:
            for statement in task.setup:
                self._connection.execute(statement)

    def fault(self, task: Task) -> str:
        """What DuckDB has against the query; "" if it takes it, and makes the columns that it should."""
        self.set_up([task])
        try:
            bound, expected = self._bound(task.sql), [(name, self._described(kind)) for name, kind in task.columns]
        except _OF_VALUES:
            return ""
        except duckdb.Error as error:
            return f"DuckDB rejects it: {error}"
        return "" if bound == expected else f"DuckDB makes {bound} of it, not {expected}"

    def close(self) -> None:
        """Release the memory. The object is not used again."""
        self._connection.close()

    def _bound(self, sql: str) -> list[tuple[str, str]]:
        """The names and types of the result's columns."""
        if PREFIX in sql and not self._has_python:
            register(self._connection)
            self._has_python = True
        result = self._connection.sql(sql)
        return list(zip(result.columns, map(str, result.types), strict=True))

    def _described(self, kind: str) -> str:
        """A type as DuckDB writes it."""
        if kind not in self._types:
            self._types[kind] = str(self._connection.sql(f"SELECT CAST(NULL AS {kind})").types[0])
        return self._types[kind]
