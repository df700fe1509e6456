"""`refresh check`: what it prints, what it answers, and what a refresh makes of the same faults."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.check import check_project
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.pipeline.raw.init_scripts import read_init_scripts
from warehouse_refresh.pipeline.raw.raw_columns import declared_columns
from warehouse_refresh.pipeline.raw.sources import declared_sources
from warehouse_refresh.pipeline.refresh import plan_refresh
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.duckdb import translations
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.types import Column, parse_type

GOOD = {
    "res/raw/orders": "",
    "db_init/orders.sql": "CREATE OR REPLACE TABLE raw.orders (id INT64, price NUMERIC) AS SELECT 1, NUMERIC '2.5';",
    "res/tmp/a.sql": "SELECT id, price FROM `raw.orders`\n",
    "res/final/b.sql": "SELECT id, price AS cost FROM `tmp.a`\n",
    "res/dependencies.toml": '[final]\nb = ["tmp.a"]\n',
}
WARNING = {"res/dependencies.toml": '[tmp]\na = ["raw.orders"]\n[final]\nb = ["tmp.a", "raw.orders"]\n'}
ERROR = {"res/final/b.sql": "SELECT id,\n  prize AS cost\nFROM `tmp.a`\n"}


def test_the_demonstration_is_clean(demonstration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--strict"]) == 0
    assert capsys.readouterr().out == "8 scripts checked: nothing is wrong\n"
    assert not (demonstration / ".data" / "warehouse.duckdb").exists(), "the check needs no warehouse"


@pytest.mark.parametrize(
    ("files", "arguments", "code"),
    [
        ({}, [], 0),
        ({}, ["--strict"], 0),
        (WARNING, [], 0),
        (WARNING, ["--strict"], 1),
        (ERROR, [], 2),
        ({**WARNING, **ERROR}, ["--strict"], 2),
    ],
)
def test_the_exit_code_tells_errors_from_warnings(
    write: Write, files: dict[str, str], arguments: list[str], code: int
) -> None:
    write({**GOOD, **files})
    assert main(["check", *arguments]) == main(["check", *arguments, "--json"]) == code


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT id FROM `raw.orders` WHERE _PARTITIONDATE = '2024-01-01'", "the pseudo-column _PARTITIONDATE"),
        (
            "SELECT `my-shop.helpers.clean`(id) AS id FROM `raw.orders`",
            "the function my-shop.helpers.clean",
        ),
        ("SELECT id FROM `others.tmp.a`, `my-shop.shared.days`", "my-shop.shared.days, a table of another project"),
    ],
)
def test_what_only_bigquery_has_is_a_warning(
    write: Write, sql: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", "bigquery://others")
    write({**GOOD, "res/tmp/c.sql": sql, "res/dependencies.toml": '[tmp]\nc = ["tmp.a"]\n[final]\nb = ["tmp.a"]\n'})
    assert main(["check"]) == 0
    assert f"only BigQuery has {message}" in capsys.readouterr().out


def test_nothing_but_its_own_words_is_said_of_what_cannot_be_read(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of a library would be printed, too."""
    scripts = ["SELECT JSON_VALUE('{}', '$.a$b') AS x", "SHOW TABLES", "COMMENT ON x IS 'y'"]
    write({**GOOD, **{f"res/tmp/wrong_{number}.sql": text for number, text in enumerate(scripts)}})
    assert main(["check"]) == 2
    assert caplog.records == []


def test_json_says_the_same(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**GOOD, **ERROR, "res/final/c.sql": "SELECT * FROM `final.b`"})
    main(["check", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == ["problems", "not_checked", "project", "left_over", "checks"]
    assert printed["not_checked"] == ["final.c"]
    assert printed["problems"][0] == {
        "file": "res/final/b.sql",
        "line": 2,
        "column": 3,
        "length": 5,
        "severity": "error",
        "reason": "there is no column prize",
        "hint": "did you mean price?",
    }


def test_all_faults_are_told_at_once_in_order_of_file_and_line(write: Write) -> None:
    write(
        {
            **GOOD,
            "res/dependencies.toml": '[tmp]\nnone = []\n[final]\nb = ["tmp.a", "tmp.a"]\n',
            "res/tmp/a.sql": "SELECT id, price FROM `raw.orders` WHERE id = 'x'\n",
            "res/tmp/c.sql": "SELECT UPER('x') AS x\n",
            "res/tmp/d.sql": "SELECT 1 AS x, 2 AS x, 3\n",
        }
    )
    project = read_project(Path())
    problems = check_project(project, declared_sources(project)).problems
    places = [(problem.file.name, problem.place.line if problem.place else 0) for problem in problems]
    assert places == [
        ("dependencies.toml", 2),
        ("dependencies.toml", 4),
        ("a.sql", 1),
        ("c.sql", 1),
        ("d.sql", 1),
        ("d.sql", 1),
    ]


def test_what_reads_a_wrong_script_is_not_blamed_for_it(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**GOOD, "res/tmp/a.sql": "SELECT id, prize FROM `raw.orders`\n"})
    assert main(["check"]) == 2
    printed = capsys.readouterr().out
    assert printed.count("error: ") == 1
    assert "not checked, since what they read is wrong or unknown: final.b\n" in printed


def test_a_raw_table_that_nobody_reads_needs_no_columns(write: Write) -> None:
    write({**GOOD, "res/raw/unused": "", "res/raw/unused.txt": ""})
    assert main(["check", "--strict"]) == 0


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("`region-us`.INFORMATION_SCHEMA.JOBS", "only BigQuery has region-us.INFORMATION_SCHEMA.JOBS"),
        ("EXTERNAL_QUERY('a', 'b')", "only BigQuery has EXTERNAL_QUERY"),
        ("ML.PREDICT(MODEL raw.m, TABLE raw.orders)", "only BigQuery has ML.PREDICT"),
        ("raw.fn(1)", "only BigQuery has the table function raw.fn"),
        ("`other.raw.orders`", "only BigQuery has other.raw.orders, a table of another project"),
        ("raw.orders WHERE _PARTITIONDATE > '2024-01-01'", "only BigQuery has the pseudo-column _PARTITIONDATE"),
    ],
)
def test_a_source_that_only_bigquery_has_is_reported_once(
    write: Write, capsys: pytest.CaptureFixture[str], source: str, reason: str
) -> None:
    write({**GOOD, **{f"res/tmp/x{number}.sql": f"SELECT 1 AS n FROM {source}" for number in range(3)}})
    write({"refresh.toml": 'warehouse = "duckdb:///.data/warehouse.duckdb?project=mine"'})
    assert main(["check"]) == 0
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert [line.partition(": res/tmp/")[2].partition(": ")[2] for line in printed] == [
        f"{reason} (so do 2 other scripts)"
    ]


def test_a_fault_is_known_again_until_its_script_or_its_tables_change(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write({**GOOD, "res/tmp/a.sql": "SELECT id, price, nme FROM `raw.orders`"})
    assert main(["check"]) == 2
    first = capsys.readouterr().out
    assert "res/tmp/a.sql:1:19: there is no column nme" in first
    with monkeypatch.context() as context:
        context.delattr(translations, "_translate")  # it is not translated again
        assert main(["check"]) == 2
    assert capsys.readouterr().out == first
    write({"db_init/orders.sql": "CREATE TABLE raw.orders (id INT64, price NUMERIC, nme STRING);"})
    assert main(["check"]) == 0


def test_live_reports_a_missing_source_once(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**GOOD, "res/tmp/c.sql": "SELECT 1 AS n FROM `raw.orders`", "res/tmp/d.sql": "SELECT 1 AS n FROM `tmp.zz`"})
    assert main(["check", "--live"]) == 2
    reasons = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error: ")]
    assert [line.partition(": res/tmp/")[2] for line in reasons] == [
        "a.sql:1:23: tmp.a reads raw.orders, which does not exist in the warehouse (so does 1 other script)",
        "d.sql:1:20: tmp.d reads tmp.zz, which is neither a script nor a source",
    ]


def test_live_takes_the_columns_that_the_warehouse_has(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(GOOD)
    assert main(["check", "--live"]) == 2
    assert (
        "res/tmp/a.sql:1:23: tmp.a reads raw.orders, which does not exist in the warehouse" in capsys.readouterr().out
    )
    assert main(["init"]) == main(["check", "--live"]) == 0
    write({"db_init/orders.sql": "CREATE OR REPLACE TABLE raw.orders (id INT64);"})
    assert (main(["check", "--live"]), main(["check"])) == (0, 2)


@pytest.mark.parametrize("sql", ["SELECT id + 'x' AS y FROM `raw.orders`", "SELECT ST_GEOGPOINT(1, 2) AS x"])
def test_live_finds_what_a_refresh_would_be_refused_for(
    write: Write, sql: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**GOOD, "res/tmp/wrong.sql": sql})
    assert main(["init"]) == 0
    capsys.readouterr()
    assert (main(["check", "--live"]), main(["build"])) == (2, 2)
    checked, refused = capsys.readouterr()
    assert "error: res/tmp/wrong.sql:1:" in checked
    assert refused.split("\n\n")[0] in checked


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("CREATE TABLE raw.t (a INT64 NOT NULL, b ARRAY<STRING>);", ["a INT64", "b ARRAY<STRING>"]),
        ("CREATE TABLE raw.t (a NUMERIC(10, 2) OPTIONS(description='x')) AS SELECT 1;", ["a NUMERIC(10, 2)"]),
        ("CREATE TABLE raw.t AS SELECT 1 AS a, [STRUCT('x' AS f)] AS b;", ["a INT64", "b ARRAY<STRUCT<f STRING>>"]),
        ("CREATE TABLE raw.s (a DATE); CREATE TABLE raw.t AS SELECT a, 1.5 AS b FROM raw.s;", ["a DATE", "b FLOAT64"]),
        ("CREATE TABLE raw.t (a INT64); CREATE OR REPLACE TABLE raw.t (b STRING);", ["b STRING"]),
        (
            "CREATE TABLE IF NOT EXISTS `raw.t` (a INT64); INSERT INTO raw.t VALUES (1); DELETE FROM raw.t WHERE true;",
            ["a INT64"],
        ),
        ("CREATE TABLE raw.t (a INT64); ALTER TABLE raw.t ADD COLUMN b STRING;", None),
        ("CREATE TABLE raw.t (a INT64); DROP TABLE raw.t;", None),
        ("CREATE TABLE raw.t LIKE raw.s;", None),
    ],
)
def test_the_columns_of_raw_tables_are_read_from_db_init(
    write: Write, statements: str, expected: list[str] | None
) -> None:
    folder = write({"db_init/all.sql": statements})
    declared = declared_columns(read_init_scripts(folder / "db_init"))
    assert not declared.problems
    found = declared.columns.get(TableName("raw", "t"))
    assert (found and [f"{column.name} {column.type}" for column in found]) == expected


REFUSED = {
    "an unknown column": "SELECT nothing FROM `raw.orders`",
    "an unknown function": "SELECT UPER('x') AS x",
    "two columns of one name": "SELECT id, id FROM `raw.orders`",
    "a column without a name": "SELECT id + 1 FROM `raw.orders`",
    "what only BigQuery can run": "SELECT ST_GEOGPOINT(1, 2) AS x",
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_refresh_is_refused_for_the_same_faults_before_its_first_build(
    write: Write, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**GOOD, "res/tmp/wrong.sql": REFUSED[fault]})
    assert main(["init"]) == 0
    assert main(["build"]) == 2
    assert "error: res/tmp/wrong.sql:1:" in capsys.readouterr().err
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.tables("tmp") == warehouse.tables("final") == []


def test_a_refresh_is_checked_against_the_raw_tables_as_they_are(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**GOOD, "db_init/orders.sql": "CREATE OR REPLACE TABLE raw.orders (id INT64);"})
    assert main(["init"]) == 0
    write(GOOD)
    assert main(["check"]) == 0
    assert main(["build"]) == 2
    assert "there is no column price" in capsys.readouterr().err


def test_a_selection_is_checked_against_the_tables_that_it_does_not_build(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(GOOD)
    assert main(["init"]) == main(["build"]) == 0
    write({"res/tmp/a.sql": "SELECT id FROM `raw.orders`\n"})
    assert main(["build", "--select", "final.b"]) == 0, "tmp.a still has its price"
    assert main(["build", "--select", "tmp.a+"]) == 2
    assert "there is no column price" in capsys.readouterr().err


def test_what_was_planned_is_translated_anew_if_a_table_has_changed_since(write: Write) -> None:
    from warehouse_refresh.warehouse import BuildContext, TableBuild
    from warehouse_refresh.warehouse.sql.parser import parse_script

    write({**GOOD, "res/tmp/a.sql": "SELECT id, price FROM `raw.orders` WHERE price = 2.5"})
    assert main(["init"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        plan = plan_refresh(RefreshSettings(Path()), [], warehouse)
        warehouse.create_datasets(["tmp"])
        warehouse.run_script(parse_script("CREATE OR REPLACE TABLE raw.orders AS SELECT 1 AS id, 2.5 AS price"))
        table = TableName("tmp", "a")
        warehouse.build(TableBuild(table, plan.scripts[table].query), BuildContext("test"))
        assert warehouse.columns(table) == (
            Column("id", parse_type("INT64")),
            Column("price", parse_type("FLOAT64")),
        )


def test_a_query_that_the_engine_itself_refuses_is_reported_and_never_built(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**GOOD, "res/tmp/a.sql": "\n  SELECT id, price FROM `raw.orders`\n"})
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    translate = translations._translate

    def wrong(query: Query, columns: translations.Columns, read: dict[Any, Any]) -> translations.Translation:
        made = translate(query, columns, read)
        return replace(made, sql="SELECT nonsense") if "raw.orders" in query.text else made

    monkeypatch.setattr(translations, "_translate", wrong)
    Path(".data/scripts.json").unlink()
    capsys.readouterr()
    for command in (["check", "--strict"], ["build"], ["build"]):
        assert main(command) == {"check": 1, "build": 2}[command[0]]
        printed = "".join(capsys.readouterr())
        assert "res/tmp/a.sql:2:3: the embedded engine cannot run this query as it should" in printed
        assert "nonsense" not in printed


SELF_READ = {
    "res/tmp/history.sql": "SELECT id FROM tmp.history UNION ALL SELECT id FROM raw.orders",
    "res/final/after.sql": "SELECT nothing FROM tmp.history",
    "res/dependencies.toml": '[final]\nafter = ["tmp.history"]\nb = ["tmp.a"]\n',
}


def test_a_script_that_reads_itself_stops_no_check_of_others(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**GOOD, **ERROR, **SELF_READ})
    assert main(["check", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [(problem["file"], problem["reason"]) for problem in found["problems"]] == [
        ("res/final/b.sql", "there is no column prize"),
        ("res/tmp/history.sql", "tmp.history reads itself, so what is in it would depend on how often it was built"),
    ]
    assert found["not_checked"] == ["final.after", "tmp.history"]


@pytest.mark.parametrize(
    "files",
    [
        SELF_READ,
        {**SELF_READ, "res/tmp/history.sql": "SELECT id FROM {{ ref('orders') }}"},
        {**SELF_READ, "res/tmp/history.sql": "SELECT prize FROM raw.orders"},
        {**SELF_READ, "res/tmp/history.sql": "SELECT id FROM raw.orders_of_nobody"},
    ],
    ids=["reads itself", "a template", "an unknown column", "an unknown source"],
)
def test_a_script_that_is_left_out_may_be_wrong(
    write: Write, capsys: pytest.CaptureFixture[str], files: dict[str, str]
) -> None:
    write({**GOOD, **files})
    assert main(["init"]) == 0
    assert main(["build", "final.b+", "tmp.*", "final.after"]) == 2
    assert main(["build", "--exclude", "tmp.history+"]) == 0
    assert "2 of 2 tables built" in capsys.readouterr().out
    assert main(["plan", "--exclude", "path:res/tmp/history.sql", "final.after"]) == 0
    assert main(["graph", "--exclude", "tmp.history+"]) == 0
    capsys.readouterr()
    assert main(["build", "--exclude", "tmp.history"]) == 2
    said = capsys.readouterr().err
    assert "final.after reads tmp.history, which does not exist in the warehouse" in said
    assert "1 problem;" in said


def test_what_two_scripts_lack_is_reported_for_the_second_where_the_first_is_left_out(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**GOOD, "res/final/c.sql": "SELECT * FROM tmp.nowhere", "res/final/d.sql": "SELECT * FROM tmp.nowhere"})
    assert main(["init"]) == 0
    assert main(["build", "--exclude", "final.c"]) == 2
    assert "final.d reads tmp.nowhere, which is neither a script nor a source" in capsys.readouterr().err


def test_what_only_bigquery_describes_is_said_once_with_a_workaround(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = "SELECT table_name FROM raw.INFORMATION_SCHEMA.TABLES"
    names = {"res/tmp/names.sql": tables, "res/tmp/again.sql": tables, "res/tmp/after.sql": "SELECT * FROM tmp.names"}
    write({**GOOD, **names, "res/dependencies.toml": '[final]\nb = ["tmp.a"]\n[tmp]\nafter = ["tmp.names"]\n'})
    assert main(["init"]) == 0
    for command, code in ((["check"], 0), (["check", "--live"], 2), (["plan"], 2), (["build"], 2)):
        capsys.readouterr()
        assert main(command) == code
        said = "".join(capsys.readouterr())
        assert said.count("only BigQuery has raw.INFORMATION_SCHEMA.TABLES (so does 1 other script)") == 1
        assert said.count("INFORMATION_SCHEMA") == 2, "and the line"
        assert "keep what the scripts need of it in a raw table, or leave the script out" in said
    assert main(["build", "--exclude", "tmp.names+", "tmp.again"]) == 0
