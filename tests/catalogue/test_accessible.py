"""No rule of axe-core is broken on any kind of page, in light and dark, narrow and wide. Those with a run are in
test_runs_in_browser.py."""

from collections.abc import Iterator

from pydantic import SecretStr
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.api.conftest import Served
from tests.catalogue.browser import broken_rules
from tests.catalogue.browser import browser as browser
from tests.catalogue.test_form_in_browser import PAGE, answer, open_form, serve, submit
from tests.conftest import Write

PAGES = ("/", PAGE, "/catalogue/tmp.b.html", "/catalogue/tmp.b.id.html", "/catalogue/runs.html")


def test_no_rule_is_broken(browser: Chrome, write: Write) -> None:
    [broken] = [
        [found for page in PAGES for found in broken_on(browser, api, page)]
        for api in serve(write, token=SecretStr("secret"), pages="public")
    ]
    assert broken == []


def broken_on(browser: Chrome, api: Served, page: str) -> Iterator[str]:
    browser.get(f"{api.url}{page}")
    if page == PAGE:  # with an error beside a field
        open_form(browser, api)
        browser.find_element(By.ID, "token").send_keys("secret")
        submit(browser)
        answer(browser, "problem")
    return broken_rules(browser)
