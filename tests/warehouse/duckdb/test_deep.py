"""Long and deep queries are answered, or refused with the place: no traceback, no minute of waiting."""

import pytest

from warehouse_refresh.warehouse import offline_planner
from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import Column, parse_type

KINDS = {"x": "INT64", "s": "STRING", "f": "FLOAT64", "d": "DATETIME"}
TABLES = {TableName("raw", "t"): tuple(Column(name, parse_type(kind)) for name, kind in KINDS.items())}


PLANNER = offline_planner()


def plan(text: str) -> None:
    PLANNER.plan(parse_query(text), TABLES).confirm()


def series(form: str, count: int, joint: str = ", ") -> str:
    return joint.join(form.format(number) for number in range(count))


def nested(opening: str, inner: str, closing: str, count: int = 2000) -> str:
    return f"{opening * count}{inner}{closing * count}"


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT {series('x = {}', 5000, ' OR ')} AS y FROM raw.t",
        f"SELECT x FROM raw.t WHERE {series('x <> {}', 5000, ' AND ')}",
        f"SELECT x IN ({series('{}', 10000)}) AS y FROM raw.t",
        f"SELECT {series('x + {0} AS c{0}', 2000)} FROM raw.t",
        f"SELECT {series('SUM(x + {0}) AS c{0}', 500)} FROM raw.t",
        series("SELECT {} AS x", 1000, " UNION ALL "),
        f"WITH {series('w{0} AS (SELECT {0} AS x)', 300)} SELECT x FROM w299",
        f"SELECT {series('(SELECT e FROM UNNEST([x, {0}]) AS e WHERE e > {0}) AS c{0}', 100)} FROM raw.t",
        f"SELECT {series('EXISTS(SELECT 1 FROM UNNEST([x]) AS e WHERE e > {0}) AS c{0}', 100)} FROM raw.t",
        f"SELECT {series('ARRAY(SELECT e + {0} FROM UNNEST([x]) AS e) AS c{0}', 100)} FROM raw.t",
        f"SELECT CASE {series('WHEN x = {0} THEN {0}', 1000, ' ')} END AS y FROM raw.t",
        f"SELECT CONCAT({series('s', 3000)}) AS y FROM raw.t",
        f"SELECT {series('s', 1000, ' || ')} AS y FROM raw.t",
    ],
    ids=lambda text: f"{text[:24]}…",
)
def test_a_long_query_is_answered(text: str) -> None:
    plan(text)


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT {series('x', 3000, ' + ')} AS y FROM raw.t",
        f"SELECT {series('f', 3000, ' * ')} AS y FROM raw.t",
        f"SELECT d {'+ INTERVAL 1 DAY ' * 3000} AS y FROM raw.t",
        f"SELECT {nested('CASE WHEN x = 1 THEN 1 ELSE ', '0', ' END')} AS y FROM raw.t",
        f"SELECT {nested('IF(x = 1, 1, ', '0', ')')} AS y FROM raw.t",
        f"SELECT {nested('(', 'x', ')')} AS y FROM raw.t",
        f"SELECT {nested('[', 'x', ']')} AS y FROM raw.t",
        f"SELECT {nested('(SELECT ', '1', ')')} AS y",
        f"SELECT x FROM {nested('(SELECT x FROM ', 'raw.t', ')')}",
        f"SELECT {'NOT ' * 3000} TRUE AS y",
        f"SELECT {'- ' * 3000} 1 AS y",
        f"SELECT {'(' * 3000}",
        f"SELECT x{'[0]' * 3000} AS y FROM raw.t",
        f"FROM raw.t {series('|> EXTEND x + {0} AS c{0}', 1000, ' ')}",
    ],
    ids=lambda text: f"{text[:24]}…",
)
def test_a_deep_query_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(SqlError, match=r"nested too deeply|has no room for") as caught:
        plan("\n\n" + text)
    assert caught.value.place is not None
    assert caught.value.place.line == 3


def test_more_levels_than_duckdb_takes_are_no_bug_of_ours() -> None:
    with pytest.raises(UnsupportedSql, match="has no room for"):
        plan(f"WITH {series('w{0} AS (SELECT {0} AS x)', 1000)} SELECT x FROM w999")
