"""What is recorded of the partitions of each table: a table of this tool's own for each table that is built by date.

It is replaced whole after each publication, with the moment of the publication as it was begun. So a publication that
was cut off is recorded in the same words when it is completed.
"""

import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from google.cloud import bigquery

from warehouse_refresh.warehouse.bigquery import names
from warehouse_refresh.warehouse.bigquery.building.storage import partition_of
from warehouse_refresh.warehouse.bigquery.datasets import Datasets
from warehouse_refresh.warehouse.bigquery.errors import google_errors
from warehouse_refresh.warehouse.bigquery.storing.parameters import Records, Value
from warehouse_refresh.warehouse.builds.parts import Interval, PartRecord, Parts, Point, Ranges, point_in, point_text
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.types import STRING, TIMESTAMP, parse_type

_COLUMNS = "lower_bound, upper_bound, column_name, key_columns, fingerprint, run, published_at"


class PartRecords:
    """The records of all tables that are built by date."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    def of(self, table: TableName) -> list[PartRecord]:
        """The records of a table, in order; none if it is not there."""
        record = self._datasets.table_or_none(_name(table))
        if record is None or self._datasets.table_or_none(table) is None:
            return []
        with google_errors():
            rows = [row.values() for row in self._datasets.client.list_rows(record, **self._datasets.patience)]
        found = [
            PartRecord(column, Interval(_point(start), _point(end)), fingerprint, run, at, tuple(json.loads(key)))
            for start, end, column, key, fingerprint, run, at in sorted(rows)
        ]
        return sorted(found, key=lambda one: one.interval.start if isinstance(one.interval.start, int) else 0)

    def keep(self, table: TableName, parts: Parts, fingerprint: str, run: str, at: datetime) -> None:
        """Record that the run has published these parts of the table, in a publication that began at `at`."""
        record = _name(table)
        self._datasets.create_own_dataset()
        config = self._datasets.config({"table": str(table)})
        config.destination = self._datasets.reference(record.dataset).table(record.name)
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
        config.query_parameters = [
            Records("bounds", (STRING, STRING), [_texts(one) for one in parts.partitions]),
            Value("column", STRING, parts.column),
            Value("key", STRING, json.dumps(parts.key)),
            Value("fingerprint", STRING, fingerprint),
            Value("run", STRING, run),
            Value("at", TIMESTAMP, at),
        ]
        sql = (
            "SELECT one.f0 AS lower_bound, one.f1 AS upper_bound, @column AS column_name, @key AS key_columns,"
            " @fingerprint AS fingerprint, @run AS run, @at AS published_at FROM UNNEST(@bounds) AS one"
        )
        if not parts.whole and self._datasets.table_or_none(record) is not None:
            kept = "lower_bound NOT IN (SELECT one.f0 FROM UNNEST(@bounds) AS one)"
            sql = f"SELECT {_COLUMNS} FROM {self._datasets.path(record)} WHERE {kept} UNION ALL {sql}"
        self._datasets.jobs.finish(f"partitions-{secrets.token_hex(16)}", sql, config)

    def forget(self, table: TableName) -> None:
        """Delete the records of a table that is not what they say any more."""
        record = _name(table)
        reference = self._datasets.reference(record.dataset).table(record.name)
        with google_errors():
            self._datasets.client.delete_table(reference, not_found_ok=True, **self._datasets.patience)


def may_have_records(table: bigquery.Table | None) -> bool:
    """Whether the table may be built by date: it is partitioned then."""
    return table is not None and partition_of(table) is not None


def parts_text(parts: Parts | None, run: str) -> str:
    """The parts that the run publishes as a text, for the record of a publication; "" for a table that is not built by
    date."""
    if parts is None:
        return ""
    unit = parts.unit if isinstance(parts.unit, str) else [parts.unit.start, parts.unit.step]
    said = {"column": parts.column, "kind": str(parts.kind), "key": parts.key, "whole": parts.whole, "unit": unit}
    return json.dumps({**said, "run": run, "bounds": bounds_text(parts.partitions)})


def parts_in(text: str) -> Parts | None:
    """The parts of such a text."""
    if not text:
        return None
    said = json.loads(text)
    found = [Interval(*map(_point, one.split("/"))) for one in said["bounds"].split()]
    kind, key = parse_type(said["kind"]), tuple(said["key"])
    unit = said["unit"] if isinstance(said["unit"], str) else Ranges(*said["unit"])
    return Parts(said["column"], kind, found, found, said["whole"], key, unit)


def run_in(text: str) -> str:
    """The run that such a text names."""
    return str(json.loads(text)["run"])


def bounds_text(intervals: Iterable[Interval]) -> str:
    """The intervals as texts, with blanks between them."""
    return " ".join("/".join(_texts(one)) for one in intervals)


def _texts(interval: Interval) -> tuple[str, str]:
    return point_text(interval.start), point_text(interval.end)


def _point(text: str) -> Point:
    point = point_in(text)
    return point.astimezone(UTC) if isinstance(point, datetime) and point.tzinfo else point


def _name(table: TableName) -> TableName:
    return TableName(OWN_DATASET, names.partitions_table(table))
