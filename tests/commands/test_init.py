"""`refresh init`: it may be repeated, and deletes no rows unless somebody agrees."""

import os
import sys
from pathlib import Path

import pytest

from tests.commands.test_cli import GOOD, refresh
from tests.conftest import ROOT, Write
from tests.operation.installation import wait_for
from tests.terminal import terminal
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, Append, connect
from warehouse_refresh.warehouse.errors import Place, SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script, with_or_replace

ORDERS = TableName("raw", "orders")
FILLING = {
    "or replace": "CREATE OR REPLACE TABLE raw.orders (id INT64) AS SELECT 1 UNION ALL SELECT 2",
    "as": "CREATE TABLE raw.orders AS SELECT 1 AS id UNION ALL SELECT 2",
    "insert": "CREATE TABLE raw.orders (id INT64); INSERT INTO raw.orders (id) VALUES (1), (2)",
    "if not exists": "CREATE TABLE IF NOT EXISTS raw.orders (id INT64);\nINSERT INTO raw.orders VALUES (1), (2)",
    "drop": "DROP TABLE IF EXISTS raw.orders; CREATE TABLE raw.orders (id INT64) AS SELECT 1 UNION ALL SELECT 2",
    "comments": "CREATE -- one\n/* two */ TABLE raw.orders (id INT64) AS SELECT 1 UNION ALL SELECT 2",
}
QUESTION = (
    "--replace deletes the rows of these tables, and fills them from db_init/:\n  raw.orders (3 rows)\nGo on? [y/N] "
)


def ids() -> list[object]:
    with connect(DEFAULT_URL) as warehouse:
        return sorted(row[0] for row in warehouse.first_rows(ORDERS, 10))


def post(id_: int) -> None:
    with connect(DEFAULT_URL) as warehouse:
        warehouse.append(ORDERS, [Append([{"id": id_}])])


@pytest.mark.parametrize("how", FILLING)
def test_it_may_be_repeated_and_keeps_rows_and_replaces_them_when_that_is_said(write: Write, how: str) -> None:
    write({**GOOD, "db_init/orders.sql": FILLING[how]})
    assert main(["init"]) == main(["init"]) == 0
    assert ids() == [1, 2]
    post(77)
    assert main(["init"]) == 0
    assert ids() == [1, 2, 77]
    assert main(["init", "--replace", "--yes"]) == 0
    assert ids() == [1, 2]


def test_a_table_without_columns_is_refused_as_that(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**GOOD, "db_init/orders.sql": "CREATE TABLE raw.orders ();"})
    assert main(["init"]) == 2
    assert (
        "db_init/orders.sql:1:18: the embedded engine does not know a table without columns yet"
        in capsys.readouterr().err
    )


def test_a_table_that_was_emptied_is_filled_again(write: Write) -> None:
    write({**GOOD, "db_init/orders.sql": FILLING["insert"]})
    assert main(["init"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        warehouse.run_script(parse_script("TRUNCATE TABLE raw.orders"))
    assert main(["init"]) == 0
    assert ids() == [1, 2]


def test_a_script_that_makes_no_rows_may_be_repeated_and_says_so_once(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**GOOD, "db_init/orders.sql": "CREATE TABLE raw.orders (id INT64 NOT NULL)"})
    assert main(["init"]) == main(["init"]) == 0
    assert capsys.readouterr().out == "created raw.orders\n"
    post(77)
    assert main(["init"]) == 0
    assert ids() == [77]
    assert main(["init", "--replace", "--yes"]) == 0
    assert ids() == []


def test_rows_of_a_table_that_is_made_elsewhere_are_replaced_too(write: Write) -> None:
    write({**GOOD, "db_init/orders.sql": "INSERT INTO raw.orders VALUES (1), (2)"})
    with connect(DEFAULT_URL) as warehouse:
        warehouse.create_datasets(["raw"])
        warehouse.run_script(parse_script("CREATE TABLE raw.orders (id INT64)"))
    assert main(["init"]) == main(["init", "--replace", "--yes"]) == 0
    assert ids() == [1, 2]


def test_without_a_terminal_replacing_wants_yes(write: Write) -> None:
    write(GOOD)
    refresh("init")
    post(77)
    done = refresh("init", "--replace")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: --replace would delete the rows of raw.orders (3 rows); nothing was changed. If that is meant, say"
        " `refresh init --replace --yes`\n"
    )
    assert ids() == [1, 2, 77]


def test_where_there_are_no_rows_nobody_is_asked(write: Write) -> None:
    write(GOOD)
    assert refresh("init", "--replace").returncode == 0
    assert ids() == [1, 2]


@pytest.mark.parametrize(
    ("typed", "code", "left"), [("y\n", 0, [1, 2]), ("\n", 2, [1, 2, 77]), ("\x04", 2, [1, 2, 77])]
)
def test_on_a_terminal_it_asks_with_the_names_and_the_rows(
    write: Write, typed: str, code: int, left: list[object]
) -> None:
    folder = write(GOOD)
    assert main(["init"]) == 0
    post(77)
    with terminal(_command(), {**os.environ, "PYTHONPATH": str(ROOT)}, folder) as screen:
        wait_for(lambda: screen.text() == QUESTION or screen.process.poll() is not None)
        screen.type(typed)
        assert screen.ended() == code, screen.text()
    assert ids() == left


def _command() -> list[str]:
    return [sys.executable, "-m", "warehouse_refresh.commands.main", "init", "--replace"]


def test_a_fault_in_a_script_has_its_own_place_though_or_replace_was_put_in(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "CREATE TABLE IF NOT EXISTS raw.orders (id INT64) AS SELECT 1 + TRUE AS id"
    folder = write({**GOOD, "db_init/orders.sql": f"SELECT 1; {text}"})
    assert main(["init"]) == 2
    assert f"db_init/orders.sql:1:{10 + text.index('1 +') + 1}: " in capsys.readouterr().err
    assert Path("db_init/orders.sql").resolve().parent.parent == folder


def test_the_place_of_an_error_in_a_changed_statement_is_that_of_the_script() -> None:
    [_, statement] = parse_script("SELECT 1;\n  CREATE TABLE raw.orders (id INT64)\nAS SELECT x")
    changed = with_or_replace(statement)
    assert changed.text == "CREATE OR REPLACE TABLE raw.orders (id INT64)\nAS SELECT x"

    def located(line: int, column: int) -> Place | None:
        return changed.located(SqlError("wrong", place=Place(line, column, 1))).place

    assert located(1, 1) == Place(2, 3, 1)  # CREATE
    assert located(1, 19) == Place(2, 10, 1)  # TABLE
    assert located(2, 11) == Place(3, 11, 1)  # x


def test_what_the_settings_of_a_raw_table_say_stands_in_the_warehouse(
    demonstration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (demonstration / "res/raw/products.toml").write_text('description = "all"\n[columns]\nid = "the number of it"')
    (demonstration / "res/raw/variants.toml").write_text("descriptoin = 1")
    assert main(["init"]) == 0
    out, err = capsys.readouterr()
    assert "created raw.variants" in out
    assert "warning: res/raw/variants.toml:1" in err
    assert "the table's descriptions stay as they are" in err
    assert main(["show", "raw.products"]) == 0
    assert capsys.readouterr().out.endswith("\nid: the number of it\n")
