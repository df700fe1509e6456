"""The date of a TIMESTAMP, compared with a constant: DuckDB finds the rows by the column's statistics."""

import pytest

from warehouse_refresh.warehouse.duckdb.translations import Translations
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import DATE, TIMESTAMP, Column


def columns(_table: TableName) -> tuple[Column, ...]:
    return (Column("seen", TIMESTAMP), Column("day", DATE))


@pytest.mark.parametrize(
    "condition",
    [
        "DATE(seen) >= '2024-01-31' AND DATE(seen) < '2024-02-01'",
        "DATE(seen, 'UTC') > '2024-01-30' AND CAST(seen AS DATE) <= DATE '2024-01-31'",
        "DATE(seen) = '2024-01-31'",
        "DATE(seen) BETWEEN '2024-01-31' AND '2024-01-31'",
    ],
)
def test_the_column_itself_is_compared(condition: str) -> None:
    text = Translations().of(parse_query(f"SELECT day FROM raw.events WHERE {condition}"), columns).stored_sql()
    assert text.count("""."seen" >= '2024-01-31 00:00:00+00:00'::TIMESTAMPTZ""") == 1
    assert text.count("""."seen" < '2024-02-01 00:00:00+00:00'::TIMESTAMPTZ""") == 1
    assert "AS DATE" not in text


@pytest.mark.parametrize(
    "condition", ["DATE(seen) >= day", "DATE(seen, 'Asia/Tokyo') < '2024-01-31'", "day > '2024-01-31'"]
)
def test_what_is_no_date_in_utc_or_no_constant_stays_a_date(condition: str) -> None:
    text = Translations().of(parse_query(f"SELECT day FROM raw.events WHERE {condition}"), columns).stored_sql()
    assert "TIMESTAMPTZ" not in text
