"""The law of `changed+`: after any edits it builds exactly what differs from a full build, and never too little."""

import json
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.commands.test_any_folder import in_a_folder
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

some = settings(max_examples=5, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
RAW = ["raw.p", "raw.q"]
NAMES = [f"tmp.t{number}" for number in range(6)]


class Scripts:
    """A project whose table number n reads raw tables and tables before it, multiplies by `factor`, and has a comment
    and a description. An edit answers whether the tables' rows or settings differ."""

    def __init__(self, reads: list[set[str]]) -> None:
        self.reads = [one or {"raw.p"} for one in reads]
        self.factor = [1] * len(reads)
        self.comment = [0] * len(reads)
        self.description = [""] * len(reads)

    def write(self, folder: Path) -> None:
        """Write the files."""
        (folder / "res/tmp").mkdir(parents=True, exist_ok=True)
        for number, reads in enumerate(self.reads):
            parts = [f"SELECT x * {self.factor[number]} AS x FROM {read}" for read in sorted(reads)]
            comment = f"-- {self.comment[number]}\n" * self.comment[number]
            text = f"{comment}{(' ' * self.comment[number] + ' UNION ALL ').join(parts)}"
            (folder / f"res/tmp/t{number}.sql").write_text(text)
            if self.description[number]:
                (folder / f"res/tmp/t{number}.toml").write_text(f'description = "{self.description[number]}"')
        lines = [f"t{n} = {json.dumps(sorted(reads - {*RAW}))}" for n, reads in enumerate(self.reads)]
        (folder / "res/dependencies.toml").write_text("\n".join(["[tmp]", *lines]))

    def after(self, edited: set[int]) -> set[str]:
        """The tables of these numbers, and all that are built from them."""
        found: set[str] = set()
        for number, reads in enumerate(self.reads):
            if number in edited or reads & found:
                found.add(NAMES[number])
        return found


@st.composite
def projects(draw: st.DrawFn) -> Scripts:
    count = draw(st.integers(2, len(NAMES)))
    return Scripts([set(draw(st.lists(st.sampled_from([*RAW, *NAMES[:n]]), max_size=3))) for n in range(count)])


def edits(scripts: Scripts, number: int) -> dict[str, Callable[[], bool]]:
    """Ways to edit a script; each answers whether it is a change."""

    def comment() -> bool:
        scripts.comment[number] += 1
        return False

    def factor() -> bool:
        scripts.factor[number] += 1
        return True

    def description() -> bool:
        scripts.description[number] += "."
        return True

    def read() -> bool:
        before = scripts.reads[number]
        scripts.reads[number] = before | {"raw.q"}
        return "raw.q" not in before

    return {"comment": comment, "factor": factor, "description": description, "read": read}


def build(*words: str) -> set[str]:
    printed = StringIO()
    with redirect_stdout(printed):
        assert main(["build", "--json", *words]) == 0
    return {row["table"] for row in json.loads(printed.getvalue())["tables"]}


def rows(scripts: Scripts) -> dict[str, list[str]]:
    with connect(DEFAULT_URL) as warehouse:
        names = NAMES[: len(scripts.reads)]
        return {name: sorted(map(str, warehouse.first_rows(TableName.parse(name), 10_000))) for name in names}


def the_law(scripts: Scripts, data: st.DataObject) -> None:
    with in_a_folder() as folder:
        (folder / "db_init").mkdir()
        (folder / "db_init/raw.sql").write_text("".join(f"CREATE TABLE {one} AS SELECT 2 AS x;" for one in RAW))
        scripts.write(folder)
        assert main(["init"]) == 0
        build()
        for _ in range(data.draw(st.integers(1, 3))):
            edited = set()
            for _ in range(data.draw(st.integers(0, 3))):
                number = data.draw(st.integers(0, len(scripts.reads) - 1))
                kinds = edits(scripts, number)
                if kinds[data.draw(st.sampled_from(sorted(kinds)))]():
                    edited.add(number)
            scripts.write(folder)
            assert build(data.draw(st.sampled_from(["changed+", "stale"]))) == scripts.after(edited)
        found = rows(scripts)
        build()
        assert found == rows(scripts)


@some
@given(projects(), st.data())
def test_after_some_edits_exactly_what_differs_is_built(scripts: Scripts, data: st.DataObject) -> None:
    the_law(scripts, data)


@pytest.mark.slow
@many
@given(projects(), st.data())
def test_after_any_edits_exactly_what_differs_is_built(scripts: Scripts, data: st.DataObject) -> None:
    the_law(scripts, data)
