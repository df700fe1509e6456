"""Planning queries without a warehouse: the translator needs the tables' columns, and no data."""

from collections.abc import Mapping

from warehouse_refresh.warehouse import QueryPlan
from warehouse_refresh.warehouse.duckdb.translations import Translations
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.types import Column


class OfflinePlanner:
    """Plans queries over tables of which only the columns are known. Implements `warehouse.Planner`."""

    plans_at_once = 1  # a plan is made in Python

    def __init__(self, cache: SqlCache | None = None) -> None:
        self._translations = Translations(cache)

    def plan(self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> QueryPlan:
        """See `warehouse.Planner`. Raises UnsupportedSql where only BigQuery can run the query."""

        def columns(table: TableName) -> tuple[Column, ...]:
            if table not in stand_ins:
                raise TableNotFound(table)
            return stand_ins[table]

        return self._translations.plan(query, columns)
