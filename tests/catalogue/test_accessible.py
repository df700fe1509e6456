"""No rule of axe-core is broken on any kind of page, in light and dark, narrow and wide.

axe/ holds https://github.com/dequelabs/axe-core 4.14.1 as its authors publish it, with its licence (MPL-2.0).
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.api.conftest import Served
from tests.catalogue.browser import browser as browser
from tests.catalogue.test_form_in_browser import PAGE, answer, open_form, serve, submit
from tests.conftest import Write

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
PAGES = ("/", PAGE, "/catalogue/tmp.b.html", "/catalogue/tmp.b.id.html", "/catalogue/runs.html")
LOOKS: tuple[tuple[int, str, dict[str, list[str]]], ...] = (
    (360, "light", {}),
    (1400, "light", {}),
    (1400, "dark", {"runOnly": ["color-contrast"]}),
)
"""Widths and schemes, with what axe is asked for: in the dark only the colours differ."""


def test_no_rule_is_broken(browser: Chrome, write: Write) -> None:
    [broken] = [
        [found for page in PAGES for found in broken_on(browser, api, page)]
        for api in serve(write, token=SecretStr("secret"), pages="public")
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert broken == []


def broken_on(browser: Chrome, api: Served, page: str) -> Iterator[tuple[str, int, str, str]]:
    """The rules that the page breaks, each with the look in which it does."""
    browser.get(f"{api.url}{page}")
    if page == PAGE:  # with an error beside a field
        open_form(browser, api)
        browser.find_element(By.ID, "token").send_keys("secret")
        submit(browser)
        answer(browser, "problem")
    browser.execute_script(AXE)
    for width, scheme, options in LOOKS:
        wanted = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
        browser.set_window_size(width, 1200)
        found = browser.execute_async_script("axe.run(arguments[0]).then(arguments[1])", options)
        yield from ((page, width, scheme, f"{rule['id']}: {rule['nodes'][0]['html']}") for rule in found["violations"])
