"""A refresh from the key press to its end, in a real browser, with Prefect's server and a worker as `refresh serve`
starts them: one that succeeds, one that fails, one that is refused, and one that builds all tables again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.catalogue.browser import broken_rules
from tests.catalogue.browser import browser as browser
from tests.pictures import installed, served

FAILS = "AND CAST(SUBSTR(url, 1, 4) AS INT64) > 0"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder, environment = installed(tmp_path)
    with served(folder, {**environment, "API_FIRST_ROWS": "5"}) as url:
        yield folder, url


def wait_for_text(browser: Chrome, name: str, text: str) -> None:
    WebDriverWait(browser, 120).until(lambda it: text in it.find_element(By.ID, name).text)


def start(browser: Chrome, url: str, select: str) -> str:
    """Start a refresh with the keyboard; gives the run's name."""
    browser.get(f"{url}/catalogue/runs.html")
    field = browser.find_element(By.ID, "select")
    while browser.switch_to.active_element != field:
        browser.switch_to.active_element.send_keys(Keys.TAB)
    before = browser.find_element(By.CSS_SELECTOR, "#summary").text
    field.send_keys(select, Keys.ENTER)
    WebDriverWait(browser, 120).until(lambda it: it.find_element(By.ID, "summary").text not in ("", before))
    return browser.find_element(By.CSS_SELECTOR, "#summary strong").text


@pytest.mark.slow
def test_a_run_is_started_followed_and_understood(browser: Chrome, project: tuple[Path, str]) -> None:
    folder, url = project
    script = folder / "res/tmp/variant_images.sql"
    good = script.read_text()
    start(browser, url, "")
    wait_for_text(browser, "summary", "8 of 8 tables built and published")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#timeline .bar.built")) == 8
    assert browser.find_elements(By.CSS_SELECTOR, "#timeline .tag")
    script.write_text(good.replace("WHERE type = 'variant'", f"WHERE type = 'variant' {FAILS}"))
    start(browser, url, "tmp.variant_images+")
    wait_for_text(browser, "timeline", "Bad int64 value: http")
    wait_for_text(browser, "summary", "not run: final.products, tmp.variants")
    assert list(broken_rules(browser)) == []
    browser.get(url)
    wait_for_text(browser, "state", "failed: 1 table")
    script.write_text(good.replace("external_id", "extrnal_id"))
    start(browser, url, "")
    wait_for_text(browser, "faults", "did you mean external_id?")
    assert browser.find_element(By.CSS_SELECTOR, "#faults mark").text == "extrnal_id"
    assert list(broken_rules(browser)) == []
    script.write_text(good)
    start(browser, url, "")
    wait_for_text(browser, "summary", "8 of 8 tables built and published")
    browser.get(url)
    WebDriverWait(browser, 60).until(lambda it: len(it.find_elements(By.CSS_SELECTOR, ".tag.up-to-date")) == 8)
    assert browser.get_log("browser") == []
