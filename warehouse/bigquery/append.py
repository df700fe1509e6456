"""Storing rows: one INSERT job for what belongs together, its rows one query parameter.

A request to BigQuery is at most 10 MB, parameters included, and a statement holds at most 10,000 parameters; an array
is one: https://cloud.google.com/bigquery/quotas#query_jobs
"""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from google.cloud import bigquery

from warehouse.bigquery import names
from warehouse.bigquery.jobs import Finished, Jobs
from warehouse.bigquery.parameters import RowsParameter, stored
from warehouse.bigquery.rows import check_row
from warehouse.bigquery.schema import quoted
from warehouse.engine import Append, Outcome, Row
from warehouse.errors import InvalidRow
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
        """One outcome per Append. Raises InvalidRow before anything is stored."""
        for row in (row for append in appends for row in append.rows):
            check_row(row, target.columns)
        groups = list(_groups(appends, [_size(target, append.rows) for append in appends]))
        outcomes: dict[int, Outcome] = {}
        for group, outcome in zip(groups, self._send_groups(target, appends, groups), strict=True):
            outcomes.update(dict.fromkeys(group, outcome))
        return [outcomes[i] for i in range(len(appends))]

    def _send_groups(self, target: Target, appends: Sequence[Append], groups: list[list[int]]) -> list[Outcome]:
        def send(group: list[int]) -> Outcome:
            return self._send_one(target, [appends[i] for i in group])

        if len(groups) < 2:
            return [send(group) for group in groups]
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return list(pool.map(send, groups))

    def _send_one(self, target: Target, appends: Sequence[Append]) -> Outcome:
        """One job: for one Append with a key, or for some without."""
        key, rows = appends[0].key, [row for append in appends for row in append.rows]
        if not rows:
            return Outcome.STORED
        if key is None:
            self._insert(target, rows, f"append-{secrets.token_hex(16)}", {})
            return Outcome.STORED
        fingerprint = names.fingerprint_label(appends[0].fingerprint)
        finished = self._insert(target, rows, names.append_name(target.table, key), {"fingerprint": fingerprint})
        if finished.ours:
            return Outcome.STORED
        same = finished.job.labels.get("fingerprint") == fingerprint
        return Outcome.REPLAYED if same else Outcome.KEY_REUSED

    def _insert(self, target: Target, rows: Sequence[Row], name: str, labels: dict[str, str]) -> Finished:
        columns = _written(target, rows)
        config = self.config({"table": str(target.table), **labels})
        config.query_parameters = [RowsParameter(columns, rows)]
        return self.jobs.run(name, insert_sql(target.path, columns), config)


def insert_sql(path: str, columns: Sequence[Column]) -> str:
    """The statement that stores `@rows` in these columns."""
    listed = ", ".join(quoted(column.name) for column in columns)
    selected = ", ".join(stored(f"r.f{i}", column.type) for i, column in enumerate(columns))
    return f"INSERT INTO {path} ({listed}) SELECT {selected} FROM UNNEST(@rows) AS r"


def _written(target: Target, rows: Sequence[Row]) -> list[Column]:
    """The columns that a row names, and those whose default would be stored in place of a NULL."""
    named = target.with_default.union(*rows)
    return [column for column in target.columns if column.name in named] or [target.columns[0]]


def _groups(appends: Sequence[Append], sizes: Sequence[int]) -> Iterator[list[int]]:
    """What goes into one job each: an Append with a key alone, those without together as far as a request reaches."""
    group: list[int] = []
    for i, append in enumerate(appends):
        if append.key is not None:
            yield [i]
        elif group and sum(sizes[j] for j in group) + sizes[i] > REQUEST_BYTES:
            yield group
            group = [i]
        else:
            group.append(i)
    if group:
        yield group


def _size(target: Target, rows: Sequence[Row]) -> int:
    size = len(json.dumps(RowsParameter(_written(target, rows), rows).to_api_repr()))
    if size > REQUEST_BYTES:
        raise InvalidRow(f"the rows take {size:,} bytes and a request holds {REQUEST_BYTES:,}: send fewer rows at once")
    return size
