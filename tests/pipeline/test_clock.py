"""A query at a given moment."""

from datetime import UTC, datetime

import pytest

from warehouse_refresh.pipeline.testing.clock import at_moment, text_at
from warehouse_refresh.warehouse import scratches
from warehouse_refresh.warehouse.sql.query import parse_query

MOMENT = datetime(2026, 1, 31, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("CURRENT_DATE()", "2026-01-31"),
        ("current_date", "2026-01-31"),
        ("CURRENT_DATE ( 'Asia/Tokyo' )", "2026-02-01"),
        ("CURRENT_TIMESTAMP()", "2026-01-31 20:30:00+00:00"),
        ("CURRENT_TIMESTAMP", "2026-01-31 20:30:00+00:00"),
        ("CURRENT_DATETIME()", "2026-01-31 20:30:00"),
        ("CURRENT_DATETIME('Europe/Paris')", "2026-01-31 21:30:00"),
        ("CURRENT_TIME()", "20:30:00"),
        ("CURRENT_TIME('Asia/Tokyo')", "05:30:00"),
    ],
)
def test_the_functions_that_tell_the_time_tell_this_one(written: str, value: str) -> None:
    scratch = scratches()()
    [[found]] = scratch.answer(at_moment(parse_query(f"SELECT {written} AS x"), MOMENT), {}).rows
    scratch.close()
    assert str(found) == value


@pytest.mark.parametrize(
    "text", ["SELECT `current_date`", "SELECT 'current_date()'", "SELECT t.current_date", "-- current_date"]
)
def test_what_only_looks_so_stays(text: str) -> None:
    assert text_at(text, MOMENT) == text


def test_declared_variables_and_functions_before_the_query_see_it_too() -> None:
    from warehouse_refresh.warehouse.sql.definition import parse_definition

    script = "DECLARE day DATE DEFAULT CURRENT_DATE();\nSELECT day, CURRENT_DATE() AS today\n"
    definition = parse_definition(script)
    query = at_moment(parse_query(definition.query_text, None, definition.preamble), MOMENT)
    scratch = scratches()()
    [row] = scratch.answer(query, {}).rows
    scratch.close()
    assert list(map(str, row)) == ["2026-01-31", "2026-01-31"]
