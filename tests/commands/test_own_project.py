"""Names with a project: the scripts' own tables are found behind them by every command, and nobody else's are."""

import json
from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.urls import project_of

QUOTINGS = ["`{}.tmp.a`", "`{}`.tmp.a", "`{}`.`tmp`.`a`", "{}.tmp.a", "`{}.tmp`.a"]
MAP = Path("res/dependencies.toml")


def project(quoting: str, name: str = "my-shop") -> dict[str, str]:
    """A script that reads another one by its name with a project."""
    return {
        "db_init/orders.sql": f"CREATE OR REPLACE TABLE `{name}.raw.orders` (id INT64, price NUMERIC);\n"
        f"INSERT INTO `{name}`.raw.orders VALUES (1, 2.5);",
        "res/tmp/a.sql": f"SELECT id, price * 2 AS price FROM `{name}.raw.orders`",
        "res/final/b.sql": f"SELECT SUM(price) AS total FROM {quoting.format(name)} AS a",
        "res/dependencies.toml": '# ours\n[final]\nb = ["tmp.a"] # stays\n',
    }


def built_total(url: str) -> object:
    with connect(url) as warehouse:
        [(total,)] = warehouse.first_rows(TableName("final", "b"), 2)
    return total


@pytest.mark.parametrize(
    ("quoting", "name"), [*((quoting, "my-shop") for quoting in QUOTINGS), ("{}.tmp.a", "my-shop-123")]
)
def test_on_duckdb_every_command_sees_the_dependency(
    write: Write, quoting: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project(quoting, name))
    before = MAP.read_text()
    assert main(["sync"]) == main(["check", "--strict"]) == main(["init"]) == main(["build"]) == 0
    assert MAP.read_text() == before
    assert built_total("duckdb:///.data/warehouse.duckdb") == 5
    capsys.readouterr()
    assert main(["plan", "--json"]) == 0
    steps = {table["table"]: table["step"] for table in json.loads(capsys.readouterr().out)["tables"]}
    assert steps == {"tmp.a": 1, "final.b": 2}
    assert main(["graph"]) == main(["graph", "--columns", "final.b"]) == 0
    printed = capsys.readouterr().out
    assert "tmp_a --> final_b" in printed
    assert "└─ tmp.a.price\n   └─ raw.orders.price" in printed


@pytest.mark.parametrize("quoting", QUOTINGS)
def test_on_bigquery_the_project_of_the_url_is_the_own_one(
    write: Write, quoting: str, bigquery_url: str, bigquery_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project(quoting, bigquery_project))
    monkeypatch.setenv("WAREHOUSE_URL", bigquery_url)
    before = MAP.read_text()
    assert main(["sync"]) == main(["init"]) == main(["plan"]) == 0
    assert MAP.read_text() == before
    if quoting != "{}.tmp.a":  # the emulator does not read dashes without back-ticks
        assert main(["build"]) == 0
        assert built_total(bigquery_url) == 5


def test_sync_writes_the_dependency_and_without_it_the_order_is_not_safe(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**project(QUOTINGS[0]), str(MAP): ""})
    assert main(["check"]) == main(["build"]) == 2
    assert "final.b reads tmp.a, but dependencies.toml does not list it" in capsys.readouterr().out
    assert main(["sync"]) == main(["check"]) == 0
    assert 'b = ["tmp.a"]' in MAP.read_text()


def test_a_check_says_which_project_it_takes_for_the_own_one(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project(QUOTINGS[0]))
    assert main(["check"]) == 0
    assert capsys.readouterr().out.count("my-shop is taken for this project") == 1
    assert main(["check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["project"] == "my-shop"
    monkeypatch.setenv("WAREHOUSE_URL", "duckdb:///.data/warehouse.duckdb?project=my-shop")
    assert main(["check"]) == 0
    assert "my-shop" not in capsys.readouterr().out


def test_of_two_projects_neither_is_taken_until_a_setting_says_which(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write({**project(QUOTINGS[0]), "res/tmp/c.sql": "SELECT id FROM `others.raw.orders`"})
    before = MAP.read_text()
    for command in (["sync"], ["check"], ["build"], ["plan"], ["graph"]):
        assert main(command) == 2
        printed = "".join(capsys.readouterr())
        assert (
            "res/tmp/c.sql:1:16: the scripts name the datasets of res/ in several projects: my-shop, others" in printed
        )
        assert "?project=PROJECT" in printed
    assert MAP.read_text() == before
    monkeypatch.setenv("WAREHOUSE_URL", "duckdb:///warehouse.duckdb?project=my-shop")
    assert main(["sync"]) == main(["check"]) == main(["init"]) == 0
    assert Path("warehouse.duckdb").is_file()
    capsys.readouterr()
    assert main(["build"]) == 2
    assert "only BigQuery has others.raw.orders, a table of another project" in capsys.readouterr().err
    with connect("duckdb:///warehouse.duckdb") as warehouse:
        assert warehouse.tables("tmp") == []


def test_a_table_of_another_project_is_no_dependency_and_bigquery_reads_it(
    write: Write, bigquery_url: str, bigquery_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other project's table has the name of a table of ours, which is built from it."""
    url = bigquery_url.replace(bigquery_project, f"{bigquery_project}-x")
    for target, number in ((url, 7), (bigquery_url, 1)):
        write({"db_init/a.sql": f"CREATE OR REPLACE TABLE raw.n AS SELECT {number} AS n", "res/raw/n": ""})
        monkeypatch.setenv("WAREHOUSE_URL", target)
        assert main(["init"]) == 0
    write(
        {
            "res/tmp/a.sql": f"SELECT n FROM `{bigquery_project}-x.raw.n`",
            "res/tmp/b.sql": f"SELECT a.n + n.n AS total FROM tmp.a, `{bigquery_project}`.raw.n",
            str(MAP): "",
        }
    )
    assert main(["sync"]) == main(["check"]) == main(["build"]) == 0
    with connect(bigquery_url) as warehouse:
        assert warehouse.first_rows(TableName("tmp", "b"), 2) == [(8,)]


@pytest.mark.parametrize(
    "view", ["`my-shop.tmp.INFORMATION_SCHEMA.TABLES`", "`region-us`.INFORMATION_SCHEMA.JOBS", "tmp.__TABLES__"]
)
def test_a_script_that_reads_what_describes_tables_is_refused_on_duckdb_alone(
    write: Write, view: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**project(QUOTINGS[0]), "res/tmp/meta.sql": f"SELECT 1 AS one FROM {view}"})
    assert main(["check"]) == 0
    printed = capsys.readouterr().out
    assert "only BigQuery has" in printed
    assert printed.count("warning: ") == 1
    assert "not checked" not in printed
    assert main(["init"]) == 0
    assert main(["build"]) == 2
    assert "error: res/tmp/meta.sql:1:" in capsys.readouterr().err
    assert main(["build", "--select", "+final.b"]) == 0


def test_db_init_makes_tables_of_the_own_project_only(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write({**project(QUOTINGS[0]), "db_init/x.sql": "SELECT 1;\nDROP TABLE IF EXISTS `others.raw.orders`"})
    for url in ("duckdb:///warehouse.duckdb", "bigquery://my-shop", "duckdb:///warehouse.duckdb?project=my-shop"):
        monkeypatch.setenv("WAREHOUSE_URL", url)
        assert main(["init"]) == 2
        message = "error: db_init/x.sql:2:1: raw.orders would be created in the project others, not in my-shop"
        assert message in capsys.readouterr().err
    assert not Path("warehouse.duckdb").exists()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("bigquery://my-shop?location=EU", "my-shop"),
        ("bigquery://example.com:my-shop", "example.com:my-shop"),
        ("duckdb:///a/b.duckdb?project=my-shop", "my-shop"),
        ("duckdb:///a/b.duckdb", ""),
    ],
)
def test_the_url_names_the_project(url: str, name: str) -> None:
    assert project_of(url) == name


def test_the_project_is_no_part_of_the_files_name(tmp_path: Path) -> None:
    with connect(f"duckdb:///{tmp_path}/b.duckdb?project=my-shop") as warehouse:
        warehouse.create_datasets(["tmp"])
    assert (tmp_path / "b.duckdb").exists()


def test_the_project_in_which_scripts_create_their_tables_is_their_own(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where none of them reads a dataset of res/, or where they read one of another project."""
    write(
        {
            "db_init/a.sql": "CREATE TABLE shop.a (id INT64) AS SELECT 1",
            "res/tmp/b.sql": "CREATE OR REPLACE VIEW `my-shop`.`tmp`.`b` AS SELECT id FROM `my-shop`.`shop`.`a`",
            "res/tmp/c.sql": "CREATE TABLE `my-shop.tmp.c` AS SELECT id FROM `my-shop.tmp.b`",
        }
    )
    for command in (["sync"], ["init"], ["check", "--strict"], ["build"]):
        assert main(command) == 0, capsys.readouterr()
    write({"res/tmp/d.sql": "SELECT id FROM `others.tmp.b`"})
    capsys.readouterr()
    assert main(["check", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["project"] == "my-shop"
    assert [problem["reason"] for problem in found["problems"]] == [
        "only BigQuery has others.tmp.b, a table of another project"
    ]
