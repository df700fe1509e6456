"""The catalogue's pages, and the folder that they are written to."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest

from tests.catalogue.catalogues import catalogue_of, chain, of_tables, star
from warehouse_refresh.catalogue.dbt import Place
from warehouse_refresh.catalogue.document import Catalogue, ColumnEntry, TableEntry
from warehouse_refresh.catalogue.pages import Pages
from warehouse_refresh.catalogue.site import write_site
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.project.problems import Refused

PLACE = Place("duckdb")
ODD = "50% <b>\"a\"/b & c#d?e\\f 'g'"


class Addresses(HTMLParser):
    """Collects the addresses that a page names."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def addresses(page: bytes) -> Iterator[str]:
    reader = Addresses()
    reader.feed(page.decode())
    yield from reader.found


@pytest.fixture
def odd() -> Catalogue:
    column = ColumnEntry(ODD, "STRUCT<`a<b` STRING>", "NULLABLE", ODD, (f"raw.a.{ODD}",), ())
    source = ColumnEntry(ODD, "STRING", "NULLABLE", "", (), (f"tmp.b.{ODD}",))
    return of_tables(
        TableEntry("raw.a", "source", columns=(source,), read_by=("tmp.b",), loaded_from=ODD),
        TableEntry("tmp.b", "table", ODD, ODD, (ODD,), ODD, f"SELECT '{ODD}'", (column,), ("raw.a",)),
    )


@pytest.fixture(params=["demonstration", "odd", "star"])
def catalogue(request: pytest.FixtureRequest) -> Catalogue:
    if request.param == "demonstration":
        return catalogue_of(request.getfixturevalue("demonstration"))
    if request.param == "odd":
        odd: Catalogue = request.getfixturevalue("odd")
        return odd
    return star(400)


def test_each_address_on_each_page_is_one_of_the_files(catalogue: Catalogue) -> None:
    files = dict(Pages(catalogue).all())
    for path, content in files.items():
        for address in addresses(content) if path.endswith(".html") else ():
            parts = urlsplit(urljoin(f"http://site/{quote(path)}", address))
            assert parts.netloc == "site", "a page names another host"
            assert unquote(parts.path)[1:] in files


def test_texts_cannot_become_tags(odd: Catalogue) -> None:
    for path, content in Pages(odd).all():
        assert not path.endswith(".html") or b"<b>" not in content


def test_pages_allow_no_script_and_no_style_in_them(catalogue: Catalogue) -> None:
    for path, content in Pages(catalogue).all():
        if path.endswith(".html"):
            assert b"default-src 'none'" in content
            assert b" style=" not in content
            assert b"<script>" not in content
            assert b" on" + b"click" not in content


def test_the_first_page_stays_small() -> None:
    assert len(Pages(chain(1000)).first()) < 100_000


@pytest.mark.usefixtures("demonstration")
def test_a_site_is_written_and_written_again() -> None:
    assert main(["docs"]) == 0
    first = pages_in(Path("site"))
    assert Path("site/index.html") in first
    assert main(["docs"]) == 0
    assert pages_in(Path("site")) == first


def pages_in(folder: Path) -> dict[Path, bytes]:
    """All files but the events and dbt's artifacts, which say when they were written."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".ndjson")
    files = (path for path in files if path.parent.name != "dbt")
    return {path: path.read_bytes() for path in files}


def test_the_page_of_a_table_that_is_gone_goes_with_it(tmp_path: Path) -> None:
    write_site(chain(3), tmp_path, PLACE)
    (tmp_path / "CNAME").write_text("tables.example.com")
    write_site(chain(2), tmp_path, PLACE)
    assert not (tmp_path / "catalogue" / "tmp.table_0002.html").exists()
    assert (tmp_path / "CNAME").exists()


def test_a_first_page_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(Refused, match="did not write"):
        write_site(chain(1), tmp_path, PLACE)
    assert (tmp_path / "index.html").read_text() == "mine"


def test_a_disk_that_is_full_leaves_the_old_pages(small_disk: Path) -> None:
    write_site(chain(2), small_disk, PLACE)
    before = (small_disk / "index.html").read_bytes()
    with pytest.raises(Refused, match="No space left"):
        write_site(star(2000), small_disk, PLACE)
    assert (small_disk / "index.html").read_bytes() == before
    assert not list(small_disk.glob(".catalogue-*"))


@pytest.mark.usefixtures("demonstration")
def test_a_folder_that_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("site").write_text("a file")
    assert main(["docs"]) == 2
    assert "the pages cannot be written" in capsys.readouterr().err
