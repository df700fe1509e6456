"""Translate BigQuery's schemas to Column and SqlType, and write names and types as SQL.

https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema
"""

from collections.abc import Iterable, Mapping
from typing import Any

from google.cloud.bigquery import LoadJobConfig, ParquetOptions, SchemaField, SourceFormat, WriteDisposition

from warehouse_refresh.warehouse.types import Column, SqlType, array_of, struct_of

_STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}


def column_of(field: SchemaField) -> Column:
    """The Column for a field of a schema."""
    name = _STANDARD.get(field.field_type, field.field_type)
    kind = struct_of(*map(column_of, field.fields)) if name == "STRUCT" else SqlType(name, _parameters(field))
    of_column = array_of(kind) if field.mode == "REPEATED" else kind
    required, default = field.mode == "REQUIRED", field.default_value_expression or ""
    return Column(field.name, of_column, required, field.description or "", default)


def field_of(column: Column) -> SchemaField:
    """The field of a schema for a Column without lengths and precisions."""
    kind = column.type.element or column.type
    return SchemaField(column.name, kind.name, mode=column.mode, fields=tuple(map(field_of, kind.fields)))


def load_config(columns: Iterable[Column], labels: Mapping[str, str]) -> LoadJobConfig:
    """The settings of a job that loads a Parquet file into a table with these columns, in place of its rows."""
    config = LoadJobConfig(
        source_format=SourceFormat.PARQUET,
        write_disposition=WriteDisposition.WRITE_TRUNCATE,
        schema=list(map(field_of, columns)),
        labels=dict(labels),
    )
    config.parquet_options = ParquetOptions()
    config.parquet_options.enable_list_inference = True  # else a list is a struct with a field `list`
    return config


def _parameters(field: SchemaField) -> tuple[int, ...]:
    if field.max_length is not None:
        return (int(field.max_length),)
    if field.precision is None:
        return ()
    return (int(field.precision),) if field.scale is None else (int(field.precision), int(field.scale))


def quoted(name: str) -> str:
    """A column's or table's name in back-ticks, with any characters in it escaped."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def type_sql(kind: SqlType) -> str:
    """The type as SQL, without lengths and precisions, which a CAST in a query does not need."""
    if kind.element is not None:
        return f"ARRAY<{type_sql(kind.element)}>"
    if kind.name == "STRUCT":
        fields = (f"{quoted(f.name)} {type_sql(f.type)}" if f.name else type_sql(f.type) for f in kind.fields)
        return f"STRUCT<{', '.join(fields)}>"
    return kind.name


def read_as_text(field: SchemaField) -> SchemaField:
    """The field with STRING for JSON, since the client library reads JSON's null as NULL."""
    return SchemaField.from_api_repr(_with_text(field.to_api_repr()))


def _with_text(resource: dict[str, Any]) -> dict[str, Any]:
    if "fields" in resource:
        return {**resource, "fields": list(map(_with_text, resource["fields"]))}
    return {**resource, "type": "STRING"} if resource["type"] == "JSON" else resource
