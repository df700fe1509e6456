"""`refresh sync`: the map as the SQL says, and nothing else of it changed."""

import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.commands.random_projects import RAW_TABLES, RandomProject, projects
from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.check import check_project
from warehouse_refresh.pipeline.project.problems import Problem, Refused
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.pipeline.project.sync import sync_map, write_map
from warehouse_refresh.pipeline.raw.sources import declared_sources

MAP = "res/dependencies.toml"
few = settings(max_examples=60, deadline=None)


@contextmanager
def written(project: RandomProject) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        project.write(Path(name))
        yield Path(name)


def synced(folder: Path) -> str:
    _, new = sync_map(folder / "res", folder / MAP)
    write_map(folder / MAP, new)
    return new


def problems_of(folder: Path) -> list[Problem]:
    project = read_project(folder)
    return check_project(project, declared_sources(project)).problems


def declared(text: str) -> dict[str, list[str]]:
    return {
        f"{dataset}.{name}": found for dataset, tables in tomllib.loads(text).items() for name, found in tables.items()
    }


@few
@given(projects())
def test_after_sync_the_check_is_clean_and_the_map_is_what_the_sql_reads(project: RandomProject) -> None:
    with written(project) as folder:
        new = synced(folder)
        assert problems_of(folder) == []
        found = declared(new)
        for table, reads in project.reads.items():
            listed = found.pop(table, [])
            assert len(listed) == len(set(listed))
            assert set(listed) - set(RAW_TABLES) == set(reads) - set(RAW_TABLES)
            assert set(listed) <= set(reads)
        assert not found, "a table without a script is left in the map"


@few
@given(projects())
def test_a_second_sync_changes_nothing(project: RandomProject) -> None:
    with written(project) as folder:
        new = synced(folder)
        assert sync_map(folder / "res", folder / MAP) == (new, new)


@few
@given(projects())
def test_comments_of_what_stays_and_the_lines_ends_are_kept(project: RandomProject) -> None:
    with written(project) as folder:
        new = synced(folder)
        old = project.map or ""
        kept = [line.strip() for line in old.splitlines() if line.startswith("#")]
        assert [line.strip() for line in new.splitlines() if line.strip() in kept] == kept
        if "\r\n" in old:
            assert "\n" not in new.replace("\r\n", "")


@few
@given(projects(), st.data())
def test_a_dependency_taken_out_makes_the_check_fail_with_the_very_line(
    project: RandomProject, data: st.DataObject
) -> None:
    with written(project) as folder:
        full = declared(synced(folder))
        edges = [(table, name) for table, names in full.items() for name in names if name not in RAW_TABLES]
        if not edges:
            return
        table, taken = data.draw(st.sampled_from(edges))
        dataset, name = table.split(".")
        document = tomlkit.parse((folder / MAP).read_bytes().decode())
        document[dataset][name].remove(taken)
        (folder / MAP).write_bytes(tomlkit.dumps(document).encode())
        [problem] = problems_of(folder)
        assert (
            problem.reason
            == f"{table} reads {taken}, but dependencies.toml does not list it, so {taken} may not be built first"
        )
        assert problem.place is not None
        line = project.scripts[table].split("\n")[problem.place.line - 1]
        assert line[problem.place.column - 1 :][: problem.place.length] == f"`{taken}`"
        added = problem.hint.split("write: ")[1].removesuffix(" (or run `refresh sync`)")
        document[dataset][name] = tomllib.loads(added)[name]
        (folder / MAP).write_bytes(tomlkit.dumps(document).encode())
        assert problems_of(folder) == []


GOOD = {
    "res/raw/orders": "",
    "res/tmp/a.sql": "SELECT x FROM `raw.orders`\n",
    "res/tmp/b.sql": "SELECT x FROM `raw.orders`\n",
    "res/final/c.sql": "SELECT a.x FROM `tmp.a` AS a, `tmp.b` AS b\n",
}


def test_the_difference_is_shown_and_written(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**GOOD, MAP: '# ours\n[final]\nc = ["tmp.a", "tmp.gone"] # the shop window\n'})
    assert main(["sync"]) == 0
    assert Path(MAP).read_text() == '# ours\n[final]\nc = ["tmp.a", "tmp.b"] # the shop window\n'
    printed = capsys.readouterr().out
    assert '-c = ["tmp.a", "tmp.gone"] # the shop window\n+c = ["tmp.a", "tmp.b"] # the shop window' in printed
    assert main(["sync"]) == 0
    assert capsys.readouterr().out == f"{MAP} agrees with the SQL\n"


def test_check_says_whether_there_is_a_difference_and_writes_nothing(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    before = "[final]\nc = []\n"
    write({**GOOD, MAP: before})
    assert main(["sync", "--check"]) == 1
    assert '+c = ["tmp.a", "tmp.b"]' in capsys.readouterr().out
    assert Path(MAP).read_text() == before
    assert main(["sync"]) == 0
    assert main(["sync", "--check"]) == 0


def test_without_a_map_one_is_written_those_datasets_first_that_are_built_first(write: Write) -> None:
    write(GOOD | {"res/tmp/b.sql": "SELECT x FROM `tmp.a`\n"})
    assert main(["sync"]) == 0
    text = Path(MAP).read_text()
    assert text.startswith("# Which table is built from which")
    assert text.endswith('\n[tmp]\nb = ["tmp.a"]\n\n[final]\nc = ["tmp.a", "tmp.b"]\n')


def test_a_new_line_stands_in_its_section_before_what_follows_it(write: Write) -> None:
    write(
        GOOD
        | {"res/tmp/b.sql": "SELECT x FROM `tmp.a`\n"}
        | {MAP: '[tmp]\na = []\n\n# the last step\n[final]\nc = ["tmp.a", "tmp.b"]\n'}
    )
    main(["sync"])
    assert Path(MAP).read_text() == (
        '[tmp]\na = []\nb = ["tmp.a"]\n\n# the last step\n[final]\nc = ["tmp.a", "tmp.b"]\n'
    )


def test_a_raw_table_listed_by_hand_stays_if_it_is_read(write: Write) -> None:
    write({**GOOD, MAP: '[tmp]\na = ["raw.orders"]\n[final]\nc = ["raw.orders", "tmp.a", "tmp.b"]\n'})
    main(["sync"])
    assert Path(MAP).read_text() == '[tmp]\na = ["raw.orders"]\n[final]\nc = ["tmp.a", "tmp.b"]\n'


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"res/tmp/a.sql": "SELECT FROM"}, "res/tmp/a.sql:1:"),
        ({"res/tmp/a.sql": "SELECT x FROM orders"}, "orders is neither a WITH query nor a table with its dataset"),
        ({"res/tmp/a.sql": "SELECT x FROM `final.c`"}, "cycle: final.c -> tmp.a -> final.c"),
        ({MAP: "[final\n"}, f"{MAP}:1:"),
        ({MAP: "final = 1\n"}, "final is not a dataset's section"),
        ({MAP: "[final]\nc = 'tmp.a'\n"}, "final.c is not a list of tables"),
    ],
)
def test_what_cannot_be_read_is_refused_and_the_map_left_alone(
    write: Write, files: dict[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**GOOD, MAP: "[final]\nc = []\n", **files})
    before = Path(MAP).read_bytes()
    assert main(["sync"]) == 2
    assert message in capsys.readouterr().err
    assert Path(MAP).read_bytes() == before


def test_a_map_that_is_not_utf8_is_left_alone(write: Write) -> None:
    folder = write(GOOD)
    (folder / MAP).write_bytes(b"# caf\xe9\n")
    with pytest.raises(Refused, match="not UTF-8"):
        sync_map(folder / "res", folder / MAP)
