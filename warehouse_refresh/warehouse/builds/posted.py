"""Rows that are posted to a table which is also built from elsewhere: publishing it keeps them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

NO_EARLIER = "rows are posted to it, and an earlier version would lose those that came since"
"""Why such a table is not rolled back."""
Quoted = Callable[[str], str]
"""Writes a name in SQL."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What tells such rows: they have a value in `column`, which is NULL in all rows that a build brings. A posted row
    goes once a build brings one with the same `key`."""

    column: str
    key: tuple[str, ...]

    def same_key(self, quoted: Quoted) -> str:
        """The condition that a row `had` has the key of one that `came`."""
        return " AND ".join(f"had.{quoted(name)} = came.{quoted(name)}" for name in self.key)

    def sql(self, columns: str, table: str, built: str, quoted: Quoted) -> str:
        """The query of those posted rows of `table` that stay beside the rows of `built`."""
        column = quoted(self.column)
        came = f"SELECT 1 FROM {built} AS came WHERE came.{column} IS NULL AND {self.same_key(quoted)}"
        return f"SELECT {columns} FROM {table} AS had WHERE had.{column} IS NOT NULL AND NOT EXISTS ({came})"

    def as_text(self) -> str:
        """As text, for a column of a record."""
        return json.dumps([self.column, *self.key])

    @classmethod
    def of_text(cls, text: str) -> Self:
        """What `as_text` has written."""
        column, *key = json.loads(text)
        return cls(column, tuple(key))
