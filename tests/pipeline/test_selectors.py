"""`--select`: which tables a selector names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.graphs import graphs, table
from warehouse_refresh.pipeline.contract import NOTHING_SELECTED
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.selectors import SELECTOR, Named, SelectionError, covers, select
from warehouse_refresh.warehouse.names import TableName

A, B, C, D = table("a"), table("b"), table("c"), TableName("final", "d")
FILES = {name: f"res/{name.dataset}/{name.name}.sql" for name in (A, B, C, D)}
FOUND = {"changed": {B}, "stale": set[TableName](), "git:v1.0~2/x^": {D, TableName("tmp", "gone")}}
NAMED = Named(FILES, {A: ("daily", "money"), C: ("daily",), D: ("weekly",)}, FOUND.__getitem__)
CHAIN = Graph({A: frozenset(), B: frozenset({A}), C: frozenset({B}), D: frozenset({B})})


@pytest.mark.parametrize(
    ("selectors", "tables"),
    [
        ([], [A, B, C, D]),
        (["tmp.b"], [B]),
        (["+tmp.b"], [A, B]),
        (["tmp.b+"], [B, C, D]),
        (["+tmp.b+"], [A, B, C, D]),
        (["tmp.*"], [A, B, C]),
        (["*.d"], [D]),
        (["+final.*"], [A, B, D]),
        (["tmp.a", "final.d"], [A, D]),
        (["tmp.a final.d"], [A, D]),
        (["tmp.[ab]"], [A, B]),
        (["tmp.[!a]"], [B, C]),
        (["t*"], [A, B, C]),
        (["?mp.a+"], [A, B, C, D]),
        (["1+final.d"], [B, D]),
        (["2+final.d"], [A, B, D]),
        (["tmp.a+1"], [A, B]),
        (["0+tmp.b+1"], [B, C, D]),
        (["tmp.*,+final.d"], [A, B]),
        (["path:res/tmp"], [A, B, C]),
        (["path:./res/tmp/"], [A, B, C]),
        (["path:res/*/[ab].sql"], [A, B]),
        (["path:res/final+", "1+tmp.c"], [B, C, D]),
        (["tag:daily"], [A, C]),
        (["tag:*ly", "not:tag:money"], [C, D]),
        (["+tag:weekly"], [A, B, D]),
        (["tag:daily,tmp.c+"], [C]),
        (["not:tmp.c"], [A, B, D]),
        (["changed+"], [B, C, D]),
        (["+changed,tmp.*", "git:v1.0~2/x^"], [A, B, D]),
        (["stale"], []),
        (["stale", "changed"], [B]),
        (["not:changed+"], [A]),
        (["tmp.a,changed"], []),
        (["not:+tmp.b"], [C, D]),
        (["tmp.*", "not:tmp.b not:path:res/tmp/c.sql"], [A]),
        (["tmp.*", "not:tmp.*,+tmp.b"], [C]),
    ],
)
def test_a_selector_names_tables(selectors: list[str], tables: list[TableName]) -> None:
    assert sorted(select(CHAIN, selectors, NAMED).dependencies) == sorted(tables)


def test_what_is_left_out_in_between_still_sets_the_order() -> None:
    assert select(CHAIN, ["tmp.a", "final.d"]).dependencies[D] == {A}


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("tmp.a,tmp.b", "--select tmp.a,tmp.b: no table is in all of its parts"),
        ("tmp.a,", "no script builds tmp.a,"),
        ("path:res/temp", "no script builds path:res/temp; did you mean path:res/tmp"),
        ("tag:dayly", "no table has the tag of tag:dayly; did you mean tag:daily?"),
        ("tag:zzz", "there are tag:daily, tag:money, tag:weekly"),
        ("not:tmp.*", "tmp.a not:tmp.*: nothing is left to build; leave out less"),
        ("not:tmp.bb", "no script builds tmp.bb"),
        ("tmp.bb", "no script builds tmp.bb; did you mean tmp.b?"),
        ("TMP.A", "did you mean tmp.a?"),
        ("b", "no script builds b"),
        ("raw.products", "no script builds raw.products"),
        ("+", "--select '+' selects nothing"),
        ("zzz.*", "`refresh graph` shows all tables"),
    ],
)
def test_a_selector_that_selects_nothing_is_an_error(selector: str, message: str) -> None:
    with pytest.raises(SelectionError) as error:
        select(CHAIN, ["tmp.a", selector], NAMED)
    assert message in str(error.value)
    assert str(error.value).startswith(NOTHING_SELECTED), "the API goes by it"


@given(graphs(), st.data())
def test_plus_means_all_ancestors_and_all_descendants(graph: Graph, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(graph.dependencies)))
    assert set(select(graph, [f"+{name}"]).dependencies) == {name} | graph.upstream(name)
    assert set(select(graph, [f"{name}+"]).dependencies) == {name} | graph.downstream(name)


@given(graphs(), st.data())
def test_whatever_selects_something_has_the_form_of_a_selector(graph: Graph, data: st.DataObject) -> None:
    text = data.draw(st.text(st.sampled_from("tmp.final_-+*?[]!abcdé, %/:1"), min_size=1, max_size=12))
    try:
        select(graph, [text])
    except SelectionError:
        return
    assert all(SELECTOR.fullmatch(selector) for selector in text.split())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "variants",
        "variants.",
        ".variants",
        "++tmp.a",
        "tmp.a;x",
        "tmp.a,",
        ",",
        "not:",
        "path:",
        "tag:",
        "tag:a/b",
        "not:not:tmp.a",
        "tmp.a\0",
    ],
)
def test_what_is_no_selector_is_seen_without_a_graph(text: str) -> None:
    assert not SELECTOR.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        "tmp.v*",
        "*",
        "+*.products",
        "tmp.item-prices",
        "été.prix+",
        "tmp.[ab]",
        "tmp.?",
        "2+a.b+10,path:res/x-*",
        "not:+tag:a_b",
    ],
)
def test_what_selects_tables_in_some_graph_is_a_selector(text: str) -> None:
    assert SELECTOR.fullmatch(text)


@given(graphs(), st.data())
def test_steps_are_the_shortest_way(graph: Graph, data: st.DataObject) -> None:
    name, steps = data.draw(st.sampled_from(sorted(graph.dependencies))), data.draw(st.integers(0, 4))
    near = {name}
    for _ in range(steps):
        near |= {needed for table in near for needed in graph.dependencies[table]}
    assert set(select(graph, [f"{steps}+{name}"]).dependencies) == near


@given(graphs(), st.data())
def test_what_a_run_covers_is_a_part_of_what_it_builds(graph: Graph, data: st.DataObject) -> None:
    name = st.sampled_from(sorted(graph.dependencies)).map(str)
    one = st.tuples(st.sampled_from(["", "+", "not:", "not:+"]), name, st.sampled_from(["", "+"])).map("".join)
    built, wanted = (data.draw(st.lists(one, max_size=3)) for _ in range(2))
    if not covers(built, wanted):
        return
    try:
        tables = set(select(graph, wanted).dependencies)
    except SelectionError:
        return
    assert tables <= set(select(graph, built).dependencies)


@pytest.mark.parametrize(
    ("built", "wanted"),
    [
        ([], ["tmp.a"]),
        (["tmp.a", "tmp.b"], ["tmp.b"]),
        (["not:tmp.a"], ["tmp.b", "not:tmp.a"]),
        (["tmp.*", "not:tmp.a"], ["tmp.*", "not:tmp.b", "not:tmp.a"]),
    ],
)
def test_a_run_covers_what_it_surely_builds(built: list[str], wanted: list[str]) -> None:
    assert covers(built, wanted)


@pytest.mark.parametrize(
    ("built", "wanted"),
    [(["tmp.a"], []), (["not:tmp.a"], []), (["not:tmp.a"], ["tmp.b"]), (["tmp.a"], ["not:tmp.b"])],
)
def test_a_run_that_leaves_something_out_covers_nothing_that_may_need_it(built: list[str], wanted: list[str]) -> None:
    assert not covers(built, wanted)
