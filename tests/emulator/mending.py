"""What the emulator gets wrong in SQL, tables and query parameters; runs in the emulator's own virtual environment.

- Tables know how many rows they have, the types that they were created with (JSON, sizes, REQUIRED), and policy tags.
- Functions may read tables and call each other.
- NUMERIC is (38, 9); `STRUCT(x.a)` names its field; SUM of INT64 is INT64; ARRAY_AGG takes IGNORE NULLS with LIMIT.
- A view reads tables of its own project, whatever project reads it.
- Parameters have their types, whatever they hold: an ARRAY of STRUCTs, BYTES, NULL.
"""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import duckdb
import sqlglot
from bqemulator.api.routes import tables
from bqemulator.catalog.models import TableFieldSchema, TableSchema
from bqemulator.domain.errors import InvalidQueryError
from bqemulator.jobs import executor
from bqemulator.sql import parameters
from bqemulator.sql.rewriter import row_access_filter
from bqemulator.storage.sql_identifiers import quoted_table_ref
from bqemulator.udf import sql_udf
from sqlglot import exp
from sqlglot.errors import ErrorLevel


def mend_sql() -> None:
    """NUMERIC, views, and parameters."""
    as_before = executor.rewrite_table_refs

    def rewrite(sql: str, project: str) -> Any:
        return as_before(re.sub(r"\bDECIMAL\b(?!\s*\()", "DECIMAL(38, 9)", sql), project)

    executor.rewrite_table_refs = rewrite
    sql_udf.SQLUDFRuntime.materialize = materialize
    executor._capture_dml_snapshots = no_snapshot  # a copy of the table for each statement, to read it as it was
    row_access_filter._Rewriter._expand_view = of_own_project(row_access_filter._Rewriter._expand_view)
    parameters._placeholder_for = placeholder
    parameters._extract_value = plain_rows_as_json(parameters._extract_value)
    parameters._SCALAR_CONVERTERS["BYTES"] = base64.b64decode
    for name in ("FLOAT64", "NUMERIC", "BIGNUMERIC"):  # DuckDB's client makes NULL of NaN, and guesses scales
        parameters._SCALAR_CONVERTERS[name] = str
    parameters._BQ_SCALAR_TO_DUCKDB["BIGNUMERIC"] = "DECIMAL(38, 9)"


def of_own_project(as_before: Callable[..., bool]) -> Callable[..., bool]:
    """A view's tables without a project are those of the view's own:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#default_project_in_view_body"""

    def expand(self: Any, node: exp.Table, *, view_project: str, view_body: str, **named: Any) -> bool:
        tree = sqlglot.parse_one(view_body, read="bigquery")
        for table in tree.find_all(exp.Table):
            if table.db and not table.catalog:
                table.set("catalog", exp.to_identifier(view_project, quoted=True))
        return as_before(self, node, view_project=view_project, view_body=tree.sql(dialect="bigquery"), **named)

    return expand


def materialize(self: Any, routine: Any, engine: Any) -> None:
    """Create a function whose body may read tables and call other functions."""
    body = sql_udf._translate_body(routine.definition_body, self._translator)
    query = executor.rewrite_table_refs(f"SELECT {body} AS value", routine.project_id)
    names = ", ".join(argument.name for argument in routine.arguments)
    name = sql_udf.qualified_routine_name(routine)
    try:
        engine.execute(f'CREATE OR REPLACE MACRO "{name}"({names}) AS ({query})')
    except duckdb.Error as error:
        raise InvalidQueryError(str(error)) from error


def placeholder(_: Any, parameter: dict[str, Any]) -> str:
    """Where a parameter's value stands in DuckDB's SQL."""
    kind = parameter["parameterType"]
    if is_plain(kind):
        fields = {field["name"]: duckdb_type(field["type"]) for field in kind["arrayType"]["structTypes"]}
        return f"from_json(CAST(? AS VARCHAR), '{json.dumps([fields])}')"
    return f"CAST(? AS {duckdb_type(kind)})"


def plain_rows_as_json(extract: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """DuckDB's client takes 0.2 ms for each STRUCT, as JSON a hundredth of that."""

    def value(parameter: dict[str, Any]) -> Any:
        found = extract(parameter)
        return json.dumps(found) if is_plain(parameter["parameterType"]) else found

    return value


def is_plain(kind: dict[str, Any]) -> bool:
    """Whether the type is an ARRAY of STRUCTs of what JSON holds without loss."""
    fields = kind.get("arrayType", {}).get("structTypes", ())
    return bool(fields) and all(field["type"]["type"] in ("STRING", "INT64", "BOOL") for field in fields)


async def no_snapshot(*_: Any) -> None:
    """Nobody here reads a table as it was before."""


def duckdb_type(kind: dict[str, Any]) -> str:
    """The type of a query parameter."""
    if kind["type"] == "ARRAY":
        return duckdb_type(kind["arrayType"]) + "[]"
    if kind["type"] == "STRUCT":
        return "STRUCT(" + ", ".join(f"{f['name']} {duckdb_type(f['type'])}" for f in kind["structTypes"]) + ")"
    return str(parameters._BQ_SCALAR_TO_DUCKDB[kind["type"]])


def named_alike(text: str, parameters: list[dict[str, Any]]) -> str:
    """The text with each parameter's name as the parameter has it: GoogleSQL does not tell @Day from @day."""
    for name in (parameter["name"] for parameter in parameters):
        text = re.sub(rf"@{name}\b", f"@{name}", text, flags=re.IGNORECASE)
    return text


def typed(text: str, parameters: list[dict[str, Any]]) -> str:
    """The text with NULL of its type for each parameter, to be planned."""
    for parameter in parameters:
        null = f"CAST(NULL AS {_type_sql(parameter['parameterType'])})"
        text = re.sub(rf"@{parameter['name']}\b", null, text)
    return text


def _type_sql(kind: dict[str, Any]) -> str:
    return f"ARRAY<{_type_sql(kind['arrayType'])}>" if kind["type"] == "ARRAY" else str(kind["type"])


def mended(text: str) -> str:
    """The statement with the fields of `STRUCT(x.a)` named, and with the first elements of an array in place of
    `ARRAY_AGG(x IGNORE NULLS LIMIT 5)`."""
    tree = sqlglot.parse_one(text, dialect="bigquery", error_level=ErrorLevel.IGNORE)
    limited = [node for node in tree.find_all(exp.IgnoreNulls) if isinstance(node.this.this, exp.Limit)]
    for node in limited:
        limit = node.this.this
        limit.replace(limit.this)
        node.replace(exp.func("ARRAY_SLICE", node.copy(), exp.Literal.number(1), limit.expression.copy()))  # as DuckDB
    unnamed = [f for node in tree.find_all(exp.Struct) for f in node.expressions if isinstance(f, exp.Column)]
    for column in unnamed:
        column.replace(exp.PropertyEQ(this=exp.to_identifier(column.name), expression=column.copy()))
    return tree.sql("bigquery") if unnamed or limited else text


class Field(TableFieldSchema):  # type: ignore[misc]  # not installed here
    """A column with what the emulator forgets of it."""

    policy_tags: tuple[str, ...] = ()


def parsed_fields(resources: list[dict[str, Any]]) -> tuple[Field, ...]:
    """The columns of a table's resource that a client sends."""
    return tuple(map(parsed_field, resources))


def parsed_field(resource: dict[str, Any]) -> Field:
    """https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema"""
    return Field(
        name=resource["name"],
        type=resource["type"],
        mode=resource.get("mode", "NULLABLE"),
        description=resource.get("description"),
        fields=parsed_fields(resource.get("fields", [])),
        policy_tags=tuple(resource.get("policyTags", {}).get("names", ())),
        max_length=resource.get("maxLength"),
        precision=resource.get("precision"),
        scale=resource.get("scale"),
    )


async def sums_as_int64(job_id: str, key: tuple[str, str, str], context: Any) -> None:
    """SUM of INT64 is INT64, where DuckDB makes a HUGEINT of it."""
    described = context.engine.execute(f"DESCRIBE {quoted_table_ref(*key)}").fetchall()
    wide = [row[0] for row in described if row[1] == "HUGEINT"]
    if wide:
        casts = ", ".join(f"CAST({column} AS INT64) AS {column}" for column in wide)
        path = "`{}`.`{}`.`{}`".format(*key)
        text = f"CREATE OR REPLACE TABLE {path} AS SELECT * REPLACE ({casts}) FROM {path}"
        await executor.execute_query_job(key[0], job_id, text, None, context)


def mend_tables(context: Any) -> None:
    """A table's resource has its rows, its columns' sizes and their policy tags, a view's query, and how it is stored.
    A clone is a table: https://cloud.google.com/bigquery/docs/reference/rest/v2/tables"""
    resource_before, item_before, meta_before = (
        tables._table_to_rest,
        tables._table_to_list_item,
        tables._rest_to_table_meta,
    )
    tables._parse_schema_fields = parsed_fields

    def resource(table: Any) -> dict[str, Any]:
        fields = [field_resource(field) for field in table.schema_.fields]
        view = {"view": {"query": table.view_query}} if table.view_query else {}
        kind = {"type": "TABLE"} if table.table_type == "CLONE" else {}
        own = {"numRows": str(rows_of(table, context)), "schema": {"fields": fields}, **kept_of(table)}
        return {**resource_before(table), **own, **view, **kind}

    def item(table: Any) -> dict[str, Any]:
        kind = {"type": "TABLE"} if table.table_type == "CLONE" else {}
        return {**item_before(table), "labels": dict(table.labels), **kind}

    def meta(project: str, dataset: str, body: dict[str, Any], clock: Any, existing: Any = None) -> Any:
        table = meta_before(project, dataset, body, clock, existing)
        keep((project, dataset, table.table_id), body, anew=existing is None)
        return table

    tables._table_to_rest, tables._table_to_list_item, tables._rest_to_table_meta = resource, item, meta


KEPT: dict[tuple[str, str, str], dict[str, Any]] = {}
"""By table, the parts of its resource that the emulator forgets."""
_FORGOTTEN = ("expirationTime", "requirePartitionFilter", "rangePartitioning")


def keep(key: tuple[str, str, str], body: dict[str, Any], *, anew: bool) -> None:
    """Keep what a request, or the settings of a job, say of a table."""
    said = {name: body[name] for name in _FORGOTTEN if name in body}
    KEPT[key] = said if anew else {**KEPT.get(key, {}), **said}


def kept_of(table: Any) -> dict[str, Any]:
    """What was kept of a table."""
    return KEPT.get((table.project_id, table.dataset_id, table.table_id), {})


def only_layout(key: tuple[str, str, str]) -> dict[str, Any]:
    """What a clone has of what was kept of its source."""
    return {name: value for name, value in KEPT.get(key, {}).items() if name == "rangePartitioning"}


def lay_out(key: tuple[str, str, str], settings: dict[str, Any], context: Any) -> None:
    """Partition and cluster the destination of a query as its job, or its CREATE TABLE, says."""
    table = context.catalog.get_table(*key)
    said = {
        "time_partitioning": tables._rest_to_time_partitioning(settings.get("timePartitioning"), None),
        "clustering": tables._rest_to_clustering(settings.get("clustering"), None),
    }
    keep(key, settings, anew=False)
    context.catalog.update_table(table.model_copy(update=said))


def rows_of(table: Any, context: Any, where: str = "true") -> int:
    """How many rows the table has now."""
    name = quoted_table_ref(table.project_id, table.dataset_id, table.table_id)
    return int(context.engine.execute(f"SELECT count(*) FROM {name} WHERE {where}").fetchone()[0])


def read_partitions(table: Any, query: dict[str, Any]) -> str:
    """The rows of the partitions that a query reads, as a condition in DuckDB's SQL: those that its comparisons of the
    partitioning column alone with parameters do not rule out. Only such comparisons prune here; BigQuery knows more:
    https://cloud.google.com/bigquery/docs/querying-partitioned-tables#query_a_time-unit_column-partitioned_table"""
    layout = kept_of(table).get("rangePartitioning") or {}
    column = table.time_partitioning.field if table.time_partitioning else layout.get("field", "")
    known = {one["name"]: one for one in query.get("queryParameters") or []}
    tree = sqlglot.parse_one(query["query"], dialect="bigquery", error_level=ErrorLevel.IGNORE)
    found = ["true"]
    for node in tree.find_all(exp.GTE, exp.LT) if column else ():
        parameter = known.get(node.expression.name) if isinstance(node.expression, exp.Parameter) else None
        if parameter and isinstance(node.this, exp.Column) and node.this.name == column:
            value, kind = parameter["parameterValue"]["value"], duckdb_type(parameter["parameterType"])
            found.append(f"{column} {'>=' if isinstance(node, exp.GTE) else '<'} CAST('{value}' AS {kind})")
    return " AND ".join(found)


def field_resource(field: Any) -> dict[str, Any]:
    """https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema"""
    sizes = {"maxLength": field.max_length, "precision": field.precision, "scale": field.scale}
    resource = {"name": field.name, "type": field.type, "mode": field.mode, "description": field.description}
    if field.fields:
        resource["fields"] = [field_resource(inner) for inner in field.fields]
    if tags := getattr(field, "policy_tags", ()):
        resource["policyTags"] = {"names": list(tags)}
    return {**resource, **{name: str(size) for name, size in sizes.items() if size is not None}}


def alter(project: str, text: str, context: Any) -> None:
    """Remember the columns that the ALTER TABLE statements of a script, each a line, have added and dropped."""
    for line in re.findall(r"^ALTER TABLE .* COLUMN .*?(?=;?$)", text, re.MULTILINE):
        tree = sqlglot.parse_one(line, dialect="bigquery")
        table = context.catalog.get_table(project, tree.this.db, tree.this.name)
        for action in tree.args["actions"]:
            name = action.find(exp.Identifier).name
            fields = [field for field in table.schema_.fields if field.name != name]
            fields += [declared(action)] if isinstance(action, exp.ColumnDef) else []
            table = table.model_copy(update={"schema_": TableSchema(fields=tuple(fields))})
        context.catalog.update_table(table)


def declare(project: str, text: str, context: Any) -> None:
    """Remember the columns, partitions and clusters of a CREATE TABLE that was carried out as it declares them."""
    tree = sqlglot.parse_one(text, dialect="bigquery", error_level=ErrorLevel.IGNORE)
    if isinstance(tree, exp.Create) and isinstance(tree.this, exp.Schema) and tree.args["kind"] == "TABLE":
        name = tree.this.this
        fields = tuple(declared(column) for column in tree.this.expressions if isinstance(column, exp.ColumnDef))
        table = context.catalog.get_table(project, name.db, name.name)
        context.catalog.update_table(table.model_copy(update={"schema_": TableSchema(fields=fields)}))
        lay_out((project, name.db, name.name), declared_layout(tree.args.get("properties")), context)


_FUNCTION = re.compile(r"CREATE OR REPLACE FUNCTION `(.+?)`\.`(.+?)`\.`(.+?)`.*?(/\*.*?\*/)", re.DOTALL)


def keep_comment(text: str, context: Any) -> None:
    """Put the comment of a function that was created back into its body, which BigQuery keeps as it is written:
    https://cloud.google.com/bigquery/docs/reference/rest/v2/routines#resource"""
    found = _FUNCTION.match(text)
    routine = context.catalog.get_routine(found[1], found[2], found[3]) if found else None
    if found and routine is not None:
        body = f"{found[4]} {routine.definition_body}"
        context.catalog.update_routine(routine.model_copy(update={"definition_body": body}))


def declared_layout(properties: exp.Properties | None) -> dict[str, Any]:
    """PARTITION BY and CLUSTER BY as a job's settings have them:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#partition_expression"""
    found: dict[str, Any] = {}
    for one in properties.expressions if properties is not None else ():
        if isinstance(one, exp.ClusterProperty):
            found["clustering"] = {"fields": [column.name for column in one.expressions]}
        elif isinstance(one, exp.PartitionedByProperty) and isinstance(one.this, exp.RangeBucket):
            series = one.this.expression
            names = {"start": series.args["start"], "end": series.args["end"], "interval": series.args["step"]}
            ends = {name: value.name for name, value in names.items()}
            found["rangePartitioning"] = {"field": one.this.this.name, "range": ends}
        elif isinstance(one, exp.PartitionedByProperty):
            unit = one.this.args.get("unit")
            column = one.this.name if unit is None else one.this.this.name
            field = {} if column == "_PARTITIONTIME" else {"field": column}
            found["timePartitioning"] = {"type": "DAY" if unit is None else unit.name, **field}
        elif isinstance(one, exp.Property) and one.this.name == "partition_expiration_days":
            days = float(one.args["value"].name)
            found["timePartitioning"] = {**found["timePartitioning"], "expirationMs": str(int(days * 86_400_000))}
    return found


def declared(column: exp.ColumnDef) -> Any:
    """A column, or a field of a STRUCT."""
    kind = column.args["kind"]
    repeated = kind.this == exp.DataType.Type.ARRAY
    kind = kind.expressions[0] if repeated else kind
    required = any(isinstance(constraint.kind, exp.NotNullColumnConstraint) for constraint in column.constraints)
    mode = "REPEATED" if repeated else "REQUIRED" if required else "NULLABLE"
    if kind.this == exp.DataType.Type.STRUCT:
        fields = tuple(map(declared, kind.expressions))
        return TableFieldSchema(name=column.name, type="RECORD", mode=mode, fields=fields)
    name, sizes = kind.sql("bigquery").partition("(")[0], [int(size.name) for size in kind.expressions]
    keys = ("max_length",) if name in ("STRING", "BYTES") else ("precision", "scale")
    return TableFieldSchema(name=column.name, type=name, mode=mode, **dict(zip(keys, sizes, strict=False)))
