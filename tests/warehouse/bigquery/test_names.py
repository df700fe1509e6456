"""Job ids tell every run and table apart; labels have the form that BigQuery accepts."""

import re

from hypothesis import given
from hypothesis import strategies as st

from warehouse_refresh.warehouse.bigquery.names import build_name, keys_table, labels
from warehouse_refresh.warehouse.names import TableName

TEXTS = st.text(max_size=80)
NAMES = st.builds(TableName, TEXTS, TEXTS)


@given(run=TEXTS, table=NAMES)
def test_a_builds_name_is_a_job_id(run: str, table: TableName) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,1000}", build_name(run, table))


@given(one=st.tuples(TEXTS, NAMES), other=st.tuples(TEXTS, NAMES))
def test_two_builds_share_a_name_only_if_they_are_one(one: tuple[str, TableName], other: tuple[str, TableName]) -> None:
    same = (one[0], str(one[1])) == (other[0], str(other[1]))
    assert (build_name(*one) == build_name(*other)) == same


@given(one=NAMES, other=NAMES)
def test_two_tables_share_their_keys_only_if_they_are_one(one: TableName, other: TableName) -> None:
    assert (keys_table(one) == keys_table(other)) == (str(one) == str(other))
    assert re.fullmatch(r"[A-Za-z0-9_]{1,1000}", keys_table(one))


def test_a_name_can_be_read() -> None:
    assert build_name("run-7", TableName("tmp", "item_prices")).startswith("refresh-run-7-tmp-item-prices-")


def test_a_bar_in_a_name_is_not_a_bar_between_names() -> None:
    assert build_name("a", TableName("b", "c_d")) != build_name("a", TableName("b", "c-d"))


@given(pairs=st.dictionaries(TEXTS, TEXTS))
def test_labels_have_the_form_that_bigquery_accepts(pairs: dict[str, str]) -> None:
    for key, value in labels(pairs).items():
        assert re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key)
        assert re.fullmatch(r"[a-z0-9_-]{0,63}", value)
