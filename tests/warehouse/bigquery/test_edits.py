"""Places in BigQuery's errors lead to the script, although what was sent is not quite the script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_refresh.warehouse.bigquery.queries.edits import (
    Edit,
    dataset_edits,
    edited,
    original_place,
    query_edits,
    stand_ins_in,
)
from warehouse_refresh.warehouse.errors import Place
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import Column, parse_type

A = TableName("tmp", "a")
COLUMNS = (Column("x y", parse_type("STRUCT<b INT64, c ARRAY<STRING>>")), Column("n", parse_type("NUMERIC(5, 2)")))
NOTHING = "(SELECT CAST(NULL AS STRUCT<`b` INT64, `c` ARRAY<STRING>>) AS `x y`, CAST(NULL AS NUMERIC) AS `n` LIMIT 0)"


def sent(text: str) -> str:
    return edited(text, query_edits(parse_query(text), stand_ins_in({A: COLUMNS})))


@pytest.mark.parametrize("name", ["tmp.a", "`tmp.a`", "`tmp`.`a`", "tmp.`a`"])
def test_a_stand_in_takes_the_tables_place_and_name(name: str) -> None:
    assert sent(f"SELECT a.n FROM {name} WHERE a.n > 0") == f"SELECT a.n FROM {NOTHING} AS `a` WHERE a.n > 0"
    assert sent(f"SELECT z.n FROM {name} AS z") == f"SELECT z.n FROM {NOTHING} AS z"


@pytest.mark.parametrize(
    "name",
    ["`my-project.tmp.a`", "`my-project`.tmp.a", "my-project.tmp.a", "`my-project.tmp`.a", "my-project.`tmp.a`"],
)
def test_a_stand_in_takes_the_place_of_a_name_with_the_own_project_and_of_no_other(name: str) -> None:
    query = parse_query(f"SELECT `n`, a.n FROM {name}, x WHERE a.n > 0").within("my-project")
    edits = query_edits(query, stand_ins_in({A: COLUMNS}))
    assert edited(query.text, edits) == f"SELECT `n`, a.n FROM {NOTHING} AS `a`, x WHERE a.n > 0"
    assert query_edits(query.within("other-project"), stand_ins_in({A: COLUMNS})) == []


def test_every_mention_is_replaced_and_nothing_else() -> None:
    text = "WITH b AS (SELECT n FROM {}) -- tmp.a\nSELECT 'tmp.a', n FROM b, tmp.other JOIN {} AS c USING (n)"
    assert sent(text.format("tmp.a", "`tmp.a`")) == text.format(f"{NOTHING} AS `a`", NOTHING)


def test_a_path_into_a_table_is_not_the_table() -> None:
    text = "SELECT w FROM tmp.b AS tmp, tmp.a AS w"
    assert sent(text) == text


def test_a_tab_is_up_to_eight_columns() -> None:
    assert original_place("a\tb\tc", (), Place(1, 17)) == Place(1, 5)
    assert original_place("\tnope", (), Place(1, 9)) == Place(1, 2)


@st.composite
def texts_with_edits(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    """A text, and edits that follow each other in it; none takes out a line break or puts one in."""
    pieces = draw(st.lists(st.tuples(st.text("ab \n", max_size=6), st.text("xy", min_size=1, max_size=4)), max_size=5))
    text, edits = "", []
    for kept, replaced in pieces:
        text += kept
        edits.append(Edit(len(text), len(text) + len(replaced), draw(st.text("XYZ", max_size=12))))
        text += replaced
    return text + draw(st.text("ab \n", max_size=6)), edits


@given(texts_with_edits())
def test_what_was_not_edited_is_found_where_it_stands(text_and_edits: tuple[str, list[Edit]]) -> None:
    text, edits = text_and_edits
    shift = 0
    edits_left = list(edits)
    for offset, character in enumerate(text):
        if edits_left and offset >= edits_left[0].end:
            edit = edits_left.pop(0)
            shift += len(edit.text) - (edit.end - edit.start)
        if character == "\n" or (edits_left and offset >= edits_left[0].start):
            continue
        found = original_place(text, edits, place(edited(text, edits), offset + shift))
        assert found == place(text, offset)


def place(text: str, offset: int) -> Place:
    before = text[:offset]
    return Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def test_names_without_a_dataset_are_sent_with_it() -> None:
    joins = "a JOIN w USING (n) JOIN `b` USING (n) JOIN `c_*` USING (n), raw.d, a.tags"
    text = f"WITH w AS (SELECT 1 AS n)\nSELECT a.n FROM {joins}"
    query = parse_query(text).with_default("my_data")
    assert edited(text, dataset_edits(query, {TableName("my_data", "b"): ()})) == (
        text.replace("FROM a ", "FROM `my_data`.`a` ").replace("`c_*`", "`my_data`.`c_*`")
    )
