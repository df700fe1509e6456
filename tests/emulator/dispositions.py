"""What a query job does with its destination, and CREATE OR REPLACE TABLE … CLONE; runs in the emulator's own virtual
environment.

From BigQuery's reference of JobConfigurationQuery.writeDisposition, and of the audit log's WriteDisposition:
https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationQuery
https://cloud.google.com/bigquery/docs/reference/auditlogs/rest/Shared.Types/BigQueryAuditMetadata.WriteDisposition

WRITE_TRUNCATE takes the schema of the result and "might not preserve" row access policies, policy tags and
descriptions: here it preserves none of them. WRITE_TRUNCATE_DATA keeps the table as it is and replaces its rows; a
result with other columns is an error. Columns are matched by their names.
"""

import re
from datetime import UTC, datetime
from typing import Any

from bqemulator.api.routes import jobs as routes
from bqemulator.domain.errors import InvalidQueryError
from bqemulator.storage.sql_identifiers import quoted_table_ref

from tests.emulator import versions
from tests.emulator.information import is_assertion
from tests.emulator.mending import keep, kept_of, only_layout, sums_as_int64

_STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}


_CLONE = re.compile(
    r"CREATE (?:OR REPLACE )?TABLE `(.+?)`\.`(.+?)`\.`(.+?)` CLONE `(.+?)`\.`(.+?)`\.`(.+?)`"
    r"(?: FOR SYSTEM_TIME AS OF TIMESTAMP_MICROS\((\d+)\))?"
)


class OtherColumns(Exception):
    """The result does not have the columns of the table, or has rows of another partition."""


async def write(
    job_id: str, text: str, parameters: Any, target: dict[str, str], disposition: str, context: Any
) -> None:
    """Carry the query out and put its result into the destination. Raises OtherColumns."""
    name, _, partition = target["tableId"].partition("$")
    key = target["projectId"], target["datasetId"], name
    table = context.catalog.get_table(*key)
    if partition:
        await _replace_rows(job_id, text, parameters, key, table, context, _of_partition(table, partition))
        return
    if disposition == "WRITE_TRUNCATE_DATA" and table is not None:
        await _replace_rows(job_id, text, parameters, key, table, context)
        return
    await _create(job_id, text, parameters, key, context)
    _drop_policies(key, context)


def replaced_by_clone(text: str, context: Any) -> bool:
    """Put a clone in the place of a table, if that is what the statement says. The clone has the columns and the layout
    of its source, and nothing of the old table:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#create_table_clone"""
    found = _CLONE.fullmatch(text)
    if found is None:
        return False
    key, source, moment = (found[1], found[2], found[3]), (found[4], found[5], found[6]), found[7]
    old = context.catalog.get_table(*key)
    version = versions.at(source, int(moment), context) if moment else None
    versions.remember(key, old, context)
    if version is None and old is None:
        return False
    new = version.entry if version is not None else context.catalog.get_table(*source)
    if new is None:
        raise InvalidQueryError("Not found: Table {}:{}.{}".format(*source))
    rows = version.rows if version is not None else quoted_table_ref(*source)
    keep(key, only_layout(source), anew=True)
    now = {"last_modified_time": datetime.now(UTC)}
    if old is None:
        context.engine.execute(f"CREATE OR REPLACE TABLE {quoted_table_ref(*key)} AS FROM {rows}")
        names = dict(zip(("project_id", "dataset_id", "table_id"), key, strict=True))
        context.catalog.create_table(new.model_copy(update={**names, "labels": {}, **now}))
        return True
    for layout in ("time_partitioning", "range_partitioning", "clustering"):
        if getattr(old, layout) != getattr(new, layout):
            raise InvalidQueryError(f"Cannot replace a table with a different {layout} spec. Instead, DROP the table")
    context.engine.execute(f"CREATE OR REPLACE TABLE {quoted_table_ref(*key)} AS FROM {rows}")
    bare = {"schema_": new.schema_, "labels": {}, "description": None}
    context.catalog.update_table(old.model_copy(update={**bare, **now}))
    _drop_policies(key, context)
    return True


def statements_in(text: str) -> list[str]:
    """The statements of a script that makes nothing but clones, after an assertion; of any other text, the text."""
    statements = text.split(";\n")
    clones = statements[1:] if is_assertion(text) else statements
    return statements if all(map(_CLONE.fullmatch, clones)) else [text]


def keep_layout_of_clone(text: str) -> None:
    """What the emulator forgets of a table, of one that was cloned."""
    if found := _CLONE.search(text):
        keep((found[1], found[2], found[3]), only_layout((found[4], found[5], found[6])), anew=True)


def _drop_policies(key: tuple[str, ...], context: Any) -> None:
    policies = [policy.policy_id for policy in context.row_access.list_for_table(*key)]
    for policy in policies:
        context.row_access.delete(project_id=key[0], dataset_id=key[1], table_id=key[2], policy_id=policy)


async def _create(job_id: str, text: str, parameters: Any, key: tuple[str, str, str], context: Any) -> None:
    path = "`{}`.`{}`.`{}`".format(*key)
    functions, semicolon, query = text.rpartition(";\n") if text.startswith("CREATE TEMP FUNCTION") else ("", "", text)
    statement = f"{functions}{semicolon}CREATE OR REPLACE TABLE {path} AS\n{query}\n"
    await routes.execute_query_job(key[0], job_id, statement, parameters, context)
    await sums_as_int64(job_id, key, context)


def _of_partition(table: Any, partition: str) -> str:
    """Whether a row is in the partition, such as 20240131, or 40 for the range of ids that begins with it, as a
    condition in DuckDB's SQL. Raises OtherColumns for an id with which none begins:
    https://cloud.google.com/bigquery/docs/managing-partitioned-table-data#partition_decorators"""
    if layout := kept_of(table).get("rangePartitioning"):
        field = layout["field"]
        start, end, interval = (int(layout["range"][name]) for name in ("start", "end", "interval"))
        if not partition.isdecimal() or int(partition) not in range(start, end, interval):
            raise OtherColumns(f"Invalid partition id {partition}: the ranges are {start}, {end}, {interval}")
        return f"{field} >= {partition} AND {field} < {min(int(partition) + interval, end)}"
    form = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H"}[len(partition)]
    return f"strftime({table.time_partitioning.field}, '{form}') = '{partition}'"


async def _replace_rows(
    job_id: str, text: str, parameters: Any, key: tuple[str, str, str], table: Any, context: Any, where: str = "true"
) -> None:
    """By way of a table that is gone at the end. Nothing else runs between: all of the emulator is one thread. Only the
    rows `where` this is true are replaced, and all new ones must be of these:
    https://cloud.google.com/bigquery/docs/managing-partitioned-table-data#write-to-partition"""
    scratch = key[0], key[1], f"{key[2]}_of_a_job"
    await _create(job_id, text, parameters, scratch, context)
    try:
        _check_columns(key, columns_of(table), columns_of(context.catalog.get_table(*scratch)))
        old, new = quoted_table_ref(*key), quoted_table_ref(*scratch)
        if context.engine.execute(f"SELECT 1 FROM {new} WHERE ({where}) IS NOT TRUE LIMIT 1").fetchone():
            raise OtherColumns("Some rows belong to different partitions rather than destination partition")
        for statement in (
            "BEGIN",
            f"DELETE FROM {old} WHERE {where}",
            f"INSERT INTO {old} BY NAME SELECT * FROM {new}",
            "COMMIT",
        ):
            context.engine.execute(statement)
    finally:
        context.engine.execute(f"DROP TABLE {quoted_table_ref(*scratch)}")
        context.catalog.delete_table(*scratch)


def columns_of(table: Any) -> dict[str, tuple[str, str]]:
    """Type and mode by name."""
    return {field.name: (_STANDARD.get(field.type, field.type), field.mode) for field in table.schema_.fields}


def _check_columns(key: tuple[str, str, str], old: dict[str, tuple[str, str]], new: dict[str, tuple[str, str]]) -> None:
    if old != new:
        differing = min(name for name in {*old, *new} if old.get(name) != new.get(name))
        raise OtherColumns(
            "Provided Schema does not match Table {}:{}.{}.".format(*key) + f" Field {differing} differs"
        )
