"""Replace a table and keep what people have set on it.

WRITE_TRUNCATE takes the schema of the query's result and may drop descriptions, policy tags and row access policies.
WRITE_TRUNCATE_DATA keeps the schema and all of that, for a result with the same columns:
https://cloud.google.com/bigquery/docs/reference/auditlogs/rest/Shared.Types/BigQueryAuditMetadata.WriteDisposition
"""

from collections.abc import Iterator, Sequence
from typing import Any

from google.cloud.bigquery import QueryJobConfig, SchemaField, Table

from warehouse_refresh.warehouse.bigquery.schema import column_of
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import Column

_OF_THE_TABLE = ("description", "friendly_name", "expires")


def keeps_columns(table: Table, columns: Sequence[Column]) -> bool:
    """Whether a result with these columns has the names, types and modes of the table's, in the same order."""
    return _shapes(map(column_of, table.schema)) == _shapes(columns)


def has_columns(table: Table, columns: Sequence[Column]) -> bool:
    """As `keeps_columns`, in any order: BigQuery matches columns by name."""
    return sorted(_shapes(map(column_of, table.schema))) == sorted(_shapes(columns))


def is_laid_out_as(table: Table, other: Table) -> bool:
    """Whether both have the same columns, with modes and policy tags, the same partitions and the same clusters."""

    def layout(one: Table) -> list[object]:
        fields = [(*_shapes([column_of(field)]), tuple(tagged([field]))) for field in one.schema]
        return [fields, one.time_partitioning, one.range_partitioning, one.clustering_fields]

    return layout(table) == layout(other)


def protections(table: Table, row_policies: Sequence[str]) -> list[str]:
    """The restrictions on who may see the table, in words: `the row access policy x`, `policy tags on the column y`."""
    columns = [f"policy tags on the column {path}" for path in tagged(table.schema)]
    return [*(f"the row access policy {name}" for name in row_policies), *columns]


def refusal(name: TableName, table: Table, columns: Sequence[Column], protected: Sequence[str]) -> WarehouseError:
    """The error that says why the table cannot get these columns, and what to do."""
    old, new = ([_words(one) for one in found] for found in (map(column_of, table.schema), columns))
    gone = [column for column in old if column not in new]
    more = [column for column in new if column not in old]
    return WarehouseError(
        f"{name} has {', '.join(protected)}, which BigQuery drops when a table gets other columns (gone: "
        f"{', '.join(gone) or 'none'}; new: {', '.join(more) or 'none'}). Change the table's columns first, with ALTER "
        "TABLE, which keeps the protection; or remove the protection"
    )


def refusal_of_list(name: TableName, protected: Sequence[str]) -> WarehouseError:
    """The error that says why a protected table cannot be built with a list of columns, and what to do."""
    return WarehouseError(
        f"{name} has {', '.join(protected)}, which BigQuery drops when a table is created with a list of columns. Take "
        "the list out of its script: a refresh then keeps the table's columns and its protection"
    )


def keep_layout(table: Table, config: QueryJobConfig, columns: Sequence[Column]) -> None:
    """Partition and cluster the new table as the old one, if it has the columns for it."""
    names = {column.name for column in columns}
    if table.time_partitioning and (table.time_partitioning.field or next(iter(names))) in names:
        config.time_partitioning = table.time_partitioning
    if table.range_partitioning and table.range_partitioning.field in names:
        config.range_partitioning = table.range_partitioning
    if table.clustering_fields and names.issuperset(table.clustering_fields):
        config.clustering_fields = table.clustering_fields


def put_back(before: Table, after: Table) -> list[str]:
    """Give `after` what it lacks of the descriptions, the labels, the expiry and the partition filter of `before`. An
    expiry that a new table has from its dataset stays. Returns the names of the properties that changed."""
    changed = []
    schema = [_described(field, before.schema) for field in after.schema]
    if schema != after.schema:
        after.schema = schema
        changed.append("schema")
    is_partitioned = after.time_partitioning is not None or after.range_partitioning is not None
    for name in (*_OF_THE_TABLE, *(["require_partition_filter"] if is_partitioned else [])):
        if getattr(before, name) and not getattr(after, name):
            setattr(after, name, getattr(before, name))
            changed.append(name)
    if labels := {**before.labels, **after.labels}:
        changed += ["labels"] if labels != after.labels else []
        after.labels = labels
    return changed


def _words(column: Column) -> str:
    return f"{column.name} {column.type}{' NOT NULL' if column.required else ''}"


def _shapes(columns: Iterator[Column] | Sequence[Column]) -> list[tuple[str, str, str]]:
    return [(column.name, str(column.type), column.mode) for column in columns]


def tagged(fields: Sequence[SchemaField], prefix: str = "") -> Iterator[str]:
    """The columns and fields that have policy tags, with the path to each."""
    for field in fields:
        resource = field.to_api_repr()
        if resource.get("policyTags", {}).get("names") or resource.get("dataPolicies"):
            yield prefix + field.name
        yield from tagged(field.fields, f"{prefix}{field.name}.")


def _described(field: SchemaField, before: Sequence[SchemaField]) -> SchemaField:
    return SchemaField.from_api_repr(_with_descriptions(field.to_api_repr(), [old.to_api_repr() for old in before]))


def _with_descriptions(resource: dict[str, Any], before: Sequence[dict[str, Any]]) -> dict[str, Any]:
    old: dict[str, Any] = next((each for each in before if each["name"] == resource["name"]), {})
    if old.get("description") and not resource.get("description"):
        resource = {**resource, "description": old["description"]}
    if "fields" in resource:
        fields = [_with_descriptions(inner, old.get("fields", [])) for inner in resource["fields"]]
        resource = {**resource, "fields": fields}
    return resource
