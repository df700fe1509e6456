"""Store rows. Each job gets its rows as one query parameter.

Rows without a key are one INSERT. Rows with a key are stored with their keys in one transaction: see keys.py. A job has
a random id, so a request that the client library repeats finds the job that the first try started.

A request to BigQuery is at most 10 MB, parameters included. A statement has at most 10,000 parameters, and an array
counts as one: https://cloud.google.com/bigquery/quotas#query_jobs
"""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from google.cloud import bigquery

from warehouse_refresh.warehouse import Append, Outcome
from warehouse_refresh.warehouse.bigquery.errors import ResourcesExceeded
from warehouse_refresh.warehouse.bigquery.jobs import Jobs
from warehouse_refresh.warehouse.bigquery.storing.keys import Keys, bucket, store_sql
from warehouse_refresh.warehouse.bigquery.storing.parameters import Records
from warehouse_refresh.warehouse.bigquery.storing.rows import check_row
from warehouse_refresh.warehouse.bigquery.storing.written import Written, written
from warehouse_refresh.warehouse.errors import InvalidRow, OutcomeUnknown, SqlError, Transient, WarehouseError
from warehouse_refresh.warehouse.idempotency import outcome_of
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import Column, SqlType

REQUEST_BYTES = 8_000_000  # of the 10 MB: the rest of the request needs some, too
_STRING = SqlType("STRING")
Config = Callable[[dict[str, str]], bigquery.QueryJobConfig]
"""Makes the settings of a job with these labels."""


@dataclass(frozen=True, slots=True)
class Target:
    """The table to store into: `path` is how SQL names it, `columns` its schema."""

    table: TableName
    path: str
    columns: tuple[Column, ...]


class Sender:
    """Sends the jobs that store rows."""

    def __init__(self, jobs: Jobs, config: Config, keys: Keys) -> None:
        self._jobs, self._config, self._keys = jobs, config, keys

    def send(self, target: Target, appends: Sequence[Append]) -> list[Outcome]:
        """Store the rows. Returns one outcome per Append. Raises InvalidRow, before anything is sent, for a row that
        BigQuery would refuse. Each job is stored whole or not at all. Rows that exceed a request are several jobs."""
        for row in (row for append in appends for row in append.rows):
            check_row(row, target.columns)
        columns = written(target.columns, [row for append in appends for row in append.rows])
        outcomes: list[Outcome] = []
        for number, group in enumerate(_groups(appends, [_size(append, columns) for append in appends])):
            with _nothing_stored_before(number), _not_the_rows_fault():
                outcomes += self._send(target, columns, group)
        return outcomes

    def _send(self, target: Target, columns: Written, appends: Sequence[Append]) -> list[Outcome]:
        rows = [row for append in appends for row in append.rows]
        if rows and any(append.key is not None for append in appends):
            return self._send_keyed(target, columns, appends)
        if rows:
            config = self._job_config(target.table, _records(columns, appends))
            self._jobs.run(_job_name(), columns.insert_sql(target.path), config)
        return [Outcome.STORED] * len(appends)

    def _send_keyed(self, target: Target, columns: Written, appends: Sequence[Append]) -> list[Outcome]:
        """Store the rows and their keys in one transaction. Its key recognises a request whose answer was lost."""
        first = {append.key: append for append in reversed(appends) if append.key is not None}
        new_at_most = [append for append in appends if append.key is None or append is first[append.key]]
        keys = [[key, append.fingerprint, bucket(key)] for key, append in first.items()]
        with self._keys.of(target.table) as path:
            config = self._job_config(
                target.table,
                _records(columns, new_at_most, with_keys=True),
                Records("keys", [_STRING, _STRING, SqlType("INT64")], keys),
            )
            found = self._jobs.answer(_job_name(), store_sql(path, target.path, columns, first), config)
            known = {row["key"]: row["fingerprint"] for row in found}
        new: dict[str, str] = {}
        return [outcome_of(append, known, new) for append in appends]

    def _job_config(self, table: TableName, *parameters: Records) -> bigquery.QueryJobConfig:
        config = self._config({"table": str(table)})
        config.query_parameters = list(parameters)
        return config


def _job_name() -> str:
    return f"append-{secrets.token_hex(16)}"


def _groups(appends: Sequence[Append], sizes: Sequence[int]) -> Iterator[list[Append]]:
    """The Appends in their order, in groups that each fit into one request."""
    group: list[Append] = []
    room = REQUEST_BYTES
    for append, size in zip(appends, sizes, strict=True):
        if size > room:
            yield group
            group, room = [], REQUEST_BYTES
        group.append(append)
        room -= size
    yield group


@contextmanager
def _nothing_stored_before(number: int) -> Iterator[None]:
    """Raise OutcomeUnknown if a group other than the first fails: the earlier groups' rows are stored."""
    try:
        yield
    except WarehouseError as error:
        if number == 0:
            raise
        raise OutcomeUnknown(f"a part of the rows was stored, the others were not: {error}") from error


@contextmanager
def _not_the_rows_fault() -> Iterator[None]:
    """Raise InvalidRow if BigQuery refuses a value. Its own message may repeat the value, so it is only the cause."""
    try:
        yield
    except ResourcesExceeded as error:
        raise Transient("BigQuery has no room for the statement at the moment", limited=True) from error
    except SqlError as error:  # our statement is right, so a value is wrong
        raise InvalidRow("BigQuery does not take a value of these rows") from error


def _records(columns: Written, appends: Sequence[Append], *, with_keys: bool = False) -> Records:
    """The rows as the parameter `@rows`, each with its request's key as the last field if `with_keys`."""
    if not with_keys:
        return Records("rows", columns.kinds, [columns.values(row) for append in appends for row in append.rows])
    rows = [[*columns.values(row), append.key] for append in appends for row in append.rows]
    return Records("rows", [*columns.kinds, _STRING], rows)


def _size(append: Append, columns: Written) -> int:
    """How many bytes of a request the Append takes at most. Its key counts once per row, and twice more."""
    rows = _records(columns, [append], with_keys=append.key is not None)
    size = len(json.dumps(rows.to_api_repr())) + 2 * len(append.key or "")
    if size > REQUEST_BYTES:
        raise InvalidRow(f"the rows take {size:,} bytes and a request holds {REQUEST_BYTES:,}: send fewer rows at once")
    return size
