"""The pages in a real browser, opened from a folder."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.catalogue.browser import broken_rules, show_at
from tests.catalogue.browser import browser as browser
from tests.catalogue.catalogues import catalogue_of, star
from tests.conftest import ROOT
from warehouse_refresh.catalogue.dbt import Place
from warehouse_refresh.catalogue.site import write_site

WIDTHS = (360, 1000, 2000)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    write_site(star(1000), folder, Place("duckdb"))
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_site(catalogue_of(ROOT), folder, Place("duckdb"))
    return folder


@pytest.fixture(autouse=True)
def no_complaint(browser: Chrome) -> Iterator[None]:
    """The browser's console stays empty, and no page asks another host for anything."""
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    yield
    assert browser.get_log("browser") == []
    events = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith(("file:", "about:", "data:", "http://127.0.0.1:"))] == []


def open_page(browser: Chrome, path: Path) -> None:
    browser.get(path.absolute().as_uri())


def type_text(browser: Chrome, text: str) -> None:
    browser.switch_to.active_element.send_keys(text)


def wait_for_title(browser: Chrome, title: str) -> None:
    WebDriverWait(browser, 60).until(lambda it: it.title == title)


def test_every_page_opens_and_fits_each_width(browser: Chrome, site: Path) -> None:
    columns = sorted((site / "catalogue").glob("*.*.*.html"), key=lambda page: len(page.name))
    pages = [page for page in site.rglob("*.html") if page not in columns] + columns[-3:]
    assert len(pages) == 1 + 15 + 3
    for page in pages:
        open_page(browser, page)
        for width in WIDTHS:
            show_at(browser, width)
            wide, shown = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
            assert wide <= shown == width, page
    show_at(browser, None)


def test_search_by_keyboard_leads_to_a_column(browser: Chrome, site: Path) -> None:
    open_page(browser, site / "index.html")
    type_text(browser, "/")
    type_text(browser, "variants sto")
    type_text(browser, Keys.ENTER)
    wait_for_title(browser, "tmp.variants.stock – shop")


def test_search_from_a_table_leads_to_the_next_hit(browser: Chrome, site: Path) -> None:
    open_page(browser, site / "catalogue" / "raw.products.html")
    type_text(browser, "/")
    type_text(browser, "variant")
    hits = [one.text.split("\n")[0] for one in browser.find_elements(By.CSS_SELECTOR, "#results li")]
    type_text(browser, Keys.ARROW_DOWN)
    type_text(browser, Keys.ENTER)
    wait_for_title(browser, f"{hits[1]} – shop")


def test_search_says_that_nothing_was_found(browser: Chrome, site: Path) -> None:
    open_page(browser, site / "index.html")
    type_text(browser, "/")
    type_text(browser, "nonsense")
    assert browser.find_element(By.ID, "results").text == "no table or column of this name"
    type_text(browser, Keys.ESCAPE)
    assert not browser.find_element(By.ID, "results").is_displayed()


def test_a_box_of_the_picture_leads_to_its_table(browser: Chrome, site: Path) -> None:
    open_page(browser, site / "catalogue" / "tmp.variants.html")
    browser.set_window_size(1400, 900)
    browser.find_element(By.XPATH, "//*[name()='svg']//*[name()='a'][contains(@href, 'final.products')]").click()
    wait_for_title(browser, "final.products – shop")


def test_a_thousand_tables_are_searched_as_one_types(browser: Chrome, large: Path) -> None:
    open_page(browser, large / "index.html")
    type_text(browser, "/")
    type_text(browser, "0777")
    type_text(browser, Keys.ENTER)
    wait_for_title(browser, "tmp.table_0777 – shop")


@pytest.mark.slow
def test_no_rule_is_broken_on_pages_of_a_thousand_tables(browser: Chrome, large: Path) -> None:
    open_page(browser, large / "index.html")
    type_text(browser, "/")
    type_text(browser, "0777")
    assert list(broken_rules(browser)) == []
    open_page(browser, large / "catalogue" / "tmp.table_0000.html")
    assert list(broken_rules(browser)) == []
