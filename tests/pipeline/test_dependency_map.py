"""Reading res/dependencies.toml, with the place of everything in it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Write
from warehouse_refresh.pipeline.project.dependency_map import read_map
from warehouse_refresh.pipeline.project.toml_places import places_of
from warehouse_refresh.warehouse.errors import Place
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache

MAP = """\
# a comment with "tmp.x" in it
[tmp]
products = ["tmp.product_categories", "tmp.product_images"] # and "tmp.z" here
variants = [
  "tmp.inventory_items",
  # "tmp.not_this",
  'tmp.images',
]

[final]
products = ["tmp.products"]
"""


def test_entries_come_in_order_with_their_places(write: Write) -> None:
    folder = write({"dependencies.toml": MAP})
    entries, problems = read_map(folder / "dependencies.toml")
    assert problems == []
    assert [(str(entry.table), entry.place.line) for entry in entries] == [
        ("tmp.products", 3),
        ("tmp.variants", 4),
        ("final.products", 11),
    ]
    assert [(str(found.table), found.place) for found in entries[1].dependencies] == [
        ("tmp.inventory_items", Place(5, 3, 21)),
        ("tmp.images", Place(7, 3, 12)),
    ]


def test_a_known_map_is_read_from_the_notes(write: Write) -> None:
    path = write({"dependencies.toml": MAP}) / "dependencies.toml"
    cache = SqlCache(path.with_name("notes.json"), "this code")
    with cache:
        read = read_map(path, cache)
    with cache:
        assert cache.recall("map", MAP) is not None
        assert read_map(path, cache) == read


def test_what_is_wrong_with_a_map_is_said_each_time(write: Write) -> None:
    path = write({"dependencies.toml": "[tmp]\na = 1\n"}) / "dependencies.toml"
    with SqlCache(path.with_name("notes.json"), "this code") as cache:
        assert read_map(path, cache) == read_map(path, cache)
        assert read_map(path, cache)[1]


@pytest.mark.parametrize(
    "text",
    [
        'tmp.b = ["tmp.a"]',
        'tmp = { b = ["tmp.a"] }',
        '"tmp"."b" = ["tmp.a"]',
        '[ "tmp" ]\nb = ["tmp.a"]',
        '[tmp]\r\nb = ["tmp.a"]',
    ],
)
def test_toml_may_be_written_in_other_ways(write: Write, text: str) -> None:
    [entry], problems = read_map(write({"map.toml": text}) / "map.toml")
    assert problems == []
    assert entry.table == TableName("tmp", "b")
    line = text.replace("\r", "").split("\n")[entry.dependencies[0].place.line - 1]
    assert line[entry.dependencies[0].place.column - 1 :].startswith('"tmp.a"')


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('[tmp]\na = ["tmp.b"\n', 2, "this is not TOML"),
        ("[tmp]\na = []\na = []\n", 3, "this is not TOML"),
        ("[tmp\n", 1, "this is not TOML"),
        ("x = 1\n", 1, "x is not a dataset's section"),
        ('[tmp]\na = "tmp.b"\n', 2, "tmp.a is not a list of tables"),
        ('[tmp]\na = ["b"]\n', 2, "tmp.a lists 'b', which is not a table's name"),
        ('[tmp]\na = ["p.d.b"]\n', 2, "tmp.a lists 'p.d.b', which is not a table's name"),
        ("[tmp]\na = [\n  3,\n]\n", 3, "tmp.a lists 3, which is not a table's name"),
        ('[tmp]\na = [\n  "tmp.b",\n  "tmp.b",\n]\n', 4, "tmp.a lists tmp.b twice"),
    ],
)
def test_a_fault_is_told_with_its_line_and_the_way_out(write: Write, text: str, line: int, reason: str) -> None:
    _, [problem] = read_map(write({"map.toml": text}) / "map.toml")
    assert problem.place is not None
    assert (problem.place.line, problem.reason[: len(reason)]) == (line, reason)
    assert problem.hint


def test_a_map_that_is_missing_or_not_utf8_is_one_problem(folder: Path) -> None:
    assert read_map(folder / "map.toml")[1][0].reason == "there is no dependency map"
    (folder / "map.toml").write_bytes(b"[tmp]\nca\xe9 = []")
    assert "not UTF-8" in read_map(folder / "map.toml")[1][0].reason


names = st.text("abc_0", min_size=1, max_size=5)
comments = st.sampled_from(["", ' # "tmp.x", [', "  # ]"])


@given(st.data())
def test_every_place_points_at_what_it_is_the_place_of(data: st.DataObject) -> None:
    sections = data.draw(
        st.dictionaries(names, st.dictionaries(names, st.lists(names, max_size=4), max_size=4), max_size=3)
    )
    lines = []
    for section, entries in sections.items():
        lines.append(f"[{section}]{data.draw(comments)}")
        for key, values in entries.items():
            separator = data.draw(st.sampled_from([", ", ",\n  ", f",{data.draw(comments)}\n\t"]))
            lines.append(f"{key} = [{separator.join(repr(value) for value in values)}]{data.draw(comments)}")
    text = "\n".join(lines)
    places = places_of(text)

    def at(*path: str | int) -> str:
        place = places[path]
        return text.split("\n")[place.line - 1][place.column - 1 :][: place.length]

    for section, entries in sections.items():
        assert at(section) == section
        for key, values in entries.items():
            assert at(section, key) == key
            assert [at(section, key, index) for index in range(len(values))] == [repr(value) for value in values]
