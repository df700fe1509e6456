"""Tables on which nobody has set anything that a clone in their place would not have.

Of many tables, a query tells for all at once which of them are such. They are replaced without a look at each: the
script that does so first asserts that nothing is set on them still, and fails before it changes anything if something
is: https://cloud.google.com/bigquery/docs/reference/standard-sql/debugging-statements#assert
"""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from google.cloud import bigquery

from warehouse_refresh.warehouse.bigquery.building.replace import tagged
from warehouse_refresh.warehouse.bigquery.building.storage import partition_of
from warehouse_refresh.warehouse.bigquery.schema import quoted
from warehouse_refresh.warehouse.names import TableName

_TAGGED = (
    """ARRAY_LENGTH(policy_tags) > 0 OR REGEXP_CONTAINS(TO_JSON_STRING(found), r'"data_policies":[^\\]}]*"name":"')"""
)
"""Data policies are a preview that some projects do not have."""
_POLICIES = "ROW_ACCESS_POLICIES"
_SET = {
    "TABLE_OPTIONS": "TRUE",
    "COLUMNS": "is_partitioning_column = 'YES' OR clustering_ordinal_position IS NOT NULL",
    "COLUMN_FIELD_PATHS": f"IFNULL(description, '') != '' OR {_TAGGED}",
    _POLICIES: "TRUE",
}
"""By view, the rows that say that something is set on a table:
https://cloud.google.com/bigquery/docs/information-schema-intro"""
_PROTECTED = {"COLUMN_FIELD_PATHS": _TAGGED, _POLICIES: "TRUE"}
"""By view, the rows that say that only some people may see all of a table."""
_KINDS = (
    ("TABLES", "table_type IN ('BASE TABLE', 'CLONE')", ""),
    ("TABLES", "table_type NOT IN ('BASE TABLE', 'CLONE')", "TABLES"),
)
"""What is published is a clone: https://cloud.google.com/bigquery/docs/information-schema-tables"""
_OF_THE_TABLE = ("description", "friendly_name", "expires", "labels", "clustering_fields", "require_partition_filter")


def is_plain(table: bigquery.Table) -> bool:
    """Whether nothing is set on the table. Row access policies are not looked at: a table does not tell them."""
    if table.table_type != "TABLE" or partition_of(table) is not None or any(tagged(table.schema)):
        return False
    return not any(getattr(table, name) for name in _OF_THE_TABLE) and not any(_descriptions(table.schema))


def question(project_of: Callable[[str], str], datasets: Iterable[str]) -> str:
    """The query for which of the tables of these datasets, with the names @tables, something is set. Its rows are the
    dataset, the name, and the view that says so: "" for each table that is there. `project_of` says in which project a
    dataset is."""
    return " UNION DISTINCT ".join(
        f"SELECT {json.dumps(dataset)} AS dataset, table_name, {json.dumps(said_by)} AS said_by"
        f" FROM {_view(project_of, dataset, view)} AS found WHERE table_name IN UNNEST(@tables) AND ({row})"
        for dataset in datasets
        for view, row, said_by in (*_KINDS, *((view, row, view) for view, row in _SET.items()))
    )


def may_be_restricted(said_by: Iterable[str]) -> bool:
    """Whether the views that say something of a table say that it has row access policies, or is another kind of
    table."""
    return not {_POLICIES, "TABLES"}.isdisjoint(said_by)


def assertion(project_of: Callable[[str], str], there: Iterable[TableName], missing: Iterable[TableName]) -> str:
    """The statement that fails unless nothing is set on the tables that are `there`, and the others are `missing`.
    `project_of` says in which project a dataset is."""
    conditions = [
        *(_none(project_of, view, tables, row) for tables in _by_dataset(there) for view, row in _SET.items()),
        *(_none(project_of, "TABLES", tables, "TRUE") for tables in _by_dataset(missing)),
    ]
    return f"ASSERT {' AND '.join(conditions)} AS 'something is set on a table that is to be replaced'"


def assertion_of_readers(project_of: Callable[[str], str], tables: Iterable[TableName]) -> str:
    """The statement that fails if only some people may see all of one of these tables."""
    found = _by_dataset(tables)
    conditions = [_none(project_of, view, some, row) for some in found for view, row in _PROTECTED.items()]
    return f"ASSERT {' AND '.join(conditions)} AS 'a table that is to be replaced is protected'"


def _none(project_of: Callable[[str], str], view: str, tables: Sequence[TableName], row: str) -> str:
    dataset = tables[0].dataset
    names = ", ".join(json.dumps(table.name, ensure_ascii=False) for table in tables)
    found = f"{_view(project_of, dataset, view)} AS found"
    return f"NOT EXISTS (SELECT 1 FROM {found} WHERE table_name IN UNNEST([{names}]) AND ({row}))"


def _view(project_of: Callable[[str], str], dataset: str, view: str) -> str:
    return f"{quoted(project_of(dataset))}.{quoted(dataset)}.INFORMATION_SCHEMA.{view}"


def _by_dataset(tables: Iterable[TableName]) -> list[list[TableName]]:
    return [list(found) for _, found in groupby(sorted(tables), key=lambda table: table.dataset)]


def _descriptions(fields: Sequence[bigquery.SchemaField]) -> Iterable[str]:
    for field in fields:
        if field.description:
            yield field.description
        yield from _descriptions(field.fields)
