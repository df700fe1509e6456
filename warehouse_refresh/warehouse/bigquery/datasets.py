"""The project's datasets, tables, views and functions: a request or a job for each question or change."""

import logging
import secrets
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypedDict

from google.api_core.exceptions import BadRequest, NotFound
from google.api_core.retry import Retry
from google.cloud import bigquery

from warehouse_refresh.warehouse import BuildContext
from warehouse_refresh.warehouse.bigquery import names
from warehouse_refresh.warehouse.bigquery.client import open_client
from warehouse_refresh.warehouse.bigquery.errors import google_errors
from warehouse_refresh.warehouse.bigquery.jobs import Jobs
from warehouse_refresh.warehouse.bigquery.lease import LABEL, TABLE, Lease
from warehouse_refresh.warehouse.bigquery.names import STAGING_DATASET
from warehouse_refresh.warehouse.bigquery.queries.functions import create_sql, is_marked, mark
from warehouse_refresh.warehouse.bigquery.schema import column_of, quoted
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings, Waits
from warehouse_refresh.warehouse.errors import SqlError, TableNotFound, WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.query import Function, Read
from warehouse_refresh.warehouse.types import Column

logger = logging.getLogger(__name__)


PAGE = 1000
"""As many tables are listed in one answer, if BigQuery gives so many."""
_STAGED_DAYS = 7
"""For so many days a run that failed can be retried without building again what it had staged."""
_TO_SEE_POLICIES = ("bigquery.rowAccessPolicies.get", "bigquery.rowAccessPolicies.list")


class Patience(TypedDict):
    """How a request is retried, and how many seconds each try may take."""

    retry: Retry
    timeout: float


class Datasets:
    """Nothing is opened before the first request, which raises NotAllowed if there are no credentials."""

    def __init__(self, settings: BigQuerySettings, waits: Waits) -> None:
        self.settings, self.waits = settings, waits
        self.lease: Lease | None = None
        """Held while a refresh runs."""
        self.seen: dict[TableName, bigquery.Table] | None = None
        """The tables that a refresh has looked at so far, until it changes the first one; None at any other time."""
        self._opened: Jobs | None = None
        self._opening = threading.Lock()
        self._creating = threading.Lock()
        self._asking = threading.Lock()
        self._sees: dict[str, bool] = {}  # by dataset, whether row access policies can be seen
        self._looking: dict[TableName, threading.Lock] = {}
        self._created = set[str]()  # the texts of functions that are as they should be
        self._has_staging_dataset = False

    def kinds(self, dataset: str) -> list[tuple[TableName, str]]:
        """The dataset's tables with what BigQuery calls each: TABLE, VIEW, MATERIALIZED_VIEW, EXTERNAL, SNAPSHOT."""
        with google_errors():
            try:
                items = list(self.client.list_tables(self.reference(dataset), page_size=PAGE, **self.patience))
            except NotFound:
                return []
        return [(TableName(dataset, item.table_id), str(item.table_type)) for item in items]

    def table(self, table: TableName) -> bigquery.Table:
        with google_errors():
            try:
                return self.client.get_table(self.reference(table.dataset).table(table.name), **self.patience)
            except NotFound as error:
                raise TableNotFound(table) from error

    def columns(self, table: TableName) -> tuple[Column, ...]:
        """The table's columns. Raises TableNotFound."""
        return tuple(map(column_of, self.look(table).schema))

    def look(self, table: TableName) -> bigquery.Table:
        """The table, or what a refresh has seen of it before it changes anything. Raises TableNotFound."""
        seen = self.seen if self.seen is not None else {}
        with self._looking.setdefault(table, threading.Lock()):  # of several threads, one asks
            found = seen.get(table) or self.table(table)
            seen[table] = found
        return found

    def table_or_none(self, name: TableName) -> bigquery.Table | None:
        try:
            return self.table(name)
        except TableNotFound:
            return None

    def change(self, table: bigquery.Table, changed: Sequence[str]) -> bigquery.Table:
        """Store the properties of a table that have changed."""
        if not changed:
            return table
        with google_errors():
            return self.client.update_table(table, changed, **self.patience)

    def sees_policies(self, table: bigquery.TableReference) -> bool:
        """Whether this account may see the row access policies in the dataset of a table. It is asked for one table: a
        view of BigQuery's could be silent about what an account may not see.
        https://cloud.google.com/bigquery/docs/information-schema-row-access-policies"""
        with self._asking:
            if table.dataset_id not in self._sees:
                self._sees[table.dataset_id] = self._may(table, _TO_SEE_POLICIES)
            return self._sees[table.dataset_id]

    def _may(self, table: bigquery.TableReference, permissions: Collection[str]) -> bool:
        """Whether this account has all of these permissions on the table; False if that cannot be asked."""
        with suppress(WarehouseError), google_errors():
            found = self.client.test_iam_permissions(table, list(permissions), **self.patience)
            return {*permissions} <= {*found.get("permissions", ())}
        return False

    def run(self, statement: str) -> None:
        self.jobs.run(f"script-{secrets.token_hex(16)}", statement, self.config({}))

    def drop(self, table: TableName) -> None:
        found = self.table_or_none(table)
        if found is not None:
            self.run(f"DROP {found.table_type} IF EXISTS {self.path(table)}")

    def drop_dataset(self, name: str) -> None:
        """Drop a dataset without tables, and the functions in it that have a `mark`. BigQuery refuses to drop one in
        which anything else is: https://cloud.google.com/bigquery/docs/managing-datasets#delete_a_dataset"""
        if self.kinds(name):
            return
        with google_errors(), suppress(NotFound, BadRequest):
            for routine in list(self.client.list_routines(self.reference(name), **self.patience)):
                if is_marked(self.client.get_routine(routine.reference, **self.patience).body or ""):
                    self.client.delete_routine(routine.reference, not_found_ok=True, **self.patience)
            self.client.delete_dataset(self.reference(name), not_found_ok=True, **self.patience)

    def create_own_dataset(self) -> None:
        """Create the dataset of this project's own tables, if it does not exist yet."""
        with google_errors():
            self.create_dataset(OWN_DATASET)

    def create_dataset(self, name: str) -> None:
        wanted = bigquery.Dataset(self.reference(name))
        wanted.location = self.settings.location
        if name == STAGING_DATASET:
            wanted.default_table_expiration_ms = _STAGED_DAYS * 24 * 3_600_000
        try:
            found = self.client.get_dataset(wanted.reference, **self.patience)
        except NotFound:
            found = self.client.create_dataset(wanted, exists_ok=True, **self.patience)
            if name == STAGING_DATASET:
                self._close_to_readers(found)
        if found.location.casefold() != wanted.location.casefold():
            raise WarehouseError(
                f"the dataset {name} is in {found.location} and WAREHOUSE_URL says location={wanted.location}: all "
                "datasets must be in one location"
            )

    def _close_to_readers(self, dataset: bigquery.Dataset) -> None:
        """Take the dataset from those who read all datasets of the project: staged tables have no row access
        policies."""
        dataset.access_entries = [entry for entry in dataset.access_entries if entry.entity_id != "projectReaders"]
        self.client.update_dataset(dataset, ["access_entries"], **self.patience)

    def create_staging_dataset(self) -> None:
        """Create the dataset of staged tables, if it does not exist yet."""
        with self._creating, google_errors():
            if not self._has_staging_dataset:
                self.create_dataset(STAGING_DATASET)
                self._has_staging_dataset = True

    def create_functions(self, functions: Iterable[Function]) -> None:
        with self._creating:
            for function in functions:
                if function.text not in self._created:
                    self._create_function(function)
                    self._created.add(function.text)

    def _create_function(self, function: Function) -> None:
        dataset, name = function.name
        ids = {"projectId": self.settings.project_of(dataset), "datasetId": dataset, "routineId": name}
        stored = ""
        with suppress(WarehouseError), google_errors():  # if it is not there, it is created
            stored = self.client.get_routine(bigquery.RoutineReference.from_api_repr(ids), **self.patience).body or ""
        if mark(function) not in stored:
            try:
                self.run(create_sql(function, self.path(function.name), self.elsewhere(function.names)))
            except SqlError as error:
                raise SqlError(f"the function {function.name} cannot be created: {error.reason}") from error

    def config(self, labels: Mapping[str, str]) -> bigquery.QueryJobConfig:
        config = bigquery.QueryJobConfig(use_legacy_sql=False)
        config.labels = names.labels(labels)
        config.priority = self.settings.priority
        config.maximum_bytes_billed = self.settings.maximum_bytes_billed
        return config

    def labels(self, table: TableName, context: BuildContext) -> dict[str, str]:
        """The labels of a job that builds the table. Raises WarehouseError if this refresh has lost its lease."""
        return {"run": context.run, "table": str(table), **context.labels, **self.of_lease()}

    def of_lease(self) -> dict[str, str]:
        """The label by which the next refresh finds a job that this one has left, if it dies. Raises WarehouseError if
        this refresh has lost its lease."""
        if self.lease is None:
            return {}
        self.lease.check()
        return {LABEL: self.lease.token}

    def path(self, table: TableName) -> str:
        """The table's name in SQL, with its project."""
        return ".".join(map(quoted, (self.settings.project_of(table.dataset), table.dataset, table.name)))

    def elsewhere(self, names: Iterable[Read], own: str = "") -> dict[TableName, str]:
        """The paths of the tables that are in the other project, among those that a text of the project `own` names."""
        other = self.settings.other
        if other is None:
            return {}
        tables = {read.table for read in names if read.project in ("", own) and read.table.dataset}
        return {table: self.path(table) for table in tables if other.has(table.dataset)}

    def reference(self, dataset: str) -> bigquery.DatasetReference:
        return bigquery.DatasetReference(self.settings.project_of(dataset), dataset)

    def make_lease(self) -> None:
        self.create_own_dataset()
        self.client.create_table(
            bigquery.Table(self.reference(OWN_DATASET).table(TABLE)), exists_ok=True, **self.patience
        )

    @property
    def client(self) -> bigquery.Client:
        self.jobs.check_not_cancelled()
        return self.jobs.client

    @property
    def patience(self) -> Patience:
        """The retry and timeout of all requests except those about jobs."""
        return Patience(retry=self.jobs.retry, timeout=self.waits.request)

    @property
    def jobs(self) -> Jobs:
        with self._opening:
            if self._opened is None:
                self._opened = Jobs(open_client(self.settings), self.settings, self.waits)
        return self._opened

    def cancel(self) -> None:
        """Cancel the running jobs and wait briefly until they have ended. May be called from a signal handler."""
        self.jobs.cancel()

    def close(self) -> None:
        """Cancel jobs that nobody waits for any more, and close the connections."""
        if self._opened is not None:
            self._opened.cancel()
            self._opened.client.close()
