"""Scripts that say CREATE TABLE … AS or CREATE VIEW … AS."""

import re
from pathlib import Path

import pytest

from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.definition import Definition, parse_definition
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.storage import PLAIN, Partition, Storage


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 AS created",
        "-- CREATE TABLE x\nSELECT 1 AS x",
        "WITH CREATE_ AS (SELECT 1 AS x) SELECT * FROM CREATE_",
    ],
)
def test_a_query_is_taken_as_it_is(text: str) -> None:
    assert parse_definition(text) == Definition(text)


@pytest.mark.parametrize(
    ("head", "name", "is_view"),
    [
        ("CREATE TABLE tmp.x AS", ("tmp", "x"), False),
        ("create or replace table `tmp.x` as", ("tmp", "x"), False),
        ("CREATE TABLE IF NOT EXISTS `my-shop`.`tmp`.`x` AS", ("my-shop", "tmp", "x"), False),
        ("CREATE OR REPLACE VIEW my-shop.tmp.select AS", ("my-shop", "tmp", "select"), True),
        ("/* a */ -- b\n# c\nCREATE VIEW x AS", ("x",), True),
        ("CREATE TABLE\n  `a b` -- here\n AS", ("a b",), False),
        ("CREATE TABLE tmp.x\nAS", ("tmp", "x"), False),
        ("CREATE VIEW `p.tmp. a b ` AS", ("p", "tmp", " a b "), True),
    ],
)
def test_the_query_keeps_its_place(head: str, name: tuple[str, ...], is_view: bool) -> None:
    text = f"{head} SELECT é AS x, 'AS' AS y FROM `raw.a`;\n"
    found = parse_definition(text)
    assert (found.name, found.is_view, found.storage) == (name, is_view, PLAIN)
    assert len(found.query_text) == len(text)
    assert found.query_text.lstrip() == "SELECT é AS x, 'AS' AS y FROM `raw.a`;\n"
    assert found.query_text.index("SELECT") == text.index("SELECT é")
    [read] = parse_query(found.query_text.replace("é", "e")).names
    assert (read.place.line, str(read.table)) == (text.count("\n"), "raw.a")


@pytest.mark.parametrize(
    ("clauses", "storage"),
    [
        ("PARTITION BY day", Storage(Partition("day"))),
        ("PARTITION BY `day`", Storage(Partition("day"))),
        ("PARTITION BY DATE(at)", Storage(Partition("at"))),
        ("PARTITION BY DATE_TRUNC(day, MONTH)", Storage(Partition("day", "MONTH"))),
        ("PARTITION BY TIMESTAMP_TRUNC(at, HOUR)", Storage(Partition("at", "HOUR"))),
        ("PARTITION BY DATETIME_TRUNC(at, year)", Storage(Partition("at", "YEAR"))),
        ("PARTITION BY _PARTITIONDATE", Storage(Partition())),
        ("PARTITION BY RANGE_BUCKET(id, GENERATE_ARRAY(0, 100, 10))", Storage(Partition("id", integers=(0, 100, 10)))),
        ("CLUSTER BY a, `b c`", Storage(cluster_by=("a", "b c"))),
        ("OPTIONS ()", PLAIN),
        (
            """PARTITION BY day CLUSTER BY a OPTIONS (description = 'a, "b"', labels = [('a', 'b'), ('c', 'd')],
            friendly_name = "F", partition_expiration_days = 3.5, require_partition_filter = TRUE)""",
            Storage(Partition("day"), ("a",), 'a, "b"', "F", (("a", "b"), ("c", "d")), 3.5, True),
        ),
    ],
)
def test_how_a_table_is_stored(clauses: str, storage: Storage, tmp_path: Path) -> None:
    text = f"CREATE TABLE tmp.x {clauses} AS SELECT 1 AS x"
    assert parse_definition(text).storage == storage
    path = tmp_path / "cache.json"
    for _ in range(2):  # the second time from the cache
        with SqlCache(path, "this") as cache:
            assert parse_definition(text, cache) == parse_definition(text)


@pytest.mark.parametrize(
    ("text", "reason", "column"),
    [
        ("CREATE TABLE tmp.x", "this creates a table without a query", 1),
        ("CREATE TABLE tmp.x (id INT64)", "this creates a table without a query", 1),
        ("CREATE TABLE tmp.x (id) AS SELECT 1 AS id", "a column in a table's list needs a type", 21),
        ("CREATE TABLE AS SELECT 1 AS x", "a name is missing here", 14),
        ("CREATE", "the script is not a query but a CREATE ", 1),
        ("CREATE FUNCTION f() AS (1)", "the script is not a query but a CREATE FUNCTION", 8),
        ("CREATE MATERIALIZED VIEW x AS SELECT 1", "CREATE MATERIALIZED in a script is not supported", 8),
        ("CREATE TABLE x DEFAULT COLLATE 'a' AS SELECT 1", "DEFAULT is not expected here", 16),
        ("CREATE TABLE x PARTITION BY a + 1 AS SELECT 1", "a table cannot be partitioned by a + 1", 29),
        (
            "CREATE TABLE x PARTITION BY DATE_TRUNC(d, WEEK) AS SELECT 1",
            "a table cannot be partitioned by DATE_TRUNC",
            29,
        ),
        ("CREATE TABLE x OPTIONS (kms_key_name = 'a') AS SELECT 1", "the option kms_key_name is not supported", 25),
        ("CREATE TABLE x OPTIONS (description = CONCAT('a')) AS SELECT 1", "an option that is no literal", 39),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, reason: str, column: int) -> None:
    with pytest.raises(SqlError) as caught:
        parse_definition(text)
    assert caught.value.reason.startswith(reason)
    assert caught.value.place is not None
    assert caught.value.place.column == column
    assert isinstance(caught.value, UnsupportedSql) == ("is not supported" in caught.value.reason)


LISTED = """CREATE TABLE tmp.x (
  id INT64 NOT NULL, -- who
  `a b` STRUCT<x STRING(3), y ARRAY<INT64>>
    OPTIONS (description = '''a
b''')
)
CLUSTER BY id AS SELECT 1, NULL"""


def test_a_list_of_columns_is_kept_in_one_line_without_comments() -> None:
    found = parse_definition(LISTED)
    assert [(column.name, column.kind, column.required, column.place.line) for column in found.listed] == [
        *(("id", "INT64", True, 2), ("a b", "STRUCT<x STRING(3), y ARRAY<INT64>>", False, 3))
    ]
    described = r"OPTIONS ( description = '''a\nb''' )"
    assert found.listed[1].text == f"`a b` STRUCT < x STRING ( 3 ) , y ARRAY < INT64 > > {described}"
    assert found.storage.cluster_by == ("id",)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("TABLE tmp.x (a)", "a column in a table's list needs a type"),
        ("VIEW tmp.x (a INT64)", "a column in a view's list takes no type"),
        ("TABLE tmp.x ()", "the list of columns is empty"),
        ("TABLE tmp.x (a INT64 DEFAULT 1)", "DEFAULT 1 of a column is not supported"),
        ("TABLE tmp.x (a STRING COLLATE 'und:ci')", "COLLATE 'und:ci' of a column is not supported"),
        ("TABLE tmp.x (a INT64 OPTIONS (rounding_mode = 'ROUND_HALF_EVEN'))", "rounding_mode"),
        ("TABLE tmp.x (a INT64, PRIMARY KEY (a) NOT ENFORCED)", "a constraint of a table is not supported"),
        ("TABLE tmp.x (a WRONG)", "this is not a column"),
        ("TABLE tmp.x (1 INT64)", "this is not a column"),
        ("TABLE tmp.x (a NUMERIC(50, 2))", "NUMERIC(50, 2): the precision"),
    ],
)
def test_a_list_of_columns_that_cannot_be_is_refused_with_its_place(head: str, reason: str) -> None:
    with pytest.raises(SqlError, match=re.escape(reason)) as caught:
        parse_definition(f"CREATE {head} AS SELECT 1")
    assert caught.value.place is not None
