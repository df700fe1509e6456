"""A script's SQL as HTML."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_refresh.catalogue.sql import highlighted

PIECES = ["SELECT ", "a", "`tmp.a`", "tmp.a", "`tmp`.`a`", "'tmp.a'", "-- tmp.a\n", "#x\n", "/* `tmp.a` */"]
PIECES += ["<b>", "&amp;", '"', "``", "\\", "\n", "é"]


def shown(sql: str) -> str:
    return str(highlighted(sql, ["tmp.a"], lambda name: f"{name}.html"))


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_the_text_stays_as_it_was_written(sql: str) -> None:
    assert html.unescape(re.sub(r"</?(?:span|a)\b[^>]*>", "", shown(sql))) == sql


@pytest.mark.parametrize("name", ["tmp.a", "`tmp.a`", "`tmp`.`a`", "tmp.`a`", "tmp . a"])
def test_a_table_is_a_link_however_it_is_quoted(name: str) -> None:
    assert f'<a href="tmp.a.html">{name}</a>' in shown(f"SELECT 1 FROM {name} WHERE true")


@pytest.mark.parametrize("text", ["'tmp.a'", "-- tmp.a", "/* tmp.a */", "tmp.ab", "xtmp.a", "`tmp.ab`", "x.tmp.a"])
def test_nothing_else_is_a_link(text: str) -> None:
    assert "<a" not in shown(f"SELECT {text}")


def test_a_field_of_the_name_of_a_keyword_is_no_keyword() -> None:
    assert ".name" in shown("SELECT t.name FROM t")
