"""Each broken example gives the message that is written down beside it."""

import re

import pytest

from tests.commands.broken_examples import EXAMPLES, EXPECTED, FOLDER, checked

_PLACE = re.compile(r"^(?:error|warning): (\S+?)(?::(\d+):(\d+))?: ")


def test_there_are_examples_of_everything() -> None:
    assert len(EXAMPLES) >= 60
    for kind in ("map", "script", "drift", "sql", "column"):
        assert any(name.startswith(kind) for name in EXAMPLES), kind


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_fault_gives_its_message(name: str) -> None:
    printed, code = checked(name)
    assert printed == (FOLDER / name / EXPECTED).read_text(encoding="utf-8")
    assert code == (2 if "error: " in printed else 0)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_message_names_a_file_that_is_there_and_a_way_out(name: str) -> None:
    *problems, _ = (FOLDER / name / EXPECTED).read_text(encoding="utf-8").split("\n\n")
    for problem in (text for text in problems if not text.startswith("not checked")):
        found = _PLACE.match(problem)
        assert found, problem
        assert (FOLDER / name / found[1]).is_file() or "there is no dependency map" in problem
        assert "\n  help: " in problem, f"no way out: {problem}"


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.startswith(("sql", "drift", "column"))])
def test_the_underlined_text_stands_where_the_message_says(name: str) -> None:
    text = (FOLDER / name / EXPECTED).read_text(encoding="utf-8")
    for problem in text.split("\n\n")[:-1]:
        found = _PLACE.match(problem)
        if found is None:
            continue
        assert found[2], f"no line: {problem}"
        line = (FOLDER / name / found[1]).read_text(encoding="utf-8").splitlines()[int(found[2]) - 1]
        _, shown, marks, *_ = problem.split("\n")
        lead = f"  {found[2]} | "
        assert shown == lead + line
        assert marks.index("^") == len(lead) + int(found[3]) - 1
        assert len(marks) <= len(shown)
