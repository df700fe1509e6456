"""What DuckDB would reject is refused before anything runs, in our words."""

import pytest

from warehouse_refresh.warehouse import Planner, offline_planner
from warehouse_refresh.warehouse.duckdb import translations
from warehouse_refresh.warehouse.duckdb.translations import Translation
from warehouse_refresh.warehouse.errors import Place, TranslationFault
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import Column, parse_type

TABLE = TableName("raw", "t")
QUERY = "\n  SELECT x FROM `raw.t`"


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name, parse_type(type_)) for name, type_ in types.items())


@pytest.fixture
def planner() -> Planner:
    return offline_planner()


@pytest.mark.parametrize(
    "wrong",
    [
        'SELECT "nosuch" AS "x" FROM "warehouse"."raw"."t"',
        'SELECT nosuch("x") AS "x" FROM "warehouse"."raw"."t"',
        'SELECT "x" FROM "warehouse"."raw"."nosuch"',
        'SELECT "x" FRM "warehouse"."raw"."t"',
        'SELECT "x"::INTEGER AS "x" FROM "warehouse"."raw"."t"',
        'SELECT "x" AS "X" FROM "warehouse"."raw"."t"',
        'SELECT "x", 1 AS "y" FROM "warehouse"."raw"."t"',
    ],
)
def test_a_wrong_translation_is_a_bug_of_ours_with_the_querys_place(
    planner: Planner, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Translation(wrong, columns(x="INT64"), {TABLE: columns(x="INT64")})
    monkeypatch.setattr(translations, "_translate", lambda *_: made)
    plan = planner.plan(parse_query(QUERY), {TABLE: columns(x="INT64")})
    for _ in range(2):
        with pytest.raises(TranslationFault) as caught:
            plan.confirm()
    assert str(caught.value) == (
        "the embedded engine cannot run this query as it should: this is a bug of this tool: please report it with the"
        " script; BigQuery runs it"
    )
    assert caught.value.place == Place(2, 3, 1)


@pytest.mark.parametrize("fails", ["REGEXP_CONTAINS('a', '(')", "1 / 0 > 1", "ERROR('no')", "CAST('a' AS INT64)"])
def test_what_fails_only_as_it_runs_is_no_such_bug(planner: Planner, fails: str) -> None:
    plan = planner.plan(parse_query(f"SELECT {fails} AS y"), {})
    plan.confirm()
    assert len(plan.columns) == 1


def test_a_table_may_have_other_columns_the_next_time(planner: Planner) -> None:
    for type_ in ("INT64", "STRING", "INT64"):
        assert planner.plan(parse_query(QUERY), {TABLE: columns(x=type_)}).columns == columns(x=type_)


def test_a_column_of_a_type_without_values_here_is_in_nobodys_way(planner: Planner) -> None:
    table = columns(place="GEOGRAPHY", x="INT64")
    assert planner.plan(parse_query(QUERY), {TABLE: table}).columns == columns(x="INT64")
