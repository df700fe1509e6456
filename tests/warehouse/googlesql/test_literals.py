"""A literal that is read as a type which has no such value: the error stands at the literal, as Google's does."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.warehouse.googlesql.engine import Engine
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName

if TYPE_CHECKING:
    from tests.warehouse.googlesql.oracle import Oracle

VALUES = (
    "SELECT DATE '2024-01-01' AS d, TIMESTAMP '2024-01-01 00:00:00+00' AS ts, DATETIME '2024-01-01 00:00:00' AS dt,"
    " TIME '10:00:00' AS tm, NUMERIC '1' AS n, BIGNUMERIC '1' AS bn, [DATE '2024-01-01'] AS ds,"
    " STRUCT(DATE '2024-01-01' AS x) AS st"
)
# The wrong literal of each is 'no', or the number that is too large.
WRONG = [
    "d = 'no'",
    "'no' = d",
    "d <> ('no')",
    "ts < 'no'",
    "dt >= 'no'",
    "tm = 'no'",
    "d IN ('2024-01-01', 'no')",
    "'no' NOT IN (d)",
    "d IN UNNEST(['no'])",
    "'no' IN UNNEST(ds)",
    "d BETWEEN '2024-01-01' AND 'no'",
    "d NOT BETWEEN 'no' AND d",
    "d IS DISTINCT FROM 'no'",
    "CASE d WHEN 'no' THEN 1 END",
    "CASE WHEN TRUE THEN d ELSE 'no' END",
    "IF(TRUE, 'no', d)",
    "COALESCE(d, 'no')",
    "IFNULL(d, 'no')",
    "NULLIF(d, 'no')",
    "LEAST('2024-01-01', d, 'no')",
    "[d, 'no']",
    "ARRAY_CONCAT(ds, ['no'])",
    "RANGE_BUCKET(d, ['no'])",
    "st = STRUCT('no')",
    "(d, 1) IN (('no', 1))",
    "DATE_ADD('no', INTERVAL 1 DAY)",
    "DATE_DIFF(d, 'no', DAY)",
    "DATE_TRUNC('no', MONTH)",
    "TIMESTAMP_DIFF(ts, 'no', DAY)",
    "FORMAT_DATE('%Y', 'no')",
    "UNIX_DATE('no')",
    "LAST_DAY('no')",
    "GENERATE_DATE_ARRAY(d, 'no')",
    "DATE('no')",
    "LAG(d, 1, 'no') OVER (ORDER BY d)",
    "COUNTIF(d > 'no') OVER ()",
    "(SELECT MAX(x) FROM (SELECT d AS x FROM raw.t UNION ALL SELECT 'no'))",
    "n = 1e40",
    "n < -1e40",
    "n + 1e40",
    "bn IN (1, 1e50)",
    "IF(TRUE, 1e40, n)",
    "MOD(n, 1e40)",
    "n IN UNNEST([1e40])",
    "RANGE_BUCKET(n, [1e40])",
]
PLACE = re.compile(r"\[at 1:(\d+)\]")


@pytest.fixture(scope="module")
def engines(pair: "tuple[Oracle, Engine]") -> "tuple[Oracle, Engine]":
    """Google's engine and ours, with one table more: the last load replaces the tables of the session's oracle."""
    from tests.warehouse.googlesql.oracle import Oracle

    assert pair
    oracle = Oracle()
    return oracle, Engine(oracle.load({TableName("raw", "t"): VALUES}))


@pytest.mark.parametrize("expression", WRONG)
def test_a_literal_that_is_none_of_its_type_is_named_with_its_place(
    engines: "tuple[Oracle, Engine]", expression: str
) -> None:
    from tests.warehouse.googlesql.oracle import Rejected

    oracle, engine = engines
    query = f"SELECT {expression} AS x FROM raw.t"
    with pytest.raises(Rejected) as theirs:
        oracle.answer(query)
    with pytest.raises(SqlError) as ours:
        engine.answer(query)
    written = re.search(r"'no'|1e\d0", query)
    assert written is not None
    assert written[0] in ours.value.reason
    place = ours.value.place
    assert place is not None
    assert (place.column, place.length) == (written.start() + 1, len(written[0]))
    googles = PLACE.search(str(theirs.value))
    if googles and not re.search(r"literal [\[{]", str(theirs.value)):  # which have no places within
        shorter = query[: written.start()].count("raw.t") * len("raw.")  # the oracle reads the table `t`
        assert place.column - shorter == int(googles[1])


@pytest.mark.parametrize("expression", ["'2024-01-01' IN (SELECT d FROM raw.t)", "d IN (SELECT '2024-01-01')"])
def test_a_literal_is_not_read_as_the_type_of_a_subquery(engines: "tuple[Oracle, Engine]", expression: str) -> None:
    from tests.warehouse.googlesql.oracle import Rejected

    oracle, engine = engines
    query = f"SELECT {expression} AS x FROM raw.t"
    with pytest.raises(Rejected, match="uncomparable types"):
        oracle.answer(query)
    with pytest.raises(SqlError, match="IN does not take"):
        engine.answer(query)
