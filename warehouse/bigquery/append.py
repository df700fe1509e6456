"""Storing rows: one INSERT job for what belongs together, its rows one query parameter.

A request to BigQuery is at most 10 MB, parameters included, and a statement holds at most 10,000 parameters; an array
is one: https://cloud.google.com/bigquery/quotas#query_jobs
"""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from google.cloud import bigquery

from warehouse.bigquery import names
from warehouse.bigquery.errors import ResourcesExceeded
from warehouse.bigquery.jobs import Finished, Jobs
from warehouse.bigquery.parameters import RowsParameter, stored
from warehouse.bigquery.rows import check_row
from warehouse.bigquery.schema import quoted
from warehouse.engine import Append, Outcome, Row
from warehouse.errors import InvalidRow, OutcomeUnknown, SqlError, Transient, WarehouseError
from warehouse.names import TableName
from warehouse.types import Column

REQUEST_BYTES = 8_000_000  # of the 10 MB; what is left is for the rest of the request
_AT_ONCE = 8  # INSERT jobs of one call; BigQuery queues more than that for one table


@dataclass(frozen=True, slots=True)
class Target:
    """The table to store into: `path` is how SQL names it, `columns` its schema; `with_default` names the columns that
    have a default value, which would take the place of a NULL if the statement did not name them."""

    table: TableName
    path: str
    columns: tuple[Column, ...]
    with_default: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends INSERT jobs; `config` makes the settings of a job with these labels."""

    jobs: Jobs
    config: Callable[[dict[str, str]], bigquery.QueryJobConfig]

    def send(self, target: Target, appends: Sequence[Append]) -> list[Outcome]:
        """One outcome per Append. Raises InvalidRow before anything is stored.

        Appends with a key are sent first, so that an error of theirs finds nothing stored that may not be sent again.
        """
        for row in (row for append in appends for row in append.rows):
            check_row(row, target.columns)
        groups = list(_groups(appends, [_size(target, append.rows) for append in appends]))
        keyed = [append for append in appends if append.key is not None]
        outcomes = iter(self._send_keyed(target, keyed))
        for number, group in enumerate(groups):
            with _nothing_stored_before(number):
                self._send_unkeyed(target, group)
        return [Outcome.STORED if append.key is None else next(outcomes) for append in appends]

    def _send_keyed(self, target: Target, appends: Sequence[Append]) -> list[Outcome]:
        """Each a job of its own, since its key is the job's id."""
        if len(appends) < 2:
            return [self._send_one(target, append) for append in appends]
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return list(pool.map(partial(self._send_one, target), appends))

    def _send_one(self, target: Target, append: Append) -> Outcome:
        fingerprint = names.fingerprint_label(append.fingerprint)
        name = names.append_name(target.table, append.key or "")
        if not append.rows:
            return Outcome.STORED
        finished = self._insert(target, append.rows, name, {"fingerprint": fingerprint})
        if finished.ours:
            return Outcome.STORED
        same = finished.job.labels.get("fingerprint") == fingerprint
        return Outcome.REPLAYED if same else Outcome.KEY_REUSED

    def _send_unkeyed(self, target: Target, appends: Sequence[Append]) -> None:
        rows = [row for append in appends for row in append.rows]
        if rows:
            self._insert(target, rows, f"append-{secrets.token_hex(16)}", {})

    def _insert(self, target: Target, rows: Sequence[Row], name: str, labels: dict[str, str]) -> Finished:
        columns = _written(target, rows)
        config = self.config({"table": str(target.table), **labels})
        config.query_parameters = [RowsParameter(columns, rows)]
        try:
            return self.jobs.run(name, insert_sql(target.path, columns), config)
        except ResourcesExceeded as error:
            raise Transient("BigQuery has no room for the statement at the moment", limited=True) from error
        except SqlError as error:  # The statement is ours and right: a value is not. BigQuery's text may repeat it.
            raise InvalidRow("BigQuery does not take a value of these rows") from error


def insert_sql(path: str, columns: Sequence[Column]) -> str:
    """The statement that stores `@rows` in these columns."""
    listed = ", ".join(quoted(column.name) for column in columns)
    selected = ", ".join(stored(f"r.f{i}", column.type) for i, column in enumerate(columns))
    return f"INSERT INTO {path} ({listed}) SELECT {selected} FROM UNNEST(@rows) AS r"


def _written(target: Target, rows: Sequence[Row]) -> list[Column]:
    """The columns that a row names, and those whose default would be stored in place of a NULL."""
    named = target.with_default.union(*rows)
    return [column for column in target.columns if column.name in named] or [target.columns[0]]


def _groups(appends: Sequence[Append], sizes: Sequence[int]) -> Iterator[list[Append]]:
    """The Appends without a key, together as far as one request reaches."""
    group: list[Append] = []
    room = REQUEST_BYTES
    for append, size in zip(appends, sizes, strict=True):
        if append.key is not None:
            continue
        if size > room:
            yield group
            group, room = [], REQUEST_BYTES
        group.append(append)
        room -= size
    yield group


@contextmanager
def _nothing_stored_before(number: int) -> Iterator[None]:
    """Raises OutcomeUnknown if a group fails and it is not the first: what was stored must not be sent again."""
    try:
        yield
    except WarehouseError as error:
        if number == 0:
            raise
        raise OutcomeUnknown(f"a part of the rows was stored, the others were not: {error}") from error


def _size(target: Target, rows: Sequence[Row]) -> int:
    size = len(json.dumps(RowsParameter(_written(target, rows), rows).to_api_repr()))
    if size > REQUEST_BYTES:
        raise InvalidRow(f"the rows take {size:,} bytes and a request holds {REQUEST_BYTES:,}: send fewer rows at once")
    return size
