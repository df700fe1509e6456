"""Pictures of what is read by what."""

import xml.etree.ElementTree as ET
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from warehouse_refresh.catalogue.pictures import Box, around, drawn

NAMES = [f"t.{letter}" for letter in "abcdefgh"]
EDGES = st.sets(st.tuples(st.sampled_from(range(8)), st.sampled_from(range(8))).filter(lambda edge: edge[0] < edge[1]))


def links(edges: set[tuple[int, int]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    reads, readers = defaultdict(list), defaultdict(list)
    for start, end in sorted(edges):
        reads[NAMES[end]].append(NAMES[start])
        readers[NAMES[start]].append(NAMES[end])
    return reads, readers


@given(EDGES, st.integers(0, 4))
def test_each_name_stands_as_many_columns_away_as_there_are_steps(edges: set[tuple[int, int]], steps: int) -> None:
    reads, readers = links(edges)
    columns = around("t.d", reads, readers, steps)
    middle = next(number for number, names in enumerate(columns) if "t.d" in names)
    for number, names in enumerate(columns):
        for name in names:
            assert distance(name, readers if number < middle else reads) == abs(number - middle) <= steps


def distance(name: str, edges: dict[str, list[str]]) -> int:
    steps, last = 0, {name}
    while "t.d" not in last:
        steps, last = steps + 1, {one for each in last for one in edges.get(each, ())}
    return steps


@given(EDGES)
def test_a_picture_is_an_svg_with_a_box_for_each_name_and_a_line_for_each_read(edges: set[tuple[int, int]]) -> None:
    reads, readers = links(edges)
    columns = around("t.d", reads, readers, 2)
    shown = {name for names in columns for name in names}
    svg = ET.fromstring(drawn(columns, reads, lambda name: Box(name, "table", f"{name}.html"), "<&>"))
    assert len(svg.findall(".//rect")) == len(shown)
    assert len(svg.findall("path")) == sum(read in shown for name in shown for read in reads.get(name, ()))


def test_a_column_of_many_says_how_many_it_leaves_out() -> None:
    readers = {"t.d": [f"t.n{number}" for number in range(30)]}
    svg = drawn(around("t.d", {}, readers, 1), {}, lambda name: Box(name, "table"), "")
    assert "and 18 more" in svg
