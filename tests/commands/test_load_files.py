"""`refresh source add`, `load`, `plan` and `doctor` of files, as a user goes; into BigQuery's emulator, too."""

import gzip
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.project.reading import project_in
from warehouse_refresh.pipeline.raw.loading.findings import connection_findings
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

PRODUCTS = TableName("raw", "products")
PROJECT = {"res/tmp/prices.sql": "SELECT id, price * 2 AS double_price FROM raw.products", "res/dependencies.toml": ""}
CSV = "id,name,price\n1,'pen',1.50\n2,,\n"
APPEND = '[source]\nfile = "data/*.csv"\nmode = "append"\nfile_column = "file"\n'


def rows(url: str = DEFAULT_URL, table: TableName = PRODUCTS) -> list[tuple[Any, ...]]:
    with connect(url) as warehouse:
        return sorted(warehouse.first_rows(table, 100))


def test_a_file_is_added_loaded_and_loaded_again(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write({**PROJECT, "data/products.csv": CSV})
    assert main(["source", "add", "data/product.csv"]) == 2
    assert "there is no file data/product.csv" in capsys.readouterr().err
    assert main(["source", "add", "data/products.csv"]) == 0
    settings = (folder / "res/raw/products.toml").read_text()
    assert settings.startswith('[source]\nfile = "data/products.csv"\n\n[columns]\n"id" = { type = "INT64" }\n')
    assert '"price" = { type = "NUMERIC" }' in settings
    assert main(["plan", "--load"]) == 0
    assert f"loads: data/products.csv: {len(CSV)} B" in capsys.readouterr().out
    assert main(["build", "--load"]) == 0
    assert rows() == [(1, "'pen'", Decimal("1.5")), (2, None, None)]
    [found] = connection_findings(read_settings(), project_in(read_settings()))
    assert str(found).startswith("ok       files    ")
    assert "they are there, and give raw.products" in str(found)
    write({"data/products.csv": "id,name,price\n1,pen,1.50\n3,ink,free\n"})
    assert main(["load"]) == 1
    told = capsys.readouterr().out
    assert "data/products.csv:3: price: 'free' is not NUMERIC: write a decimal number such as 12.50" in told
    write({"data/products.csv": "id,title,price\n"})
    assert main(["load"]) == 2
    assert "files gives no column name" in capsys.readouterr().err.replace("data/products.csv", "files")
    (folder / "data/products.csv").unlink()
    assert main(["load"]) == 2
    assert "res/raw/products.toml:1:2: there is no file data/products.csv" in capsys.readouterr().err
    [found] = connection_findings(read_settings(), project_in(read_settings()))
    assert "there is no file data/products.csv" in str(found)
    assert rows() == [(1, "'pen'", Decimal("1.5")), (2, None, None)]


ONCE = [(1, Decimal("0.1"), "data/a.csv"), (2, Decimal("0.2"), "data/b.csv"), (2, Decimal("0.2"), "data/b.csv")]


def test_each_file_is_read_once(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write({"res/raw/products.toml": APPEND, "res/dependencies.toml": "", "data/a.csv": "id,price\n1,0.10\n"})
    assert main(["load"]) == 0
    (folder / "data/b.csv").write_text("price,id\n0.20,2\n0.20,2\n")
    (folder / "data/a.csv").write_text("id,price\n9,9.5\n")  # it was read: nobody looks again
    assert main(["plan", "--load", "raw.products"]) == 0
    assert "of these not 1 file that it has" in capsys.readouterr().out
    assert main(["load"]) == 0
    assert rows() == ONCE
    assert main(["load"]) == 0
    assert rows() == ONCE
    assert main(["load", "--full"]) == 0
    assert rows()[-1] == (9, Decimal("9.5"), "data/a.csv")


def test_each_file_is_read_once_on_bigquery(write: Write, bigquery_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", bigquery_url)
    folder = write({"res/raw/products.toml": APPEND, "res/dependencies.toml": "", "data/a.csv": "id,price\n1,0.10\n"})
    assert main(["load"]) == 0
    (folder / "data/b.csv").write_text("price,id\n0.20,2\n0.20,2\n")
    assert main(["load"]) == 0
    assert rows(bigquery_url) == ONCE


def test_types_come_from_db_init_and_columns_can_be_masked(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALT", "pepper")
    source = '[source]\nfile = "data/*.ndjson.gz"\nconnection = "files"\nexclude = ["x"]\nmask = { email = "hash" }\n'
    folder = write(
        {
            "refresh.toml": '[connections.files]\nsalt_from = "SALT"\n',
            "db_init/raw.sql": "CREATE TABLE raw.people (id STRING(9), email STRING, age NUMERIC(5, 1))",
            "res/raw/people.toml": source,
            "res/dependencies.toml": "",
            "data/none": "",
        }
    )
    packed = gzip.compress(b'{"id": "1", "email": "ada@example.com", "age": 7, "x": [1]}\n{"id": "2"}')
    (folder / "data/a.ndjson.gz").write_bytes(packed)
    assert main(["load"]) == 0
    [ada, other] = rows(table=TableName("raw", "people"))
    assert (ada[0], len(ada[1]), ada[2], other) == ("1", 64, 7, ("2", None, None))
    (folder / "data/a.ndjson.gz").write_bytes(packed[:-10])
    assert main(["load"]) == 2
    assert "data/a.ndjson.gz is no whole file of gzip" in capsys.readouterr().err
    write({"res/raw/people.toml": source.replace('connection = "files"\n', "")})
    assert main(["load"]) == 2
    assert 'and connection = "files" here' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('file = "a.csv"\ntable = "b"', "a source is either a table or a query or files"),
        ('table = "b"', "a table or a query is in a database"),
        ('file = "a.csv"\nmode = "merge"', "files are read whole, or with mode"),
        ('file = "a.csv"\nmode = "append"', "write file_column"),
        ('file = "a.csv"\ncursor = "id"', "files are read whole, or with mode"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(
    write: Write, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write({"res/raw/a.toml": f"[source]\n{text}\n", "res/dependencies.toml": "", "res/tmp/x.sql": "SELECT 1 AS x"})
    assert main(["check"]) == 2
    assert reason in capsys.readouterr().out
