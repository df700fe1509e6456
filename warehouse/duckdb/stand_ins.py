"""What a query would give, told without any data."""

from collections.abc import Mapping

from warehouse.errors import TableNotFound
from warehouse.names import TableName
from warehouse.sql.query import Query
from warehouse.types import Column


class EmptyTables:
    """Tables with columns and no rows: enough to tell the columns of a query's result."""

    def __init__(self, tables: Mapping[TableName, tuple[Column, ...]] | None = None) -> None:
        self._tables = dict(tables or {})

    def add(self, table: TableName, columns: tuple[Column, ...]) -> None:
        """Add a table, or replace one."""
        self._tables[table] = columns

    def columns(self, table: TableName) -> tuple[Column, ...]:
        """A table's columns. Raises TableNotFound."""
        if table not in self._tables:
            raise TableNotFound(table)
        return self._tables[table]

    def columns_of(self, query: Query) -> tuple[Column, ...]:
        """The columns of the query's result, in order; the name of one without a name is "". Two may have one name.

        Raises SqlError where GoogleSQL would not accept the query, and UnsupportedSql where only BigQuery can run it;
        both tell the place in the query's text.
        """
        from warehouse.duckdb.translations import translations  # and with it DuckDB, when it is needed

        return translations.of(query, self.columns).columns
