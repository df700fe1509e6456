"""`--select`: which tables a selector names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.project.graph import Graph
from pipeline.project.selectors import SELECTOR, SelectionError, select
from tests.pipeline.graphs import graphs, table
from warehouse.names import TableName

A, B, C, D = table("a"), table("b"), table("c"), TableName("final", "d")
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
    ],
)
def test_a_selector_names_tables(selectors: list[str], tables: list[TableName]) -> None:
    assert sorted(select(CHAIN, selectors).dependencies) == sorted(tables)


def test_what_is_left_out_in_between_still_sets_the_order() -> None:
    assert select(CHAIN, ["tmp.a", "final.d"]).dependencies[D] == {A}


@pytest.mark.parametrize(
    ("selector", "message"),
    [
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
        select(CHAIN, ["tmp.a", selector])
    assert message in str(error.value)


@given(graphs(), st.data())
def test_plus_means_all_ancestors_and_all_descendants(graph: Graph, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(graph.dependencies)))
    assert set(select(graph, [f"+{name}"]).dependencies) == {name} | graph.upstream(name)
    assert set(select(graph, [f"{name}+"]).dependencies) == {name} | graph.downstream(name)


@given(graphs(), st.data())
def test_whatever_selects_something_has_the_form_of_a_selector(graph: Graph, data: st.DataObject) -> None:
    text = data.draw(st.text(st.sampled_from("tmp.final_-+*?[]!abcdé, %/"), min_size=1, max_size=12))
    try:
        select(graph, [text])
    except SelectionError:
        return
    assert all(SELECTOR.fullmatch(selector) for selector in text.split())


@pytest.mark.parametrize(
    "text", ["", "+", "variants", "variants.", ".variants", "++tmp.a", "tmp.a;x", "tmp.a,tmp.b", "tmp.a\0"]
)
def test_what_is_no_selector_is_seen_without_a_graph(text: str) -> None:
    assert not SELECTOR.fullmatch(text)


@pytest.mark.parametrize("text", ["tmp.v*", "*", "+*.products", "tmp.item-prices", "été.prix+", "tmp.[ab]", "tmp.?"])
def test_what_selects_tables_in_some_graph_is_a_selector(text: str) -> None:
    assert SELECTOR.fullmatch(text)
