"""The checks of a table, on every engine: what they find is what the same question finds in Python."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs

from warehouse_refresh.pipeline.checks.declared import (
    AcceptedValues,
    Check,
    Checks,
    Declared,
    Fresh,
    NotNull,
    References,
    RowCount,
    Unique,
)
from warehouse_refresh.pipeline.checks.own import OwnCheck, OwnSettings, counting, read_own_answer
from warehouse_refresh.pipeline.checks.queries import Subject, query_text
from warehouse_refresh.pipeline.checks.results import read_answer
from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.pipeline.project.problems import Severity
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.warehouse import Append, TableBuild, Warehouse
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

ITEMS, OTHERS = TableName("raw", "items"), TableName("raw", "others")
CREATE = """
    CREATE OR REPLACE TABLE raw.items (
        i INT64, s STRING, f FLOAT64, n NUMERIC, b BOOL, d DATE, ts TIMESTAMP, r STRUCT<x INT64, y STRING>, j JSON,
        stored TIMESTAMP
    );
    CREATE OR REPLACE TABLE raw.others (i INT64, s STRING, f FLOAT64)
"""
NAN = math.nan
TODAY = date(2026, 11, 27)
NOW = datetime.now(UTC)

Rows = list[dict[str, Any]]


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return maybe(st.sampled_from(values))


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "i": one_of(0, 1, 2, 2**63 - 1),
            "s": one_of("", "a", "A", 'quo"ted', "new\nline", "ä"),
            "f": one_of(0.0, -0.0, 1.5, NAN, math.inf, 1e300),
            "n": one_of(Decimal("1.5"), Decimal("0.125"), Decimal(2)),
            "b": one_of(True, False),
            "d": one_of(TODAY, TODAY - timedelta(days=1)),
            "ts": one_of(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
            "r": one_of({"x": 1, "y": "a"}, {"x": None, "y": None}),
            "j": one_of("null", "[1]"),
            "stored": one_of(NOW - timedelta(hours=20), NOW - timedelta(hours=30), NOW - timedelta(days=9)),
        }
    ),
    max_size=9,
)
OTHER_ROWS = st.lists(
    st.fixed_dictionaries({"i": one_of(0, 1), "s": one_of("a", 'quo"ted'), "f": one_of(0.0, 1.5)}), max_size=4
)
KEYS = [["i"], ["s"], ["f"], ["n"], ["d", "ts"], ["i", "s", "b"], ["f", "b"]]
CHECKS = Checks(
    unique=tuple(map(tuple, KEYS)),
    not_null=("i", "s", "f", "r", "j"),
    accepted_values={
        "i": (0, 2**63 - 1),
        "s": ("a", 'quo"ted', "new\nline"),
        "f": (0, 1e300, math.inf),
        "n": (1.5, "0.125"),
        "b": (True,),
        "d": (TODAY,),
        "ts": (datetime(2026, 1, 1, tzinfo=UTC),),
    },
    references={"i": "raw.others.i", "s": "raw.others.s", "f": "raw.others.f"},
    row_count=RowCount(at_least=2, at_most=5, change_at_most=0.25),
    fresh=Fresh(column="stored", within="25h"),
)
WHERE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "": lambda _row: True,
    "s = 'a' OR i > 0": lambda row: row["s"] == "a" or (row["i"] or 0) > 0,
    "f IS NULL": lambda row: row["f"] is None,
}
SHARES = st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.75, 0.9])


def fill(warehouse: Warehouse, rows: Rows, others: Rows = []) -> None:  # noqa: B006
    warehouse.run_script(parse_script(CREATE))
    for table, content in ((ITEMS, rows), (OTHERS, others)):
        if content:
            warehouse.append(table, [Append(content)])


def check(
    warehouse: Warehouse, checks: Sequence[Declared], *, where: str = "", published_rows: int | None = None
) -> list[tuple[Declared, CheckResult]]:
    subject = Subject(ITEMS, warehouse.columns(ITEMS), where)
    answer = warehouse.fetch(parse_query(query_text(subject, checks)), 2)
    assert len(answer.rows) == 1
    return list(zip(checks, read_answer(subject, checks, answer, published_rows), strict=True))


def same(value: Any) -> Any:
    """A value that is equal to what GoogleSQL groups it with: NaN with NaN."""
    return "NaN" if value != value else value


def broken_rows(checked: Check, columns: Sequence[str], rows: Rows, others: Rows) -> Rows:
    """The rows that break a check, found in Python."""
    if isinstance(checked, Unique):
        keys = [tuple(same(row[column]) for column in columns) for row in rows]
        count = Counter(key for key in keys if None not in key)
        return [row for row, key in zip(rows, keys, strict=True) if count[key] > 1]
    values = [row[columns[0]] for row in rows]
    if isinstance(checked, NotNull):
        bad = [value is None for value in values]
    elif isinstance(checked, AcceptedValues):
        accepted = {Decimal(str(value)) if columns[0] == "n" else value for value in checked.values}
        bad = [value is not None and value not in accepted for value in values]
    else:
        assert isinstance(checked, References)
        known = [row[checked.target[1]] for row in others]
        bad = [value is not None and not any(value == other for other in known) for value in values]
    return [row for row, is_bad in zip(rows, bad, strict=True) if is_bad]


@st.composite
def tolerant(draw: st.DrawFn, listed: Sequence[Declared]) -> Declared:
    """One of the checks, with a tolerance."""
    declared = draw(st.sampled_from(listed))
    if isinstance(declared.check, RowCount | Fresh):
        return declared
    if isinstance(declared.check, NotNull) and draw(st.booleans()):
        return replace(
            declared, check=structs.replace(declared.check, at_least=draw(SHARES | st.sampled_from([0.0, 1.0])))
        )
    return replace(declared, check=structs.replace(declared.check, at_most=draw(st.integers(0, 3) | SHARES)))


def is_right(declared: Declared, rows: Rows, broken: int, published_rows: int) -> bool:
    """Whether the check passes, by what the page of checks says of it."""
    match declared.check:
        case RowCount():
            return 2 <= len(rows) <= 5 and 4 * abs(len(rows) - published_rows) <= published_rows
        case Fresh():
            return any(row["stored"] is not None and row["stored"] > NOW - timedelta(hours=25) for row in rows)
        case NotNull(at_least=share) if share is not None:
            return len(rows) - broken >= Fraction(str(share)) * len(rows)
        case Unique(at_most=most) | NotNull(at_most=most) | AcceptedValues(at_most=most) | References(at_most=most):
            return broken <= (Fraction(str(most)) * len(rows) if isinstance(most, float) else most)
    raise AssertionError(declared)


def agrees(warehouse: Warehouse, rows: Rows, others: Rows, chosen: Sequence[Declared], where: str = "") -> None:
    fill(warehouse, rows, others)
    rows = [row for row in rows if WHERE[where](row)]
    if where and not isinstance(warehouse, DuckDBWarehouse):  # the emulator finds no STRUCT in `SELECT *` of a subquery
        chosen = [declared for declared in chosen if declared.columns != ("r",)]
    for declared, result in check(warehouse, chosen, where=where, published_rows=4):
        is_whole = isinstance(declared.check, RowCount | Fresh)
        expected = [] if is_whole else broken_rows(declared.check, declared.columns, rows, others)
        passed = result.verdict is Verdict.PASSED
        assert passed == is_right(declared, rows, len(expected), published_rows=4), (result, rows)
        if is_whole:
            continue
        assert (result.broken, result.rows) == (len(expected), len(rows)), (result, rows)
        groups = {tuple(same(row[it]) for it in declared.columns) for row in expected}
        possible = len(groups) if isinstance(declared.check, Unique) else len(expected)
        assert len(result.examples) == min(5, possible), (result, rows)


SOME = st.lists(tolerant(list(CHECKS.listed())), min_size=1, max_size=4)
"""Not all at once: the emulator takes seconds to read so long a query."""
SWEEP: dict[str, Any] = {
    "deadline": None,
    "phases": (Phase.explicit, Phase.generate),
    "suppress_health_check": (HealthCheck.function_scoped_fixture, HealthCheck.too_slow),
}


@settings(max_examples=6, **SWEEP)
@given(rows=ROWS, others=OTHER_ROWS, chosen=SOME, where=st.sampled_from(list(WHERE)))
def test_each_check_finds_what_python_finds(
    warehouse: Warehouse, rows: Rows, others: Rows, chosen: list[Declared], where: str
) -> None:
    agrees(warehouse, rows, others, chosen, where)


@pytest.mark.slow
@settings(max_examples=300, **SWEEP)
@given(rows=ROWS, others=OTHER_ROWS, chosen=SOME, where=st.sampled_from(list(WHERE)))
def test_each_check_finds_what_python_finds_in_many_tables(
    warehouse: Warehouse, rows: Rows, others: Rows, chosen: list[Declared], where: str
) -> None:
    agrees(warehouse, rows, others, chosen, where)


MOMENT = datetime(2026, 11, 27, 12, tzinfo=UTC)
ALL: Rows = [
    {
        "i": 1,
        "s": "a",
        "f": NAN,
        "n": Decimal("1.5"),
        "b": True,
        "d": TODAY,
        "ts": MOMENT,
        "r": {"x": 1, "y": "a"},
        "j": "[1]",
    },
    {"i": 1, "s": "a", "f": NAN, "n": Decimal("1.5"), "b": False, "d": TODAY, "ts": MOMENT, "r": None, "j": None},
    {"i": 2, "s": None, "f": -0.0, "n": None, "b": None, "d": None, "ts": None, "r": None, "j": None},
    {"i": None, "s": 'quo"ted', "f": 0.0, "n": Decimal(9), "b": True, "d": TODAY, "ts": MOMENT, "r": None, "j": "null"},
]


FEW = Checks(
    unique=("s", ("f", "b")),
    not_null=("s",),
    accepted_values={"s": ("a",), "n": (9,)},
    references={"f": "raw.others.f", "s": "raw.others.s"},
)


def test_the_query_of_a_result_shows_the_rows_that_break_the_check(warehouse: Warehouse) -> None:
    others: Rows = [{"i": 2, "s": None, "f": 1.5}]
    fill(warehouse, ALL, others)
    results = check(warehouse, list(FEW.listed()))
    assert sum(bool(result.broken) for _, result in results) == 6
    for declared, result in results:
        rows = warehouse.fetch(parse_query(result.query), None).rows
        expected = broken_rows(declared.check, declared.columns, ALL, others)
        assert Counter(line[0] for line in rows) == Counter(it["i"] for it in expected), result


def found(warehouse: Warehouse, checks: Checks, published_rows: int | None = None) -> list[str]:
    results = check(warehouse, list(checks.listed()), where=checks.where or "", published_rows=published_rows)
    return [f"{result.verdict.value}: {result.message}" for _, result in results]


def test_a_message_says_how_many_rows_break_the_check_and_which(warehouse: Warehouse) -> None:
    fill(warehouse, ALL, [{"i": 1}])
    checks = Checks(
        unique=("s", Unique(columns=("i", "b"), at_most=1)),
        not_null=("s", NotNull(column="n", at_least=0.75)),
        accepted_values={"s": AcceptedValues(values=("a", "b"), severity=Severity.WARNING)},
        references={"i": "raw.others.i"},
    )
    assert found(warehouse, checks) == [
        'failed: 2 of 4 rows of raw.items have the same s as another row: "a"',
        "passed: 0 of 4 rows of raw.items have the same i and b as another row (at most 1 may)",
        "failed: 1 of 4 rows of raw.items has no s: i 2, b NULL",
        "passed: 1 of 4 rows of raw.items has no n (75 % must have one): s NULL",
        'warning: 1 of 4 rows of raw.items has a s other than "a", "b": s "quo"ted", i NULL, b TRUE',
        "failed: 1 of 4 rows of raw.items has an i that is no raw.others.i: i 2, s NULL",
    ]


def test_only_the_rows_that_the_condition_chooses_are_checked(warehouse: Warehouse) -> None:
    fill(warehouse, ALL)
    checks = Checks(where="i = 1 -- or 2", not_null=("s", "j"), row_count=RowCount(at_least=3))
    assert found(warehouse, checks)[:2] == [
        "passed: 0 of 2 rows of raw.items have no s",
        "failed: 1 of 2 rows of raw.items has no j: i 1",
    ]
    assert found(warehouse, checks)[2] == "failed: raw.items has 2 rows, and must have at least 3"


def test_a_changed_row_count_is_measured_against_the_published_table(warehouse: Warehouse) -> None:
    fill(warehouse, ALL)
    checks = Checks(row_count=RowCount(change_at_most=0.5))
    wrong = "failed: raw.items has 4 rows, and the published one 9: it may change by at most 50 %"
    assert found(warehouse, checks, 9) == [wrong]
    assert found(warehouse, checks, 8) == ["passed: raw.items has 4 rows"]
    assert found(warehouse, checks, 0) == found(warehouse, checks, None) == ["passed: raw.items has 4 rows"]


def test_a_table_is_fresh_if_its_latest_moment_is(warehouse: Warehouse) -> None:
    now = datetime.now(UTC)
    fill(warehouse, [{"ts": now - timedelta(hours=23), "d": now.date()}, {"ts": None, "d": TODAY - timedelta(99)}])
    assert [text[:7] for text in found(warehouse, Checks(fresh=Fresh(column="ts", within="24h")))] == ["passed:"]
    assert [text[:7] for text in found(warehouse, Checks(fresh=Fresh(column="d", within="25h")))] == ["passed:"]
    late = found(warehouse, Checks(fresh=Fresh(column="ts", within="22h")))[0]
    assert late.startswith("failed: the latest ts of raw.items is ")
    assert late.endswith(", 23 hours ago: it may be at most 22h old")
    fill(warehouse, [{"i": 1}])
    assert found(warehouse, Checks(fresh=Fresh(column="ts", within="1w"))) == ["failed: raw.items has no ts at all"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT i, s, ts FROM raw.items WHERE s IS NOT NULL ORDER BY i LIMIT 7",
        "-- wrong\nWITH wrong AS (SELECT * FROM raw.items)\nSELECT i, s, ts FROM wrong WHERE s IS NOT NULL -- rows",
        "DECLARE letter STRING DEFAULT '';\nSELECT i, s, ts FROM raw.items WHERE s > letter",
    ],
)
def test_an_own_check_counts_the_rows_that_its_query_returns(warehouse: Warehouse, text: str) -> None:
    fill(warehouse, ALL)
    definition = parse_definition(text)
    query = parse_query(definition.query_text, preamble=definition.preamble)
    columns = warehouse.plan(query, {}).columns
    [(broken, rows)] = warehouse.fetch(counting(query, columns), 2).rows
    assert broken == 3
    assert Counter(row["s"] for row in rows) == Counter(["a", "a", 'quo"ted'])


def test_an_own_check_that_finds_nothing_has_passed(warehouse: Warehouse) -> None:
    fill(warehouse, ALL)
    query = parse_query("SELECT i FROM raw.items WHERE i > 2")
    columns = warehouse.plan(query, {}).columns
    own = OwnCheck(Script(Path("few.sql"), TableBuild(TableName("checks", "few"), query)), OwnSettings())
    result = read_own_answer(own, "res/checks/few.sql", (ITEMS,), columns, warehouse.fetch(counting(query, columns), 2))
    assert (result.verdict, result.message) == (Verdict.PASSED, "res/checks/few.sql finds 0 rows")
