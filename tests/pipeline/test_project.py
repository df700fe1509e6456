"""Scripts and map, held against each other: every problem, with its file, its line and the way out."""

from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.pipeline.project.problems import LONGEST_LINE, Refused, Severity, errors_in
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.warehouse.names import TableName

GOOD = {
    "res/raw/orders": "",
    "res/tmp/a.sql": "SELECT * FROM `raw.orders`",
    "res/final/b.sql": "SELECT *\nFROM `tmp.a`",
    "res/dependencies.toml": '[final]\nb = ["tmp.a"]\n',
}


def test_the_demonstration_is_in_order(demonstration: Path) -> None:
    project = read_project(demonstration)
    assert project.problems == ()
    assert [len(level) for level in project.graph.levels] == [5, 2, 1]
    assert project.graph.dependencies[TableName("tmp", "products")] == {
        TableName("tmp", "product_images"),
        TableName("tmp", "product_categories"),
    }


CASES = {
    "a key without a script": (
        {"res/dependencies.toml": '[final]\nb = ["tmp.a"]\nc = []\n'},
        "res/dependencies.toml:3:1: no script builds final.c",
        "did you mean final.b?",
    ),
    "a dependency that is nowhere": (
        {"res/dependencies.toml": '[final]\nb = ["tmp.a", "tmp.orders"]\n'},
        "res/dependencies.toml:2:15: final.b depends on tmp.orders, which is neither a script nor a source",
        "did you mean raw.orders?",
    ),
    "a raw table that is nowhere": (
        {"res/dependencies.toml": '[final]\nb = ["tmp.a", "raw.order"]\n'},
        "res/dependencies.toml:2:15: final.b depends on raw.order, which is neither",
        "did you mean raw.orders?",
    ),
    "a table that depends on itself": (
        {"res/dependencies.toml": '[final]\nb = ["tmp.a", "final.b"]\n'},
        "res/dependencies.toml:2:15: final.b depends on itself",
        "delete final.b from its list",
    ),
    "a cycle": (
        {
            "res/tmp/a.sql": "SELECT * FROM `final.b`",
            "res/dependencies.toml": '[final]\nb = ["tmp.a"]\n[tmp]\na = ["final.b"]\n',
        },
        "res/dependencies.toml:2:1: the dependencies form a cycle: final.b -> tmp.a -> final.b",
        "remove one of these",
    ),
    "a duplicate entry": (
        {"res/dependencies.toml": '[final]\nb = ["tmp.a", "tmp.a"]\n'},
        "res/dependencies.toml:2:15: final.b lists tmp.a twice",
        "delete one of them",
    ),
    "two scripts for one table": (
        {"res/tmp/A.sql": "SELECT 1 AS x"},
        "res/tmp/a.sql: tmp.a is also built by res/tmp/A.sql",
        "delete or rename one of them",
    ),
    "an empty script": (
        {"res/tmp/a.sql": "-- nothing here\n"},
        "res/tmp/a.sql: the script is empty",
        "write one SELECT",
    ),
    "several statements": (
        {"res/tmp/a.sql": "SELECT 1 AS x; SELECT 2 AS x;"},
        "res/tmp/a.sql:1:16: the script holds 2 statements",
        "keep one SELECT",
    ),
    "not a query": (
        {"res/tmp/a.sql": "INSERT INTO tmp.a SELECT 1 AS x"},
        "res/tmp/a.sql:1:1: the script is not a query but an INSERT",
        "write its SELECT alone",
    ),
    "a syntax error": (
        {"res/tmp/a.sql": "SELECT *\nFROM `raw.orders` WHERE WHERE x"},
        "res/tmp/a.sql:2:25: syntax error at 'WHERE': something is missing before it",
        "",
    ),
    "an open quote": (
        {"res/tmp/a.sql": "SELECT 'x"},
        "res/tmp/a.sql:1:8: the SQL cannot be read: ' is left open",
        "write ' where it ends",
    ),
    "a dependency that the map leaves out": (
        {"res/dependencies.toml": "[final]\nb = []\n"},
        "res/final/b.sql:2:6: final.b reads tmp.a, but dependencies.toml does not list it, so tmp.a may not be built",
        'under [final] in res/dependencies.toml write: b = ["tmp.a"]',
    ),
    "a table that is nowhere": (
        {"res/tmp/a.sql": "SELECT *\nFROM `raw.ordres`"},
        "res/tmp/a.sql:2:6: tmp.a reads raw.ordres, which is neither a script nor a source",
        "did you mean raw.orders?",
    ),
    "a script that reads itself": (
        {"res/tmp/a.sql": "SELECT * FROM `tmp.a`"},
        "res/tmp/a.sql:1:15: tmp.a reads itself, so what is in it would depend on how often it was built",
        "`--exclude tmp.a` builds the other tables",
    ),
    "a table without its dataset": (
        {"res/tmp/a.sql": "SELECT * FROM orders"},
        "res/tmp/a.sql:1:15: orders is neither a WITH query nor a table with its dataset",
        "write `dataset.orders`",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_told_with_place_reason_and_way_out(write: Write, name: str) -> None:
    files, where_and_what, way_out = CASES[name]
    write({**GOOD, **files})
    project = read_project(Path())
    [problem] = errors_in([*project.problems, *project.undeclared])
    assert str(problem).startswith(f"error: {where_and_what}")
    assert way_out in problem.hint
    if not project.undeclared:
        with pytest.raises(Refused):
            _ = project.graph


def test_all_problems_are_told_at_once_in_order(write: Write) -> None:
    write(
        {
            **GOOD,
            "res/tmp/a.sql": "SELECT * FROM `tmp.elsewhere`",
            "res/tmp/c.sql": "",
            "res/dependencies.toml": '[final]\nb = ["tmp.a", "tmp.nowhere"]\nx = []\n',
        }
    )
    with pytest.raises(Refused) as refused:
        _ = read_project(Path()).graph
    assert [(str(problem.file), problem.place and problem.place.line) for problem in refused.value.problems] == [
        ("res/dependencies.toml", 2),
        ("res/dependencies.toml", 3),
        ("res/tmp/a.sql", 1),
        ("res/tmp/c.sql", None),
    ]


def test_the_sql_is_shown_with_the_place_underlined(write: Write) -> None:
    write({**GOOD, "res/tmp/a.sql": "SELECT\n\tx\nFROM\t`raw.ordres` AS o"})
    [problem] = read_project(Path()).undeclared
    assert str(problem).split("\n")[1:] == [
        "  3 | FROM\t`raw.ordres` AS o",
        "    |     \t^^^^^^^^^^^^",
        "  help: did you mean raw.orders?",
    ]


@pytest.mark.parametrize("before", [0, 50, 79, 80, 81, 500])
@pytest.mark.parametrize("after", [0, 79, 80, 500])
def test_of_a_long_line_what_is_near_the_place_is_shown(write: Write, before: int, after: int) -> None:
    write({**GOOD, "res/tmp/a.sql": f"SELECT '{'x' * before}' AS x FROM `raw.ordres`  -- {'y' * after}"})
    [problem] = read_project(Path()).undeclared
    _, shown, marks, _ = str(problem).split("\n")
    assert shown[marks.index("^") : marks.rindex("^") + 1] == "`raw.ordres`"
    assert len(shown) <= len("  1 | ") + LONGEST_LINE + len("……")


def test_a_dependency_that_the_script_does_not_read_is_a_warning(write: Write) -> None:
    write({**GOOD, "res/tmp/c.sql": "SELECT 1 AS x", "res/dependencies.toml": '[final]\nb = ["tmp.a", "tmp.c"]\n'})
    project = read_project(Path())
    [problem] = project.problems
    assert problem.severity is Severity.WARNING
    assert "final.b depends on tmp.c but does not read it" in str(problem)
    assert len(project.graph.dependencies[TableName("final", "b")]) == 2


def test_somebody_elses_folders_are_taken_as_they_are(write: Write) -> None:
    """Other names, other files than tables, a raw table listed but never created, more folders."""
    write(
        {
            "res/README.md": "notes",
            "res/.hidden.sql": "not sql",
            "res/raw/orders.csv": "id\n",
            "res/raw/never_created.txt": "",
            "res/raw/.gitkeep": "",
            "res/stage_1/orders.sql": "SELECT * FROM `raw.orders`",
            "res/stage_1/notes.txt": "",
            "res/stage_1/.draft.sql": "SELEC",
            "res/marts/Umsätze 2026.sql": "SELECT * FROM `stage_1.orders`",
            "res/empty/.gitkeep": "",
            "res/dependencies.toml": '[marts]\n"Umsätze 2026" = ["stage_1.orders", "raw.never_created"]\n',
        }
    )
    project = read_project(Path())
    assert [problem.severity for problem in project.problems] == [Severity.WARNING]  # raw.never_created is not read
    assert list(map(str, project.graph.order)) == ["stage_1.orders", "marts.Umsätze 2026"]


def test_a_raw_table_that_db_init_creates_need_not_be_listed(write: Write) -> None:
    write(
        {
            "res/tmp/a.sql": "SELECT * FROM `raw.made`",
            "res/dependencies.toml": "",
            "db_init/made.sql": "CREATE OR REPLACE TABLE raw.made (id INT64) AS SELECT 1",
        }
    )
    assert read_project(Path()).problems == ()


def test_a_script_is_never_ignored_in_silence(write: Write) -> None:
    write({**GOOD, "res/raw/orders.sql": "SELECT 1 AS x", "res/loose.sql": "SELECT 1 AS x"})
    problems = read_project(Path()).problems
    assert [str(problem.file) for problem in problems] == ["res/loose.sql", "res/raw/orders.sql"]
    assert all(problem.severity is Severity.WARNING for problem in problems)


def test_folders_in_a_datasets_folder_only_group_its_scripts(write: Write) -> None:
    write(
        {
            **GOOD,
            "res/tmp/orders/lines.sql": "SELECT 1 AS x",
            "res/tmp/orders/deep/er/taxes.SQL": "SELECT x FROM `tmp.lines`",
            "res/tmp/orders/README.md": "notes",
            "res/tmp/orders/.hidden/no.sql": "SELEC",
            "res/dependencies.toml": '[tmp]\ntaxes = ["tmp.lines"]\n[final]\nb = ["tmp.a"]\n',
        }
    )
    project = read_project(Path())
    assert project.problems == ()
    assert {"tmp.lines", "tmp.taxes"} <= set(map(str, project.graph.order))


def test_a_name_in_two_folders_of_a_dataset_is_an_error(write: Write) -> None:
    write({**GOOD, "res/tmp/deeper/a.sql": "SELECT 1 AS x"})
    [problem] = read_project(Path()).problems
    assert str(problem).startswith("error: res/tmp/deeper/a.sql: tmp.a is also built by res/tmp/a.sql")


def test_a_source_may_stand_in_any_dataset(write: Write) -> None:
    """Nothing names a table of `shop`; a file names one of `crm`, and one of `tmp`, where scripts build tables."""
    write(
        {
            "res/crm/people.csv": "id\n1\n",
            "res/tmp/loaded": "",
            "res/tmp/a.sql": "SELECT 1 AS x FROM `shop.orders`, `crm.people`, `tmp.loaded`",
            "res/dependencies.toml": '[tmp]\na = ["shop.orders"]\n',
        }
    )
    project = read_project(Path())
    assert (project.problems, project.undeclared) == ((), ())
    assert {str(table) for table in project.sources} == {"crm.people", "tmp.loaded"}


def test_an_unknown_table_is_reported_once_however_many_scripts_read_it(write: Write) -> None:
    write(
        {
            **GOOD,
            "res/tmp/c.sql": "SELECT * FROM `raw.order`",
            "res/tmp/d.sql": "SELECT 1 AS x\nFROM `raw.order`, `tmp.aa`",
            "res/tmp/e.sql": "SELECT * FROM `tmp.aa`",
        }
    )
    project = read_project(Path())
    [problem] = project.undeclared
    assert "tmp.c reads raw.order, which is neither a script nor a source (so does 1 other script)" in str(problem)
    assert problem.hint == "did you mean raw.orders?"
    [other] = project.problems
    assert other.reason == "tmp.d reads tmp.aa, which is neither a script nor a source (so does 1 other script)"


def test_an_unknown_table_that_the_map_lists_too_is_reported_once(write: Write) -> None:
    write({**GOOD, "res/final/b.sql": "SELECT * FROM `tmp.aa`", "res/dependencies.toml": '[final]\nb = ["tmp.aa"]\n'})
    [problem] = read_project(Path()).problems
    assert problem.reason == "final.b reads tmp.aa, which is neither a script nor a source"


def test_a_cycle_of_scripts_is_reported_without_the_lines_that_the_map_lacks(write: Write) -> None:
    write(
        {
            **GOOD,
            "res/tmp/a.sql": "SELECT c.id FROM `tmp.c` AS c",
            "res/tmp/c.sql": "SELECT d.id FROM `tmp.d` AS d",
            "res/tmp/d.sql": "SELECT a.id FROM `tmp.a` AS a",
        }
    )
    [problem] = read_project(Path()).problems
    assert problem.reason == "the scripts read each other in a cycle: tmp.a -> tmp.c -> tmp.d -> tmp.a"


def test_a_cycle_of_the_map_names_the_line_that_no_script_needs(write: Write) -> None:
    write({**GOOD, "res/dependencies.toml": '[final]\nb = ["tmp.a"]\n[tmp]\na = ["final.b"]\n'})
    [problem] = read_project(Path()).problems
    assert problem.reason == "the dependencies form a cycle: final.b -> tmp.a -> final.b"
    assert problem.hint == 'tmp.a does not read final.b: delete "final.b" from its list'


def test_a_script_that_reads_itself_is_reported_once_though_the_map_says_so_too(write: Write) -> None:
    own_map = '[final]\nb = ["tmp.a"]\n[tmp]\na = ["tmp.a"]\n'
    write({**GOOD, "res/tmp/a.sql": "SELECT * FROM `tmp.a`", "res/dependencies.toml": own_map})
    [problem] = read_project(Path()).problems
    assert problem.reason.startswith("tmp.a reads itself")


def test_a_file_that_is_not_utf8_is_told_with_its_place(write: Write) -> None:
    (write(GOOD) / "res/tmp/a.sql").write_bytes(b"SELECT 1 AS x,\n  'caf\xe9' AS y")
    [problem] = read_project(Path()).problems
    assert str(problem).startswith("error: res/tmp/a.sql:2:7: the file is not UTF-8: byte 0xe9")


def test_a_byte_order_mark_is_no_part_of_the_sql(write: Write) -> None:
    (write(GOOD) / "res/tmp/a.sql").write_bytes(b"\xef\xbb\xbfSELECT * FROM `raw.orders`")
    assert read_project(Path()).problems == ()


def test_a_folder_without_res_is_refused(folder: Path) -> None:
    with pytest.raises(Refused, match="run this in the project's folder"):
        read_project(folder)
