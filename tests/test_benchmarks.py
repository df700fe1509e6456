"""What benchmarks/ measures on is what it says it is. How fast anything is, is not tested."""

from pathlib import Path

import pytest

from benchmarks.generate import SHAPES, generate
from benchmarks.makespan import best_known, bound, list_schedule, random_project
from benchmarks.peers import why_not
from benchmarks.posting import CASES
from benchmarks.projects import LARGE, PEERS, names
from benchmarks.report import GOALS, read, tables
from benchmarks.run import PAGE, marks, written
from benchmarks.testing import write_tests
from tests.pipeline.graphs import table
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.reading import read_project


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


@pytest.mark.parametrize("what", ["make bench", "make bench-scale", "make bench-patches"])
def test_the_page_has_a_place_for_what_is_measured(what: str) -> None:
    text = PAGE.read_text()
    begin, end = marks(what)
    assert 0 < text.index(begin) < text.index(end)
    again = written(text, what, ["| new |"])
    assert again.startswith(text[: text.index(begin)])
    assert again.endswith(text[text.index(end) :])
    assert again[again.index(begin) : again.index(end)] == f"{begin}\n\n| new |\n\n"


def found(module: str, seconds: float, **info: object) -> dict[str, object]:
    return {"fullname": f"benchmarks/test_{module}.py::x", "stats": {"min": seconds}, "extra_info": info}


def test_a_ratio_is_the_median_of_those_of_the_rounds_with_its_goal() -> None:
    seconds = {"floor": (1.0, 2.0, 4.0), "refresh build": (1.5, 2.5, 12.0)}
    measured = [
        found("commands", runs[turn], size=8, name=name, round=turn, processor=runs[turn] / 2, megabytes=99 + turn)
        for turn in range(3)
        for name, runs in seconds.items()
    ]
    lines = tables(read({"benchmarks": measured}))
    assert lines[0] == "### 8 scripts"
    assert "| `floor` | 2.00 | 1.00 | 101 |" in lines
    assert "| `refresh build` to `floor` | 1.50 | 1.50 | at most 1.5 |" in lines


def test_a_peer_that_this_machine_cannot_have_is_left_out_with_the_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setenv("PATH", str(folder))
    assert why_not("fusion") == "npm is needed to install DuckDB's library for it"
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert why_not("fusion") == "DuckDB's library for it is known for Linux on x86_64 only"
    assert why_not("dbt") is None


def test_each_name_that_a_goal_compares_is_measured() -> None:
    measured = names(LARGE, PEERS)
    assert {name for goal in GOALS for name in (goal.name, goal.base)} <= set(measured)
    assert len(measured) == len(set(measured))


def test_rows_are_held_to_the_inserts_of_the_same_round() -> None:
    measured = []
    for number, (inserted, posted) in enumerate([(1000, 1100), (2000, 2600), (500, 600)]):
        measured.append(found("posting", 5, rows=0, refresh="idle", round=number, rows_per_second=inserted))
        measured += [
            found("posting", 5, rows=rows, refresh=refresh, clients=16, rows_per_second=posted, p50=1.0, p99=2.0)
            for rows, refresh in CASES[: 1 if number else len(CASES)]
        ]
    made = tables(read({"benchmarks": measured}))
    assert "| one row in a request to that | 1.20 | at least 2.0 |" in made
    assert "| 1 | running | 16 | 1,100 | 1.0 | 2.0 | at most 250 |" in made


def test_the_tests_that_are_timed_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tests(folder, generate("random", 4, folder))
    assert main(["test"]) == 0
    assert capsys.readouterr().out == "4 tests passed\n"
