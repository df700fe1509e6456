"""A table's storage options as BigQuery's client and SQL take them."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.bigquery import (
    PartitionRange,
    QueryJobConfig,
    RangePartitioning,
    SchemaField,
    Table,
    TimePartitioning,
)

from warehouse_refresh.warehouse import TableBuild
from warehouse_refresh.warehouse.bigquery.queries.edits import Edit
from warehouse_refresh.warehouse.bigquery.schema import quoted, type_sql
from warehouse_refresh.warehouse.errors import Place
from warehouse_refresh.warehouse.sql.query import ListedColumn, Query
from warehouse_refresh.warehouse.sql.statements import statements_of
from warehouse_refresh.warehouse.storage import Partition, Storage
from warehouse_refresh.warehouse.types import Column

_DAY_MILLISECONDS = 86_400_000


def lay_out(config: QueryJobConfig | Table, storage: Storage) -> None:
    """Partition and cluster the table, or that of the job."""
    partition = storage.partition
    if partition is not None and partition.integers is not None:
        config.range_partitioning = _ranges(partition.column, partition.integers)
    elif partition is not None:
        config.time_partitioning = _times(partition, storage.partition_expiration_days)
    if storage.cluster_by:
        config.clustering_fields = list(storage.cluster_by)


def needs_new_table(table: Table, storage: Storage) -> bool:
    """Whether the table is partitioned in another way than wanted, or is to be clustered by columns that it does not
    have yet. BigQuery replaces it in no way then, neither by a job nor by CREATE OR REPLACE TABLE: "Cannot replace a
    table with a different partitioning spec"."""
    if storage.partition is not None and partition_of(table) != storage.partition:
        return True
    return not {field.name for field in table.schema}.issuperset(storage.cluster_by)


def changes_of(table: Table, storage: Storage) -> list[str]:
    """What a build changes about a table, or view, that is there."""
    after = Table.from_api_repr(deepcopy(table.to_api_repr()))
    changed = [name for name in describe(after, storage) if name != "expires" or table.expires is None]
    if table.table_type != "TABLE" or not needs_new_table(table, storage):
        return [_WORDS[name] for name in changed]
    of_new_table = ["clustering_fields", "time_partitioning"]
    return [_new_table(table, storage), *(_WORDS[name] for name in changed if name not in of_new_table)]


def _new_table(table: Table, storage: Storage) -> str:
    """Why a new table is needed, how it is clustered, and what readers see of it."""
    old, new = partition_of(table), storage.partition
    what = [f"partitions: {old or 'none'} becomes {new}"] if new not in (None, old) else []
    if storage.cluster_by and table.clustering_fields != list(storage.cluster_by):
        what.append(f"clusters by {', '.join(storage.cluster_by)}")
    way = "it is built beside the old table and takes its place, and readers find none for about a second"
    return f"{'; '.join(what)}; {way}"


_WORDS = {
    "description": "its description",
    "friendly_name": "its friendly name",
    "labels": "its labels",
    "require_partition_filter": "queries must name partitions",
    "clustering_fields": "its clusters, for rows that are written from then on",
    "time_partitioning": "when its partitions expire",
    "expires": "when it expires",
    "schema": "descriptions or policy tags of its columns",
}
"""By a property of the client's."""


def cluster_before(table: Table, storage: Storage) -> list[str]:
    """Cluster the table as wanted before its rows are replaced: a job cannot change that, and clusters what it writes
    as the table says. Returns the properties that changed: none if the table has not all of the columns yet.
    https://cloud.google.com/bigquery/docs/manage-clustered-tables#modifying-cluster-spec"""
    wanted = list(storage.cluster_by)
    if not wanted or table.clustering_fields == wanted or not {field.name for field in table.schema}.issuperset(wanted):
        return []
    table.clustering_fields = wanted
    return ["clustering_fields"]


def describe(table: Table, storage: Storage) -> list[str]:
    """Give the table the descriptions, labels and limits that its script and its settings say. Returns the properties
    that changed."""
    changed = []
    for name, value in {**_properties(storage), "labels": {**table.labels, **dict(storage.labels)}}.items():
        if value and getattr(table, name) != value:
            setattr(table, name, value)
            changed.append(name)
    if storage.cluster_by and table.clustering_fields != list(storage.cluster_by):
        table.clustering_fields = list(storage.cluster_by)
        changed.append("clustering_fields")
    if storage.expires_after_days is not None:
        table.expires = datetime.now(UTC) + timedelta(days=storage.expires_after_days)
        changed.append("expires")
    return [*changed, *_expire_partitions(table, storage), *describe_columns(table, storage)]


def describe_columns(table: Table, storage: Storage) -> list[str]:
    """Give the table's columns their descriptions and policy tags. Returns the properties that changed."""
    schema = said_schema(table.schema, storage)
    if schema == table.schema:
        return []
    table.schema = schema
    return ["schema"]


def said_schema(fields: Iterable[SchemaField], storage: Storage) -> list[SchemaField]:
    """The fields with their descriptions and policy tags."""
    descriptions, tags = dict(storage.column_descriptions), dict(storage.policy_tags)
    found = []
    for field in fields:
        resource = dict(field.to_api_repr())  # a field hands out its own
        if field.name in descriptions:
            resource["description"] = descriptions[field.name]
        if field.name in tags:
            resource["policyTags"] = {"names": [tags[field.name]]}
        found.append(SchemaField.from_api_repr(resource))
    return found


def _expire_partitions(table: Table, storage: Storage) -> list[str]:
    if storage.partition_expiration_days is None or table.time_partitioning is None:
        return []
    wanted = int(storage.partition_expiration_days * _DAY_MILLISECONDS)
    if table.time_partitioning.expiration_ms == wanted:
        return []
    partitioning = table.time_partitioning
    partitioning.expiration_ms = wanted
    table.time_partitioning = partitioning
    return ["time_partitioning"]


def required_edits(build: TableBuild) -> list[Edit]:
    """The edits that make the query fail where it gives NULL for a column that is REQUIRED, and say which column."""
    if not build.storage.required:
        return []
    start, end = result_span(build.query)
    values = {name: _not_null(name) for name in build.storage.required}
    listed = [values.get(column.name, quoted(column.name)) for column in build.query.listed]
    selected = ", ".join(listed) or f"* REPLACE ({', '.join(values.values())})"
    return [Edit(start, start, f"SELECT {selected} FROM ("), Edit(end, end, ")")]


def _not_null(name: str) -> str:
    message = json.dumps(f"{name} is REQUIRED, and the query gives NULL for it")
    return f"IFNULL({quoted(name)}, ERROR({message})) AS {quoted(name)}"


def result_span(query: Query) -> tuple[int, int]:
    """Where the text of the query begins and ends, without comments and blanks around it."""
    start = next(re.finditer(r"\S", query.text)).start()
    return start, next(tokens for tokens in reversed(statements_of(query.text)) if tokens)[-1].end + 1


def within(edits: Sequence[Edit], around: Sequence[Edit]) -> list[Edit]:
    """The edits of a query in the order of its text, within the two that write something around it."""
    return [*around[:1], *edits, *around[1:]]


def kept_layout(table: Table, storage: Storage) -> Storage:
    """The storage with the partitions and clusters of the table as it is, where the script names none."""
    if storage.partition is None and (partition := partition_of(table)) is not None:
        expiration = table.time_partitioning.expiration_ms if table.time_partitioning is not None else None
        days = int(expiration) / _DAY_MILLISECONDS if expiration else None
        storage = replace(storage, partition=partition, partition_expiration_days=days)
    return storage if storage.cluster_by else replace(storage, cluster_by=tuple(table.clustering_fields or ()))


def required_list(required: Collection[str], columns: Sequence[Column]) -> tuple[ListedColumn, ...]:
    """The columns of a query's result as a list before AS, in which those of `required` are NOT NULL. There is none, as
    for a query that lists its columns nowhere, if one has a type that a list cannot say."""
    if any(column.type.name == "RANGE" for column in columns):
        return ()
    return tuple(_listed(column, is_required=column.name in required) for column in columns)


def _listed(column: Column, *, is_required: bool) -> ListedColumn:
    kind = type_sql(column.type)
    text = f"{quoted(column.name)} {kind}{' NOT NULL' if is_required else ''}"
    return ListedColumn(column.name, kind, is_required, text, Place(1, 1))


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


def partition_of(table: Table) -> Partition | None:
    """How the table is partitioned."""
    if table.time_partitioning is not None:
        return Partition(table.time_partitioning.field or "", table.time_partitioning.type_)
    if table.range_partitioning is not None:
        found = table.range_partitioning.range_
        integers = (int(found.start), int(found.end), int(found.interval))
        return Partition(table.range_partitioning.field, integers=integers)
    return None
