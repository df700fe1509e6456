"""A table's storage options as BigQuery's client and SQL take them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from google.cloud.bigquery import PartitionRange, QueryJobConfig, RangePartitioning, Table, TimePartitioning

from warehouse_refresh.warehouse.bigquery.schema import quoted
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import ListedColumn
from warehouse_refresh.warehouse.storage import Partition, Storage

_DAY_MILLISECONDS = 86_400_000


def lay_out(config: QueryJobConfig, storage: Storage) -> None:
    """Have the job partition and cluster its table."""
    partition = storage.partition
    if partition is not None and partition.integers is not None:
        config.range_partitioning = _ranges(partition.column, partition.integers)
    elif partition is not None:
        config.time_partitioning = _times(partition, storage.partition_expiration_days)
    if storage.cluster_by:
        config.clustering_fields = list(storage.cluster_by)


def check_partition(name: TableName, table: Table, storage: Storage) -> None:
    """Raise WarehouseError if the table is partitioned in another way: BigQuery does not replace it then.
    https://cloud.google.com/bigquery/docs/creating-partitioned-tables"""
    if storage.partition is None or _partition_of(table) == storage.partition:
        return
    raise WarehouseError(
        f"{name} is partitioned by {_shown(_partition_of(table))}, and its script says {_shown(storage.partition)}: "
        "BigQuery does not change that. Drop the table, and build it again"
    )


def describe(table: Table, storage: Storage) -> list[str]:
    """Give the table the descriptions, labels and limits that its script says. Returns the properties that changed."""
    changed = []
    for name, value in _properties(storage).items():
        if value and getattr(table, name) != value:
            setattr(table, name, value)
            changed.append(name)
    if storage.cluster_by and table.clustering_fields != list(storage.cluster_by):
        table.clustering_fields = list(storage.cluster_by)
        changed.append("clustering_fields")
    return changed


def kept_layout(table: Table, storage: Storage) -> Storage:
    """The storage with the partitions and clusters of the table as it is, where the script names none."""
    if storage.partition is None and (partition := _partition_of(table)) is not None:
        expiration = table.time_partitioning.expiration_ms if table.time_partitioning is not None else None
        days = int(expiration) / _DAY_MILLISECONDS if expiration else None
        storage = replace(storage, partition=partition, partition_expiration_days=days)
    return storage if storage.cluster_by else replace(storage, cluster_by=tuple(table.clustering_fields or ()))


def list_sql(listed: Sequence[ListedColumn]) -> str:
    """A list of columns, as CREATE TABLE and CREATE VIEW have it."""
    return f"({', '.join(column.text for column in listed)})"


def layout_sql(storage: Storage, listed: Sequence[ListedColumn]) -> str:
    """How a table with the listed columns is partitioned and clustered, as in CREATE TABLE; "" if it is neither. What
    else is said about a table is set later."""
    kinds = {column.name.casefold(): column.kind for column in listed}
    partition = f" PARTITION BY {_partition_sql(storage.partition, kinds)}" if storage.partition is not None else ""
    clusters = f" CLUSTER BY {', '.join(map(quoted, storage.cluster_by))}" if storage.cluster_by else ""
    days = storage.partition_expiration_days
    return partition + clusters + (f" OPTIONS (partition_expiration_days = {days:g})" if days is not None else "")


def _partition_sql(partition: Partition, kinds: Mapping[str, str]) -> str:
    """`kinds` are the types of the table's columns, by folded name:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#partition_expression"""
    column = quoted(partition.column) if partition.column else "_PARTITIONTIME"
    if partition.integers is not None:
        return f"RANGE_BUCKET({column}, GENERATE_ARRAY({', '.join(map(str, partition.integers))}))"
    kind = kinds.get(partition.column.casefold(), "TIMESTAMP")
    if kind == "DATE" and partition.unit == "DAY":
        return column
    return f"{kind}_TRUNC({column}, {partition.unit})"


def options_sql(storage: Storage) -> str:
    """A view's options, as in CREATE VIEW; "" if it has none."""
    values = {name: value for name, value in _properties(storage).items() if value and name in _OF_VIEWS}
    written = ", ".join(f"{name} = {_literal(value)}" for name, value in values.items())
    return f" OPTIONS ({written})" if written else ""


_OF_VIEWS = ("description", "friendly_name", "labels")


def _properties(storage: Storage) -> Mapping[str, Any]:
    return {
        "description": storage.description,
        "friendly_name": storage.friendly_name,
        "labels": dict(storage.labels),
        "require_partition_filter": storage.require_partition_filter,
    }


def _literal(value: Any) -> str:
    """JSON's escapes are GoogleSQL's, too: https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical"""
    if isinstance(value, Mapping):
        return f"[{', '.join(f'({json.dumps(key)}, {json.dumps(label)})' for key, label in value.items())}]"
    return json.dumps(value)


def _ranges(column: str, integers: tuple[int, int, int]) -> RangePartitioning:
    start, end, step = integers
    return RangePartitioning(field=column, range_=PartitionRange(start=start, end=end, interval=step))


def _times(partition: Partition, days: float | None) -> TimePartitioning:
    expiration = None if days is None else int(days * _DAY_MILLISECONDS)
    return TimePartitioning(type_=partition.unit, field=partition.column or None, expiration_ms=expiration)


def _partition_of(table: Table) -> Partition | None:
    if table.time_partitioning is not None:
        return Partition(table.time_partitioning.field or "", table.time_partitioning.type_)
    if table.range_partitioning is not None:
        found = table.range_partitioning.range_
        integers = (int(found.start), int(found.end), int(found.interval))
        return Partition(table.range_partitioning.field, integers=integers)
    return None


def _shown(partition: Partition | None) -> str:
    if partition is None:
        return "nothing"
    column = partition.column or "the time of storing"
    return f"{column} in ranges {partition.integers}" if partition.integers else f"{column} ({partition.unit})"
