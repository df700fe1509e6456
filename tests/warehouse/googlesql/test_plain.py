"""What is asked and asserted before tables of BigQuery are replaced without a look, by Google's reference engine."""

import re
from typing import TYPE_CHECKING

import pytest

from warehouse_refresh.warehouse.bigquery.publishing.plain import assertion, assertion_of_readers, question
from warehouse_refresh.warehouse.names import TableName

if TYPE_CHECKING:
    from tests.warehouse.googlesql.engine import Engine
    from tests.warehouse.googlesql.oracle import Oracle

NOTHING = {
    "TABLES": "SELECT 'old' AS table_name, 'CLONE' AS table_type",
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
    "a table": ("TABLES", "SELECT 'new', 'BASE TABLE'"),
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
    query = f"SELECT {said[1]} AS held"
    assert pair[0].answer(over_views(query, *SET[what])).rows == [(what == "nothing",)]


@pytest.mark.parametrize("what", [*SET, "a view"])
def test_it_is_told_on_which_tables_something_is_set(what: str, pair: "tuple[Oracle, Engine]") -> None:
    asked = question(lambda _: "p", ["d"]).replace("@tables", "['old', 'new']")
    found = {"nothing": [("d", "old", "")], "a table": [("d", "new", ""), ("d", "old", "")]}
    view, row = SET.get(what) or ("TABLES", "SELECT 'old', 'VIEW'")
    expected = found.get(what, [("d", "old", ""), ("d", "old", view)])
    assert sorted(pair[0].answer(over_views(asked, view, row)).rows) == expected


@pytest.mark.parametrize("what", SET)
def test_it_holds_only_if_all_may_see_all_of_it(what: str, pair: "tuple[Oracle, Engine]") -> None:
    said = re.fullmatch(r"ASSERT (.*) AS '.*'", assertion_of_readers(lambda _: "p", [TableName("d", "old")]))
    assert said
    query = f"SELECT {said[1]} AS held"
    is_protected = what in ("a tag", "a data policy", "a row policy")
    assert pair[0].answer(over_views(query, *SET[what])).rows == [(not is_protected,)]


def over_views(query: str, view: str, row: str) -> str:
    """The query over the views, one of them with one more row."""
    rows = {**NOTHING, view: f"{NOTHING[view]} UNION ALL {row}" if row else NOTHING[view]}
    views = ", ".join(f"{name} AS ({rows_of})" for name, rows_of in rows.items())
    return f"WITH {views} {query.replace('`p`.`d`.INFORMATION_SCHEMA.', '')}"
