"""The form that appends a row, in a real browser, served by a real API."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.api.conftest import Served, api_over, with_tables
from tests.catalogue.browser import browser as browser
from tests.catalogue.browser import press
from tests.conftest import Write
from warehouse_refresh.warehouse import DEFAULT_URL

PAGE = "/catalogue/raw.strict_products.html"


@pytest.fixture
def api(write: Write) -> Iterator[Served]:
    yield from serve(write)


def serve(write: Write, **settings: object) -> Iterator[Served]:
    columns = "id INT64 NOT NULL, name STRING NOT NULL, price NUMERIC"
    write({"res/dependencies.toml": "", "db_init/a.sql": f"CREATE TABLE raw.strict_products ({columns})"})
    write({"res/tmp/b.sql": "SELECT id FROM raw.strict_products"})
    with api_over(with_tables(DEFAULT_URL), **settings) as found:
        yield found


def open_form(browser: Chrome, api: Served) -> None:
    browser.get(f"{api.url}{PAGE}")
    WebDriverWait(browser, 60).until(lambda it: it.find_element(By.NAME, "id").is_displayed())


def fill(browser: Chrome, **values: str) -> None:
    for name, value in values.items():
        field = browser.find_element(By.NAME, name)
        field.clear()
        field.send_keys(value)


def submit(browser: Chrome) -> None:
    press(browser.find_element(By.CSS_SELECTOR, "#row button"))


def answer(browser: Chrome, kind: str) -> str:
    """The text of the answer, once there is one of that kind."""
    return WebDriverWait(browser, 60).until(lambda it: it.find_element(By.CSS_SELECTOR, f"#answer .{kind}")).text


def error_of(browser: Chrome, name: str) -> str:
    field = browser.find_element(By.NAME, name)
    about = (field.get_attribute("aria-describedby") or "").split()
    return browser.find_element(By.ID, about[-1]).text


def test_a_good_row_is_stored_and_shown(browser: Chrome, api: Served) -> None:
    open_form(browser, api)
    fill(browser, id="9007199254740993", name="it's <b>&", price="1.50")
    shown = browser.find_element(By.CSS_SELECTOR, ".address").text
    submit(browser)
    assert '"id":9007199254740993' in answer(browser, "done")
    [(identity, name, _)] = api.all_rows("strict_products")
    assert (identity, name) == (9007199254740993, "it's <b>&")
    assert api.client.post(shown).json()["name"] == "it's <b>&"  # the line for a terminal means the same row


def test_errors_stand_beside_their_fields_and_the_first_gets_the_focus(browser: Chrome, api: Served) -> None:
    browser.set_window_size(360, 800)
    open_form(browser, api)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    fill(browser, id="1", price="much")
    submit(browser)
    answer(browser, "problem")
    assert "REQUIRED" in error_of(browser, "name")
    assert "much" in error_of(browser, "price") or "NUMERIC" in error_of(browser, "price")
    assert error_of(browser, "id") == ""
    assert browser.switch_to.active_element.get_attribute("name") == "name"
    assert api.rows()["strict_products"] == 0


def test_the_keyboard_is_enough(browser: Chrome, api: Served) -> None:
    open_form(browser, api)
    browser.find_element(By.NAME, "id").click()
    for keys in ("7", Keys.TAB, "lamp", Keys.TAB, "3", Keys.TAB, Keys.ENTER):
        browser.switch_to.active_element.send_keys(keys)
    answer(browser, "done")
    assert api.rows()["strict_products"] == 1


def test_with_a_token_a_row_needs_it(browser: Chrome, write: Write) -> None:
    [found] = [sent_with_a_token(browser, api) for api in serve(write, token=SecretStr("secret"), pages="public")]
    assert found == ["A token is needed.", 0, 1]


def test_a_browser_that_was_asked_for_the_token_sends_it(browser: Chrome, write: Write) -> None:
    [rows] = [sent_by_the_browser(browser, api) for api in serve(write, token=SecretStr("secret"))]
    assert rows == 1


def sent_by_the_browser(browser: Chrome, api: Served) -> int:
    """Log in as the browser's dialog does, and send a row. The page has no field for the token."""
    browser.get(f"{api.url}{PAGE}".replace("//", "//anybody:secret@", 1))
    open_form(browser, api)
    fill(browser, id="1", name="lamp")
    submit(browser)
    answer(browser, "done")
    assert browser.find_elements(By.ID, "token") == []
    return api.rows()["strict_products"]


def sent_with_a_token(browser: Chrome, api: Served) -> list[object]:
    open_form(browser, api)
    fill(browser, id="1", name="lamp")
    submit(browser)
    refused = answer(browser, "problem").partition(" Send")[0]
    before = api.rows()["strict_products"]
    browser.find_element(By.ID, "token").send_keys("secret")
    submit(browser)
    answer(browser, "done")
    return [refused, before, api.rows()["strict_products"]]
