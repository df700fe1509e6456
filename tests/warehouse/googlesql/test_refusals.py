"""What is told of a query that is wrong, or that only BigQuery can run: the reason, the place, the way out."""

import pytest

from warehouse_refresh.warehouse import offline_planner
from warehouse_refresh.warehouse.errors import OnlyBigQuery, SqlError, UnsupportedSql
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import Column, parse_type

PRODUCTS = TableName("raw", "products")
VARIANTS = TableName("tmp", "variants")


def column(name: str, kind: str) -> Column:
    return Column(name, parse_type(kind))


def tables() -> dict[TableName, tuple[Column, ...]]:
    return {
        PRODUCTS: (column("id", "INT64"), column("name", "STRING"), column("price", "NUMERIC(10, 2)")),
        VARIANTS: (column("sku", "INT64"), column("product_id", "INT64"), column("size", "STRUCT<width INT64>")),
    }


def columns_of(text: str) -> tuple[Column, ...]:
    plan = offline_planner().plan(parse_query(text), tables())
    plan.confirm()
    return plan.columns


def told(text: str) -> SqlError:
    with pytest.raises(SqlError) as caught:
        columns_of(text)
    return caught.value


def marked(text: str, error: SqlError) -> str:
    """The part of the text that the error's place marks."""
    assert error.place is not None
    line = text.splitlines()[error.place.line - 1]
    return line[error.place.column - 1 : error.place.column - 1 + error.place.length]


@pytest.mark.parametrize(
    "frame",
    ["ROWS 1", "ROWS BETWEEN 1 AND 2", "ROWS UNBOUNDED", "RANGE BETWEEN 1 PRECEDING AND UNBOUNDED"],
)
def test_a_frame_whose_bound_has_no_direction_is_refused_with_its_place(frame: str) -> None:
    error = told(f"SELECT SUM(id) OVER (ORDER BY id {frame}) AS s FROM raw.products")
    assert "each bound of a frame needs a direction" in str(error)
    assert error.place is not None


@pytest.mark.parametrize(
    ("text", "reason", "hint", "mark"),
    [
        ("SELECT\n  nmae\nFROM raw.products", "no column nmae", "name", "nmae"),
        ("SELECT p.prise FROM raw.products AS p", "p has no column prise", "price", "prise"),
        ("SELECT id FROM `raw.product`", "no table raw.product", "", "`raw.product`"),
        ("SELECT id\nFROM produkts", "produkts is neither", "dataset.produkts", "produkts"),
        ("SELECT LENGHT(name) FROM raw.products", "no function LENGHT", "LENGTH", "LENGHT"),
        ("SELECT size.widht FROM tmp.variants", "has no field widht", "width", "widht"),
        ("SELECT id FROM raw.products, tmp.variants WHERE x = 1", "no column x", "", "x"),
        ("SELECT id FROM raw.products AS a JOIN raw.products AS b ON TRUE", "id is ambiguous", "table.id", "id"),
        ("SELECT id + name FROM raw.products", "+ does not take INT64, STRING", "CAST", "id"),
        ("SELECT id FROM raw.products WHERE id = '1'", "= does not take INT64, STRING", "CAST", "id"),
        ("SELECT id FROM raw.products WHERE name", "WHERE does not take STRING", "CAST", "name"),
        ("SELECT INTERVAL '8 hours' AS x", "is not GoogleSQL", "write INTERVAL 8 HOUR", "'8 hours'"),
        ("SELECT INTERVAL '1-2' AS x", "is not GoogleSQL", "the part after it", "'1-2'"),
        ("SELECT 1, 2 UNION ALL SELECT 1", "one query has 2 columns, another 1", "", "1"),
        ("SELECT id, COUNT(*) FROM raw.products GROUP BY name", "id is neither in GROUP BY", "ANY_VALUE", "id"),
        ("SELECT DATE '2024-02-30'", "'2024-02-30' is not a DATE", "", "'2024-02-30'"),
        (r"SELECT REGEXP_CONTAINS(name, '\d') FROM raw.products", r"illegal escape sequence \d", "r'", r"'\d'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_write(text: str, reason: str, hint: str, mark: str) -> None:
    error = told(text)
    assert not isinstance(error, UnsupportedSql)
    assert reason in error.reason
    assert hint in error.hint
    assert marked(text, error).startswith(mark.removesuffix("`"))


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("SELECT id,\n  TF_IDF(name) FROM raw.products", "does not know TF_IDF yet", "BigQuery"),
        ("SELECT STRUCT<a RANGE<DATE>>(NULL).a IS NULL", "does not know the type RANGE yet", "the start and the end"),
        ("SELECT SAFE_CAST('x' AS RANGE<DATE>) IS NULL", "CAST AS RANGE<DATE> of what is no literal", "RANGE(start"),
        (
            "SELECT ARRAY<RANGE<DATE>>['[2024-01-01, UNBOUNDED)'] IS NULL",
            "does not know the type RANGE yet",
            "the start and the end",
        ),
        ("SELECT STDDEV(BIGNUMERIC '1' * id) FROM raw.products", "does not know STDDEV of BIGNUMERIC yet", "FLOAT64"),
        ("SELECT ST_GEOGPOINT(1, 2) FROM raw.products", "only BigQuery has ST_GEOGPOINT", "FLOAT64"),
        ("SELECT raw.clean(name) FROM raw.products", "only BigQuery has the function raw.clean", "CREATE FUNCTION"),
        ("SELECT id FROM raw.products FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()", "only BigQuery has", "old rows"),
        ("SELECT id FROM raw.products WHERE _PARTITIONDATE IS NULL", "only BigQuery has", "column of its own"),
        ("SELECT * FROM tmp.INFORMATION_SCHEMA.TABLES", "only BigQuery has", "raw table"),
        ("FROM raw.products |> CALL tmp.clean()", "only BigQuery has table functions", "query"),
    ],
)
def test_what_bigquery_takes_is_never_called_wrong(text: str, reason: str, hint: str) -> None:
    error = told(text)
    assert isinstance(error, UnsupportedSql)
    assert isinstance(error, OnlyBigQuery) == error.reason.startswith("only BigQuery has ")
    assert reason in error.reason
    assert hint in error.hint


def test_nothing_is_claimed_of_what_this_tool_cannot_read() -> None:
    error = told("SELECT id FROM raw.products WHERE id = ANY (1, 2)")
    assert isinstance(error, UnsupportedSql)
    assert error.reason == "the embedded engine does not know what 'ANY (1, 2)' means here"
    assert error.hint == "if BigQuery takes it, this tool cannot answer it yet"


def test_the_columns_of_a_query_are_named_and_typed_as_googlesql_does() -> None:
    found = columns_of(
        "SELECT p.ID, price, price * 2, name AS Name, size.width, [sku] AS skus, STRUCT(sku, 1 AS one) AS s,"
        " NULL AS n"
        " FROM raw.products AS p JOIN tmp.variants ON product_id = p.id"
    )
    assert [(column.name, str(column.type)) for column in found] == [
        ("ID", "INT64"),
        ("price", "NUMERIC"),
        ("", "NUMERIC"),
        ("Name", "STRING"),
        ("width", "INT64"),
        ("skus", "ARRAY<INT64>"),
        ("s", "STRUCT<sku INT64, one INT64>"),
        ("n", "INT64"),
    ]


def test_two_columns_of_one_name_are_both_told() -> None:
    found = columns_of("SELECT id, ID FROM raw.products")
    assert [column.name for column in found] == ["id", "ID"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT range FROM (SELECT 1 AS `range`)",
        "SELECT partition.id FROM raw.products AS `partition`",
        "SELECT * EXCEPT (cube) FROM (SELECT 1 AS a, 2 AS `cube`)",
        "SELECT id FROM raw.products JOIN tmp.variants USING (exists)",
    ],
)
def test_a_reserved_word_is_no_name_in_any_place(text: str) -> None:
    assert "is a word of SQL" in told(text).reason
