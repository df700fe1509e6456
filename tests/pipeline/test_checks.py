"""Checks before and while they run: what is wrong with them by their columns' types, and when each is due."""

import pytest

from tests.pipeline.test_declared_checks import read
from warehouse_refresh.pipeline.checks.declared import References
from warehouse_refresh.pipeline.checks.faults import faults_of, faults_of_references
from warehouse_refresh.pipeline.checks.run import Checker, Unit
from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.warehouse import Answer
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query, parse_query
from warehouse_refresh.warehouse.types import Column, parse_type

ITEMS, OTHERS, THIRD = (TableName("tmp", name) for name in ("items", "others", "third"))
TYPES = {"id": "STRING", "number": "INT64", "price": "NUMERIC(5, 2)", "at": "TIMESTAMP", "day": "DATE", "ok": "BOOL"}
TYPES |= {"tags": "ARRAY<STRING>", "box": "STRUCT<x INT64>", "data": "JSON", "place": "GEOGRAPHY", "ratio": "FLOAT64"}
COLUMNS = tuple(Column(name, parse_type(text)) for name, text in TYPES.items())


@pytest.mark.parametrize(
    "text",
    [
        'unique = ["ID", "ratio", ["day", "at"]]',
        'not_null = ["data", "place", "box"]',
        'accepted_values = { id = ["a"], number = [1], price = [1.5, "2.25"], day = [2026-01-31], ok = [true] }',
        "accepted_values = { at = [2026-01-31T00:00:00Z], ratio = [1, 0.5, inf] }",
        'fresh = { column = "day", within = "1d" }',
        "row_count = { change_at_most = 0.5 }",
    ],
)
def test_checks_of_columns_that_can_be_checked_are_right(text: str) -> None:
    assert list(faults_of(ITEMS, read(text), COLUMNS, is_source=False)) == []


@pytest.mark.parametrize(
    ("text", "path", "reason", "hint"),
    [
        ('unique = ["id", ["day", "idd"]]', ("unique", 1), "tmp.items has no column idd", "did you mean id?"),
        ('not_null = [{ column = "x" }]', ("not_null", 0), "tmp.items has no column x", "its columns: id, number"),
        ('unique = ["tags"]', ("unique", 0), "tags is ARRAY<STRING>: GoogleSQL cannot compare arrays", ""),
        ('unique = ["box"]', ("unique", 0), "GoogleSQL cannot PARTITION BY a STRUCT", ""),
        ('references = { data = "tmp.others.id" }', ("references", "data"), "GoogleSQL cannot compare JSON", ""),
        ('unique = ["place"]', ("unique", 0), "GoogleSQL cannot compare a GEOGRAPHY", ""),
        ('not_null = ["tags"]', ("not_null", 0), "a table's array is never NULL", ""),
        ('accepted_values = { number = ["1"] }', ("accepted_values", "number"), "cannot be '1': it is a text", ""),
        ("accepted_values = { id = [1] }", ("accepted_values", "id"), "id is STRING, and cannot be 1", ""),
        ("accepted_values = { number = [1.5] }", ("accepted_values", "number"), "cannot be 1.5", ""),
        ("accepted_values = { price = [1.555] }", ("accepted_values", "price"), "more than the 2 decimals", ""),
        ("accepted_values = { data = [1] }", ("accepted_values", "data"), "has no accepted values", "res/checks/"),
        ('fresh = { column = "id", within = "1d" }', ("fresh",), "only DATE, DATETIME and TIMESTAMP have an age", ""),
    ],
)
def test_a_check_that_cannot_be_asked_is_refused(
    text: str, path: tuple[str | int, ...], reason: str, hint: str
) -> None:
    [(keys, found, help_)] = faults_of(ITEMS, read(text), COLUMNS, is_source=False)
    assert keys == ("checks", *path)
    assert reason in found
    assert hint in help_


def test_a_row_count_is_compared_only_with_the_whole_of_a_table_that_is_published() -> None:
    checks = read("row_count = { change_at_most = 0.5 }")
    [(_, reason, _)] = faults_of(ITEMS, checks, COLUMNS, is_source=True)
    assert "no refresh builds tmp.items" in reason
    some = read('where = "ok"\nrow_count = { change_at_most = 0.5 }')
    [(_, reason, _)] = faults_of(ITEMS, some, COLUMNS, is_source=False)
    assert "where chooses some rows" in reason


@pytest.mark.parametrize(
    ("column", "to", "reason"),
    [
        ("id", "tmp.others.id", None),
        ("number", "tmp.others.ratio", None),
        ("id", "tmp.others.idd", "tmp.others has no column idd"),
        ("id", "tmp.others.number", "they cannot be compared"),
        ("id", "tmp.nothing.id", None),  # its columns are not known: another check reports a table that is not there
    ],
)
def test_a_reference_needs_a_column_to_compare_with(column: str, to: str, reason: str | None) -> None:
    [declared] = read(f'references = {{ {column} = "{to}" }}').listed()
    assert isinstance(declared.check, References)
    own = next(it for it in COLUMNS if it.name == column)
    found = list(faults_of_references(declared, ITEMS, own, {OTHERS: COLUMNS}.get))
    assert (found == []) if reason is None else reason in found[0][1]


def unit(name: str, *needs: TableName) -> Unit:
    result = CheckResult(name, Verdict.PASSED, name)
    return Unit(name, parse_query("SELECT 1 AS one"), needs, frozenset(needs), lambda _answer, _rows: [result])


def test_a_check_runs_once_when_the_last_table_that_it_reads_is_built() -> None:
    checker = Checker(
        [unit("a", ITEMS), unit("b", ITEMS, OTHERS), unit("c", OTHERS)],
        lambda _query, _built: Answer((), []),
        lambda _table: None,
    )
    assert [checker.is_checked(table) for table in (ITEMS, OTHERS, THIRD)] == [True, True, False]
    assert [result.name for result in checker.check(ITEMS)] == ["a"]
    assert checker.check(THIRD) == []
    assert [result.name for result in checker.check(OTHERS)] == ["b", "c"]


def test_a_check_of_a_table_that_was_not_built_reads_it_as_it_is_published() -> None:
    read: list[object] = []

    def fetch(_query: Query, built: object) -> Answer:
        read.append(built)
        return Answer((), [])

    checker = Checker([unit("a", ITEMS, OTHERS), unit("b", THIRD)], fetch, lambda _table: None)
    assert checker.check(ITEMS) == []
    assert [result.name for result in checker.check_rest()] == ["a"]
    assert read == [{ITEMS}]
    assert checker.check_rest() == checker.check(OTHERS) == []


def test_a_check_whose_query_fails_has_failed() -> None:
    def fetch(_query: Query, _built: object) -> Answer:
        raise SqlError("Division by zero")

    [result] = Checker([unit("a", ITEMS)], fetch, lambda _table: None).check(ITEMS)
    assert (result.verdict, result.message) == (Verdict.FAILED, "a cannot be answered: Division by zero")
