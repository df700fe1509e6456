"""`refresh show` and `refresh query`."""

import io
import json

import pytest

from tests.commands.test_check import GOOD
from tests.conftest import Write
from warehouse_refresh.commands.main import main

WIDE = """CREATE TABLE raw.all AS
SELECT 1 AS id, NUMERIC '2.50' AS price, 'a, "b"' AS name, DATE '2026-01-31' AS day, [1, 2] AS list,
  STRUCT('x' AS s, TIMESTAMP '2026-01-31 09:30:00+00' AS `at`) AS pair,
  JSON '{"k": [null]}' AS doc, b'\\x01' AS bytes, TRUE AS ok
UNION ALL SELECT 2, NULL, NULL, NULL, [], NULL, NULL, NULL, NULL"""


@pytest.fixture
def shop(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**GOOD, "db_init/all.sql": WIDE})
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    capsys.readouterr()


@pytest.mark.usefixtures("shop")
def test_rows_for_people_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "final.b"]) == 0
    printed = capsys.readouterr().out
    assert "final.b" in printed
    assert "cost" in printed
    assert main(["query", "SELECT NUMERIC '0' AS zero, NUMERIC '100' AS whole, BIGNUMERIC '2.50' AS part"]) == 0
    assert " 0    │ 100   │ 2.5 " in capsys.readouterr().out
    assert main(["query", "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 30)) AS n ORDER BY n DESC"]) == 0
    printed = capsys.readouterr().out
    assert "the first 20 rows; --limit shows more" in printed
    assert [int(word) for word in printed.split() if word.isdigit() and int(word) > 20] == list(range(30, 20, -1))


@pytest.mark.usefixtures("shop")
def test_csv_and_json_hold_every_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "SELECT * FROM raw.all ORDER BY id", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "id": 1,
            "price": "2.5",
            "name": 'a, "b"',
            "day": "2026-01-31",
            "list": [1, 2],
            "pair": {"s": "x", "at": "2026-01-31T09:30:00Z"},
            "doc": {"k": [None]},
            "bytes": "AQ==",
            "ok": True,
        },
        {**dict.fromkeys(["price", "name", "day", "pair", "doc", "bytes", "ok"]), "id": 2, "list": []},
    ]
    assert main(["query", "SELECT id, name, list, ok FROM raw.all ORDER BY id", "--csv"]) == 0
    assert capsys.readouterr().out == 'id,name,list,ok\n1,"a, ""b""","[1, 2]",true\n2,,[],\n'
    assert main(["show", "raw.all", "--json", "--limit", "1"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


@pytest.mark.usefixtures("shop")
def test_a_query_may_have_a_preamble_and_columns_without_names(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("DECLARE x INT64 DEFAULT 2;\nSELECT x, x + 1, 1 AS a, 2 AS a"))
    assert main(["query", "-", "--csv"]) == 0
    assert capsys.readouterr().out == "x,f1_,a,a\n2,3,1,2\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["query", "SELECT\n  nme FROM raw.all"],
            "error: query:2:3: there is no column nme\n  2 |   nme FROM raw.all\n",
        ),
        (["query", "DELETE FROM raw.all WHERE TRUE"], "error: query:1:1: the script is not a query but a DELETE"),
        (["query", "SELECT 1 / 0 AS x"], "division by zero"),
        (["query", "SELECT * FROM raw.al"], "there is no table raw.al"),
        (["show", "raw.al"], "error: there is no table raw.al; did you mean raw.all?"),
        (["show", "all"], "error: all is not a table's name: write dataset.table"),
        (["show", "final.zzzzzz"], "`refresh build final.zzzzzz` builds it, if a script does"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_a_mistake_is_one_clear_message(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("shop")
def test_nothing_is_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "CREATE OR REPLACE TABLE raw.all AS SELECT 7 AS id"]) == 2
    assert "nothing is created" in capsys.readouterr().err
    assert main(["show", "raw.all", "--csv"]) == 0
    assert capsys.readouterr().out.count("\n") == 3
