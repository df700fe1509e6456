"""`refresh docs --rows`: rows in static pages, only if somebody asks for them."""

import json
from pathlib import Path

import pytest

from tests.api.test_first_rows import PEOPLE
from tests.catalogue.catalogues import catalogue_of, column
from tests.conftest import Write
from warehouse_refresh.commands.main import main


def everything(site: Path) -> str:
    return "".join(path.read_text() for path in site.rglob("*") if path.is_file())


def test_rows_are_written_where_they_are_asked_for_and_personal_ones_nowhere(write: Write, folder: Path) -> None:
    write(PEOPLE)
    assert (main(["init"]), main(["build", "tmp.people", "tmp.letters", "tmp.view"])) == (0, 0)
    assert main(["docs"]) == 0
    page = folder / "site/catalogue/tmp.people.html"
    assert "refresh docs --rows 20" in page.read_text()
    assert "[&#34;a&#34;" not in page.read_text()
    assert main(["docs", "--rows", "5"]) == 0
    assert "[&#34;a&#34;,&#34;b&#34;]" in page.read_text()
    assert "anna" not in everything(folder / "site").casefold()
    document = json.loads((folder / "site/catalogue.json").read_text())
    found = {table["name"]: table["first_rows"] for table in document["tables"]}
    assert found["tmp.view"] == {"columns": ["id"], "rows": [["1"]], "hidden": ["mail"]}
    assert (found["raw.letters"], found["tmp.unbuilt"]) == (None, None)


def test_a_column_that_is_computed_from_a_personal_one_is_personal(write: Write) -> None:
    catalogue = catalogue_of(write(PEOPLE))
    names = ("tmp.view.mail", "tmp.view.id", "tmp.letters.text", "tmp.letters.long", "tmp.letters.x")
    assert [column(catalogue, name).personal for name in names] == [True, False, True, False, False]


@pytest.mark.parametrize("rows", ["0", "-1", "many"])
def test_a_number_of_rows_is_one(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["docs", "--rows", rows])
    assert "--rows" in capsys.readouterr().err
