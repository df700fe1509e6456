"""What is in the places of the tables that a refresh stages."""

import logging
import threading
from collections.abc import Mapping

from google.cloud import bigquery

from warehouse_refresh.warehouse import BuildContext
from warehouse_refresh.warehouse.bigquery.datasets import Datasets
from warehouse_refresh.warehouse.bigquery.errors import google_errors
from warehouse_refresh.warehouse.bigquery.publishing.plain import question
from warehouse_refresh.warehouse.errors import Cancelled, WarehouseError
from warehouse_refresh.warehouse.names import TableName

logger = logging.getLogger(__name__)
_MANY = 16
"""Of more tables than these, a query over views of BigQuery's takes less time than a look at each."""
Plain = Mapping[TableName, bigquery.Table | None]
"""Tables on which nothing is set, of which no more is known, and None for those that are not there."""


class Before:
    """Knows which of many tables that a refresh builds need no look before they are staged: nothing is set on them, so
    that they have nothing that the new ones would have to keep."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets
        self._asking = threading.Lock()
        self._version = ""
        self._plain: Plain = {}

    def plain(self, context: BuildContext) -> Plain:
        """Those of the tables of this attempt of the run, as they were when its first one was staged. None of few
        tables, and none where this account may not see what is set: look at each then."""
        with self._asking:  # of several threads, one asks
            if context.version != self._version:
                self._plain = self._found(context) if len(context.tables) > _MANY else {}
                self._version = context.version
            return self._plain

    def _found(self, context: BuildContext) -> Plain:
        try:
            is_set = self._is_set(context)
        except Cancelled:
            raise
        except WarehouseError as error:
            logger.info("what is set on the tables could not be asked for all of them at once: %s", error)
            return {}
        plain = {table: self._bare(table) for table in context.tables if is_set.get(table) is False}
        missing: Plain = {table: None for table in context.tables if table not in is_set}
        return {
            **missing,
            **{table: one for table, one in plain.items() if self._datasets.sees_policies(one.reference)},
        }

    def _is_set(self, context: BuildContext) -> dict[TableName, bool]:
        """Of each of the tables that is there, whether something is set on it, or it is another kind of table."""
        config = self._datasets.config({"run": context.run, **context.labels, **self._datasets.of_lease()})
        names = sorted({table.name for table in context.tables})
        config.query_parameters = [bigquery.ArrayQueryParameter("tables", "STRING", names)]
        sql = question(self._datasets.settings.project_of, sorted({table.dataset for table in context.tables}))
        found: dict[TableName, bool] = {}
        with google_errors():
            for dataset, name, is_set in map(bigquery.Row.values, self._datasets.jobs.ask(sql, config)):
                found[TableName(dataset, name)] = is_set or found.get(TableName(dataset, name), False)
        return found

    def _bare(self, name: TableName) -> bigquery.Table:
        reference = self._datasets.reference(name.dataset).table(name.name)
        return bigquery.Table.from_api_repr({"tableReference": reference.to_api_repr(), "type": "TABLE"})
