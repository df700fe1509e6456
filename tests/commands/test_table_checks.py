"""The checks of tables from the command line: what `refresh check` says of them, and what they block."""

import json
import shlex
from typing import Any

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main

SHOP = {
    "db_init/raw.sql": """
        CREATE OR REPLACE TABLE raw.orders (id INT64, item STRING, price NUMERIC) AS
        SELECT 1 AS id, 'a' AS item, NUMERIC '2.5' AS price UNION ALL SELECT 2, 'b', 3 UNION ALL SELECT 2, 'x', NULL;
        CREATE OR REPLACE TABLE raw.items (id STRING) AS SELECT 'a' AS id UNION ALL SELECT 'b';
    """,
    "res/raw/orders": "",
    "res/raw/items": "",
    "res/tmp/orders.sql": "SELECT id, item, price FROM `raw.orders`\n",
    "res/tmp/items.sql": "SELECT id FROM `raw.items`\n",
    "res/final/sums.sql": "SELECT item, SUM(price) AS sum FROM `tmp.orders` GROUP BY item\n",
    "res/dependencies.toml": '[final]\nsums = ["tmp.orders"]\n',
}


def checks(text: str) -> dict[str, str]:
    return {"res/raw/orders.toml": f"[checks]\n{text}\n"}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(arguments)
    return code, capsys.readouterr().out


def live(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code, out = run(capsys, "check", "--live", "--json")
    return code, {check["name"]: check for check in json.loads(out)["checks"]}


def test_what_is_wrong_with_checks_is_found_without_a_warehouse(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        {
            **SHOP,
            "res/tmp/orders.toml": """
                [checks]
                where = "price > ten"
                unique = ["idd"]
                not_null = ["id"]
                accepted_values = { id = ["one"] }
                references = { item = "tmp.item.id", id = "tmp.items.id", price = "tmp.items.idd" }
            """,
            **checks('references = { item = "tmp.items.id" }'),
            "res/checks/none.sql": "SELECT id FROM `tmp.orders` WHERE prize < 0",
            "res/checks/nowhere.sql": "SELECT id FROM `tmp.order`",
            "res/checks/table.sql": "CREATE TABLE checks.table AS SELECT 1 AS one",
            "res/checks/value.sql": "SELECT id FROM `tmp.orders` WHERE id > @least",
            "res/checks/gone.toml": "",
            "res/checks/none.toml": 'severity = "bad"',
        }
    )
    code, out = run(capsys, "check")
    assert code == 2
    found = [line.split(": ", 2)[1:] for line in out.splitlines() if line.startswith("error: ")]
    assert [(where.partition(":")[0], reason) for where, reason in found] == [
        ("res/checks/gone.toml", "these are settings of a check, and there is no gone.sql beside them"),
        ("res/checks/none.sql", "there is no column prize"),
        ("res/checks/none.toml", 'severity is "bad"'),
        ("res/checks/nowhere.sql", "checks.nowhere reads tmp.order, which is neither a script nor a source"),
        ("res/checks/table.sql", "a check creates nothing"),
        ("res/checks/value.sql", "there is no variable @least"),
        ("res/raw/orders.toml", "raw.orders is checked before tmp.items is built, and cannot refer to it"),
        ("res/tmp/orders.toml", "the condition cannot be used: there is no column ten"),
        ("res/tmp/orders.toml", "tmp.orders has no column idd"),
        ("res/tmp/orders.toml", "id is INT64, and cannot be 'one': it is a text"),
        ("res/tmp/orders.toml", "tmp.orders refers to tmp.item, which is neither a script nor a source"),
        ("res/tmp/orders.toml", "id of tmp.orders is INT64, and tmp.items.id is STRING: they cannot be compared"),
        ("res/tmp/orders.toml", "tmp.items has no column idd"),
    ]


def test_a_source_that_fails_a_check_blocks_what_is_built_from_it(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**SHOP, **checks('unique = ["id"]')})
    main(["init"])
    code, out = run(capsys, "build")
    assert code == 3
    assert "failed: 2 of 3 rows of raw.orders have the same id as another row: 2; see them with: refresh" in out
    assert "blocked: tmp.orders: a check failed: 2 of 3 rows of raw.orders have the same id" in out
    assert "not run: final.sums: waits for tmp.orders" in out
    assert "1 of 3 tables built and published, 1 check failed" in out
    command = next(line for line in out.splitlines() if line.startswith("failed: 2 of")).partition("see them with: ")[2]
    code, out = run(capsys, *shlex.split(command)[1:], "--json")
    assert [row["item"] for row in json.loads(out)] == ["b", "x"]


def test_a_source_whose_check_only_warns_blocks_nothing(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**SHOP, **checks('unique = [{ columns = ["id"], severity = "warning" }]')})
    main(["init"])
    code, out = run(capsys, "build")
    assert code == 0
    assert "warning: 2 of 3 rows of raw.orders have the same id as another row: 2; see them" in out
    assert "\n3 of 3 tables built and published, 1 warning\nwarning: raw.orders: 2 of 3 rows" in out


def test_a_source_that_no_selected_table_reads_is_not_checked(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**SHOP, **checks('unique = ["id"]')})
    main(["init"])
    code, out = run(capsys, "build", "--select", "tmp.items")
    assert (code, "raw.orders" in out) == (0, False)


def test_an_own_check_of_sources_blocks_the_tables_that_read_them(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = "-- Every item exists.\nSELECT id, item FROM `raw.orders`\nWHERE item NOT IN (SELECT id FROM `raw.items`)"
    write({**SHOP, "res/checks/items.sql": sql, "res/checks/items.toml": 'description = "Every item exists."'})
    main(["init"])
    code, out = run(capsys, "build")
    assert code == 3
    assert 'res/checks/items.sql (Every item exists) finds 1 row: id 2, item "x"; see them with: refresh query' in out
    assert (
        out.count("blocked: tmp.") == out.count(": a check failed: res/checks/items.sql") == 2
    )  # both scripts read one of its tables
    write({"res/checks/items.toml": "at_most = 1"})
    assert main(["build"]) == 0


def test_live_runs_all_checks_of_the_tables_as_they_are(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(
        {
            **SHOP,
            **checks('not_null = [{ column = "price", severity = "warning" }]'),
            "res/tmp/orders.toml": '[checks]\nreferences = { item = "tmp.items.id" }\nrow_count = { at_least = 1 }\n',
            "res/checks/cheap.sql": "CREATE TEMP FUNCTION two() AS (2);\nSELECT id FROM `final.sums`, "
            "(SELECT 1 AS id) WHERE sum < two()",
        }
    )
    main(["init"])
    settings = folder / "res/tmp/orders.toml"
    text = settings.read_text()
    settings.unlink()
    assert main(["build"]) == 0
    settings.write_text(text)
    code, found = live(capsys)
    assert code == 3
    assert {name: check["verdict"] for name, check in found.items()} == {
        "not_null price": "warning",
        "references item": "failed",
        "row_count": "passed",
        "checks/cheap": "passed",
    }
    assert found["references item"]["examples"] == ['"x"']
    code, out = run(capsys, "check", "--live")
    assert (code, "checks of tables: 2 passed, 1 warning, 1 failed" in out) == (3, True)


def test_without_checks_live_says_so(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(SHOP)
    main(["init"])
    code, out = run(capsys, "check", "--live", "--json")
    assert (code, json.loads(out)["checks"]) == (0, None)


def test_a_built_table_that_fails_a_check_is_not_published(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(SHOP)
    main(["init"])
    assert main(["build"]) == 0
    write(
        {
            "res/tmp/orders.sql": "SELECT id, item, price, 1 AS extra FROM `raw.orders`\n",
            "res/tmp/orders.toml": '[checks]\nunique = ["id"]\nrow_count = { change_at_most = 0.1 }\n',
        }
    )
    code, out = run(capsys, "build")
    assert code == 3
    assert "blocked: tmp.orders: 2 of 3 rows of tmp.orders have the same id as another row: 2" in out
    assert "not run: final.sums: waits for tmp.orders" in out
    assert run(capsys, "show", "tmp.orders")[1].count("extra") == 0
    assert "2 of 3 tables built, 1 published, 1 check passed, 1 check failed" in out
    (folder / "res/tmp/orders.toml").write_text('[checks]\nnot_null = [{ column = "price", at_most = 1 }]\n')
    assert main(["build"]) == 0


def test_a_reference_to_a_table_that_is_built_later_blocks_only_the_one_that_refers(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**SHOP, "res/tmp/orders.toml": '[checks]\nreferences = { item = "tmp.items.id" }\n'})
    main(["init"])
    code, out = run(capsys, "build")
    assert code == 3
    assert " of 3 tables built, 1 published, 1 check failed\n" in out  # final.sums may have been built by then
    assert "blocked: tmp.orders: 1 of 3 rows of tmp.orders has an item that is no tmp.items.id" in out
    assert "tmp.items:" not in out


def test_a_check_of_a_table_that_is_not_there_yet_is_not_run(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**SHOP, "res/checks/both.sql": "SELECT a.id FROM `raw.orders` AS a, `tmp.items` AS b WHERE a.item = b.id"})
    main(["init"])
    code, out = run(capsys, "build", "--select", "tmp.orders")
    assert code == 0
    assert "not checked: checks/both, since tmp.items is not there yet" in out
