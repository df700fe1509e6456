"""The section `[checks]` of a table's settings: its short and long forms, and what is refused."""

import tomllib
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from warehouse_refresh.pipeline.checks.declared import Checks, Misdeclared, NotNull, Unique
from warehouse_refresh.pipeline.project.problems import Severity


def read(text: str) -> Checks:
    return msgspec.convert(tomllib.loads(text), Checks)


def test_each_short_form_has_a_long_form_that_says_the_same() -> None:
    short = read("""
        unique = ["id", ["a", "b"]]
        not_null = ["id"]
        accepted_values = { type = ["product", "sample"] }
        references = { product_id = "tmp.products.id" }
    """)
    long = read("""
        unique = [{ columns = ["id"] }, { columns = ["a", "b"] }]
        not_null = [{ column = "id" }]
        accepted_values = { type = { values = ["product", "sample"] } }
        references = { product_id = { to = "tmp.products.id" } }
    """)
    assert list(short.listed()) == list(long.listed())
    columns = [declared.columns for declared in short.listed()]
    assert columns == [("id",), ("a", "b"), ("id",), ("type",), ("product_id",)]


def test_each_check_takes_a_severity_and_is_an_error_without_one() -> None:
    checks = read("""
        unique = [{ columns = ["id"], severity = "warning", at_most = 5 }]
        row_count = { at_least = 1 }
        fresh = { column = "updated_at", within = "24h", severity = "warning" }
    """)
    severities = [declared.check.severity for declared in checks.listed()]
    assert severities == [Severity.WARNING, Severity.ERROR, Severity.WARNING]
    assert checks.fresh is not None
    assert checks.fresh.longest == timedelta(days=1)


@pytest.mark.parametrize(
    ("at_most", "broken", "rows", "tolerated"),
    [
        (0, 0, 10, True),
        (0, 1, 10, False),
        (5, 5, 10, True),
        (5, 6, 10, False),
        (0.1, 1, 10, True),
        (0.1, 1, 9, False),
        (0.07, 7, 100, True),  # 0.07 * 100 is more than 7 as a float
        (0.29, 29, 100, True),  # and 0.29 * 100 less than 29
        (0.29, 30, 100, False),
        (0.5, 0, 0, True),
    ],
)
def test_a_tolerance_holds_exactly_at_its_edge(at_most: float, broken: int, rows: int, tolerated: bool) -> None:
    assert Unique(columns=("id",), at_most=at_most).tolerates(broken, rows) is tolerated


@pytest.mark.parametrize(
    ("at_least", "broken", "rows", "tolerated"),
    [(0.95, 1, 20, True), (0.95, 1, 19, False), (0.95, 2, 40, True), (1, 1, 100, False), (0, 9, 9, True)],
)
def test_a_share_with_values_holds_exactly_at_its_edge(
    at_least: float, broken: int, rows: int, tolerated: bool
) -> None:
    assert NotNull(column="a", at_least=at_least).tolerates(broken, rows) is tolerated


@pytest.mark.parametrize(
    ("change", "before", "rows", "right"),
    [(0.5, 10, 15, True), (0.5, 10, 16, False), (0.5, 10, 5, True), (0.5, 10, 4, False), (0.5, 0, 99, True)],
)
def test_a_change_of_the_row_count_holds_exactly_at_its_edge(
    change: float, before: int, rows: int, right: bool
) -> None:
    row_count = read(f"row_count = {{ change_at_most = {change} }}").row_count
    assert row_count is not None
    assert row_count.takes_change(before, rows) is right


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('uniq = ["a"]', "unknown field `uniq`"),
        ('unique = "id"', "Expected `array`, got `str`"),
        ("unique = [1]", r"\$.unique\[0\]"),
        ("unique = [[]]", "length >= 1"),
        ('unique = [{ column = "a" }]', "unknown field `column`"),
        ('unique = [{ columns = ["a"], at_most = 1.5 }]', "a share is between 0 and 1"),
        ('unique = [{ columns = ["a"], at_most = -1 }]', "Expected `int` >= 0"),
        ('unique = [{ columns = ["a"], severity = "bad" }]', "Invalid enum value 'bad'"),
        ('not_null = [{ column = "a", at_least = 2 }]', "<= 1.0"),
        ('not_null = [{ column = "a", at_least = 0.9, at_most = 1 }]', "not both"),
        ("accepted_values = { a = [] }", "length >= 1"),
        ("accepted_values = { a = { values = [nan] } }", "nan is equal to nothing"),
        ("row_count = {}", "write at_least, at_most or change_at_most"),
        ("row_count = { at_least = 2, at_most = 1 }", "no number of rows is right"),
        ("row_count = { at_least = 1, or_none = true }", "or_none goes with an at_least of 2 or more"),
        ("row_count = { change_at_most = inf }", "write a share"),
        ('fresh = { column = "a", within = "a day" }', "no duration"),
        ('fresh = { column = "a", within = "0h" }', "no duration"),
        ('fresh = { column = "a", within = "999999999w" }', "no duration"),
    ],
)
def test_what_means_nothing_is_refused(text: str, reason: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=reason):
        read(text)


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        ('unique = ["id", ["a", "A"]]', ("checks", "unique", 1), "the key has the column a twice"),
        ("accepted_values = { a = [[1]] }", ("checks", "accepted_values", "a"), "is no single value"),
        ('references = { a = "tmp.products" }', ("checks", "references", "a"), "write dataset.table.column"),
    ],
)
def test_a_wrong_short_form_says_which_it_is(text: str, path: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=reason) as caught:
        read(text)
    assert isinstance(caught.value.__cause__, Misdeclared)
    assert caught.value.__cause__.path == path
