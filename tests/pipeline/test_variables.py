"""Variables of the project: what refresh.toml declares, and what overrides it."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import Write
from warehouse_refresh.pipeline.project.variables import (
    Variables,
    as_json,
    given_as_json,
    given_as_text,
    read_variables,
)
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.warehouse.values.json_text import parse_json

FILE = """
[variables]
text = "a'é"
count = 9223372036854775807
share = 0.1
infinite = inf
ok = false
day = 2026-01-31
local = 2026-01-31T10:00:00.5
moment = 2026-01-31T10:00:00+02:00
clock = 10:00:00
price = { type = "NUMERIC(10, 2)", value = "1.50" }
data = { type = "BYTES", value = "YWI=" }
days = [2026-01-31, 2026-02-01]
none = { type = "ARRAY<STRING>", value = [] }
"""
VALUES = {
    "text": ("STRING", "a'é"),
    "count": ("INT64", 2**63 - 1),
    "share": ("FLOAT64", 0.1),
    "infinite": ("FLOAT64", float("inf")),
    "ok": ("BOOL", False),
    "day": ("DATE", date(2026, 1, 31)),
    "local": ("DATETIME", datetime(2026, 1, 31, 10, 0, 0, 500000)),  # noqa: DTZ001 (a DATETIME has no zone)
    "moment": ("TIMESTAMP", datetime(2026, 1, 31, 8, tzinfo=UTC)),
    "clock": ("TIME", time(10)),
    "price": ("NUMERIC(10, 2)", Decimal("1.5")),
    "data": ("BYTES", b"ab"),
    "days": ("ARRAY<DATE>", [date(2026, 1, 31), date(2026, 2, 1)]),
    "none": ("ARRAY<STRING>", []),
}


@pytest.fixture
def variables(write: Write) -> Variables:
    write({"refresh.toml": FILE})
    return read_settings({}).variables


def plain(variables: Variables) -> dict[str, Any]:
    return {one.name: (str(one.type), one.value) for one in variables.values()}


def test_a_value_has_the_type_that_toml_gives_it_or_that_is_written(variables: Variables) -> None:
    assert plain(variables) == VALUES


def test_values_come_back_from_json_as_they_are(variables: Variables) -> None:
    import json

    given = given_as_json(variables, parse_json(json.dumps(as_json(variables))))
    assert plain(given) == VALUES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a-b = 1", "'a-b' cannot be a variable's name: it takes letters, digits and _"),
        ("day = 1\nDay = 2", "the variable Day is declared twice: upper and lower case are the same"),
        ("x = 9223372036854775808", "variables.x: '9223372036854775808' is out of range for INT64"),
        ("x = [1, 'a']", "its elements have not one type"),
        ("x = []", 'write { type = "ARRAY<STRING>", value = […] }'),
        ("x = { type = 'NUMERIC' }", 'write { type = "NUMERIC", value = "1.5" }'),
        (
            "x = { type = 'DATE', default = '2026-01-01' }",
            "variables.x: default is no key of a variable, value is missing: write",
        ),
        ("x = { type = 'NUMMERIC', value = 1 }", "is not a GoogleSQL type"),
        ("x = { type = 'DATE', value = 'soon' }", "'soon' is not DATE: write 2026-11-30"),
        ("x = { type = 'INT64', value = 1.5 }", "'1.5' is not INT64"),
        ("x = { type = 'STRING', value = 1 }", "JSON number is not a value of STRING"),
        ("x = { type = 'JSON', value = '{}' }", "a variable cannot be of type JSON: make it a STRING"),
        ("x = { type = 'ARRAY<STRUCT<a INT64>>', value = [] }", "a variable cannot be of type ARRAY<STRUCT<a INT64>>"),
    ],
)
def test_what_cannot_be_a_variable_is_refused(write: Write, text: str, message: str) -> None:
    write({"refresh.toml": f"[variables]\n{text}\n"})
    with pytest.raises(SettingError) as caught:
        read_settings({})
    assert message in str(caught.value)
    assert str(caught.value).startswith("refresh.toml: ")


def test_texts_override_by_the_declared_type(variables: Variables) -> None:
    texts = ["DAY=2026-02-28", "count=-1", "text=", "text=a=b", "price=2.25", 'days=["2027-01-01"]', "ok=true"]
    found = plain(given_as_text(variables, texts))
    assert found == {
        "day": ("DATE", date(2026, 2, 28)),
        "count": ("INT64", -1),
        "text": ("STRING", "a=b"),
        "price": ("NUMERIC(10, 2)", Decimal("2.25")),
        "days": ("ARRAY<DATE>", [date(2027, 1, 1)]),
        "ok": ("BOOL", True),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cuont=1", "--var cuont: there is no variable of this name; did you mean count?"),
        ("day", "--var day: write --var name=value"),
        ("day=", "--var day=: write a value of type DATE after ="),
        ("day=31.1.2026", "--var day: '31.1.2026' is not DATE: write 2026-11-30"),
        ("price=1.234", "--var price: '1.234' has more than the 2 decimals that NUMERIC(10, 2) holds"),
        ("days=2026-01-01", "--var days: not JSON"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(variables: Variables, text: str, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        given_as_text(variables, [text])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"day": 1}, "JSON number is not a value of DATE"),
        ({"day": None}, "a variable cannot be NULL"),
        ({"days": [None]}, "an ARRAY cannot hold NULL"),
        ({"nothing": 1}, "the variable nothing: there is no variable of this name; there are text, count"),
    ],
)
def test_json_that_does_not_fit_is_refused(variables: Variables, value: dict[str, Any], message: str) -> None:
    import json

    with pytest.raises(SettingError) as caught:
        given_as_json(variables, parse_json(json.dumps(value)))
    assert message in str(caught.value)


def test_without_variables_the_hint_says_where_they_are_declared() -> None:
    with pytest.raises(SettingError, match=r"declare it under \[variables\] in refresh.toml"):
        given_as_text(read_variables({}, "refresh.toml"), ["x=1"])
