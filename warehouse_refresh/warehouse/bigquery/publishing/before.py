"""What is in the places of the tables that a refresh stages."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.cloud import bigquery

from warehouse_refresh.warehouse import BuildContext
from warehouse_refresh.warehouse.bigquery.datasets import Datasets
from warehouse_refresh.warehouse.bigquery.errors import google_errors
from warehouse_refresh.warehouse.bigquery.publishing.plain import may_be_restricted, question
from warehouse_refresh.warehouse.errors import Cancelled, WarehouseError
from warehouse_refresh.warehouse.names import TableName

logger = logging.getLogger(__name__)
_MANY = 16
"""Of more tables than these, a query over views of BigQuery's takes less time than a look at each."""


@dataclass(frozen=True, slots=True)
class Known:
    """What one query has told of many tables: those on which nothing is set, of which no more is known, and None for
    those that are not there; and all that have no row access policies."""

    plain: Mapping[TableName, bigquery.Table | None] = field(default_factory=dict)
    unrestricted: frozenset[TableName] = frozenset()


class Before:
    """Knows which of many tables that a refresh builds need no look before they are staged: nothing is set on them, so
    that they have nothing that the new ones would have to keep."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets
        self._asking = threading.Lock()
        self._version = ""
        self._known = Known()

    def known(self, context: BuildContext) -> Known:
        """Of the tables of this attempt of the run, as they were when its first one was staged. Nothing of few tables,
        and nothing where this account may not see what is set: look at each then."""
        with self._asking:  # of several threads, one asks
            if context.version != self._version:
                self._known = self._found(context) if len(context.tables) > _MANY else Known()
                self._version = context.version
            return self._known

    def _found(self, context: BuildContext) -> Known:
        try:
            said = self._said(context)
        except Cancelled:
            raise
        except WarehouseError as error:
            logger.info("what is set on the tables could not be asked for all of them at once: %s", error)
            return Known()
        there = [table for table in context.tables if table in said]
        seen = [table for table in there if self._datasets.sees_policies(self._bare(table).reference)]
        missing = {table: None for table in context.tables if table not in said}
        plain = {table: self._bare(table) for table in seen if said[table] == {""}}
        return Known({**missing, **plain}, frozenset(table for table in seen if not may_be_restricted(said[table])))

    def _said(self, context: BuildContext) -> dict[TableName, set[str]]:
        """Of each of the tables that is there, which views say that something is set on it."""
        config = self._datasets.config({"run": context.run, **context.labels, **self._datasets.of_lease()})
        names = sorted({table.name for table in context.tables})
        config.query_parameters = [bigquery.ArrayQueryParameter("tables", "STRING", names)]
        sql = question(self._datasets.settings.project_of, sorted({table.dataset for table in context.tables}))
        found: dict[TableName, set[str]] = {}
        with google_errors():
            for dataset, name, said_by in map(bigquery.Row.values, self._datasets.jobs.ask(sql, config)):
                found.setdefault(TableName(dataset, name), set()).add(said_by)
        return found

    def _bare(self, name: TableName) -> bigquery.Table:
        reference = self._datasets.reference(name.dataset).table(name.name)
        return bigquery.Table.from_api_repr({"tableReference": reference.to_api_repr(), "type": "TABLE"})
