"""The columns that an INSERT writes, and the fields of `@rows` that hold a row's values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from warehouse_refresh.warehouse import Row
from warehouse_refresh.warehouse.bigquery.schema import quoted
from warehouse_refresh.warehouse.bigquery.storing.parameters import stored
from warehouse_refresh.warehouse.types import Column, SqlType

_BOOL = SqlType("BOOL")


@dataclass(frozen=True)
class Written:
    """The columns that an INSERT names. A row that gives no value for a column with a default gets the default, so one
    more field for each of these says whether the row gives a value."""

    columns: tuple[Column, ...]

    @cached_property
    def _with_default(self) -> list[Column]:
        return [column for column in self.columns if column.default]

    @property
    def kinds(self) -> list[SqlType]:
        """The types of the fields `f0`, `f1`, … of a row."""
        return [*(column.type for column in self.columns), *(_BOOL for _ in self._with_default)]

    def values(self, row: Row) -> list[Any]:
        """The values of these fields."""
        given = [column.name in row for column in self._with_default]
        return [*(row.get(column.name) for column in self.columns), *given]

    def insert_sql(self, path: str) -> str:
        """The statement that stores `@rows`, each named `r`, in the table at `path`; a WHERE may follow."""
        listed = ", ".join(quoted(column.name) for column in self.columns)
        selected = ", ".join(self._selected(index, column) for index, column in enumerate(self.columns))
        return f"INSERT INTO {path} ({listed}) SELECT {selected} FROM UNNEST(@rows) AS r"

    def _selected(self, index: int, column: Column) -> str:
        value = stored(f"r.f{index}", column.type)
        if not column.default:
            return value
        given = len(self.columns) + self._with_default.index(column)
        return f"IF(r.f{given}, {value}, {column.default})"


def written(columns: Sequence[Column], rows: Iterable[Row]) -> Written:
    """The columns that at least one of these rows names, and those with a default."""
    named = frozenset[str]().union(*rows)
    return Written(tuple(column for column in columns if column.name in named or column.default) or (columns[0],))
