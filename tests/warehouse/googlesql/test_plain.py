"""What is asserted before tables of BigQuery are replaced without a look at them, by Google's reference engine."""

import re
from typing import TYPE_CHECKING

import pytest

from warehouse_refresh.warehouse.bigquery.publishing.plain import assertion
from warehouse_refresh.warehouse.names import TableName

if TYPE_CHECKING:
    from tests.warehouse.googlesql.engine import Engine
    from tests.warehouse.googlesql.oracle import Oracle

NOTHING = {
    "TABLES": "SELECT 'old' AS table_name",
    "TABLE_OPTIONS": "SELECT 'other' AS table_name",
    "COLUMNS": "SELECT 'old' AS table_name, 'NO' AS is_partitioning_column,"
    " CAST(NULL AS INT64) AS clustering_ordinal_position",
    "COLUMN_FIELD_PATHS": "SELECT 'old' AS table_name, CAST(NULL AS STRING) AS description,"
    " ARRAY<STRUCT<name STRING>>[] AS data_policies, ARRAY<STRING>[] AS policy_tags",
    "ROW_ACCESS_POLICIES": "SELECT 'other' AS table_name",
}
"""By view, its rows where nothing is set on the table `old`, and there is no table `new`."""
SET = {
    "nothing": ("TABLES", ""),
    "a table": ("TABLES", "SELECT 'new'"),
    "options": ("TABLE_OPTIONS", "SELECT 'old'"),
    "partitions": ("COLUMNS", "SELECT 'old', 'YES', NULL"),
    "clusters": ("COLUMNS", "SELECT 'old', 'NO', 1"),
    "a description": ("COLUMN_FIELD_PATHS", "SELECT 'old', 'it counts', [], []"),
    "a tag": ("COLUMN_FIELD_PATHS", "SELECT 'old', NULL, [], ['taxonomies/1']"),
    "a data policy": ("COLUMN_FIELD_PATHS", "SELECT 'old', NULL, [STRUCT('projects/p/dataPolicies/masked')], []"),
    "a row policy": ("ROW_ACCESS_POLICIES", "SELECT 'old'"),
}


@pytest.mark.parametrize("what", SET)
def test_it_holds_only_if_nothing_is_set(what: str, pair: "tuple[Oracle, Engine]") -> None:
    text = assertion(lambda _: "p", [TableName("d", "old")], [TableName("d", "new")])
    said = re.fullmatch(r"ASSERT (.*) AS '.*'", text)
    assert said
    view, row = SET[what]
    rows = {**NOTHING, view: f"{NOTHING[view]} UNION ALL {row}" if row else NOTHING[view]}
    views = ", ".join(f"{name} AS ({query})" for name, query in rows.items())
    held = said[1].replace("`p`.`d`.INFORMATION_SCHEMA.", "")
    assert pair[0].answer(f"WITH {views} SELECT {held} AS held").rows == [(what == "nothing",)]
