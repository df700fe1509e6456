"""The SQL that stores rows at most once for each key: keys and rows in one transaction.

Each raw table has a table of keys. If two transactions change rows of the same table, BigQuery commits only one of them
(https://cloud.google.com/bigquery/docs/transactions#transaction_concurrency). INSERTs alone do not conflict, so every
transaction first UPDATEs one row that exists only for this. So two processes never both find that a key is new.

The table is partitioned by a number computed from the key, so that a look-up of a few keys bills only their partitions.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from warehouse_refresh.warehouse.bigquery.names import keys_table
from warehouse_refresh.warehouse.bigquery.schema import quoted
from warehouse_refresh.warehouse.bigquery.storing.written import Written
from warehouse_refresh.warehouse.errors import TableNotFound, Transient, WarehouseError
from warehouse_refresh.warehouse.idempotency import DAYS_KEPT
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName

_DAY = 86_400.0
_BUCKETS = 100
_TURN = _BUCKETS  # the partition of the row that every transaction changes


class Keys:
    """The tables of keys of one project. They are created when first needed; old keys are deleted once a day."""

    def __init__(self, project: str, run: Callable[[str], object], make_dataset: Callable[[], None]) -> None:
        """`run` executes one statement; `make_dataset` creates the dataset that holds the tables if it is missing."""
        self._project, self._run, self._make_dataset = project, run, make_dataset
        self._turns: dict[TableName, threading.Lock] = {}
        self._looked_after: dict[TableName, float] = {}

    @contextmanager
    def of(self, table: TableName) -> Iterator[str]:
        """The path of the raw table's table of keys, for SQL. One caller at a time: two transactions would conflict."""
        with self._turns.setdefault(table, threading.Lock()):
            path = ".".join(map(quoted, (self._project, OWN_DATASET, keys_table(table))))
            self._look_after(table, path)
            try:
                yield path
            except TableNotFound as error:
                if error.table.dataset != OWN_DATASET:
                    raise
                del self._looked_after[table]
                raise Transient(f"somebody has deleted {error.table}: the next call creates it again") from error

    def _look_after(self, table: TableName, path: str) -> None:
        if time.monotonic() - self._looked_after.get(table, -_DAY) < _DAY:
            return
        self._make_dataset()
        self._create(path)
        with suppress(Transient):  # old keys do no harm
            self._run(forget_sql(path))
        self._looked_after[table] = time.monotonic()

    def _create(self, path: str) -> None:
        try:
            self._run(create_sql(path))
        except WarehouseError as error:
            if "Already Exists" not in str(error):  # another process was quicker
                raise


def create_sql(path: str) -> str:
    """The statement that creates the table of keys at `path`, with the row that transactions update, if missing."""
    return (
        f"CREATE TABLE IF NOT EXISTS {path} PARTITION BY RANGE_BUCKET(bucket, GENERATE_ARRAY(0, {_TURN + 1}, 1)) "
        f"AS SELECT {_TURN} AS bucket, '' AS key, '' AS fingerprint, CURRENT_TIMESTAMP() AS stored_at"
    )


def forget_sql(path: str) -> str:
    """The statement that deletes keys older than `DAYS_KEPT`."""
    return (
        f"DELETE FROM {path} WHERE bucket < {_TURN} "
        f"AND stored_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {24 * DAYS_KEPT} HOUR)"
    )


def store_sql(keys_path: str, path: str, columns: Written, keys: Iterable[str]) -> str:
    """The script that stores the rows of `@rows` whose keys are new, and these keys. Its result: the keys that were
    there before, with their fingerprints.

    `@keys` holds all keys with their fingerprints. The last field of a row of `@rows` is its key, NULL for a row
    without one.
    """
    key = f"r.f{len(columns.kinds)}"
    return f"""DECLARE known ARRAY<STRUCT<f0 STRING, f1 STRING>>;
BEGIN TRANSACTION;
UPDATE {keys_path} SET stored_at = CURRENT_TIMESTAMP() WHERE bucket = {_TURN};
SET known = ARRAY(
  SELECT AS STRUCT t.key AS f0, t.fingerprint AS f1 FROM {keys_path} AS t
  WHERE {_in_buckets(keys)} AND t.key IN (SELECT k.f0 FROM UNNEST(@keys) AS k));
INSERT INTO {keys_path} (bucket, key, fingerprint, stored_at)
  SELECT k.f2, k.f0, k.f1, CURRENT_TIMESTAMP() FROM UNNEST(@keys) AS k
  WHERE k.f0 NOT IN (SELECT old.f0 FROM UNNEST(known) AS old);
{columns.insert_sql(path)}
  WHERE {key} IS NULL OR {key} NOT IN (SELECT old.f0 FROM UNNEST(known) AS old);
COMMIT TRANSACTION;
SELECT old.f0 AS key, old.f1 AS fingerprint FROM UNNEST(known) AS old"""


def bucket(key: str) -> int:
    """The partition that holds the key."""
    return int(hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8], 16) % _BUCKETS


def _in_buckets(keys: Iterable[str]) -> str:
    """The condition that reads only these keys' partitions. It holds constants, since BigQuery prunes only by those."""
    return f"t.bucket IN ({', '.join(map(str, sorted({bucket(key) for key in keys})))})"
