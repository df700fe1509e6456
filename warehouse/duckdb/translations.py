"""Translations that are kept, so that what planning has translated is not translated again to be run."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from warehouse.duckdb.translate import Columns, answer
from warehouse.duckdb.translate.scope import Relation
from warehouse.duckdb.translate.storing import stored
from warehouse.googlesql import Query
from warehouse.names import TableName
from warehouse.types import Column


@dataclass(frozen=True)
class Translation:
    """A query in DuckDB's words, and the columns of the tables that it was translated for."""

    relation: Relation
    read: Mapping[TableName, tuple[Column, ...]]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the query's result; "" as the name of one without."""
        return tuple(Column(column.name, column.value.type) for column in self.relation.columns)

    @cached_property
    def sql(self) -> str:
        """The query as a table stores its result. Raises SqlError for columns that a table cannot have."""
        return stored(self.relation)


class Translations:
    """The last translation of each text, used again as long as the tables that it reads have the same columns."""

    def __init__(self) -> None:
        self._kept: dict[str, Translation] = {}

    def of(self, query: Query, columns: Columns) -> Translation:
        """The query's translation for tables with these `columns`. Raises SqlError, and what `columns` raises."""
        kept = self._kept.get(query.text)
        if kept is None or any(columns(table) != read for table, read in kept.read.items()):
            kept = self._kept[query.text] = _translate(query, columns)
        return kept


def _translate(query: Query, columns: Columns) -> Translation:
    read: dict[TableName, tuple[Column, ...]] = {}

    def noted(table: TableName) -> tuple[Column, ...]:
        if table not in read:
            read[table] = columns(table)
        return read[table]

    return Translation(answer(query, noted), read)
