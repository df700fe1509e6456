"""`refresh docs --profile`: the rows of each table, and the share of NULLs in each column."""

import json
from pathlib import Path

import pytest

from tests.catalogue.catalogues import of_tables
from tests.conftest import Write
from warehouse_refresh.catalogue.document import ColumnEntry, TableEntry
from warehouse_refresh.catalogue.pages import Pages
from warehouse_refresh.commands.main import main


@pytest.fixture
def project(write: Write) -> Path:
    write(
        {"res/dependencies.toml": "", "db_init/a.sql": "CREATE TABLE raw.a (id INT64, name STRING, tags ARRAY<INT64>)"}
    )
    write({"db_init/b.sql": "INSERT INTO raw.a (id, name) VALUES (1, 'x'), (2, NULL), (3, NULL)"})
    write({"res/tmp/b.sql": "SELECT id FROM raw.a", "res/tmp/c.sql": "SELECT id FROM raw.a WHERE id > 7"})
    return write({"res/tmp/d.sql": "SELECT id FROM raw.a"})


def test_rows_and_shares_are_those_of_the_warehouse(project: Path) -> None:
    assert main(["init"]) == 0
    assert main(["build", "tmp.b", "tmp.c"]) == 0
    (project / "res/tmp/b.sql").write_text("SELECT id, name FROM raw.a")  # it is built without the name
    assert main(["docs", "--profile"]) == 0
    document = json.loads((project / "site/catalogue.json").read_text())
    found = {
        table["name"]: (table["rows"], [one["null_share"] for one in table["columns"]]) for table in document["tables"]
    }
    assert found == {
        "raw.a": (3, [0, 0.666667, None]),
        "tmp.b": (None, [None, None]),
        "tmp.c": (0, [None]),
        "tmp.d": (None, [None]),
    }
    assert "66.7 %" in (project / "site/catalogue/raw.a.html").read_text()


def test_a_share_that_is_nearly_nothing_is_not_shown_as_nothing() -> None:
    shares = (0, 0.0001, 0.9999, 1)
    columns = tuple(ColumnEntry(f"c{share}", "INT64", "NULLABLE", null_share=share) for share in shares)
    table = TableEntry("tmp.a", "table", columns=columns, rows=9)
    page = Pages(of_tables(table)).table(table).decode()
    shown = [page.index(f">{text}</td>") for text in ("0.0 %", "&lt;0.1 %", "&gt;99.9 %", "100.0 %")]
    assert shown == sorted(shown)
