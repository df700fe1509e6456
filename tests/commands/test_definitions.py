"""Scripts that say CREATE TABLE … AS or CREATE VIEW … AS, from the file to the table."""

import re

import pytest

from tests.commands.test_check import GOOD
from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

TABLE = """\
-- What an order costs.
CREATE OR REPLACE TABLE `my-shop.tmp.a`
PARTITION BY RANGE_BUCKET(id, GENERATE_ARRAY(0, 100, 10))
CLUSTER BY price
OPTIONS (description = "orders")
AS
SELECT id, price FROM `my-shop.raw.orders`;
"""
VIEW = "CREATE VIEW final.b AS (\n  SELECT id, price AS cost FROM `tmp.a`\n)\n"


def test_tables_and_views_are_ordered_checked_and_built_as_queries_are(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**GOOD, "res/tmp/a.sql": TABLE, "res/final/b.sql": VIEW})
    for command in (["check", "--strict"], ["sync", "--check"], ["init"], ["build"], ["plan"]):
        assert main(command) == 0, capsys.readouterr()
    printed = capsys.readouterr().out
    assert re.search(r"final\.b +built +view", printed)
    with connect(DEFAULT_URL) as warehouse:
        assert [(int(id_), float(cost)) for id_, cost in warehouse.first_rows(TableName("final", "b"), 9)] == [(1, 2.5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "CREATE TABLE tmp.b AS SELECT 1 AS x",
            "res/tmp/a.sql:1:14: the script creates tmp.b, and its file makes it tmp.a",
        ),
        ("CREATE TABLE `p.other.a` AS SELECT 1 AS x", "the script creates p.other.a, and its file makes it tmp.a"),
        ("CREATE TABLE a AS SELECT 1 AS x; SELECT 2 AS y", "res/tmp/a.sql:1:34: the script holds 2 statements"),
        ("CREATE VIEW a AS\nSELECT nothing AS x", "res/tmp/a.sql:2:8: there is no column nothing"),
        ("CREATE TABLE a AS", "res/tmp/a.sql:1:1: this creates a table without a query"),
        (
            "CREATE TABLE a (\n  x DATE) AS SELECT 1",
            "a.sql:2:3: the column x is DATE, and the query gives INT64",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    write: Write, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    write({**GOOD, "res/tmp/a.sql": text, "res/final/b.sql": "SELECT 1 AS x", "res/dependencies.toml": ""})
    assert main(["check"]) == 2
    assert message in capsys.readouterr().out


def test_a_view_becomes_a_table_again(write: Write) -> None:
    folder = write({**GOOD, "res/final/b.sql": VIEW})
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    assert main(["build"]) == 0, "the second time nothing is read anew"
    (folder / "res/final/b.sql").write_text("SELECT id FROM `tmp.a`")
    assert main(["build"]) == 0
    (folder / "res/final/b.sql").write_text(VIEW)
    assert main(["build"]) == 0


@pytest.mark.parametrize("change", ["SELECT id FROM `raw.orders`", None])
def test_a_view_over_a_table_that_has_changed_says_so(
    write: Write, capsys: pytest.CaptureFixture[str], change: str | None
) -> None:
    """The column that the view reads, or the table, is not there any more."""
    folder = write({**GOOD, "res/final/b.sql": VIEW, "res/final/c.sql": "SELECT cost FROM `final.b`"})
    assert main(["sync"]) == 0
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    if change is not None:
        (folder / "res/tmp/a.sql").write_text(change)
        assert main(["build", "tmp.a"]) == 0
    else:
        with connect(DEFAULT_URL) as warehouse:
            warehouse.run_script(parse_script("DROP TABLE tmp.a"))
    capsys.readouterr()
    for command in (["show", "final.b"], ["query", "SELECT * FROM `final.b`"], ["build", "final.c"]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert "the view final.b cannot be read: a table that it reads has other columns now" in error
        assert "Binder" not in error
