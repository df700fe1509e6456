"""What benchmarks/ measures on is what it says it is. How fast anything is, is not tested."""

from pathlib import Path

import pytest

from benchmarks.generate import SHAPES, generate
from benchmarks.makespan import best_known, bound, list_schedule, random_project
from benchmarks.run import BEGIN, END, PAGE
from flows.cli import main
from flows.graph import Graph
from flows.project import read_project
from tests.graphs import table


@pytest.mark.parametrize("shape", SHAPES)
def test_a_generated_project_is_valid_and_can_be_built(folder: Path, shape: str) -> None:
    reads = generate(shape, 12, folder)
    assert len(reads) == 12
    assert read_project(folder).problems == ()
    assert main(["init"]) == 0
    assert main(["build"]) == 0


def test_the_shapes_are_what_they_are_called(tmp_path: Path) -> None:
    depths = {}
    for shape in SHAPES:
        generate(shape, 12, tmp_path / shape)
        depths[shape] = len(read_project(tmp_path / shape).graph.levels)
    assert depths["wide"] == 1 < depths["random"] < depths["deep"] == 12


def test_no_schedule_is_better_than_the_bound_and_the_best_known_is_one() -> None:
    for seed in range(3):
        graph, seconds = random_project(20, seed)
        least, best = bound(graph, seconds, 4), best_known(graph, seconds, 4)
        assert least <= best <= list_schedule(graph, seconds, 4, dict.fromkeys(seconds, 0.0))


def test_a_schedule_of_one_worker_takes_all_the_time_and_of_many_the_longest_chain() -> None:
    a, b, c = table("a"), table("b"), table("c")
    graph = Graph({a: frozenset(), b: frozenset({a}), c: frozenset()})
    seconds = {a: 1.0, b: 2.0, c: 4.0}
    assert list_schedule(graph, seconds, 1, seconds) == 7
    assert list_schedule(graph, seconds, 3, seconds) == bound(graph, seconds, 3) == 4


def test_the_page_has_a_place_for_what_is_measured() -> None:
    text = PAGE.read_text()
    assert 0 < text.index(BEGIN) < text.index(END)
