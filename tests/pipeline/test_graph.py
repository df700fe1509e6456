"""The graph: order, levels, parts and cycles, for any graph."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.graphs import graphs, table
from warehouse_refresh.pipeline.project.graph import Graph, find_cycles
from warehouse_refresh.warehouse.names import TableName


@given(graphs())
def test_every_table_comes_once_and_after_its_dependencies(graph: Graph) -> None:
    assert sorted(graph.order) == sorted(graph.dependencies)
    position = {name: index for index, name in enumerate(graph.order)}
    for name, dependencies in graph.dependencies.items():
        assert all(position[dependency] < position[name] for dependency in dependencies)


@given(graphs())
def test_a_level_waits_for_the_level_before_it_and_for_nothing_later(graph: Graph) -> None:
    level = {name: index for index, names in enumerate(graph.levels) for name in names}
    for name, dependencies in graph.dependencies.items():
        assert level[name] == 1 + max((level[dependency] for dependency in dependencies), default=-1)


@given(graphs())
def test_upstream_and_downstream_are_each_others_mirror(graph: Graph) -> None:
    for name in graph.dependencies:
        assert all(name in graph.downstream(other) for other in graph.upstream(name))
        assert all(name in graph.upstream(other) for other in graph.downstream(name))
        assert name not in graph.upstream(name)


@given(graphs(), st.randoms())
def test_a_part_keeps_the_order_that_the_whole_demands(graph: Graph, random: st.DataObject) -> None:
    kept = {name for name in graph.dependencies if random.random() < 0.5}  # type: ignore[attr-defined]  # a Random
    part = graph.only(kept)
    assert set(part.dependencies) == kept
    for name in kept:
        assert part.upstream(name) == graph.upstream(name) & kept


@given(graphs())
def test_a_graph_without_cycles_has_none(graph: Graph) -> None:
    assert find_cycles(graph.dependencies) == []


@given(graphs(), st.data())
def test_a_cycle_is_found_and_told_as_a_whole_path(graph: Graph, data: st.DataObject) -> None:
    edges = {name: set(dependencies) for name, dependencies in graph.dependencies.items()}
    start = data.draw(st.sampled_from(sorted(edges)))
    end = data.draw(st.sampled_from([*sorted(graph.upstream(start)), start]))
    edges[end].add(start)
    cycles = find_cycles(edges)
    assert cycles
    for cycle in cycles:
        assert cycle[0] == cycle[-1] == min(cycle)
        assert all(after in edges[before] for before, after in pairwise(cycle))


def test_two_separate_cycles_are_both_found() -> None:
    a, b, c, d = (table(name) for name in "abcd")
    assert find_cycles({a: [b], b: [a], c: [d], d: [c]}) == [[a, b, a], [c, d, c]]


def test_the_longest_chain_goes_first() -> None:
    a, b, c, short = (table(name) for name in ("a", "b", "c", "a_short"))
    graph = Graph({short: frozenset(), a: frozenset(), b: frozenset({a}), c: frozenset({b})})
    assert graph.order[0] == a


def test_a_chain_of_thousands_is_no_trouble() -> None:
    names = [TableName("tmp", f"t{index:05}") for index in range(5000)]
    graph = Graph({name: frozenset(names[index - 1 : index] if index else ()) for index, name in enumerate(names)})
    assert graph.order == names
    assert len(graph.downstream(names[0])) == 4999
